"""Alembic's `op` on SQLite: the stored text that each operation leaves."""

import re
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Column, Connection

from service.migrate import ops
from service.migrate.errors import Refused

UNCHANGED = "a INT, b TEXT DEFAULT 'x', CONSTRAINT ck CHECK (a > 0)"


@pytest.fixture
def table(connection: Connection) -> Connection:
    connection.exec_driver_sql("CREATE TABLE u (id INTEGER PRIMARY KEY)")
    connection.exec_driver_sql(f"CREATE TABLE t ({UNCHANGED})")
    connection.exec_driver_sql("INSERT INTO u VALUES (1)")
    connection.exec_driver_sql("INSERT INTO t VALUES (1, 'one')")
    return connection


def columns(connection: Connection) -> str:
    sql = connection.exec_driver_sql("SELECT sql FROM sqlite_schema WHERE name = 't'").scalar_one()
    # SQLAlchemy 2.0 puts a second pair of parentheses around an expression.
    plain = re.sub(r"\(\((strftime\([^)]*\))\)\)", r"(\1)", str(sql))
    return plain.removeprefix("CREATE TABLE t (").removesuffix(")")


CASES: dict[str, tuple[Callable[[Operations], Any], str]] = {
    "column": (
        lambda op: op.add_column("t", Column("c", sa.Integer())),
        "a INT, b TEXT DEFAULT 'x', c INTEGER, CONSTRAINT ck CHECK (a > 0)",
    ),
    "column that must not be empty": (
        lambda op: op.add_column("t", Column("c", sa.Integer(), server_default=sa.text("7"), nullable=False)),
        "a INT, b TEXT DEFAULT 'x', c INTEGER DEFAULT 7 NOT NULL, CONSTRAINT ck CHECK (a > 0)",
    ),
    "column with a check": (
        lambda op: op.add_column("t", Column("c", sa.Text(), sa.CheckConstraint(r"c <> '\:x%'", name="k"))),
        "a INT, b TEXT DEFAULT 'x', c TEXT CONSTRAINT k CHECK (c <> ':x%'), CONSTRAINT ck CHECK (a > 0)",
    ),
    "column with a moving default": (
        lambda op: op.add_column("t", Column("c", sa.DateTime(), server_default=ops.now(), nullable=False)),
        (
            "a INT, b TEXT DEFAULT 'x', c DATETIME DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now')) NOT NULL, "
            "CONSTRAINT ck CHECK (a > 0)"
        ),
    ),
    "stored column": (
        lambda op: op.add_column("t", Column("c", sa.Integer(), sa.Computed("a * 2", persisted=True))),
        "a INT, b TEXT DEFAULT 'x', c INTEGER GENERATED ALWAYS AS (a * 2) STORED, CONSTRAINT ck CHECK (a > 0)",
    ),
    "column with a foreign key": (
        lambda op: op.add_column("t", Column("c", sa.Integer(), sa.ForeignKey("u.id", name="fk", ondelete="CASCADE"))),
        (
            "a INT, b TEXT DEFAULT 'x', c INTEGER, CONSTRAINT ck CHECK (a > 0), "
            "CONSTRAINT fk FOREIGN KEY(c) REFERENCES u (id) ON DELETE CASCADE"
        ),
    ),
    "column whose check another database makes": (
        lambda op: op.add_column(
            "t", Column("c", sa.Text().with_variant(sa.Boolean(create_constraint=True), "postgresql"))
        ),
        "a INT, b TEXT DEFAULT 'x', c TEXT, CONSTRAINT ck CHECK (a > 0)",
    ),
    "unique column": (
        lambda op: op.add_column("t", Column("c", sa.Integer(), unique=True)),
        "a INT, b TEXT DEFAULT 'x', c INTEGER, CONSTRAINT ck CHECK (a > 0), UNIQUE (c)",
    ),
    "column that is there": (lambda op: op.add_column("t", Column("A", sa.Text()), if_not_exists=True), UNCHANGED),
    "dropped column": (lambda op: op.drop_column("t", "b"), "a INT, CONSTRAINT ck CHECK (a > 0)"),
    "dropped column that is not there": (lambda op: op.drop_column("t", "c", if_exists=True), UNCHANGED),
    "type": (
        lambda op: op.alter_column("t", "b", type_=sa.String(9), existing_type=sa.Text()),
        "a INT, b VARCHAR(9) DEFAULT 'x', CONSTRAINT ck CHECK (a > 0)",
    ),
    "type with a collation": (
        lambda op: op.alter_column("t", "b", type_=sa.String(9, collation="NOCASE")),
        "a INT, b VARCHAR(9) DEFAULT 'x' COLLATE \"NOCASE\", CONSTRAINT ck CHECK (a > 0)",
    ),
    "default": (
        lambda op: op.alter_column("t", "b", server_default="y"),
        "a INT, b TEXT DEFAULT 'y', CONSTRAINT ck CHECK (a > 0)",
    ),
    "default in SQL": (
        lambda op: op.alter_column("t", "b", server_default=sa.text("upper('a:b')")),
        "a INT, b TEXT DEFAULT (upper('a:b')), CONSTRAINT ck CHECK (a > 0)",
    ),
    "no default": (
        lambda op: op.alter_column("t", "b", server_default=None),
        "a INT, b TEXT, CONSTRAINT ck CHECK (a > 0)",
    ),
    "not null": (
        lambda op: op.alter_column("t", "b", nullable=False),
        "a INT, b TEXT DEFAULT 'x' NOT NULL, CONSTRAINT ck CHECK (a > 0)",
    ),
    "null": (
        lambda op: op.alter_column("t", "b", nullable=True),
        UNCHANGED,
    ),
    "name": (
        lambda op: op.alter_column("t", "a", new_column_name="c d", nullable=False),
        '"c d" INT NOT NULL, b TEXT DEFAULT \'x\', CONSTRAINT ck CHECK ("c d" > 0)',
    ),
    "check": (lambda op: op.create_check_constraint("k", "t", "a < 9"), f"{UNCHANGED}, CONSTRAINT k CHECK (a < 9)"),
    "unique constraint": (
        lambda op: op.create_unique_constraint("k", "t", ["b", "a"]),
        f"{UNCHANGED}, CONSTRAINT k UNIQUE (b, a)",
    ),
    "primary key": (
        lambda op: op.create_primary_key("k", "t", ["a"]),
        f"{UNCHANGED}, CONSTRAINT k PRIMARY KEY (a)",
    ),
    "foreign key": (
        lambda op: op.create_foreign_key("k", "t", "u", ["a"], ["id"], deferrable=True, initially="DEFERRED"),
        f"{UNCHANGED}, CONSTRAINT k FOREIGN KEY(a) REFERENCES u (id) DEFERRABLE INITIALLY DEFERRED",
    ),
    "dropped constraint": (lambda op: op.drop_constraint("ck", "t", type_="check"), "a INT, b TEXT DEFAULT 'x'"),
    "dropped constraint that is not there": (
        lambda op: op.drop_constraint("k", "t", type_="check", if_exists=True),
        UNCHANGED,
    ),
    "comment": (lambda op: op.alter_column("t", "a", comment="SQLite keeps none"), UNCHANGED),
}


