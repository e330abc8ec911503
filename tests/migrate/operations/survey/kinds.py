"""Kinds of tables, and how a revision defines their columns."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from service.migrate.dialects.attributes import Attribute
from service.migrate.operations.survey import policy

IS = Attribute
REST = ', sa.Column("n", sa.Integer()), sa.Column("m", sa.Integer(), server_default="1", nullable=False)'
KEY = 'sa.Column("id", sa.Integer(), nullable=False), '
TEXT = {
    "a": 'sa.Column("a", sa.String(50, collation={collation}), server_default={default}, nullable={nullable})',
    "c": 'sa.Column("c", sa.String(50, collation={collation}), server_default={default}, nullable={nullable})',
    "wide": 'sa.Column("a", sa.Text(collation={collation}), server_default={default}, nullable={nullable})',
    "using": "{} || ''",
    "value": "'y'",
    "columns": '["id", "a", "n", "m"]',
    "key": '["id"]',
    "comment": "None",
    "items": KEY + "{a}" + REST + ', sa.Index("ix_{t}", "m")',
    "collation": '"C"',
    "default": '"x"',
    "was": "\"'x'\"",
    "nullable": "True",
}
NUMBER = TEXT | {
    "a": 'sa.Column("a", sa.Integer(), server_default={default}, nullable={nullable})',
    "c": 'sa.Column("c", sa.Integer(), server_default={default}, nullable={nullable})',
    "wide": 'sa.Column("a", sa.BigInteger(), server_default={default}, nullable={nullable})',
    "using": "{}",
    "value": "5",
    "default": "None",
    "was": "None",
}


PLAIN = (IS.COLLATION, IS.DEFAULT)
_MOVES = policy.OF_COLUMNS | policy.OF_TABLES | {policy.FILL, "drop_not_null", "set_default"}


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of table: how it is made, what is put on it, and the definitions of its columns in a revision."""

    make: str
    puts: tuple[tuple[Attribute, str], ...] = ()
    # What making it puts on it.
    has: tuple[Attribute, ...] = ()
    definitions: Mapping[str, str] = field(default_factory=lambda: TEXT)
    # Said in the session that asks, before it does.
    first: str = ""
    # Whether operations that are not refused are run on it, or only asked.
    runs: bool = True

    def statements(self, table: str, operation: str | None) -> Iterator[str]:
        """SQL for a table with everything, or with what does not refuse the operation."""
        null = " NOT NULL" if operation == "drop_not_null" else ""
        yield self.make.replace("{t}", table).replace("{null}", null)
        for attribute, put in self.puts:
            is_safe = operation is None or policy.rule(operation, attribute) is None or attribute in EXCUSED
            if is_safe and (operation, attribute) not in BY_DEPENDENTS:
                yield put.replace("{t}", table)

    def is_run(self, operation: str) -> bool:
        # The others change neither the column nor the table: one run on a plain table shows what they do.
        if self.has != PLAIN and operation not in _MOVES:
            return False
        if operation == "drop_not_null" and "{null}" not in self.make:
            return False
        if operation in ("set_not_null", policy.FILL) and self.definitions["nullable"] == "False":
            return False
        return self.runs and all(policy.rule(operation, each) is None or each in EXCUSED for each in self.has)


# Excused by the definitions of the revision, which name the collation and the default.
EXCUSED = {IS.COLLATION, IS.DEFAULT}
TRIGGERS = {each for each in Attribute if each.endswith(" trigger") and each is not IS.OBJECT_COMMENT}
# Dependents that must be dropped before a table is, and columns before they get away.
BY_DEPENDENTS = {("drop_table", each) for each in (*TRIGGERS, IS.POLICY, IS.EXTENDED_STATISTICS, IS.RULE)}


def bound(kind: Kind, roles: Mapping[str, str]) -> Kind:
    """The kind with the names of these roles."""

    def named(text: str) -> str:
        for key, role in roles.items():
            text = text.replace("{" + key + "}", role)
        return text

    puts = tuple((attribute, named(put)) for attribute, put in kind.puts)
    return replace(kind, make=named(kind.make), puts=puts, first=named(kind.first))
