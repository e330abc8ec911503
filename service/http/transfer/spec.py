"""What an import of one noun stores, derived from its model and from the body that creates one."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET, UnsetType
from sqlalchemy import Column, Dialect, Table, UniqueConstraint

from service.db.clock import now
from service.db.folding import fold
from service.db.types import UtcDateTime
from service.db.violations import refused
from service.errors import Fault
from service.http.wire import Body

_EXTERNAL_ID = "external_id"
_STAMPS = ("version", "created_at", "updated_at")

Check = Callable[[Mapping[str, Any]], Sequence[Fault]]


class Key(NamedTuple):
    """Columns that no two rows share."""

    field: str
    columns: tuple[Column[Any], ...]
    names: tuple[str, ...]
    taken: str

    def of(self, values: Mapping[str, Any]) -> tuple[Any, ...] | None:
        """Return what a row holds there; `None` if there is a NULL in it, which every row may have."""
        found = tuple([values[name] for name in self.names])
        return None if None in found else found


class Reference(NamedTuple):
    """A column that names a row of another table: by its id, or by the external id in a field of the file alone."""

    column: Column[Any]
    target: Table
    missing: str
    external: str | None


class Import:
    """How lines of one noun become rows; `match` are the keys by which mode=upsert knows a row, the first one sent.

    `create` is the body of POST: a line has its fields, and is refused for the same reasons. `view` is what an export
    shows: what it has and `create` has not is the service's to give, and is skipped in a file.
    """

    def __init__(
        self,
        model: Any,
        *,
        title: str,
        create: type[msgspec.Struct],
        view: type[msgspec.Struct],
        match: tuple[str, ...],
        taken: str = "",
        check: Check | None = None,
    ) -> None:
        table: Table = model.__table__
        self.table = table
        self.noun = table.name.replace("_", "-")
        self.title = title
        self.check = check
        self.match = match
        fields = msgspec.structs.fields(create)
        stored = [each for each in fields if each.name in table.columns]
        externals = [each for each in fields if each.name not in table.columns]
        self.skipped = tuple(name for name in view.__struct_fields__ if name not in create.__struct_fields__)
        # The columns come first, so that a line's values begin with a row's.
        self.line = _line(create, [*stored, *externals], self.skipped)
        self.body: Body[msgspec.Struct] = Body(self.line)
        self.defaults = [_default(each, table) for each in stored]
        self.names = tuple(each.name for each in stored)
        self.folds = tuple((f"{name}_key", at) for at, name in enumerate(self.names) if f"{name}_key" in table.columns)
        written = (*self.names, *(name for name, _ in self.folds))
        self.columns = (*written, *_STAMPS)
        self.identity = tuple(column.name for column in table.primary_key)
        known = dict.fromkeys((*self.identity, *written, "version"))
        # What tells a row from another, and all that an import may change of it.
        self.stored = tuple(table.c[name] for name in known)
        self.keys = _keys(table, taken)
        self.matched = tuple(key for name in match for key in self.keys if key.field == name)
        self.references = _references(table, {each.name for each in externals})

    def sent(self, line: msgspec.Struct) -> dict[str, Any]:
        """Return the columns that a line speaks of."""
        return {name: value for name in self.names if (value := getattr(line, name)) is not UNSET}


class Rows:
    """Makes rows of lines, the columns in the order of `Import.columns`, in what the driver takes as values."""

    def __init__(self, declared: Import, dialect: Dialect) -> None:
        self._declared = declared
        self._width = len(declared.names)
        self._folds = [at for _, at in declared.folds]
        makers = [_processor(declared.table.c[name], dialect) for name in declared.columns]
        self._moment = makers[-1] or (lambda value: value)
        self._makers = [(at, each) for at, each in enumerate(makers[: -len(_STAMPS)]) if each is not None]
        self.stamp(now())

    def stamp(self, moment: datetime) -> None:
        """Let the rows made from now on be of this moment."""
        self._defaults = [moment if default is now else default for default in self._declared.defaults]
        self._stamps = (1, self._moment(moment), self._moment(moment))

    def row(self, line: msgspec.Struct) -> list[Any]:
        """Return the row that a line alone would make, as if there were none before."""
        row: list[Any] = [*msgspec.structs.astuple(line)[: self._width]]
        if UNSET in row:
            row = [default if value is UNSET else value for value, default in zip(row, self._defaults, strict=True)]
        row += [fold(row[at]) for at in self._folds]
        for at, make in self._makers:
            row[at] = make(row[at])
        row += self._stamps
        return row


def _processor(column: Column[Any], dialect: Dialect) -> Callable[[Any], Any] | None:
    processor: Callable[[Any], Any] | None = column.type.dialect_impl(dialect).bind_processor(dialect)
    return processor


def _line(create: type[msgspec.Struct], fields: Sequence[Any], skipped: Sequence[str]) -> type[msgspec.Struct]:
    """Return the struct of a line: what it leaves out stays UNSET, for a row that exists may keep it."""
    wanted: list[Any] = [
        (each.name, each.type) if each.required else (each.name, each.type | UnsetType, UNSET) for each in fields
    ]
    ignored: list[Any] = [(name, Any, UNSET) for name in skipped]
    return msgspec.defstruct(
        f"{create.__name__}Line", wanted + ignored, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False
    )


def _default(field: Any, table: Table) -> Any:
    if field.default is not msgspec.NODEFAULT and field.default is not UNSET:
        return field.default
    if field.default_factory is not msgspec.NODEFAULT:
        return field.default_factory()
    # A moment that is left out is the present one.
    return now if isinstance(table.c[field.name].type, UtcDateTime) else None


def _keys(table: Table, taken: str) -> tuple[Key, ...]:
    keys = []
    for constraint in table.constraints:
        if isinstance(constraint, UniqueConstraint):
            conflict = refused(constraint)
            keys.append(_key(conflict.field or "", tuple(constraint.columns), conflict.detail))
    if table.autoincrement_column is None:
        columns = tuple(table.primary_key)
        keys.append(_key(columns[0].name, columns, taken))
    return tuple(sorted(keys, key=lambda key: key.field))


def _key(field: str, columns: tuple[Column[Any], ...], taken: str) -> Key:
    return Key(field, columns, tuple(column.name for column in columns), taken)


def _references(table: Table, externals: set[str]) -> tuple[Reference, ...]:
    references = []
    for column in table.columns:
        for key in column.foreign_keys:
            external = f"{column.name.removesuffix('_id')}_{_EXTERNAL_ID}"
            references.append(
                Reference(
                    column,
                    key.column.table,
                    refused(key.constraint).detail,
                    external if external in externals else None,
                )
            )
    return tuple(references)
