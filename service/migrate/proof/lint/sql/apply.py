"""A schema changed as a statement changes it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from service.migrate.proof.lint.sql import types
from service.migrate.proof.lint.sql.change import UNKNOWN, Change, Column, Kind
from service.migrate.proof.lint.sql.schema import Schema, Table, names_in


def apply(schema: Schema, change: Change) -> None:
    """Change the schema as the statement does."""
    if change.table == UNKNOWN:
        return
    if change.kind in _OF_TABLE and change.table:
        _OF_TABLE[change.kind](schema.tables.setdefault(change.table, Table()), change)
        if change.kind is Kind.DROP_COLUMN:
            _drop_comments(schema, f"{change.table}.{change.name}")
    elif change.kind in _OF_SCHEMA:
        _OF_SCHEMA[change.kind](schema, change)


def _stored(column: Column) -> Column:
    """The column as the catalog has it: a serial type is an integer with a sequence."""
    if column.type not in types.SERIAL:
        return column
    return replace(column, type=types.SERIAL[column.type], default=column.default or "nextval()")


def _add_column(table: Table, change: Change) -> None:
    table.columns[change.name] = _stored(change.column)
    table.constraints += change.column.constraints


def _drop_column(table: Table, change: Change) -> None:
    table.columns.pop(change.name, None)
    table.index_texts = {key: text for key, text in table.index_texts.items() if change.name not in table.indexes[key]}
    checks = table.checks(change.name)
    table.constraints = [each for each in table.constraints if change.name not in each.columns and each not in checks]
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
    # A new type has the collation of the statement, or the default one.
    table.columns[change.name] = replace(known, type=change.column.type, collation=change.column.collation)


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
    name = change.name or f"on {', '.join(change.names)}"
    table.indexes[name], table.index_texts[name] = change.names, change.text


def _setting(name: str) -> Callable[[Table, Change], None]:
    def set_it(table: Table, change: Change) -> None:
        table.settings[name] = change.to

    return set_it


_SECURITY = ("row security", "forced row security")
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
    Kind.DROP_IDENTITY: _edit(is_identity=False),
    Kind.SET_LOGGED: _setting("logged"),
    Kind.SET_TABLESPACE: _setting("tablespace"),
    Kind.SET_ACCESS_METHOD: _setting("access method"),
    Kind.CHANGE_OWNER: _setting("owner"),
    Kind.REPLICA_IDENTITY: _setting("replica identity"),
    Kind.ROW_SECURITY: lambda table, change: table.settings.update({_SECURITY[change.name == "force"]: change.name}),
    Kind.SWITCH_TRIGGER: lambda table, change: table.settings.update({f"trigger {change.to}": change.name}),
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
        settings={"logged": "unlogged"} if "unlogged" in change.words else {},
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
    schema.policies = {key: text for key, text in schema.policies.items() if key[0] != change.table}
    schema.grants = {each for each in schema.grants if each[1] != change.table}
    _drop_comments(schema, change.table)


def _drop_comments(schema: Schema, name: str) -> None:
    """Forget the comments on what is gone: `books` with its columns, `books.price`."""
    gone = {key for key in schema.comments if key.partition(" ")[2] == name or f" {name}." in key}
    schema.comments = {key: text for key, text in schema.comments.items() if key not in gone}


def _rename_table(schema: Schema, change: Change) -> None:
    if change.table in schema.views:
        schema.views[change.to] = schema.views.pop(change.table)
        return
    was, now = change.table, change.to
    schema.tables[now] = schema.tables.pop(was, Table())
    schema.triggers = {(name, now if of == was else of): text for (name, of), text in schema.triggers.items()}
    schema.policies = {(now if of == was else of, name): text for (of, name), text in schema.policies.items()}
    schema.grants = {(what, now if of == was else of, role) for what, of, role in schema.grants}


def _rename_other(schema: Schema, change: Change) -> None:
    (kind,) = change.words
    if kind == "constraint":
        table = schema.tables.setdefault(change.table, Table())
        table.constraints = [
            replace(each, name=change.to if each.name == change.name else each.name) for each in table.constraints
        ]
    elif kind == "index":
        for table in schema.tables.values():
            if change.name in table.indexes:
                table.indexes[change.to] = table.indexes.pop(change.name)
                table.index_texts[change.to] = table.index_texts.pop(change.name).replace(change.name, change.to)
    elif kind == "type" and change.name in schema.enums:
        schema.enums = schema.enums - {change.name} | {change.to}
    elif kind in ("view", "function", "sequence", "domain"):
        named: dict[str, str] = getattr(schema, f"{kind}s")
        named |= {change.to: named.pop(change.name)} if change.name in named else {}
    elif kind in ("trigger", "policy"):
        triggers = schema.triggers
        if kind == "trigger" and (change.name, change.table) in triggers:
            triggers[change.to, change.table] = triggers.pop((change.name, change.table))
        elif (change.table, change.name) in schema.policies:
            schema.policies[change.table, change.to] = schema.policies.pop((change.table, change.name))


def _publish(schema: Schema, change: Change) -> None:
    named = schema.tables if " all tables" in change.text.lower() else names_in(change.text) & schema.tables.keys()
    for table in named:
        schema.published[table] = schema.published.get(table, frozenset()) | {change.name}


def _unpublish(schema: Schema, change: Change) -> None:
    named = names_in(change.text) if change.kind is Kind.ALTER_PUBLICATION else schema.published.keys()
    schema.published = {
        table: publications - {change.name} if table in named else publications
        for table, publications in schema.published.items()
    }


def _alter_publication(schema: Schema, change: Change) -> None:
    (_unpublish if "drop" in change.words else _publish)(schema, change)


def _drop_index(schema: Schema, change: Change) -> None:
    for table in schema.tables.values():
        table.indexes.pop(change.name, None)
        table.index_texts.pop(change.name, None)


def _drop_type(schema: Schema, change: Change) -> None:
    schema.enums.discard(change.name)
    schema.domains.pop(change.name, None)


def _grant(schema: Schema, change: Change) -> None:
    # A role that is granted has no object.
    if change.to:
        schema.grants.add((change.name, change.table, change.to))


def _revoke(schema: Schema, change: Change) -> None:
    is_all = change.name.startswith("all")
    schema.grants = {
        each
        for each in schema.grants
        if each[1:] != (change.table, change.to) or not (is_all or each[0] == change.name)
    }


def _comment(schema: Schema, change: Change) -> None:
    if change.to:
        schema.comments[change.name] = change.to
    else:
        schema.comments.pop(change.name, None)


_OF_SCHEMA: dict[Kind, Callable[[Schema, Change], Any]] = {
    Kind.CREATE_TABLE: _create_table,
    Kind.DROP_TABLE: _drop_table,
    Kind.RENAME_TABLE: _rename_table,
    Kind.RENAME_OTHER: _rename_other,
    Kind.DROP_INDEX: _drop_index,
    Kind.CREATE_FUNCTION: lambda schema, change: schema.functions.update({change.name: change.text}),
    Kind.DROP_FUNCTION: lambda schema, change: schema.functions.pop(change.name, None),
    Kind.CREATE_TRIGGER: lambda schema, change: schema.triggers.update({(change.name, change.table): change.text}),
    Kind.DROP_TRIGGER: lambda schema, change: [
        schema.triggers.pop(key) for key in list(schema.triggers) if key[0] == change.name
    ],
    Kind.CREATE_PUBLICATION: _publish,
    Kind.ALTER_PUBLICATION: _alter_publication,
    Kind.DROP_PUBLICATION: _unpublish,
    Kind.CREATE_VIEW: lambda schema, change: schema.views.update({change.name: change.text}),
    Kind.DROP_VIEW: lambda schema, change: schema.views.pop(change.name, None),
    Kind.CREATE_ENUM: lambda schema, change: schema.enums.add(change.name),
    Kind.DROP_TYPE: _drop_type,
    Kind.CREATE_DOMAIN: lambda schema, change: schema.domains.update(
        {change.name: change.to if change.words.isdisjoint(("check", "not")) else ""}
    ),
    Kind.CREATE_POLICY: lambda schema, change: schema.policies.update({(change.table, change.name): change.text}),
    Kind.DROP_POLICY: lambda schema, change: schema.policies.pop((change.table, change.name), None),
    Kind.CREATE_SEQUENCE: lambda schema, change: schema.sequences.update({change.name: change.to}),
    Kind.ALTER_SEQUENCE: lambda schema, change: change.to and schema.sequences.update({change.name: change.to}),
    Kind.DROP_SEQUENCE: lambda schema, change: schema.sequences.pop(change.name, None),
    Kind.GRANT: _grant,
    Kind.REVOKE: _revoke,
    Kind.COMMENT: _comment,
}
