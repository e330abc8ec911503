"""The schema that a sequence of changes comes to: what a rule knows about a table without a database."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from service.migrate.dialects.postgresql.tokens import tokenize
from service.migrate.proof.lint.sql import types
from service.migrate.proof.lint.sql.change import Change, Column, Constraint, Kind


@dataclass(slots=True, kw_only=True)
class Table:
    """A table: its columns, its named and unnamed constraints, and its indexes with their columns."""

    columns: dict[str, Column] = field(default_factory=dict)
    constraints: list[Constraint] = field(default_factory=list)
    indexes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    is_partitioned: bool = False
    # The partition for rows that no other has.
    default_partition: str = ""

    def copy(self) -> "Table":
        return Table(
            columns=dict(self.columns),
            constraints=list(self.constraints),
            indexes=dict(self.indexes),
            is_partitioned=self.is_partitioned,
            default_partition=self.default_partition,
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


@dataclass(slots=True, kw_only=True)
class Schema:
    """Tables, and by name the functions, triggers, views, enums, and domains with the type that has no constraint."""

    tables: dict[str, Table] = field(default_factory=dict)
    functions: dict[str, str] = field(default_factory=dict)
    triggers: dict[tuple[str, str], str] = field(default_factory=dict)
    views: dict[str, str] = field(default_factory=dict)
    enums: set[str] = field(default_factory=set)
    domains: dict[str, str] = field(default_factory=dict)
    policies: set[tuple[str, str]] = field(default_factory=set)
    # The publications of each table.
    published: dict[str, frozenset[str]] = field(default_factory=dict)

    def copy(self) -> "Schema":
        return Schema(
            tables={name: table.copy() for name, table in self.tables.items()},
            functions=dict(self.functions),
            triggers=dict(self.triggers),
            views=dict(self.views),
            enums=set(self.enums),
            domains=dict(self.domains),
            policies=set(self.policies),
            published=dict(self.published),
        )

    def joined(self, other: "Schema") -> "Schema":
        """What both branches of a history make; a change of one branch wins over what both began with."""
        return Schema(
            tables={**other.tables, **self.tables},
            functions={**other.functions, **self.functions},
            triggers={**other.triggers, **self.triggers},
            views={**other.views, **self.views},
            enums=self.enums | other.enums,
            domains={**other.domains, **self.domains},
            policies=self.policies | other.policies,
            published={**other.published, **self.published},
        )

    def table(self, name: str) -> Table:
        """The table; an empty one if the history does not know it."""
        return self.tables.get(name) or Table()

    def column(self, table: str, name: str) -> Column | None:
        return self.table(table).columns.get(name)

    def apply(self, change: Change) -> None:
        """Change the schema as the statement does."""
        if change.kind in _OF_TABLE and change.table:
            _OF_TABLE[change.kind](self.tables.setdefault(change.table, Table()), change)
        elif change.kind in _OF_SCHEMA:
            _OF_SCHEMA[change.kind](self, change)


def _stored(column: Column) -> Column:
    """The column as the catalog has it: a serial type is an integer with a sequence."""
    if column.type not in types.SERIAL:
        return column
    return replace(column, type=types.SERIAL[column.type], default=column.default or "nextval()")


def proves_not_null(expression: str, column: str) -> bool:
    tokens = [token.name or token.text for token in tokenize(expression) if token.text not in "()"]
    return [each.lower() for each in tokens] == [column.lower(), "is", "not", "null"]


def names_in(text: str) -> set[str]:
    """The names in an SQL text, without those in strings."""
    return {token.name for token in tokenize(text)} - {""}


def names_in_body(text: str) -> set[str]:
    """The names in a CREATE FUNCTION, whose body is a string, or in a body by itself."""
    return names_in(text) | {name for token in tokenize(text) for name in names_in(token.value)}


def _add_column(table: Table, change: Change) -> None:
    table.columns[change.name] = _stored(change.column)
    table.constraints += change.column.constraints


def _drop_column(table: Table, change: Change) -> None:
    table.columns.pop(change.name, None)
    table.constraints = [each for each in table.constraints if change.name not in each.columns]
    table.indexes = {name: columns for name, columns in table.indexes.items() if change.name not in columns}


def _rename_column(table: Table, change: Change) -> None:
    new = {change.name: change.to}
    table.columns = {
        new.get(name, name): replace(each, name=new.get(name, name)) for name, each in table.columns.items()
    }
    table.indexes = {key: tuple(new.get(each, each) for each in names) for key, names in table.indexes.items()}
    table.constraints = [
        replace(each, columns=tuple(new.get(name, name) for name in each.columns)) for each in table.constraints
    ]


def _edit(**values: Any) -> Callable[[Table, Change], None]:
    def edit(table: Table, change: Change) -> None:
        known = table.columns.get(change.name) or Column(name=change.name)
        table.columns[change.name] = replace(known, **values)

    return edit


def _change_type(table: Table, change: Change) -> None:
    known = table.columns.get(change.name) or change.column
    table.columns[change.name] = replace(known, type=change.column.type)


def _set_default(table: Table, change: Change) -> None:
    known = table.columns.get(change.name) or Column(name=change.name)
    table.columns[change.name] = replace(known, default=change.text)


def _add_constraint(table: Table, change: Change) -> None:
    found = change.constraint
    if found.kind == "not null" and not found.is_valid:
        table.constraints.append(found)
        return
    if found.index:
        found = replace(found, columns=table.indexes.pop(found.index, ()))
    table.constraints.append(found)
    if found.kind in ("primary key", "not null"):
        for name in found.columns:
            table.columns[name] = replace(table.columns.get(name) or Column(name=name), is_nullable=False)


def _drop_constraint(table: Table, change: Change) -> None:
    table.constraints = [each for each in table.constraints if each.name != change.name]


def _validate(table: Table, change: Change) -> None:
    for each in table.constraints:
        if each.name == change.name and each.kind == "not null":
            known = table.columns.get(each.columns[0]) or Column(name=each.columns[0])
            table.columns[known.name] = replace(known, is_nullable=False)
    table.constraints = [
        replace(each, is_valid=each.is_valid or each.name == change.name) for each in table.constraints
    ]


def _create_index(table: Table, change: Change) -> None:
    table.indexes[change.name or f"on {', '.join(change.names)}"] = change.names


_OF_TABLE: dict[Kind, Callable[[Table, Change], None]] = {
    Kind.ADD_COLUMN: _add_column,
    Kind.DROP_COLUMN: _drop_column,
    Kind.RENAME_COLUMN: _rename_column,
    Kind.CHANGE_TYPE: _change_type,
    Kind.SET_NOT_NULL: _edit(is_nullable=False),
    Kind.DROP_NOT_NULL: _edit(is_nullable=True),
    Kind.SET_DEFAULT: _set_default,
    Kind.DROP_DEFAULT: _edit(default=None),
    Kind.ADD_IDENTITY: _edit(is_identity=True),
    Kind.ADD_CONSTRAINT: _add_constraint,
    Kind.DROP_CONSTRAINT: _drop_constraint,
    Kind.VALIDATE_CONSTRAINT: _validate,
    Kind.CREATE_INDEX: _create_index,
}


def _create_table(schema: Schema, change: Change) -> None:
    table = Table(
        columns={each.name: _stored(each) for each in change.columns},
        constraints=[*(one for each in change.columns for one in each.constraints), *change.constraints],
        is_partitioned="partitioned" in change.words,
    )
    for each in change.constraints:
        if each.kind == "primary key":
            known = [name for name in each.columns if name in table.columns]
            table.columns |= {name: replace(table.columns[name], is_nullable=False) for name in known}
    schema.tables[change.table] = table
    if "default" in change.words and change.to in schema.tables:
        schema.tables[change.to].default_partition = change.table


def _drop_table(schema: Schema, change: Change) -> None:
    schema.tables.pop(change.table, None)
    schema.triggers = {key: text for key, text in schema.triggers.items() if key[1] != change.table}


def _rename_table(schema: Schema, change: Change) -> None:
    schema.tables[change.to] = schema.tables.pop(change.table, Table())
    schema.triggers = {
        (name, change.to if table == change.table else table): text for (name, table), text in schema.triggers.items()
    }


def _publish(schema: Schema, change: Change) -> None:
    named = schema.tables if " all tables" in change.text.lower() else names_in(change.text) & schema.tables.keys()
    for table in named:
        schema.published[table] = schema.published.get(table, frozenset()) | {change.name}


def _drop_index(schema: Schema, change: Change) -> None:
    for table in schema.tables.values():
        table.indexes.pop(change.name, None)


def _drop_type(schema: Schema, change: Change) -> None:
    schema.enums.discard(change.name)
    schema.domains.pop(change.name, None)


_OF_SCHEMA: dict[Kind, Callable[[Schema, Change], Any]] = {
    Kind.CREATE_TABLE: _create_table,
    Kind.DROP_TABLE: _drop_table,
    Kind.RENAME_TABLE: _rename_table,
    Kind.DROP_INDEX: _drop_index,
    Kind.CREATE_FUNCTION: lambda schema, change: schema.functions.update({change.name: change.text}),
    Kind.DROP_FUNCTION: lambda schema, change: schema.functions.pop(change.name, None),
    Kind.CREATE_TRIGGER: lambda schema, change: schema.triggers.update({(change.name, change.table): change.text}),
    Kind.DROP_TRIGGER: lambda schema, change: [
        schema.triggers.pop(key) for key in list(schema.triggers) if key[0] == change.name
    ],
    Kind.CREATE_PUBLICATION: _publish,
    Kind.CREATE_VIEW: lambda schema, change: schema.views.update({change.name: change.text}),
    Kind.DROP_VIEW: lambda schema, change: schema.views.pop(change.name, None),
    Kind.CREATE_ENUM: lambda schema, change: schema.enums.add(change.name),
    Kind.DROP_TYPE: _drop_type,
    Kind.CREATE_DOMAIN: lambda schema, change: schema.domains.update(
        {change.name: change.to if change.words.isdisjoint(("check", "not")) else ""}
    ),
    Kind.CREATE_POLICY: lambda schema, change: schema.policies.add((change.table, change.name)),
    Kind.DROP_POLICY: lambda schema, change: schema.policies.discard((change.table, change.name)),
}


def is_constrained_domain(schema: Schema, type: str) -> bool:
    return schema.domains.get(types.base(type)) == ""
