"""Random changes of a random table, each with the names and conversions that relate old to new values."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random

from tests.migrate.property.kinds import KINDS, Kind
from tests.migrate.property.tables import Column, Table, quoted


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A revision's source, and how the new version names and reads what the old version wrote."""

    title: str
    up: str = "pass"
    contract: str | None = None
    table: str
    # Old to new name of a column; a column that is gone has none.
    names: Mapping[str, str | None]
    # The type that both values are compared in.
    types: Mapping[str, str] = field(default_factory=dict)
    # SQL that stands in for NULL.
    fills: Mapping[str, str] = field(default_factory=dict)
    # Whether the new schema refuses rows that the old one takes, or takes rows that the old one refuses.
    is_narrower: bool = False
    is_wider: bool = False


def random_change(random: Random, table: Table, *, more: bool = False) -> Change:
    """One operation on the table; `more` has those that seeds from before do not know."""
    return random.choice((*_CHANGES, *_MORE) if more else _CHANGES)(random, table)


def _same(table: Table) -> dict[str, str | None]:
    return {each.name: each.name for each in table.every}


def _key(table: Table) -> str:
    return f"key={[each.name for each in table.key]!r}"


def _rename_column(random: Random, table: Table) -> Change:
    column = random.choice(table.columns)
    new = random.choice(("New Name", "renamed", "user"))
    up = f"ops.rename_column({table.name!r}, {column.source()}, {column.source(new)}, {_key(table)})"
    names = _same(table) | {column.name: new}
    contract = _freed(table, column)
    return Change(
        title="rename_column", up=up, contract=contract, table=table.name, names=names, is_wider=contract != "pass"
    )


def _freed(table: Table, column: Column, *more: str) -> str:
    """A contract that drops the indexes of the column first."""
    return "\n".join([*(f"ops.drop_index({each})" for each in table.indexes_of(column)), *more]) or "pass"


def _rename_table(random: Random, table: Table) -> Change:
    to = random.choice(("renamed", "New Table"))
    columns = [each.name for each in table.every]
    up = f"ops.rename_table({table.name!r}, {to!r}, {columns!r}, {_key(table)})"
    return Change(title="rename_table", up=up, table=to, names=_same(table))


def _change_type(random: Random, table: Table) -> Change:
    wider_than = _WIDER[table.dialect]
    choices = [each for each in table.columns if each.kind.sql in wider_than]
    if not choices:
        return _rename_column(random, table)
    column = random.choice(choices)
    kinds = {kind.sql: kind for kind in KINDS[table.dialect]}
    wider, more = wider_than[column.kind.sql]
    kind = kinds.get(wider, Kind(wider, _SOURCES.get(wider, column.kind.source), ()))
    up = f"ops.change_type({table.name!r}, {column.source()}, {column.source(kind=kind)}, {_key(table)}{more})"
    return Change(
        title="change_type", up=up, table=table.name, names=_same(table), types={column.name: kind.sql.split(" ")[0]}
    )


_SOURCES = {"varchar(40)": "sa.String(40)", "VARCHAR(40)": "sa.String(40)", "numeric(12,2)": "sa.Numeric(12, 2)"}
_AS_TEXT = ', using="CAST({{}} AS TEXT)", back="CAST({{}} AS {})"'
_WIDER = {
    "postgresql": {
        "integer": ("bigint", ""),
        "bigint": ("text", _AS_TEXT.format("BIGINT")),
        "varchar(20)": ("varchar(40)", ""),
        "numeric(8,2)": ("numeric(12,2)", ""),
        "boolean": ("text", _AS_TEXT.format("BOOLEAN")),
        "uuid": ("text", _AS_TEXT.format("UUID")),
        "jsonb": ("json", _AS_TEXT.format("JSONB").replace("TEXT", "JSON")),
        "short": ("text", _AS_TEXT.format("short")),
    },
    "sqlite": {"VARCHAR(20)": ("VARCHAR(40)", ""), "INTEGER": ("BIGINT", "")},
}


def _set_not_null(random: Random, table: Table) -> Change:
    column = random.choice(table.columns)
    value = random.choice(column.kind.values)
    up = f"ops.set_not_null({table.name!r}, {column.name!r}, fill={value!r}, {_key(table)})"
    return Change(
        title="set_not_null", up=up, table=table.name, names=_same(table), fills={column.name: value}, is_narrower=True
    )


