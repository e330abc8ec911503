"""Rows that would make a statement of a plain revision fail, asked of the database that it is planned for."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from sqlalchemy import Connection, inspect
from sqlalchemy.exc import DBAPIError, NoSuchTableError, SQLAlchemyError

from service.db.counting import counted
from service.db.failures import sqlstate
from service.migrate.dialects import ddl, reflected
from service.migrate.errors import Refused, reason
from service.migrate.operations.columns.requirements import no_nulls
from service.migrate.operations.preconditions import refuse_rows
from service.migrate.operations.step import Precondition
from service.migrate.proof.lint.sql import statements
from service.migrate.proof.lint.sql.change import UNKNOWN, Change, Column, Constraint, Kind

# Functions of PostgreSQL that revisions call; none makes a table.
_HARMLESS = ("setval", "nextval", "set_config", "now", "count")
# Alembic rebuilds a table of SQLite under this name.
_COPY = "_alembic_tmp_"
_WRITES = (Kind.UPDATE, Kind.DELETE, Kind.INSERT, Kind.TRUNCATE, Kind.COPY, Kind.CALL, Kind.OPAQUE, Kind.SELECT)
# The SQLSTATE class of a value that cannot be computed.
_DATA = "22"
_LENGTH = re.compile(r"(?:varchar|character varying|char|character)\((\d+)\)", re.IGNORECASE)
_REFERENCES = r'\bREFERENCES\s*(?:\w+\.)?"?{}"?\s*\(([^)]*)\)'
_INDEXED = re.compile(r"\bON\b[^(]*\((.*)$", re.IGNORECASE | re.DOTALL)
_ORDER = re.compile(r"\s+(ASC|DESC|NULLS\s+(FIRST|LAST)|[a-z_0-9]+_ops)\s*$", re.IGNORECASE)
_QUOTED = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*\"""")
# Operators whose marks the tokens of a statement have one by one.
_MARKS = re.compile(r"('(?:[^']|'')*')|([<>=!~@#%^&|?*/+-]) (?=[<>=!~@#%^&|?])")