@pytest.mark.parametrize("case", CASES)
def test_an_operation_changes_what_it_says_and_keeps_the_row(table: Connection, op: Operations, case: str) -> None:
    operation, expected = CASES[case]
    operation(op)
    assert columns(table) == expected
    assert table.exec_driver_sql("SELECT * FROM t").all()[0][0] == 1


def test_a_reference_that_belongs_to_the_new_column_comes_with_it(table: Connection, op: Operations) -> None:
    new = Column("c", sa.Integer(), sa.ForeignKey("u.id"))
    sa.Table("t", sa.Table("u", sa.MetaData(), Column("id", sa.Integer())).metadata, new)
    op.impl.add_column("t", new, inline_references=True)
    assert columns(table).endswith(", FOREIGN KEY(c) REFERENCES u (id)")


def test_a_column_may_be_empty_again(table: Connection, op: Operations) -> None:
    op.alter_column("t", "b", nullable=False)
    op.alter_column("t", "b", nullable=True)
    assert columns(table) == UNCHANGED


def test_a_batch_is_one_rebuild(table: Connection, op: Operations) -> None:
    table.exec_driver_sql("CREATE TRIGGER r AFTER INSERT ON t BEGIN SELECT 1; END")
    statements: list[str] = []
    sa.event.listen(table, "before_cursor_execute", lambda *arguments: statements.append(arguments[2]))
    with op.batch_alter_table("t") as batch:
        batch.alter_column("b", nullable=False)
        batch.add_column(Column("c", sa.Integer()))
        batch.add_column(Column("d", sa.Integer(), sa.ForeignKey("u.id")))
        batch.drop_constraint("ck", type_="check")
        batch.create_unique_constraint("k", ["a"])
    assert columns(table) == (
        "a INT, b TEXT DEFAULT 'x' NOT NULL, c INTEGER, d INTEGER, "
        "FOREIGN KEY(d) REFERENCES u (id), CONSTRAINT k UNIQUE (a)"
    )
    assert table.exec_driver_sql("SELECT count(*) FROM sqlite_schema WHERE name = 'r'").scalar() == 1
    assert len([statement for statement in statements if statement.startswith("CREATE TABLE")]) == 1


