"""The schema that a sequence of changes comes to: what a rule knows about a table without a database."""

from dataclasses import dataclass, field, fields, replace
from typing import Any

from service.migrate.dialects.postgresql.tokens import tokenize
from service.migrate.proof.lint.sql import types
from service.migrate.proof.lint.sql.change import Column, Constraint


@dataclass(slots=True, kw_only=True)
class Table:
    """A table: its columns, its named and unnamed constraints, and its indexes with their columns."""

    columns: dict[str, Column] = field(default_factory=dict)
    constraints: list[Constraint] = field(default_factory=list)
    indexes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    # Each index as its CREATE INDEX has it.
    index_texts: dict[str, str] = field(default_factory=dict)
    # What ALTER TABLE set: whether it is logged, its tablespace, access method, row security, replica identity, owner.
    settings: dict[str, str] = field(default_factory=dict)
    is_partitioned: bool = False
    # The partition for rows that no other has.
    default_partition: str = ""

    def copy(self) -> "Table":
        return replace(
            self,
            columns=dict(self.columns),
            constraints=list(self.constraints),
            indexes=dict(self.indexes),
            index_texts=dict(self.index_texts),
            settings=dict(self.settings),
        )

    def is_required(self, column: str) -> bool:
        """Whether the column is NOT NULL, or a valid CHECK proves it."""
        known = self.columns.get(column)
        return (known is not None and not known.is_nullable) or any(
            each.kind == "check" and each.is_valid and proves_not_null(each.expression, column)
            for each in self.constraints
        )

    def checks(self, column: str) -> list[Constraint]:
        """The CHECK constraints that name the column."""
        return [each for each in self.constraints if each.kind == "check" and column in names_in(each.expression)]

    def dependents(self, column: str) -> list[str]:
        """The indexes and constraints that use the column, NOT NULL aside."""
        found = [name for name, text in self.index_texts.items() if column in (*self.indexes[name], *names_in(text))]
        found += [
            each.name or each.kind
            for each in self.constraints
            if each.kind != "not null" and column in (*each.columns, *names_in(each.expression))
        ]
        return found


@dataclass(slots=True, kw_only=True)
class Schema:
    """Tables, and by name the functions, triggers, views, enums, and domains with the type that has no constraint."""

    tables: dict[str, Table] = field(default_factory=dict)
    functions: dict[str, str] = field(default_factory=dict)
    triggers: dict[tuple[str, str], str] = field(default_factory=dict)
    views: dict[str, str] = field(default_factory=dict)
    enums: set[str] = field(default_factory=set)
    domains: dict[str, str] = field(default_factory=dict)
    policies: dict[tuple[str, str], str] = field(default_factory=dict)
    # The publications of each table.
    published: dict[str, frozenset[str]] = field(default_factory=dict)
    # Sequences with the column that owns each; comments by what they are on; privileges with object and role.
    sequences: dict[str, str] = field(default_factory=dict)
    comments: dict[str, str] = field(default_factory=dict)
    grants: set[tuple[str, str, str]] = field(default_factory=set)

    def copy(self) -> "Schema":
        parts: dict[str, Any] = {each.name: getattr(self, each.name).copy() for each in fields(self)}
        return Schema(**parts | {"tables": {name: table.copy() for name, table in self.tables.items()}})

    def joined(self, other: "Schema") -> "Schema":
        """What both branches of a history make; a change of one branch wins over what both began with."""
        parts: dict[str, Any] = {
            each.name: getattr(other, each.name) | getattr(self, each.name) for each in fields(self)
        }
        return Schema(**parts)

    def table(self, name: str) -> Table:
        """The table; an empty one if the history does not know it."""
        return self.tables.get(name) or Table()

    def column(self, table: str, name: str) -> Column | None:
        return self.table(table).columns.get(name)


def proves_not_null(expression: str, column: str) -> bool:
    tokens = [token.name or token.text for token in tokenize(expression) if token.text not in "()"]
    return [each.lower() for each in tokens] == [column.lower(), "is", "not", "null"]


def names_in(text: str) -> set[str]:
    """The names in an SQL text, without those in strings."""
    return {token.name for token in tokenize(text)} - {""}


def names_in_body(text: str) -> set[str]:
    """The names in a CREATE FUNCTION, whose body is a string, or in a body by itself."""
    return names_in(text) | {name for token in tokenize(text) for name in names_in(token.value)}


def is_constrained_domain(schema: Schema, type: str) -> bool:
    return schema.domains.get(types.base(type)) == ""