def _drop_not_null(random: Random, table: Table) -> Change:
    column = random.choice(table.columns)
    up = f"ops.drop_not_null({table.name!r}, {column.name!r})"
    return Change(title="drop_not_null", up=up, table=table.name, names=_same(table), is_wider=True)


def _set_default(random: Random, table: Table) -> Change:
    column: Column = random.choice(table.columns)
    default = random.choice(column.kind.values)
    up = f"ops.set_default({table.name!r}, {column.name!r}, {default!r}, was={column.default!r})"
    # Written with every column, so that no row depends on the default.
    return Change(title="set_default", up=up, table=table.name, names=_same(table), is_wider=True)


def _add_column(random: Random, table: Table) -> Change:
    kind = random.choice(KINDS[table.dialect])
    default = random.choice((None, random.choice(kind.values)))
    column = Column(name="added", kind=kind, nullable=default is None or random.random() < 0.5, default=default)
    up = f"ops.add_column({table.name!r}, {column.source()})"
    return Change(title="add_column", up=up, table=table.name, names=_same(table))


def _drop_column(random: Random, table: Table) -> Change:
    column = random.choice(table.columns)
    contract = _freed(table, column, f"ops.drop_column({table.name!r}, {column.source()})")
    names = _same(table) | {column.name: None}
    return Change(title="drop_column", contract=contract, table=table.name, names=names, is_wider=True)


def _add_check(random: Random, table: Table) -> Change:
    condition = f"{quoted(random.choice(table.columns).name)} IS NOT NULL OR 1 = 1"
    up = f"ops.add_check({table.name!r}, 'new_check', {condition!r})"
    return Change(title="add_check", up=up, table=table.name, names=_same(table))


def _add_unique(random: Random, table: Table) -> Change:
    names = [table.key[0].name, random.choice(table.columns).name]
    up = f"ops.add_unique({table.name!r}, 'new_unique', {names!r})"
    return Change(title="add_unique", up=up, table=table.name, names=_same(table), is_narrower=True)


def _create_index(random: Random, table: Table) -> Change:
    up = f"ops.create_index('new_index', {table.name!r}, [{random.choice(table.columns).name!r}])"
    return Change(title="create_index", up=up, table=table.name, names=_same(table))


def _drop_table(_random: Random, table: Table) -> Change:
    key = f"sa.PrimaryKeyConstraint({', '.join(repr(each.name) for each in table.key)}, name='m_pk')"
    indexes = dict.fromkeys(each for column in table.columns for each in table.indexes_of(column))
    definition = ", ".join([*(each.source() for each in table.every), key])
    contract = [*(f"ops.drop_index({each})" for each in indexes), f"ops.drop_table({table.name!r}, {definition})"]
    names: dict[str, str | None] = dict.fromkeys(_same(table))
    return Change(title="drop_table", contract="\n".join(contract), table="", names=names)


def _add_foreign_key(random: Random, table: Table) -> Change:
    kind = table.key[0].kind.sql
    columns = [each for each in table.columns if each.kind.sql == kind]
    if not columns or len(table.key) > 1:
        return _follow(random, table)
    rule = random.choice(("", ", ondelete='RESTRICT'", ", onupdate='CASCADE'", ", deferrable=True"))
    named = (
        f"{table.name!r}, 'new_key', [{random.choice(columns).name!r}], {table.name!r}, [{table.key[0].name!r}]{rule}"
    )
    up = f"ops.add_foreign_key({named})"
    return Change(title="add_foreign_key", up=up, table=table.name, names=_same(table), is_narrower=True)


def _follow(random: Random, table: Table) -> Change:
    column = random.choice(table.columns)
    added = Column(name="added", kind=column.kind)
    text = quoted(column.name)
    up = (
        f"ops.add_column({table.name!r}, {added.source()}, derived=True)\n"
        f"ops.follow({table.name!r}, 'added', {column.name!r}, postgresql={text!r}, sqlite={text!r}, {_key(table)})"
    )
    return Change(title="follow", up=up, table=table.name, names=_same(table))


_CHANGES: tuple[Callable[[Random, Table], Change], ...] = (
    _rename_column,
    _rename_column,
    _rename_column,
    _rename_table,
    _rename_table,
    _change_type,
    _change_type,
    _change_type,
    _set_not_null,
    _drop_not_null,
    _set_default,
    _add_column,
    _drop_column,
    _add_check,
    _add_unique,
    _create_index,
)
_MORE = (_drop_table, _drop_table, _add_foreign_key, _add_foreign_key, _follow, _follow)
