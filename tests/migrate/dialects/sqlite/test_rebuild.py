"""A rebuild keeps what Alembic's batch mode loses, and everything else that a table can have."""

import sqlite3
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from service.migrate.errors import Refused
from tests.migrate.memory import in_memory

SCHEMA = """
CREATE TABLE parents (
  id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, -- never given out twice
  name VARCHAR(50) COLLATE NOCASE NOT NULL DEFAULT 'no, (name',
  "odd name" TEXT CHECK ("odd name" <> ''),
  age INTEGER,
  double AS (age * 2) VIRTUAL,
  triple INTEGER GENERATED ALWAYS AS (age * 3) STORED,
  CHECK (age < 200),
  CONSTRAINT uq_parents_name UNIQUE (name) ON CONFLICT IGNORE
);
CREATE TABLE children (id INTEGER PRIMARY KEY, parent_id INTEGER NOT NULL REFERENCES parents (id) ON DELETE CASCADE);
CREATE TABLE log (what TEXT);
CREATE INDEX ix_parents_lower ON parents (lower(name));
CREATE INDEX ix_parents_adult ON parents (age DESC) WHERE age >= 18;
CREATE UNIQUE INDEX "ix odd" ON parents ("odd name");
CREATE VIEW adults AS SELECT id, name FROM parents WHERE age >= 18;
CREATE VIEW adult_names AS SELECT name FROM adults;
CREATE TRIGGER parents_added AFTER INSERT ON parents BEGIN INSERT INTO log VALUES ('added ' || NEW.name); END;
CREATE TRIGGER children_removed AFTER DELETE ON children BEGIN
  UPDATE parents SET age = age + 1 WHERE id = OLD.parent_id;
END;
CREATE TRIGGER adults_added INSTEAD OF INSERT ON adults BEGIN
  INSERT INTO parents (name, age) VALUES (NEW.name, 18);
END;
INSERT INTO parents (id, name, "odd name", age) VALUES (1, 'Ann', 'a', 40), (7, 'Bob', NULL, 7), (9, 'Cy', 'c', 30);
INSERT INTO children (id, parent_id) VALUES (1, 1), (2, 1), (3, 7);
DELETE FROM parents WHERE id = 9;
DELETE FROM log;
"""


@pytest.fixture
def family(connection: Connection) -> Connection:
    run(connection, SCHEMA)
    return connection


def run(connection: Connection, script: str) -> None:
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            connection.exec_driver_sql(statement)
            statement = ""


def rows(connection: Connection, sql: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in connection.exec_driver_sql(sql)]


def stored(connection: Connection) -> dict[str, str]:
    return dict(rows(connection, "SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL"))


def widen(op: Operations) -> None:
    op.alter_column("parents", "name", existing_type=sa.String(50), type_=sa.String(80))


def test_nothing_but_the_change_differs(family: Connection, op: Operations) -> None:
    before = stored(family)
    widen(op)
    assert stored(family) == before | {"parents": before["parents"].replace("VARCHAR(50)", "VARCHAR(80)")}


def test_rows_stay_with_their_generated_values(family: Connection, op: Operations) -> None:
    before = rows(family, "SELECT * FROM parents ORDER BY id")
    widen(op)
    assert rows(family, "SELECT * FROM parents ORDER BY id") == before
    assert before[0][4:] == (80, 120)


def test_child_rows_of_a_cascade_stay(family: Connection, op: Operations) -> None:
    widen(op)
    assert rows(family, "SELECT id, parent_id FROM children") == [(1, 1), (2, 1), (3, 7)]


def test_children_still_point_at_the_table(family: Connection, op: Operations) -> None:
    widen(op)
    family.commit()
    family.connection.cursor().execute("PRAGMA foreign_keys = ON")
    family.exec_driver_sql("DELETE FROM parents WHERE id = 1")
    assert rows(family, "SELECT id FROM children") == [(3,)]


def test_an_id_is_not_given_out_again(family: Connection, op: Operations) -> None:
    widen(op)
    family.exec_driver_sql("INSERT INTO parents (name) VALUES ('Dee')")
    assert rows(family, "SELECT id FROM parents WHERE name = 'Dee'") == [(10,)]


