"""`create_index` and `drop_index`, CONCURRENTLY on PostgreSQL."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from sqlalchemy import Column, Index, MetaData, Table

from service.migrate.dialects import ddl, predicates
from service.migrate.dialects.ddl import Expression
from service.migrate.errors import Refused
from service.migrate.operations import dependents
from service.migrate.operations.attributes import refuse_index
from service.migrate.operations.base import Columns, Operation, Phases
from service.migrate.operations.definitions import Same, same_index
from service.migrate.operations.step import Lock, Precondition, Step, Target, words_in

# What may follow the expression of an indexed column.
_OPENING = re.compile(r'("(?:[^"]|"")+"|\w+(?!\w*\s*\()|\w+(?:\.\w+)?\s*\(.*\)|\(.*\))', re.DOTALL)
_ORDER = re.compile(
    r"""(\s+COLLATE\s+("[^"]+"|\w+))?(\s+\w+_ops(\s*\(.*\))?)?(\s+(ASC|DESC))?(\s+NULLS\s+(FIRST|LAST))?\s*""",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True, kw_only=True)
class CreateIndex(Operation):
    """CREATE INDEX CONCURRENTLY, after dropping the invalid index that a failed build may have left.

    `options` are arguments of sa.Index, such as postgresql_include.
    """

    name: str
    table: str
    columns: tuple[Expression, ...]
    unique: bool = False
    where: Expression | None = None
    using: str | None = None
    comment: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    def phases(self, target: Target, /) -> Phases:
        refuse_index(self.table, self.index)
        return Phases(
            requires=self._required,
            preconditions=(self.same(target), *self._none_twice(target)),
            expand=self._built(target),
            undo_preconditions=self.unused,
        )

    def same(self, target: Target, *, drops: bool = False, keeps_comment: bool = False) -> Same:
        """An index of this name has this definition, and this comment unless the operation keeps the comment."""
        statement = ddl.index_text(self.index, target.dialect)
        return same_index(
            target, self.table, self.name, statement, comment=self.comment, drops=drops, keeps_comment=keeps_comment
        )

    @property
    def _required(self) -> tuple[Columns, ...]:
        named = [each if isinstance(each, str) and _is_column(each) else ddl.columns_in(each) for each in self.columns]
        names = {name for each in named for name in ([each] if isinstance(each, str) else each)}
        included = map(str, self.options.get("postgresql_include") or ())
        return ((self.table, (*sorted(names), *included)),)

    def _none_twice(self, target: Target) -> tuple[Precondition, ...]:
        if not self.unique:
            return ()
        values = [_value(each, target) for each in self.columns]
        is_distinct = target.is_sqlite or not self.options.get("postgresql_nulls_not_distinct")
        conditions = [f"{value} IS NOT NULL" for value in values] if is_distinct else []
        if (where := self._where(target)) is not None:
            conditions.append(f"({ddl.expression_text(where, target.dialect)})")
        names = ", ".join(values)
        only = f"WHERE {' AND '.join(conditions)} " if conditions else ""
        rows = (
            f"SELECT {names} FROM {ddl.quoted(self.table)} {only}GROUP BY {names} HAVING count(*) > 1 ORDER BY {names}"
        )
        why = f"Rows of {self.table} violate UNIQUE ({', '.join(values)})"
        return (Precondition(why=why, rows=rows, table=self.table, needs=tuple(sorted(words_in(*values)))),)

    @property
    def unused(self) -> tuple[Precondition, ...]:
        """No foreign key refers to the columns by this index, which must be unique and on columns and all rows."""
        names = [each for each in self.columns if isinstance(each, str) and _is_column(each)]
        is_whole = self.unique and len(names) == len(self.columns) and self.where is None
        return (dependents.of_unique(self.table, self.name, names),) if is_whole else ()

    def _where(self, target: Target) -> Expression | None:
        found: Expression | None = self.options.get(f"{target.dialect}_where", self.where)
        return found

    def _built(self, target: Target) -> tuple[Step, ...]:
        create = ddl.index_text(self.index, target.dialect)
        concurrently = "" if target.is_sqlite else "CONCURRENTLY "
        build = Step(
            title=f"CREATE INDEX {concurrently}{self.name} ON {self.table}",
            lock=Lock.SHARE_UPDATE_EXCLUSIVE,
            tables=(self.table,),
            alone=not target.is_sqlite,
            done=predicates.has_index(target.dialect, self.name),
            statements=(create,)
            if target.is_sqlite
            else (f"DROP INDEX CONCURRENTLY IF EXISTS {ddl.quoted(self.name)}", create, *self._commented()),
            undo=(dropped_concurrently(target, self.name, self.table),),
        )
        if target.is_sqlite:
            return (build,)
        # An expression index has no statistics before ANALYZE.
        analyze = Step(
            title=f"ANALYZE {self.table} FOR {self.name}",
            lock=Lock.SHARE_UPDATE_EXCLUSIVE,
            tables=(self.table,),
            statements=(f"ANALYZE {ddl.quoted(self.table)}",),
        )
        return (build, analyze)

    def _commented(self) -> tuple[str, ...]:
        if self.comment is None:
            return ()
        return (f"COMMENT ON INDEX {ddl.quoted(self.name)} IS {ddl.literal(self.comment)}",)

    @cached_property
    def index(self) -> Index:
        """The index as SQLAlchemy declares it."""
        plain = [each for each in self.columns if isinstance(each, str) and _is_column(each)]
        columns: list[Any] = [
            each if not isinstance(each, str) or each in plain else ddl.verbatim(each) for each in self.columns
        ]
        where = ddl.verbatim(self.where) if isinstance(self.where, str) else self.where
        options: dict[str, Any] = {
            "postgresql_using": self.using or False,
            "postgresql_where": where,
            "sqlite_where": where,
        }
        for name, value in self.options.items():
            is_condition = name.endswith("_where") and isinstance(value, str)
            options[name] = ddl.verbatim(value) if is_condition else value
        names = dict.fromkeys((*plain, *map(str, self.options.get("postgresql_include") or ())))
        return Index(
            self.name,
            *columns,
            unique=self.unique,
            _table=Table(self.table, MetaData(), *(Column(name) for name in names)),
            **options | {"postgresql_concurrently": True},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DropIndex(CreateIndex):
    """DROP INDEX CONCURRENTLY; the definition is for the downgrade."""

    def phases(self, target: Target, /) -> Phases:
        refuse_index(self.table, self.index)
        drop = dropped_concurrently(target, self.name, self.table)
        return Phases(
            requires=self._required,
            preconditions=(self.same(target, drops=True), *self.unused),
            expand=(replace(drop, undo=self._built(target)),),
            undo_preconditions=self._none_twice(target),
            frees=frozenset({dependents.index(self.name)}),
        )


def arguments(name: str, table: str, columns: Iterable[Expression], options: dict[str, Any]) -> dict[str, Any]:
    """The arguments of CreateIndex for those of `ops.create_index`."""
    own: dict[str, Any] = {
        each: options.pop(each) for each in ("unique", "where", "using", "comment") if each in options
    }
    return {"name": name, "table": table, "columns": tuple(columns), "options": options, **own}


def is_element(text: str) -> bool:
    """Whether CREATE INDEX of both databases accepts the text: a name or a call, or an expression in parentheses."""
    opening = _OPENING.match(text.strip())
    return opening is not None and _ORDER.fullmatch(text.strip()[opening.end() :]) is not None


def _is_column(text: str) -> bool:
    """Whether the text is a column's name: an identifier, or words that are no expression, such as `full name`.

    Raises:
        Refused: the text is neither a name nor an expression that CREATE INDEX accepts.
    """
    if text.isidentifier():
        return True
    if is_element(text):
        return False
    if re.fullmatch(r"[\w .$-]+", text):
        return True
    raise Refused(
        f"The index expression {text!r} is neither a column nor a function call. Write it in parentheses; a column's "
        "name in double quotes."
    )


def _value(column: Expression, target: Target) -> str:
    """The indexed expression without sort order and operator class: `"name"` of `name DESC`."""
    if isinstance(column, str) and _is_column(column):
        return ddl.quoted(column)
    text = ddl.expression_text(column, target.dialect).strip()
    opening = _OPENING.match(text)
    return opening[1] if opening and _ORDER.fullmatch(text[opening.end() :]) else text


def dropped_concurrently(target: Target, name: str, table: str) -> Step:
    concurrently = "" if target.is_sqlite else "CONCURRENTLY "
    gone = predicates.negated(predicates.has_index(target.dialect, name))
    if not target.is_sqlite:
        gone = predicates.negated(
            predicates.either(
                predicates.has_index(target.dialect, name), predicates.has_index(target.dialect, name, valid=False)
            )
        )
    return Step(
        title=f"DROP INDEX {concurrently}{name} ON {table}",
        lock=Lock.SHARE_UPDATE_EXCLUSIVE,
        tables=(table,),
        alone=not target.is_sqlite,
        done=gone,
        statements=(f"DROP INDEX {concurrently}IF EXISTS {ddl.quoted(name)}",),
    )
