"""Constraints, looked at in two parts: new rows at once, and those that are there without keeping anyone waiting."""

from dataclasses import dataclass, replace

from sqlalchemy import CheckConstraint, Column, Constraint, ForeignKeyConstraint, MetaData, Table, UniqueConstraint

from service.migrate import sql
from service.migrate.errors import Refused
from service.migrate.operations.base import Columns, Operation
from service.migrate.operations.indexes import dropped_concurrently
from service.migrate.steps import Check, Edit, Lock, Place, Step, words_in


@dataclass(frozen=True, slots=True, kw_only=True)
class AddCheck(Operation):
    """A condition on the rows of a table."""

    table: str
    name: str
    condition: str
    key: tuple[str, ...] = ("id",)

    def needs(self) -> list[Columns]:
        return [(self.table, ())]

    def checks(self, place: Place) -> list[Check]:  # noqa: ARG002
        keys = sql.listed(self.key)
        rows = f"SELECT {keys} FROM {sql.quoted(self.table)} WHERE NOT ({self.condition}) ORDER BY {keys}"
        why = f"Some rows of {self.table} are not so that {self.condition}"
        return [Check(why=why, rows=rows, table=self.table, needs=tuple(words_in(self.condition)))]

    def expand(self, place: Place) -> list[Step]:
        return _in_two_parts(place, self.table, CheckConstraint(self.condition, name=self.name))


@dataclass(frozen=True, slots=True, kw_only=True)
class AddForeignKey(Operation):
    """A reference to rows of another table; both tables are locked for a moment."""

    table: str
    name: str
    columns: tuple[str, ...]
    referred: str
    referred_columns: tuple[str, ...]
    ondelete: str | None = None
    onupdate: str | None = None

    def needs(self) -> list[Columns]:
        return [(self.table, self.columns), (self.referred, self.referred_columns)]

    def checks(self, place: Place) -> list[Check]:  # noqa: ARG002
        pairs = list(zip(self.columns, self.referred_columns, strict=True))
        child, parent = sql.quoted(self.table), sql.quoted(self.referred)
        there = " AND ".join(f"parent.{sql.quoted(there)} = child.{sql.quoted(here)}" for here, there in pairs)
        known = " AND ".join(f"child.{sql.quoted(here)} IS NOT NULL" for here in self.columns)
        listed = ", ".join(f"child.{sql.quoted(here)}" for here in self.columns)
        rows = (
            f"SELECT {listed} FROM {child} AS child WHERE {known} "
            f"AND NOT EXISTS (SELECT 1 FROM {parent} AS parent WHERE {there}) ORDER BY {listed}"
        )
        names = ", ".join(self.columns)
        why = f"Some rows of {self.table} have a {names} that {self.referred} has not"
        return [Check(why=why, rows=rows, table=self.table, needs=self.columns)]

    def expand(self, place: Place) -> list[Step]:
        return _in_two_parts(place, self.table, self.constraint, referred=self.referred)

    @property
    def constraint(self) -> ForeignKeyConstraint:
        """The key, on tables just complete enough to be written down."""
        metadata = MetaData()
        if self.referred != self.table:
            Table(self.referred, metadata, *(Column(name) for name in self.referred_columns))
        there = [f"{self.referred}.{name}" for name in self.referred_columns]
        key = ForeignKeyConstraint(self.columns, there, name=self.name, ondelete=self.ondelete, onupdate=self.onupdate)
        names = {*self.columns, *(self.referred_columns if self.referred == self.table else ())}
        Table(self.table, metadata, *(Column(name) for name in sorted(names)), key)
        return key