def test_an_emptied_table_goes_on_counting(connection: Connection, op: Operations) -> None:
    run(connection, "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, a INT);\n")
    run(connection, "INSERT INTO t (a) VALUES (1), (2);\nDELETE FROM t;\n")
    op.alter_column("t", "a", server_default="5")
    run(connection, "INSERT INTO t DEFAULT VALUES;\n")
    assert rows(connection, "SELECT * FROM t") == [(3, 5)]


def test_no_trigger_fires_for_rows_carried_over(family: Connection, op: Operations) -> None:
    widen(op)
    assert rows(family, "SELECT * FROM log") == []


def test_triggers_of_the_table_its_children_and_its_views_still_fire(family: Connection, op: Operations) -> None:
    widen(op)
    family.exec_driver_sql("INSERT INTO adults (name) VALUES ('Dee')")
    family.exec_driver_sql("DELETE FROM children WHERE id = 3")
    assert rows(family, "SELECT * FROM log") == [("added Dee",)]
    assert rows(family, "SELECT age FROM parents WHERE name = 'BOB'") == [(8,)]
    assert rows(family, "SELECT name FROM adult_names ORDER BY 1") == [("Ann",), ("Dee",)]


def test_checks_collations_and_conflict_clauses_still_hold(family: Connection, op: Operations) -> None:
    widen(op)
    with pytest.raises(DBAPIError, match="CHECK"):
        family.exec_driver_sql("UPDATE parents SET age = 200")
    with pytest.raises(DBAPIError, match="CHECK"):
        family.exec_driver_sql("UPDATE parents SET \"odd name\" = ''")
    family.exec_driver_sql("INSERT INTO parents (name) VALUES ('ANN')")
    assert rows(family, "SELECT count(*) FROM parents") == [(2,)]


@pytest.mark.parametrize("columns", ["a TEXT", "rowid TEXT, a TEXT", "rowid TEXT, _rowid_ TEXT, a TEXT"])
def test_hidden_rowids_stay(connection: Connection, op: Operations, columns: str) -> None:
    run(connection, f"CREATE TABLE t ({columns});\nINSERT INTO t (oid, a) VALUES (5, 'five'), (3, 'three');\n")
    op.alter_column("t", "a", nullable=False)
    assert rows(connection, "SELECT oid, a FROM t ORDER BY a") == [(5, "five"), (3, "three")]


@pytest.mark.parametrize(
    "options",
    [
        "(a TEXT PRIMARY KEY, b INTEGER) WITHOUT ROWID",
        "(a TEXT, b INTEGER) STRICT",
        "(a INTEGER PRIMARY KEY DESC, b INTEGER)",
        "(a TEXT, b INTEGER, PRIMARY KEY (b, a)) STRICT, WITHOUT ROWID",
    ],
)
def test_the_kind_of_table_stays(connection: Connection, op: Operations, options: str) -> None:
    run(connection, f"CREATE TABLE t {options};\nINSERT INTO t VALUES (7, 70), (2, 20);\n")
    op.alter_column("t", "b", nullable=False)
    assert stored(connection)["t"] == f"CREATE TABLE t {options}".replace("b INTEGER", "b INTEGER NOT NULL")
    assert sorted(b for _, b in rows(connection, "SELECT * FROM t")) == [20, 70]


def test_a_table_that_points_at_itself_still_does(connection: Connection, op: Operations) -> None:
    run(connection, "CREATE TABLE t (id INTEGER PRIMARY KEY, up INTEGER REFERENCES t (id), a INT);\n")
    run(connection, "INSERT INTO t VALUES (1, NULL, 0), (2, 1, 0);\n")
    op.drop_column("t", "a")
    assert rows(connection, "PRAGMA foreign_key_list(t)")[0][2] == "t"
    assert rows(connection, "SELECT * FROM t") == [(1, None), (2, 1)]


def test_the_planner_keeps_its_figures(connection: Connection, op: Operations) -> None:
    run(connection, "CREATE TABLE t (a INT);\nCREATE INDEX i ON t (a);\nINSERT INTO t VALUES (1), (2);\nANALYZE;\n")
    op.alter_column("t", "a", nullable=False)
    assert rows(connection, "SELECT tbl, idx FROM sqlite_stat1") == [("t", "i")]


def test_rows_that_break_the_new_definition_are_refused_and_nothing_changes(family: Connection, op: Operations) -> None:
    before = stored(family)
    with pytest.raises(Refused, match=r"Rows of parents violate the new definition: NOT NULL constraint failed"):
        op.alter_column("parents", "odd name", nullable=False)
    assert stored(family) == before
    assert rows(family, "SELECT count(*) FROM parents") == [(2,)]


