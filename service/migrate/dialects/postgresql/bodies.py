"""What the body of a function names: a column of a table, a table, or another function."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from service.migrate.dialects.postgresql.statements import Source, Statement, scopes, statements

# Names of all tables and views, with the schemas that have them.
Tables = Mapping[str, frozenset[str]]

PARSED_LANGUAGES = frozenset(("sql", "plpgsql"))
_AS_TEXT = ("tg_table_name", "tg_relname", "tg_relid")
_TO_JSON = frozenset(("to_json", "to_jsonb", "row_to_json", "hstore"))
_COMMENTS = re.compile(r"(?:^|(?<=\s))#[^\n]*|(?<!:)//[^\n]*|/\*.*?\*/", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The table that is asked about."""

    schema: str
    name: str


@dataclass(frozen=True, kw_only=True)
class Body:
    """The text of a function or procedure.

    `triggers` are those of the table that call the function; `rows` the parameters of the table's row type, and
    `takes_row` whether there is one, also without a name, or the function returns such rows.
    """

    text: str
    language: str
    tables: Tables
    triggers: tuple[str, ...] = ()
    rows: frozenset[str] = frozenset()
    takes_row: bool = False

    def names_column(self, table: Table, column: str) -> bool:
        """Whether the body may name this column of the table."""
        if self.language not in PARSED_LANGUAGES:
            return self._has_words(column, *(() if self.triggers else (table.name,)))
        return any(self._is_named(statement, table, column) for statement in self._statements)

    def names_table(self, table: Table) -> bool:
        """Whether the body may name the table."""
        if self.language not in PARSED_LANGUAGES:
            return self._has_words(table.name)
        return any(self._names_table(statement, table) for statement in self._statements)

    def needs_table(self, table: Table) -> bool:
        """Whether the body does with the table what an updatable view does not support: TRUNCATE, ON CONSTRAINT."""
        return any(
            self._names_table(each, table) and ("truncate" in each.words or {"insert", "constraint"} <= each.words)
            for each in self._statements
        )

    def calls(self, function: str) -> bool:
        """Whether the body may call a function of this name."""
        if self.language not in PARSED_LANGUAGES:
            return self._has_words(function)
        return any(
            statement.name(at) == function and statement.text(at + 1) == "("
            for statement in self._statements
            for at in range(len(statement.tokens))
        )

    def inserts_row(self, table: Table) -> bool:
        """Whether the body inserts all columns of a row of the table somewhere, by their number."""
        return any(self._inserts_row(statement, table) for statement in self._statements)

    @cached_property
    def _statements(self) -> list[Statement]:
        if self.language not in PARSED_LANGUAGES:
            return []
        return statements(self.text, has_dynamic=self.language == "plpgsql")

    def _has_words(self, *words: str) -> bool:
        """Whether the text of a language that is not parsed here has all of these words outside of comments."""
        text = _COMMENTS.sub(" ", self.text)
        return all(re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.IGNORECASE) for word in words)

    # Columns.

    def _is_named(self, statement: Statement, table: Table, column: str) -> bool:
        places = [at for at in range(len(statement.tokens)) if statement.name(at) == column]
        if not places:
            return self._is_key(statement, table, column)
        sources = [each for each in statement.sources() if each.name in self.tables]
        taken = {each.position for each in sources} | set(_of_other_targets(statement, sources, table))
        reads = self._reads(statement, sources, table)
        for at in places:
            if statement.text(at - 1) == ".":
                if self._is_of_row(statement, at, sources, table):
                    return True
            elif at not in taken and reads and _is_plain(statement, at):
                return True
        return self._is_key(statement, table, column)

    def _reads(self, statement: Statement, sources: list[Source], table: Table) -> bool:
        """Whether a column without a qualifier may be one of the table."""
        if any(_is(each, table) for each in sources):
            return True
        if not statement.is_dynamic:
            return False
        # EXECUTE format('UPDATE %I …', …): the table stands elsewhere.
        return not sources or bool(self.triggers and statement.words.intersection(_AS_TEXT))

    def _is_of_row(self, statement: Statement, at: int, sources: list[Source], table: Table) -> bool:
        """Whether the row before the dot may be one of the table."""
        qualifier = statement.name(at - 2)
        if qualifier in ("new", "old"):
            return bool(self.triggers)
        if qualifier in self.rows:
            return True
        bound = [each for each in sources if qualifier in (each.name, each.alias)] + self._scopes.get(qualifier, [])
        if bound:
            return any(_is(each, table) for each in bound)
        return self._has_rows(table)

    def _has_rows(self, table: Table) -> bool:
        """Whether the body has rows of the table under names that are not known here."""
        return (
            self.takes_row
            or any(self._names_table(each, table) for each in self._statements)
            or (bool(self.triggers) and any(_passes_row(each) for each in self._statements))
        )

    @cached_property
    def _scopes(self) -> dict[str, list[Source]]:
        found: dict[str, list[Source]] = {}
        for variable, source in scopes(self._statements, self.tables):
            found.setdefault(variable, []).append(source)
        return found

    def _is_key(self, statement: Statement, table: Table, column: str) -> bool:
        """Whether the column is the key of a row as JSON: to_jsonb(NEW) ->> 'city'."""
        places = [at for at, token in enumerate(statement.tokens) if token.value == column]
        as_key = any(statement.text(at - 1) in ("->", "->>") for at in places)
        return as_key and any(_TO_JSON & each.words for each in self._statements) and self._has_rows(table)

    # Tables.

    def _names_table(self, statement: Statement, table: Table) -> bool:
        if any(_is(each, table) for each in statement.sources()):
            return True
        for at in range(len(statement.tokens)):
            if statement.name(at) == table.name:
                before = at - (3 if statement.text(at - 1) == "." and statement.name(at - 2) == table.schema else 1)
                is_type = statement.text(before) == "::" or statement.text(at + 1) == "%"
                is_type = is_type or (statement.text(at + 1) == "." and statement.text(at + 3) == "%")
                if is_type or (at == 1 and statement.text(2) in ("", ":=", "=", "default") and statement.name(0)):
                    return True
        return False

    def _inserts_row(self, statement: Statement, table: Table) -> bool:
        if "insert" not in statement.words:
            return False
        sources = [each for each in statement.sources() if each.name in self.tables]
        read = [each for each in sources if statement.text(each.position - 1) != "into"]
        for at, token in enumerate(statement.tokens):
            if token.text != "*" or _is_in_call(statement, at):
                continue
            if statement.text(at - 1) == ".":
                if self._is_of_row(statement, at, read, table):
                    return True
            elif statement.text(at - 1) in ("select", ",") and any(_is(each, table) for each in read):
                return True
        return False