def test_a_batch_may_name_rename_and_index_what_it_adds(table: Connection, op: Operations) -> None:
    with op.batch_alter_table("t") as batch:
        batch.add_column(Column("c", sa.Integer()))
        batch.create_index("i", ["c"])
        batch.alter_column("c", new_column_name="d", server_default="1")
        batch.drop_index("i")
        batch.drop_column("d", if_exists=True)
        batch.drop_column("d", if_exists=True)
    assert columns(table) == UNCHANGED


def test_a_batch_that_fails_changes_nothing_and_the_next_is_a_new_one(table: Connection, op: Operations) -> None:
    def fail() -> None:
        with op.batch_alter_table("t") as batch:
            batch.add_column(Column("d", sa.Integer()))
            batch.drop_column("c")

    with pytest.raises(Refused, match="no column c"):
        fail()
    assert columns(table) == UNCHANGED
    op.drop_constraint("ck", "t", type_="check")
    assert columns(table) == "a INT, b TEXT DEFAULT 'x'"


def test_a_batch_that_asks_for_the_lossy_way_is_refused(table: Connection, op: Operations) -> None:
    with pytest.raises(Refused, match="recreate='always' loses"), op.batch_alter_table("t", recreate="always") as batch:
        batch.alter_column("b", nullable=False)
    assert columns(table) == UNCHANGED


def test_a_renamed_table_takes_everything_along(table: Connection, op: Operations) -> None:
    table.exec_driver_sql("CREATE VIEW v AS SELECT a FROM t")
    op.rename_table("t", "renamed")
    assert table.exec_driver_sql("SELECT * FROM v").all() == [(1,)]


def test_a_column_that_must_not_be_empty_needs_a_default_only_for_rows(table: Connection, op: Operations) -> None:
    with pytest.raises(Refused, match=r"Rows of t violate the new definition: NOT NULL constraint failed: t\.c"):
        op.add_column("t", Column("c", sa.Integer(), nullable=False))
    table.exec_driver_sql("DELETE FROM t")
    op.add_column("t", Column("c", sa.Integer(), nullable=False))
    assert "c INTEGER NOT NULL" in columns(table)


def test_a_type_of_another_affinity_converts_the_values_and_loses_none(connection: Connection, op: Operations) -> None:
    connection.exec_driver_sql("CREATE TABLE t (a TEXT)")
    connection.exec_driver_sql("INSERT INTO t VALUES ('12'), ('twelve'), (NULL)")
    op.alter_column("t", "a", type_=sa.Integer(), existing_type=sa.Text())
    assert connection.exec_driver_sql("SELECT a FROM t").scalars().all() == [12, "twelve", None]


def test_the_checks_of_a_type_come_and_go_with_it(table: Connection, op: Operations) -> None:
    op.alter_column("t", "b", existing_type=sa.Text(), type_=sa.Enum("one", "x", name="kind", create_constraint=True))
    assert "CONSTRAINT kind CHECK (b IN ('one', 'x'))" in columns(table)
    op.alter_column("t", "b", existing_type=sa.Boolean(create_constraint=True), type_=sa.Text())
    assert "b TEXT DEFAULT 'x'" in columns(table)


@pytest.mark.parametrize(
    ("operation", "why"),
    [
        (lambda op: op.drop_constraint(None, "t", type_="check"), "has no name"),
        (lambda op: op.drop_constraint("k", "t", type_="check"), "t has no constraint k"),
        (lambda op: op.drop_column("t", "c"), "t has no column c"),
        (lambda op: op.drop_column("t", "b", schema="other"), r"other\.t is in an attached database"),
        (
            lambda op: op.create_check_constraint("k", "t", "missing > 0"),
            "SQLite rejects the new definition of t: no such",
        ),
    ],
)
def test_what_cannot_be_done_is_refused_with_the_reason(
    table: Connection, op: Operations, operation: Callable[[Operations], Any], why: str
) -> None:
    with pytest.raises(Refused, match=why):
        operation(op)
    assert columns(table) == UNCHANGED


def test_a_script_holds_what_needs_no_look_at_the_file(capsys: pytest.CaptureFixture[str]) -> None:
    op = Operations(MigrationContext.configure(dialect_name="sqlite", opts={"as_sql": True}))
    op.add_column("t", Column("c", sa.Text(), server_default="50%:x"))
    op.alter_column("t", "c", new_column_name="d")
    op.drop_table("t")
    with pytest.raises(Refused, match="A script cannot alter a table on SQLite"):
        op.drop_column("t", "d")
    script = capsys.readouterr().out.split("\n\n")
    assert script[:3] == [
        "ALTER TABLE t ADD COLUMN c TEXT DEFAULT '50%:x';",
        "ALTER TABLE t RENAME COLUMN c TO d;",
        "DROP TABLE t;",
    ]