def test_a_new_unique_constraint_drops_no_row_without_a_word(family: Connection, op: Operations) -> None:
    run(family, "CREATE TABLE u (a INT);\nINSERT INTO u VALUES (1), (1);\n")
    with pytest.raises(Refused, match="UNIQUE constraint failed"):
        op.create_unique_constraint("uq_u_a", "u", ["a"], sqlite_on_conflict="IGNORE")
    assert rows(family, "SELECT * FROM u") == [(1,), (1,)]


def test_foreign_keys_that_are_enforced_are_refused(family: Connection, op: Operations) -> None:
    family.commit()
    family.connection.cursor().execute("PRAGMA foreign_keys = ON")
    with pytest.raises(Refused, match="enforces foreign keys"):
        widen(op)
    with pytest.raises(Refused, match="enforces foreign keys"):
        op.drop_table("parents")
    assert rows(family, "SELECT count(*) FROM children") == [(3,)]


@pytest.mark.parametrize(
    ("leaning", "thing"),
    [
        ("CREATE VIEW v AS SELECT age FROM t;\nCREATE VIEW w AS SELECT * FROM v;\n", "the view v"),
        ("CREATE TRIGGER r AFTER UPDATE ON t BEGIN SELECT NEW.age; END;\n", "a trigger of t"),
        ("CREATE TRIGGER r AFTER INSERT ON log BEGIN UPDATE t SET age = 1; END;\n", "a trigger of log"),
        ("CREATE TRIGGER r BEFORE DELETE ON log BEGIN INSERT INTO t (age) VALUES (1); END;\n", "a trigger of log"),
    ],
)
def test_what_would_break_without_the_column_is_refused(
    connection: Connection, op: Operations, leaning: str, thing: str
) -> None:
    run(connection, "CREATE TABLE t (id INTEGER, age INT);\nCREATE TABLE log (what TEXT);\n" + leaning)
    before = stored(connection)
    with pytest.raises(Refused, match=rf"t cannot be changed: {thing} would fail \(.*age\)\. Drop {thing} first"):
        op.drop_column("t", "age")
    assert stored(connection) == before


def test_an_index_on_a_dropped_column_is_named(family: Connection, op: Operations) -> None:
    run(family, "CREATE TABLE t (a INT, b INT);\nCREATE INDEX i ON t (a, abs(b));\n")
    with pytest.raises(Refused, match=r"t\.b cannot be dropped before the index i, which depends on it"):
        op.drop_column("t", "b")


def test_a_view_that_was_broken_before_stops_nothing(connection: Connection, op: Operations) -> None:
    run(connection, "CREATE TABLE t (a INT, b INT);\nCREATE VIEW v AS SELECT missing FROM t;\n")
    op.drop_column("t", "b")
    assert stored(connection) == {"t": "CREATE TABLE t (a INT)", "v": "CREATE VIEW v AS SELECT missing FROM t"}


def test_rows_that_a_new_foreign_key_would_leave_dangling_are_refused(family: Connection, op: Operations) -> None:
    run(family, "CREATE TABLE t (parent INTEGER);\nINSERT INTO t VALUES (1), (8), (9);\n")
    with pytest.raises(Refused, match=r"violate a foreign key: 2 from t to parents"):
        op.create_foreign_key("fk", "t", "parents", ["parent"], ["id"])


def test_rows_that_dangled_before_stop_nothing(family: Connection, op: Operations) -> None:
    run(family, "INSERT INTO children (parent_id) VALUES (99);\n")
    widen(op)
    assert "VARCHAR(80)" in stored(family)["parents"]


def test_a_table_that_is_not_there_is_refused(op: Operations) -> None:
    with pytest.raises(Refused, match="There is no table nobody"):
        op.alter_column("nobody", "a", nullable=False)


def test_an_ordinary_connection_that_begins_nothing_itself_is_safe_too() -> None:
    with in_memory() as connection:
        run(connection, "CREATE TABLE t (a INT);\nINSERT INTO t VALUES (NULL);\n")
        op = Operations(MigrationContext.configure(connection))
        with pytest.raises(Refused):
            op.alter_column("t", "a", nullable=False)
        assert stored(connection) == {"t": "CREATE TABLE t (a INT)"}
        assert rows(connection, "PRAGMA legacy_alter_table") == [(0,)]