def _is(source: Source, table: Table) -> bool:
    return source.name == table.name and source.schema in ("", table.schema)


def _is_plain(statement: Statement, at: int) -> bool:
    """Whether the name can be a column: no function, no type, no alias and no named argument."""
    before, behind = statement.text(at - 1), statement.text(at + 1)
    is_string = at + 1 < len(statement.tokens) and statement.tokens[at + 1].kind == "string"
    return before not in ("as", "::", "%") and behind not in ("(", "=>") and not is_string


def _of_other_targets(statement: Statement, sources: list[Source], table: Table) -> Iterator[int]:
    """Yield the places of columns that another table has: INSERT INTO other (…), UPDATE other SET … = ."""
    targets = [each for each in sources if _verb(statement, each) in ("into", "update", "only")]
    ends = [*(each.position for each in targets[1:]), len(statement.tokens)]
    for target, end in zip(targets, ends, strict=False):
        if _is(target, table):
            continue
        at = target.position + 1
        while at < end and statement.text(at) not in ("(", "set", "values", "select"):
            at += 1
        if statement.text(at) == "(" and _verb(statement, target) == "into":
            yield from _until_closed(statement, at)
        yield from _set_columns(statement, target.position, end)


def _verb(statement: Statement, source: Source) -> str:
    """The word before the name of a table."""
    return statement.text(source.position - (3 if source.schema else 1))


def _until_closed(statement: Statement, at: int) -> Iterator[int]:
    depth = 0
    while at < len(statement.tokens):
        depth += (statement.text(at) == "(") - (statement.text(at) == ")")
        if not depth:
            return
        yield at
        at += 1


def _set_columns(statement: Statement, start: int, end: int) -> Iterator[int]:
    for at in range(start, end):
        if statement.text(at) in ("set", ",") and statement.text(at + 2) == "=":
            yield at + 1


def _is_in_call(statement: Statement, at: int) -> bool:
    """Whether the star is an argument: count(*), row(new.*)."""
    depth = 0
    for before in range(at - 1, -1, -1):
        depth += (statement.text(before) == ")") - (statement.text(before) == "(")
        if depth < 0:
            return statement.text(before - 1) not in ("values", "insert", "as", "from", "union", "all", ",", "(", ")")
    return False


def _passes_row(statement: Statement) -> bool:
    """Whether NEW or OLD goes somewhere as a whole: rec := NEW, helper(OLD), and not RETURN NEW."""
    return any(
        statement.name(at) in ("new", "old") and statement.text(at + 1) != "." and statement.text(at - 1) != "return"
        for at in range(len(statement.tokens))
    )