@dataclass(frozen=True, slots=True, kw_only=True)
class AddUnique(Operation):
    """Columns that no two rows share: an index is built beside the traffic, and then becomes the constraint."""

    table: str
    name: str
    columns: tuple[str, ...]

    def needs(self) -> list[Columns]:
        return [(self.table, self.columns)]

    def checks(self, place: Place) -> list[Check]:  # noqa: ARG002
        names = sql.listed(self.columns)
        known = " AND ".join(f"{sql.quoted(name)} IS NOT NULL" for name in self.columns)
        rows = (
            f"SELECT {names} FROM {sql.quoted(self.table)} WHERE {known} "
            f"GROUP BY {names} HAVING count(*) > 1 ORDER BY {names}"
        )
        why = f"Several rows of {self.table} have one {' and '.join(self.columns)}"
        return [Check(why=why, rows=rows, table=self.table, needs=self.columns)]

    def expand(self, place: Place) -> list[Step]:
        if place.is_sqlite:
            return [_at_once(place, self.table, self.constraint)]
        name, table = sql.quoted(self.name), sql.quoted(self.table)
        holds = sql.has_constraint(place.dialect, self.table, self.name)
        return [
            Step(
                title=f"build the unique index {self.name} of {self.table}",
                lock=Lock.SHARE_UPDATE_EXCLUSIVE,
                tables=(self.table,),
                alone=True,
                done=sql.has_index(place.dialect, self.name),
                statements=(
                    f"DROP INDEX CONCURRENTLY IF EXISTS {name}",
                    f"CREATE UNIQUE INDEX CONCURRENTLY {name} ON {table} ({sql.listed(self.columns)})",
                ),
                undo=(dropped_concurrently(place, self.name, self.table),),
            ),
            Step(
                title=f"make {self.name} a constraint of {self.table}",
                lock=Lock.ACCESS_EXCLUSIVE,
                tables=(self.table,),
                done=holds,
                statements=(f"ALTER TABLE {table} ADD CONSTRAINT {name} UNIQUE USING INDEX {name}",),
                undo=(_dropped(place, self.table, self.name),),
            ),
        ]

    @property
    def constraint(self) -> UniqueConstraint:
        unique = UniqueConstraint(*self.columns, name=self.name)
        Table(self.table, MetaData(), *(Column(name) for name in self.columns), unique)
        return unique


@dataclass(frozen=True, slots=True, kw_only=True)
class DropConstraint(Operation):
    """A constraint that holds no more; how it was made is for the way back."""

    added: AddCheck | AddForeignKey | AddUnique

    def needs(self) -> list[Columns]:
        return [(self.added.table, ())]

    def expand(self, place: Place) -> list[Step]:
        table, name = self.added.table, self.added.name
        referred = self.added.referred if isinstance(self.added, AddForeignKey) else None
        return [replace(_dropped(place, table, name, referred=referred), undo=tuple(self.added.expand(place)))]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaceConstraint(Operation):
    """One check or foreign key in the place of another, with no moment between them in which neither holds."""

    was: AddCheck | AddForeignKey
    now: AddCheck | AddForeignKey

    def needs(self) -> list[Columns]:
        return self.now.needs()

    def checks(self, place: Place) -> list[Check]:
        return self.now.checks(place)

    def expand(self, place: Place) -> list[Step]:
        back = (_swapped(place, self.now, self.was), *self.was.expand(place)[1:])
        return [replace(_swapped(place, self.was, self.now), undo=back), *self.now.expand(place)[1:]]


def replacement(table: str, was: Constraint, now: Constraint) -> ReplaceConstraint:
    """The operation that replaces one by the other; Refused for a unique constraint, whose index takes its time."""
    old, new = of_table(table, was), of_table(table, now)
    if isinstance(old, AddUnique) or isinstance(new, AddUnique):
        raise Refused(f"{table}: a unique constraint is not replaced; add the new one, then drop the old.")
    return ReplaceConstraint(was=old, now=new)


def of_table(table: str, constraint: Constraint) -> AddCheck | AddForeignKey | AddUnique:
    """The operation that would add a constraint which is written as SQLAlchemy writes it.

    Raises:
        Refused: it has no name, or is of a kind that is not altered: a primary key, an exclusion.
    """
    if not isinstance(constraint.name, str):
        raise Refused(f"A constraint of {table} without a name cannot be told from another; give it one.")
    if isinstance(constraint, CheckConstraint):
        return AddCheck(table=table, name=constraint.name, condition=str(constraint.sqltext))
    if isinstance(constraint, UniqueConstraint):
        columns = tuple(str(each) for each in constraint._pending_colargs)  # noqa: SLF001 - before it has a table
        return AddUnique(table=table, name=constraint.name, columns=columns)
    if isinstance(constraint, ForeignKeyConstraint):
        targets = [each.target_fullname.rsplit(".", 1) for each in constraint.elements]
        return AddForeignKey(
            table=table,
            name=constraint.name,
            columns=tuple(constraint.column_keys),
            referred=targets[0][0],
            referred_columns=tuple(column for _, column in targets),
            ondelete=constraint.ondelete,
            onupdate=constraint.onupdate,
        )
    raise Refused(f"{constraint.name} of {table} is a {type(constraint).__name__}, which cannot be altered here.")


