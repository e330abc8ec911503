"""Every attribute of SQLAlchemy's schema constructs is made, of Python alone, or refused by name."""

import inspect
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from service.migrate import ops
from service.migrate.dialects.sqlite.definition import parse
from service.migrate.errors import Refused
from service.migrate.operations.attributes import ATTRIBUTES, Treatment
from service.migrate.operations.step import Step, Target
from service.migrate.plan.recorder import recorded
from tests.migrate.operations.declared import MADE, REFUSED, a, u

CLASSES: tuple[type[Any], ...] = (
    *(sa.Column, sa.Table, sa.Index, sa.CheckConstraint, sa.ForeignKeyConstraint, sa.ForeignKey, sa.UniqueConstraint),
    *(sa.PrimaryKeyConstraint, postgresql.ExcludeConstraint, sa.Identity, sa.Computed, sa.Sequence),
)
# Arguments that carry others, and what every construct has.
CARRIERS = {"self", "args", "kw", "dialect_kw", "dialect_kwargs", "elements", "_Column__name_pos", "_Column__type_pos"}
NAMES = {"name", "metadata", "expressions", "columns", "refcolumns", "column", "type_"}


# What each type is refused with, on PostgreSQL or SQLite.
TYPES: dict[str, tuple[str, Callable[[], None]]] = {
    r"u.a has a native enum type": ("postgresql", lambda: u(sa.Column("a", postgresql.ARRAY(sa.Enum("x", name="e"))))),
    r"u.a has the domain d, which no operation creates": (
        "sqlite",
        lambda: u(sa.Column("a", sa.Text().with_variant(postgresql.DOMAIN("d", sa.Text()), "postgresql"))),
    ),
    r"t.a has the type ARRAY\(Integer\(\)\), which SQLite has not\. Give the type for SQLite with with_variant": (
        "sqlite",
        lambda: ops.add_column("t", sa.Column("a", postgresql.ARRAY(sa.Integer()))),
    ),
    r"u.a has collation='de_DE', and SQLite has BINARY": (
        "sqlite",
        lambda: u(sa.Column("a", sa.String(collation="de_DE"))),
    ),
    r"t.a has an sa.Sequence": ("postgresql", lambda: ops.drop_column("t", a(sa.Sequence("s")))),
    r"u.a has an sa.Identity: on SQLite only an INTEGER PRIMARY KEY": ("sqlite", lambda: u(a(sa.Identity()))),
}


@pytest.mark.parametrize("why", TYPES)
def test_a_type_that_cannot_be_made_is_refused_by_name(why: str) -> None:
    dialect, declared = TYPES[why]
    with pytest.raises(Refused, match=why):
        text(declared, dialect)


def attributes(kind: type[Any]) -> Iterator[str]:
    """The arguments of a class of SQLAlchemy's and its options for both databases."""
    for name in inspect.signature(kind.__init__).parameters:
        if not name.startswith("_") and name not in CARRIERS:
            yield name
    for dialect in (postgresql.dialect, sqlite.dialect):
        for each, options in dialect.construct_arguments or []:
            if issubclass(kind, each):
                yield from (f"{dialect.name}_{option}" for option in options)


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_attribute_of_sqlalchemy_has_a_treatment(kind: type[Any]) -> None:
    assert [each for each in attributes(kind) if each not in ATTRIBUTES[kind.__name__]] == []


def test_every_attribute_that_is_made_has_an_example() -> None:
    made = {
        f"{kind}.{name}"
        for kind, treatments in ATTRIBUTES.items()
        for name, treatment in treatments.items()
        if treatment in (Treatment.MADE, Treatment.POSTGRESQL) and name not in NAMES | CARRIERS
    }
    assert made - {"Table.postgresql_with"} == set(MADE) - {"Table.postgresql_with"}


def test_every_attribute_that_is_refused_has_an_example() -> None:
    refused = {
        f"{kind}.{name}"
        for kind, treatments in ATTRIBUTES.items()
        for name, treatment in treatments.items()
        if treatment is Treatment.REFUSED and kind != "Sequence"
    }
    assert refused - set(REFUSED) == set()


def text(declared: Callable[[], None], dialect: str) -> str:
    """The SQL of the declared operation; of SQLite the new definitions, too."""
    target = Target(dialect=dialect, revision="0002_change")
    (made,) = recorded(declared, target)
    lines: list[str] = []
    for step in made.phases.expand:
        assert isinstance(step, Step)
        lines += step.statements
        if step.edit is not None:
            lines.append(step.edit.change(parse("CREATE TABLE t (a INTEGER)", "t")).sql)
    return "\n".join(lines)


@pytest.mark.parametrize("name", MADE)
def test_an_attribute_is_made_or_refused_by_name(name: str) -> None:
    declared, pattern = MADE[name]
    kind, attribute = name.split(".")
    where = "sqlite" if attribute.startswith("sqlite_") else "postgresql"
    assert re.search(pattern, text(declared, where), re.MULTILINE), text(declared, where)
    if ATTRIBUTES[kind][attribute] is Treatment.POSTGRESQL or "SET NULL (" in pattern.replace("\\", ""):
        with pytest.raises(Refused, match=f"{attribute}=|EXCLUDE"):
            text(declared, "sqlite")
    else:
        assert text(declared, "sqlite")


@pytest.mark.filterwarnings("ignore:This parameter is supported only by Oracle")
@pytest.mark.parametrize("name", REFUSED)
def test_an_attribute_that_would_be_lost_is_refused_on_both_databases(name: str) -> None:
    attribute = name.split(".")[1]
    for dialect in ("postgresql", "sqlite"):
        with pytest.raises(Refused, match=f"{attribute}=|sa.Sequence"):
            text(REFUSED[name], dialect)
