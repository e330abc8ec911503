"""Columns added to a table: natively where SQLite can, else by a rebuild."""

from service.migrate.sqlite.clauses import Column, column
from service.migrate.sqlite.tokens import meaningful, quoted, tokenize
from service.migrate.steps import Edit


def edit_or_statement(table: str, text: str) -> tuple[Edit | None, tuple[str, ...]]:
    """Return how a column of this definition is added: an edit of the table, or a statement."""
    wanted = parenthesised(column(text))
    if is_native(wanted):
        return None, (f"ALTER TABLE {quoted(table)} ADD COLUMN {wanted.text}",)
    return Edit(table=table, change=lambda definition: definition.add_column(wanted.text)), ()


def parenthesised(written: Column) -> Column:
    """The column with parentheses around an expression for a default, which SQLAlchemy 2.0 leaves to the caller."""
    default = written.clause("DEFAULT")
    value = written.text_of(default).split(maxsplit=1)[1] if default else "("
    # A name, a number or a text stand alone.
    if value[0] in "(+-" or len(meaningful(tokenize(value))) == 1 or default is None:
        return written
    return written.without(default).with_clause(f"DEFAULT ({value})")


def is_native(wanted: Column) -> bool:
    """Whether ALTER TABLE ADD COLUMN can do it: https://www.sqlite.org/lang_altertable.html#altertabaddcol."""
    kinds = {clause.kind for clause in wanted.clauses}
    default = wanted.clause("DEFAULT")
    value = wanted.text_of(default).split(maxsplit=1)[1].upper() if default else "NULL"
    changing = value.startswith(("(", "CURRENT_"))
    return not (kinds & {"PRIMARY KEY", "UNIQUE", "AS"} or changing or ("NOT NULL" in kinds and value == "NULL"))
