"""Statements read as changes: what a rule asks of each."""

import pytest

from service.migrate.proof.lint.rules.volatility import is_volatile
from service.migrate.proof.lint.sql import types
from service.migrate.proof.lint.sql.change import Kind
from service.migrate.proof.lint.sql.statements import changes


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('ALTER TABLE ONLY public."Users" ADD COLUMN "Full Name" text', [(Kind.ADD_COLUMN, "Users", "Full Name")]),
        ("/* a */ -- b\nALTER TABLE a ADD b int, DROP c", [(Kind.ADD_COLUMN, "a", "b"), (Kind.DROP_COLUMN, "a", "c")]),
        ("ALTER TABLE IF EXISTS s.a DROP CONSTRAINT IF EXISTS c CASCADE", [(Kind.DROP_CONSTRAINT, "s.a", "c")]),
        ("CREATE INDEX IF NOT EXISTS i ON ONLY t USING gin (lower(a))", [(Kind.CREATE_INDEX, "t", "i")]),
        ("DO $$ BEGIN IF true THEN ALTER TABLE a DROP b; END IF; END $$", [(Kind.DROP_COLUMN, "a", "b")]),
        ("DO 'BEGIN IF EXISTS (SELECT 1 FOR UPDATE) THEN DROP TABLE a; END IF; END'", [(Kind.DROP_TABLE, "a", "")]),
        (
            "DO $$ BEGIN EXECUTE 'DROP TABLE ' || 'a'; END $$",
            [(Kind.OPAQUE, "", "execute"), (Kind.DROP_TABLE, "a", "")],
        ),
        (
            "DO $$ BEGIN FOR t IN SELECT 1 LOOP EXECUTE format('ALTER TABLE %I DROP b', t); END LOOP; END $$",
            [(Kind.OPAQUE, "", "execute"), (Kind.DROP_COLUMN, "…", "b")],
        ),
        ("PREPARE p AS DELETE FROM a; EXECUTE p", [(Kind.DELETE, "a", ""), (Kind.OTHER, "", "execute")]),
        (
            "WITH x AS (DELETE FROM a RETURNING *) INSERT INTO b SELECT * FROM x",
            [(Kind.DELETE, "a", ""), (Kind.INSERT, "b", "")],
        ),
        ("CREATE FUNCTION f() RETURNS int AS $f$ DROP TABLE a; $f$ LANGUAGE sql", [(Kind.CREATE_FUNCTION, "", "f")]),
        (
            "CREATE TRIGGER t AFTER INSERT ON a BEGIN UPDATE b SET c = 1; END; DROP TABLE d",
            [(Kind.CREATE_TRIGGER, "a", "t"), (Kind.DROP_TABLE, "d", "")],
        ),
        ("LOCK TABLE ONLY a, b IN ROW EXCLUSIVE MODE NOWAIT", [(Kind.LOCK, "a", ""), (Kind.LOCK, "b", "")]),
        ("TRUNCATE TABLE a, b RESTART IDENTITY CASCADE", [(Kind.TRUNCATE, "a", ""), (Kind.TRUNCATE, "b", "")]),
        ("SELECT ';'; -- ; \n", [(Kind.SELECT, "", "select")]),
        ("", []),
        # Broken statements, of which a server says more.
        ("ALTER TABLE a RENAME", [(Kind.OPAQUE, "", "alter")]),
        ("CREATE INDEX", [(Kind.OPAQUE, "", "create")]),
        ("ALTER TYPE a ADD VALUE", [(Kind.OPAQUE, "", "alter")]),
    ],
)
def test_a_text_is_read_as_changes(text: str, expected: list[tuple[Kind, str, str]]) -> None:
    assert [(each.kind, each.table, each.name) for each in changes(text)] == expected


@pytest.mark.parametrize(
    ("was", "now", "expected"),
    [
        ("varchar(50)", "character varying(100)", True),
        ("varchar(50)", "text", True),
        ("varchar(100)", "varchar(50)", False),
        ("text", "varchar(50)", False),
        ("numeric(8, 2)", "numeric(12,2)", True),
        ("numeric(8,2)", "decimal", True),
        ("numeric(8,2)", "numeric(12,4)", False),
        ("numeric", "numeric(8,2)", False),
        ("timestamp(3) with time zone", "timestamptz", True),
        ("timestamptz", "timestamp(0) with time zone", False),
        ("int4", "bigint", False),
        ("integer", "int", True),
        ("cidr", "inet", True),
    ],
)
def test_a_change_of_the_catalog_alone_is_known(was: str, now: str, expected: object) -> None:
    assert types.is_catalog_only(types.spelled(was), types.spelled(now)) is expected


@pytest.mark.parametrize(
    ("default", "expected"),
    [
        ("'x'::character varying(5)", False),
        ("now() AT TIME ZONE 'utc'", False),
        ("ARRAY[]::text[]", False),
        ("(1 + 2)", False),
        ("random()", True),
        ("uuid_generate_v4()", True),
        ("own()", True),
        ("steady()", False),
    ],
)
def test_a_default_with_another_value_in_each_row_is_known(default: str, expected: object) -> None:
    made = {"own": "CREATE FUNCTION own() RETURNS int AS 'SELECT 1'", "steady": "CREATE FUNCTION steady() STABLE …"}
    assert is_volatile(default, made) is expected