@dataclass(kw_only=True)
class Violations:
    """What the rows of a database would do to the statements of one revision, in their order.

    A sentence is certain unless the revision itself, or one that runs before, writes the table first.
    """

    connection: Connection
    touched: set[str]
    # The tables that the statements change or create, and whether some may change any other.
    changed: set[str] = field(default_factory=set, init=False)
    is_opaque: bool = field(default=False, init=False)
    # Whether a statement drops an object, such as a trigger of SQLite, without the name of its table.
    frees_any: bool = field(default=False, init=False)
    _added: set[tuple[str, str]] = field(default_factory=set, init=False)
    _not_valid: dict[str, tuple[Constraint, str]] = field(default_factory=dict, init=False)

    def of(self, statement: str) -> Iterator[tuple[str, bool]]:
        """The sentences about a statement, each with whether it is certain."""
        for change in statements.changes(statement):
            table = change.table.removeprefix(_COPY)
            for what in self._of(change, table, statement):
                yield what, table not in self.touched
            if change.kind in _WRITES:
                self.touched |= {change.table} if change.table else self._tables()
            if change.kind is Kind.ADD_COLUMN and change.column.default is None:
                self._added.add((table, change.name))
            self.changed |= ({table, change.to} if change.kind is Kind.RENAME_TABLE else {table}) - {""}
            self.is_opaque |= _is_opaque(change)
            self.frees_any |= not table and change.kind.startswith("DROP")

    def _of(self, change: Change, table: str, statement: str) -> Iterator[str]:
        if not table or reflected.table_name(self.connection, table) is None:
            return
        if change.kind is Kind.SET_NOT_NULL:
            yield from self._not_null(table, change.name)
        elif change.kind is Kind.ADD_COLUMN:
            yield from self._added_column(table, change.column)
        elif change.kind is Kind.CHANGE_TYPE:
            yield from self._values(table, change)
        elif change.kind is Kind.CREATE_TABLE:
            yield from self._rebuilt(table, change, statement)
        else:
            yield from self._restricted(table, change, statement)

    def _restricted(self, table: str, change: Change, statement: str) -> Iterator[str]:
        if change.kind is Kind.ADD_CONSTRAINT:
            if not change.constraint.is_valid:
                self._not_valid[change.name] = replace(change.constraint, is_valid=True), statement
            yield from self._constraint(table, change.constraint, statement)
        elif change.kind is Kind.VALIDATE_CONSTRAINT:
            yield from self._validated(table, change.name)
        elif change.kind is Kind.CREATE_INDEX and "unique" in change.words and (body := _INDEXED.search(statement)):
            yield from self._unique_index(table, change.name, body[1])

    def _rebuilt(self, table: str, change: Change, statement: str) -> Iterator[str]:
        """The rows of a table that is copied into a new definition, since a table of this name exists."""
        if "exists" in change.words:
            return
        for column in change.columns:
            if not column.is_nullable:
                yield from self._not_null(table, column.name)
            for each in column.constraints:
                yield from self._constraint(table, each, statement)
        for each in change.constraints:
            yield from self._constraint(table, each, statement)

    def _not_null(self, table: str, column: str) -> Iterator[str]:
        if (table, column) in self._added:
            if count := self._count(f"SELECT 1 FROM {ddl.quoted(table)}"):
                yield f"{table}.{column} is added without a value, and {table} has {counted(count, 'row')}."
            return
        yield from self._found(no_nulls(table, column))

    def _added_column(self, table: str, column: Column) -> Iterator[str]:
        has_value = column.default is not None or column.generated or column.is_identity or column.is_nullable
        if not has_value and "serial" not in column.type and (count := self._rows(table)):
            what = f"{table}.{column.name} is NOT NULL and has no default"
            yield f"{what}, and {table} has {counted(count, 'row')}."

    def _constraint(self, table: str, constraint: Constraint, statement: str) -> Iterator[str]:
        if not constraint.is_valid or constraint.index:
            return
        if constraint.kind == "check":
            # A check lets NULL pass.
            rows = f"SELECT {{key}} FROM {ddl.quoted(table)} WHERE NOT ({glued(constraint.expression)})"
            yield from self._keys(table, f"Some rows of {table} violate CHECK ({glued(constraint.expression)})", rows)
        elif constraint.kind in ("unique", "primary key"):
            yield from self._duplicates(table, [ddl.quoted(each) for each in constraint.columns], "")
            if constraint.kind == "primary key":
                for each in constraint.columns:
                    yield from self._not_null(table, each)
        elif constraint.kind == "foreign key":
            yield from self._orphans(table, constraint, statement)

    def _validated(self, table: str, name: str) -> Iterator[str]:
        if name in self._not_valid:
            yield from self._constraint(table, *self._not_valid[name])
        if self.connection.dialect.name != "postgresql" or name in self._not_valid:
            return
        asked = f"SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = {ddl.regclass(table)} "
        definition = self.connection.exec_driver_sql(f"{asked} AND conname = {ddl.literal(name)}").scalar()
        if definition is not None:
            text = f"ALTER TABLE {ddl.quoted(table)} ADD {str(definition).removesuffix(' NOT VALID')}"
            for change in statements.changes(text):
                yield from self._of(change, table, text)

    def _unique_index(self, table: str, name: str, body: str) -> Iterator[str]:
        columns, rest = _group(body)
        where = re.search(r"\bWHERE\b(.*)", rest, re.IGNORECASE | re.DOTALL)
        items = []
        for each in _listed(columns):
            text = each.strip()
            while shorter := _ORDER.search(text):
                text = text[: shorter.start()].strip()
            items.append(text)
        yield from self._duplicates(table, items, where[1] if where else "", name=name)

    def _duplicates(self, table: str, items: list[str], where: str, *, name: str = "") -> Iterator[str]:
        known = " AND ".join([*(f"({each}) IS NOT NULL" for each in items), *([f"({where})"] if where else [])])
        listed = ", ".join(items)
        rows = f"SELECT {listed} FROM {ddl.quoted(table)} WHERE {known} GROUP BY {listed} HAVING count(*) > 1"
        why = f"Some rows of {table} have one value of {listed}{f', which {name} forbids' if name else ''}"
        yield from self._found(Precondition(why=why, rows=rows, table=table))

    def _orphans(self, table: str, constraint: Constraint, statement: str) -> Iterator[str]:
        referred = constraint.referred
        written = re.search(_REFERENCES.format(re.escape(referred)), statement, re.IGNORECASE)
        columns = [each.strip() for each in written[1].split(",")] if written else []
        columns = columns or [ddl.quoted(each) for each in reflected.primary_key(self.connection, referred)]
        own = [ddl.quoted(each) for each in constraint.columns]
        if len(columns) != len(own):
            return
        pairs = " AND ".join(f"p.{there} = c.{here}" for there, here in zip(columns, own, strict=True))
        known = " AND ".join(f"c.{each} IS NOT NULL" for each in own)
        rows = (
            f"SELECT {', '.join(f'c.{each}' for each in own)} FROM {ddl.quoted(table)} AS c WHERE {known} "
            f"AND NOT EXISTS (SELECT 1 FROM {ddl.quoted(referred)} AS p WHERE {pairs})"
        )
        why = f"Some values of {table}.{', '.join(constraint.columns)} are not in {referred}"
        yield from self._found(Precondition(why=why, rows=rows, table=table))

    def _values(self, table: str, change: Change) -> Iterator[str]:
        """Values that the new type cannot take; PostgreSQL computes the expression for each row."""
        kind, length = change.column.type, _LENGTH.fullmatch(change.column.type)
        expression = glued(change.text) or ddl.quoted(change.name)
        # A cast would cut the value, where storing it fails.
        made = expression if length else f"CAST(({expression}) AS {kind})"
        refused = f"char_length(CAST(made AS text)) > {length[1]}" if length else "made IS NULL"
        asked = f"SELECT 1 FROM (SELECT {made} AS made FROM {ddl.quoted(table)}) AS t WHERE {refused}"
        try:
            with self.connection.begin_nested():
                count = self.connection.exec_driver_sql(f"SELECT count(*) FROM ({asked}) AS found").scalar_one()
        except DBAPIError as failure:
            if (sqlstate(failure) or "").startswith(_DATA):
                yield f"{table}.{change.name} cannot be converted to {kind}: {reason(failure)}."
            return
        if count and length:
            yield f"{table}.{change.name} is too long for {kind} in {counted(count, 'row')}."

    def _keys(self, table: str, why: str, rows: str) -> Iterator[str]:
        key = ddl.listed(reflected.primary_key(self.connection, table)) or "1"
        yield from self._found(Precondition(why=why, rows=rows.replace("{key}", key), table=table))

    def _found(self, check: Precondition) -> Iterator[str]:
        """The refusal; nothing where a column does not exist yet."""
        try:
            with self.connection.begin_nested():
                refuse_rows(self.connection, check)
        except Refused as refused:
            yield str(refused)
        except (SQLAlchemyError, NoSuchTableError):
            return

    def _rows(self, table: str) -> int:
        return self._count(f"SELECT 1 FROM {ddl.quoted(table)}")

    def _count(self, rows: str) -> int:
        return int(self.connection.exec_driver_sql(f"SELECT count(*) FROM ({rows}) AS found").scalar_one())

    def _tables(self) -> set[str]:
        return set(inspect(self.connection).get_table_names())


