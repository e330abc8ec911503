"""PostgreSQL itself says whether a column would rewrite its table."""

import pytest
from sqlalchemy import Column, Integer, String, Text, text
from sqlalchemy.dialects.postgresql import DOMAIN

from service.migrate.errors import Refused
from service.migrate.operations.change_type.change_type import ChangeType
from service.migrate.operations.columns.add_drop import AddColumn
from service.migrate.operations.columns.rename import RenameColumn
from service.migrate.operations.columns.rewriting import volatile_builtin
from service.migrate.operations.step import Target
from tests.migrate.operations.live import declined, live
from tests.migrate.project import Project

ROWS = (
    "CREATE FUNCTION any_city() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN 'Bonn'; END $$",
    "CREATE FUNCTION random_city() RETURNS text LANGUAGE sql STABLE AS $$ SELECT 'Bonn' $$",
    "CREATE DOMAIN short AS text CHECK (length(VALUE) < 9)",
    "CREATE DOMAIN plain AS text",
    "CREATE DOMAIN filled AS text DEFAULT any_city()",
)


def domain(name: str) -> DOMAIN:
    return DOMAIN(name, Text(), create_type=False)


def column(kind: str = "", default: str | None = None) -> Column[str]:
    return Column("c", domain(kind) if kind else Text(), server_default=None if default is None else text(default))


@pytest.mark.parametrize("default", ["gen_random_uuid()::text", "pg_catalog.random()::text", "lower(timeofday())"])
def test_a_built_in_function_is_known_without_a_database(default: str) -> None:
    with pytest.raises(Refused, match="has the volatile default"):
        AddColumn(table="t", column=column(default=default)).phases(Target(dialect="sqlite", revision="0002"))


def test_a_word_is_no_function() -> None:
    for default in ("'random()'", "lower('uuid')", "app.random()", "random_city()", "now() -- nextval('s')"):
        assert volatile_builtin(default) is None


async def test_postgresql_says_what_it_would_rewrite(empty_postgres_url: str, project: Project) -> None:
    async with live(empty_postgres_url, project, rows=ROWS) as it:
        for refused, part in (
            (column(default="lower(any_city())"), "c TEXT DEFAULT lower(any_city()) would rewrite the table"),
            (column(default="lower(uper('x'), 1)"), ""),
            (column("short"), "c short"),
            (column("filled"), "c filled"),
            (column(default="length('x')::point::text"), "PostgreSQL rejects c TEXT DEFAULT"),
        ):
            said = await declined(it.url, AddColumn(table="t", column=refused))
            assert len(said) == (1 if part else 0), part
            assert part in "".join(said)
        for kind, default in (("", "random_city()"), ("plain", None), ("plain", "lower('X')"), ("", "now()")):
            assert await declined(it.url, AddColumn(table="t", column=column(kind, default))) == []
        was: Column[str] = Column("a", String(50), nullable=False)
        rename = RenameColumn(table="t", old=was, new=Column("c", domain("short"), nullable=False))
        now: Column[str] = Column("b", domain("short"))
        change = ChangeType(table="t", was=Column("b", Integer()), column=now, using="{}::text", back="{}::integer")
        for operation in (rename, change):
            (said_once,) = await declined(it.url, operation)
            assert "would rewrite the table under ACCESS EXCLUSIVE" in said_once
        assert await it.value("SELECT count(*) FROM pg_class WHERE relname LIKE '%probe%'") == 0
