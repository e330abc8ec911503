"""ADD COLUMN on SQLite: natively where SQLite can, else by a rebuild."""

import re
from itertools import accumulate

from service.migrate.dialects.sqlite.clauses import Column, column
from service.migrate.dialects.sqlite.edit import Edit
from service.migrate.dialects.sqlite.tokens import meaningful, quoted, tokenize


def edit_or_statement(table: str, text: str) -> tuple[Edit | None, tuple[str, ...]]:
    """Return the edit or the statement that adds a column with this definition."""
    wanted = parenthesised(column(text))
    if is_native(wanted):
        return None, (f"ALTER TABLE {quoted(table)} ADD COLUMN {wanted.text}",)
    return Edit(table=table, change=lambda definition: definition.add_column(wanted.text)), ()


def parenthesised(written: Column) -> Column:
    """The column with parentheses around a default expression, which SQLAlchemy 2.0 omits."""
    default = written.clause("DEFAULT")
    if default is None:
        return written
    value = written.text_of(default).split(maxsplit=1)[1]
    return written if _stands_alone(value) else written.without(default).with_clause(f"DEFAULT ({value})")


def _stands_alone(value: str) -> bool:
    """Whether the value is a name, a string, a number with or without a sign, or in parentheses already."""
    tokens = tokenize(value)
    marks = [tokens[position].text for position in meaningful(tokens)]
    if len(marks) == 1 or (len(marks) == 2 and marks[0] in "+-"):
        return True
    # A decimal number is three tokens.
    if re.fullmatch(r"[+-]?\d*\.?\d*", "".join(marks)):
        return True
    depths = list(accumulate((mark == "(") - (mark == ")") for mark in marks))
    return marks[0] == "(" and depths.index(0) == len(marks) - 1


def is_native(wanted: Column) -> bool:
    """Whether ALTER TABLE ADD COLUMN accepts it: https://www.sqlite.org/lang_altertable.html#altertabaddcol."""
    kinds = {clause.kind for clause in wanted.clauses}
    default = wanted.clause("DEFAULT")
    value = wanted.text_of(default).split(maxsplit=1)[1].upper() if default else "NULL"
    changing = value.startswith(("(", "CURRENT_"))
    return not (kinds & {"PRIMARY KEY", "UNIQUE", "AS"} or changing or ("NOT NULL" in kinds and value == "NULL"))