def _is_opaque(change: Change) -> bool:
    """Whether the change may create any table or column: a call of a function, or SQL that is built at run time."""
    calls = [each for each in change.names if each not in _HARMLESS and not each.startswith("pg_")]
    is_call = change.kind is Kind.SELECT and not change.table and bool(calls)
    return is_call or change.kind in (Kind.OPAQUE, Kind.CALL) or UNKNOWN in change.table


def glued(text: str) -> str:
    """The text with operators of several marks in one piece."""
    return _MARKS.sub(lambda found: found[1] or found[2], text)


def _unquoted(text: str) -> str:
    """The text with another mark for each one in quotes."""
    return _QUOTED.sub(lambda found: "x" * len(found[0]), text)


def _group(text: str) -> tuple[str, str]:
    """What stands before the parenthesis that closes the one before the text, and behind it."""
    depth = 1
    for at, mark in enumerate(_unquoted(text)):
        depth += {"(": 1, ")": -1}.get(mark, 0)
        if not depth:
            return text[:at], text[at + 1 :]
    return text, ""


def _listed(text: str) -> Iterator[str]:
    depth, start = 0, 0
    for at, mark in enumerate(_unquoted(text)):
        depth += {"(": 1, ")": -1}.get(mark, 0)
        if mark == "," and not depth:
            yield text[start:at]
            start = at + 1
    yield text[start:]
