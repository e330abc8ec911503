"""The survey before a phase: what is on the tables of its operations, and the refusal of what is not safe."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from sqlalchemy import Connection, Table

from service.migrate.dialects.attributes import Attribute, Found
from service.migrate.dialects.inventory import inventory
from service.migrate.dialects.sqlite.tokens import lowered
from service.migrate.errors import Refused
from service.migrate.operations import dependents
from service.migrate.operations.base import Columns, Operation, Phases, Recorded
from service.migrate.operations.downgrade import Refill
from service.migrate.operations.step import Backfill, Target
from service.migrate.operations.survey import keys, policy
from service.migrate.operations.tables.create_drop import CreateTable
from service.migrate.operations.tables.rename import RenameTable

Fold: TypeAlias = Callable[[str], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """An operation on one table, and the columns that it changes or reads, without those of its key; `None` for all."""

    name: str
    operation: Operation | Backfill
    table: str
    # The table with the foreign key, where `table` is the one to which it refers; else `table`.
    own: str
    columns: tuple[str, ...] | None
    # Of an operation that finds rows by a key.
    key: tuple[str, ...] = ()
    # Objects that earlier operations of the revision drop, as `Phases.frees` spells them.
    ignoring: frozenset[str] = frozenset()
    # What an earlier operation of the revision puts on the table, which it creates.
    given: tuple[Found, ...] = ()

    def refusals(self, found: Iterable[Found], fold: Fold) -> Iterator[str]:
        """A sentence for each attribute of the table and of the columns with which the operation is not safe."""
        columns = None if self.columns is None else set(map(fold, self.columns))
        for each in found:
            if columns is not None and each.column is not None and fold(each.column) not in columns:
                continue
            if self._spelled(each).lower() in self.ignoring:
                continue
            rule = policy.rule(self.name, each.attribute)
            if rule is not None and not rule.unless(self.operation, each):
                yield self._sentence(rule, each)

    def _spelled(self, found: Found) -> str:
        """As `dependents` spells what an earlier operation of the revision drops or sets."""
        if found.attribute is Attribute.DEFAULT:
            return dependents.has_no_default(f"{self.table}.{found.column}")
        return f"{found.attribute} {found.name}"

    def key_refusal(self, connection: Connection, found: Iterable[Found]) -> str | None:
        """A sentence if the key does not find exactly one row."""
        if not self.key:
            return None
        is_unique = self.name in policy.HAS_UNIQUE_KEY
        fault = keys.fault(connection, self.table, self.key, found, is_unique=is_unique)
        if fault is None:
            return None
        return (
            f"{self.table} cannot be changed by {_called(self.name)} with the key {', '.join(self.key)}: {fault}. Name "
            "columns that are NOT NULL and unique together as key=[…]."
        )

    def _sentence(self, rule: policy.Rule, found: Found) -> str:
        what = self.table if found.column is None else f"{self.table}.{found.column}"
        fields = {"name": found.name, "definition": " ".join(found.definition.split())}
        reason, cure = rule.reason.format(**fields), rule.cure.format(**fields)
        return f"{what} cannot be changed by {_called(self.name)}: it {reason}. {cure}."


def surveys(calls: Iterable[Recorded], target: Target) -> tuple[Survey, ...]:
    """The surveys before the first step of these operations; a table that they rename still has its old name then."""
    found: list[Survey] = []
    former: dict[str, str] = {}
    dropped: frozenset[str] = frozenset()
    given: dict[str, tuple[Found, ...]] = {}
    for operation, phases in calls:
        found += [
            replace(each, ignoring=dropped, given=given.get(each.table, ()))
            for each in _of_operation(operation, phases, former)
        ]
        if isinstance(operation, CreateTable):
            given[operation.table.name] = _given(operation.table, target)
        dropped |= {each.lower() for each in phases.frees}
        former.update({to: former.get(table, table) for table, to in _renamed([operation]).items()})
    return tuple(found)


def surveys_again(calls: Iterable[Recorded]) -> tuple[Survey, ...]:
    """The surveys of those operations that have steps in the contract; a renamed table has its new name by then."""
    listed = list(calls)
    renamed = _renamed(each.operation for each in listed)
    return tuple(
        survey
        for operation, phases in listed
        if phases.contract
        for survey in _of_operation(operation, phases, renamed)
    )


def surveys_of_backfills(backfills: Iterable[Backfill]) -> tuple[Survey, ...]:
    return tuple(
        Survey(
            name="backfill",
            operation=each,
            table=each.table,
            own=each.table,
            columns=(*(each.assign or ()), *each.write),
            key=each.key,
        )
        for each in backfills
    )


def refuse_attributes(connection: Connection, revision: str, asked: Iterable[Survey]) -> None:
    """Raises Refused with a sentence for each attribute of the tables with which an operation is not safe."""
    # SQLite compares names without case.
    fold: Fold = lowered if connection.dialect.name == "sqlite" else str
    known: dict[str, list[Found]] = {}
    sentences: dict[str, None] = {}
    for survey in asked:
        for table in (survey.table, survey.own):
            if table not in known:
                known[table] = inventory(connection, table)
        there = [*known[survey.table], *survey.given]
        if survey.table != survey.own:
            # An unlogged table may refer to another one.
            own = {each.attribute for each in known[survey.own]}
            there = [each for each in there if each.attribute is not Attribute.UNLOGGED or each.attribute not in own]
        refused = list(survey.refusals(there, fold))
        if not refused and (of_key := survey.key_refusal(connection, there)):
            refused.append(of_key)
        sentences.update(dict.fromkeys(refused))
    if sentences:
        raise Refused(f"{revision}: {' '.join(sentences)}")


def _given(table: Table, target: Target) -> tuple[Found, ...]:
    """The kind of a table that the revision itself creates."""
    options = table.dialect_options[target.dialect]
    if target.is_sqlite:
        return (Found(Attribute.STRICT, None, table.name, ""),) if options["strict"] else ()
    key = options["partition_by"]
    return (Found(Attribute.PARTITIONED, None, table.name, key),) if key else ()


def _renamed(operations: Iterable[Operation]) -> dict[str, str]:
    return {each.table: each.to for each in operations if isinstance(each, RenameTable)}


def name_of(operation: Operation) -> str:
    """The function of `ops` that declares the operation, or `set_not_null(fill)`."""
    name = re.sub(r"(?<!^)(?=[A-Z])", "_", type(operation).__name__).lower()
    return policy.FILL if name == "set_not_null" and getattr(operation, "fill", None) is not None else name


def _called(name: str) -> str:
    if name == policy.REFERENCED:
        return "a foreign key to it"
    return "a backfill" if name == "backfill" else f"ops.{name.removesuffix('(fill)')}"


def _of_operation(operation: Operation, phases: Phases, names: Mapping[str, str]) -> Iterator[Survey]:
    if isinstance(operation, Refill):
        yield from surveys_of_backfills((operation.backfill,))
        return
    table = getattr(operation, "table", None)
    own = getattr(table, "name", table) or _only_table(phases.requires)
    for required, columns in phases.requires:
        name = name_of(operation) if required == own else policy.REFERENCED
        if name in policy.OF_TABLES:
            changed = None
        else:
            changed = columns if name == policy.REFERENCED else _without_key(operation, columns)
        yield Survey(
            name=name,
            operation=operation,
            table=names.get(required, required),
            own=names.get(own or required, own or required),
            columns=changed,
            key=getattr(operation, "key", ()) if name in policy.HAS_KEY else (),
        )


def _only_table(requires: tuple[Columns, ...]) -> str | None:
    return requires[0][0] if requires else None


def _without_key(operation: Any, columns: tuple[str, ...]) -> tuple[str, ...]:
    """The columns without those of the key, which the backfill only reads, unless the key is what changes."""
    key = getattr(operation, "key", ())
    changed = {getattr(each, "name", each) for each in (getattr(operation, name, None) for name in ("old", "column"))}
    return tuple(name for name in columns if name not in key or name in changed)