def _in_two_parts(place: Place, table: str, constraint: Constraint, *, referred: str | None = None) -> list[Step]:
    """New rows are held to it from the first step on, a moment's lock; the second reads the others beside traffic."""
    if place.is_sqlite:
        return [_at_once(place, table, constraint)]
    name = str(constraint.name)
    _attach(constraint, table)
    return [
        Step(
            title=f"hold new rows of {table} to {name}",
            lock=Lock.SHARE_ROW_EXCLUSIVE if referred else Lock.ACCESS_EXCLUSIVE,
            tables=tuple(filter(None, (table, referred))),
            done=sql.has_constraint(place.dialect, table, name),
            statements=(f"{sql.add_constraint(constraint, place.dialect)} NOT VALID",),
            undo=(_dropped(place, table, name, referred=referred),),
        ),
        Step(
            title=f"hold all rows of {table} to {name}",
            lock=Lock.SHARE_UPDATE_EXCLUSIVE,
            tables=(table,),
            done=sql.has_constraint(place.dialect, table, name, valid=True),
            statements=(f"ALTER TABLE {sql.quoted(table)} VALIDATE CONSTRAINT {sql.quoted(name)}",),
        ),
    ]


def _swapped(place: Place, old: AddCheck | AddForeignKey, new: AddCheck | AddForeignKey) -> Step:
    """New rows are held to the new one from the moment on that the old one is gone."""
    drop = DropConstraint(added=old).expand(place)[0]
    add = new.expand(place)[0]
    both = Step(
        title=f"replace {old.name} of {new.table}{'' if old.name == new.name else f' by {new.name}'}",
        lock=Lock.ACCESS_EXCLUSIVE,
        tables=tuple(dict.fromkeys((*drop.tables, *add.tables))),
        statements=(*drop.statements, *add.statements),
    )
    if drop.edit is None or add.edit is None:
        return both
    change, then = drop.edit.change, add.edit.change
    return replace(both, edit=Edit(table=new.table, change=lambda definition: then(change(definition))))


def _at_once(place: Place, table: str, constraint: Constraint) -> Step:
    """On SQLite: one rebuild, in which every row is looked at."""
    name = str(constraint.name)
    _attach(constraint, table)
    text = sql.constraint_text(constraint, place.dialect)
    return Step(
        title=f"add {name} to {table}",
        lock=Lock.ACCESS_EXCLUSIVE,
        tables=(table,),
        done=sql.has_constraint(place.dialect, table, name),
        edit=Edit(table=table, change=lambda definition: definition.add_constraint(text)),
        undo=(_dropped(place, table, name),),
    )


def _attach(constraint: Constraint, table: str) -> None:
    """Give a constraint that has none a table, without which it cannot be written down."""
    if getattr(constraint, "parent", None) is None:
        Table(table, MetaData(), constraint)


def _dropped(place: Place, table: str, name: str, *, referred: str | None = None) -> Step:
    native = f"ALTER TABLE {sql.quoted(table)} DROP CONSTRAINT {sql.quoted(name)}"
    edit = Edit(table=table, change=lambda definition: definition.drop_constraint(name))
    return Step(
        title=f"drop {name} of {table}",
        lock=Lock.ACCESS_EXCLUSIVE,
        tables=tuple(filter(None, (table, referred))),
        done=sql.negated(sql.has_constraint(place.dialect, table, name)),
        statements=() if place.is_sqlite else (native,),
        edit=edit if place.is_sqlite else None,
    )
