import pytest

from service.migrate.dialects.sqlite.clauses import column
from service.migrate.dialects.sqlite.definition import Definition, parse
from service.migrate.errors import Refused

SQL = """CREATE TABLE t (
\tid INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, -- the key
\ta VARCHAR(50) COLLATE NOCASE DEFAULT 'x, (y' CHECK (a <> ')'),
\t"b c" CONSTRAINT r REFERENCES u (id) ON DELETE SET NULL NOT DEFERRABLE UNIQUE,
\td GENERATED ALWAYS AS (a || 'z') STORED,
\tCONSTRAINT ck_a CHECK (length(a) > 0) UNIQUE (a, d),
\tFOREIGN KEY (a) REFERENCES u (d) ON DELETE SET DEFAULT
) STRICT"""


@pytest.fixture
def table() -> Definition:
    return parse(SQL, "t")


def test_an_unchanged_definition_is_the_text_to_the_letter(table: Definition) -> None:
    assert table.sql == SQL


def test_columns_end_where_constraints_begin(table: Definition) -> None:
    assert [column.name for column in table.columns] == ["id", "a", "b c", "d"]


def test_every_clause_of_a_column_is_told_apart(table: Definition) -> None:
    found = {column.name: [(clause.kind, clause.name) for clause in column.clauses] for column in table.columns}
    assert found == {
        "id": [("NOT NULL", ""), ("PRIMARY KEY", "")],
        "a": [("COLLATE", ""), ("DEFAULT", ""), ("CHECK", "")],
        "b c": [("REFERENCES", "r"), ("UNIQUE", "")],
        "d": [("AS", "")],
    }


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("a", []),
        ("a NULL UNIQUE", ["NULL", "UNIQUE"]),
        ("a DEFAULT NULL NOT NULL", ["DEFAULT", "NOT NULL"]),
        ("a CONSTRAINT n NOT NULL CONSTRAINT u UNIQUE", ["NOT NULL", "UNIQUE"]),
        ("a DOUBLE PRECISION DEFAULT (1 + 2) AS (b)", ["DEFAULT", "AS"]),
        ('"default" "not null" PRIMARY KEY DESC ON CONFLICT IGNORE', ["PRIMARY KEY"]),
    ],
)
def test_words_that_look_like_clauses_are_not_taken_for_some(text: str, kinds: list[str]) -> None:
    assert [clause.kind for clause in column(text).clauses] == kinds


def test_a_new_column_stands_before_the_constraints_and_behind_every_comment(table: Definition) -> None:
    sql = parse("CREATE TABLE t (a INT -- the last\n)", "t").add_column("b INT").sql
    assert sql == "CREATE TABLE t (a INT -- the last\n, b INT)"
    assert "STORED,\n\te INT,\n\tCONSTRAINT" in table.add_column("e INT").sql


def test_a_new_constraint_stands_last(table: Definition) -> None:
    assert table.add_constraint("CHECK (id > 0)").sql == SQL.replace("DEFAULT\n)", "DEFAULT,\n\tCHECK (id > 0)\n)")


@pytest.mark.parametrize(("name", "gone"), [("CK_A", "CONSTRAINT ck_a CHECK (length(a) > 0)"), ("r", "REFERENCES")])
def test_a_constraint_is_dropped_by_name_wherever_it_stands(table: Definition, name: str, gone: str) -> None:
    sql = table.drop_constraint(name).sql
    assert gone in SQL
    assert gone not in sql.replace("REFERENCES u (d)", "")
    assert parse(sql, "t").sql == sql


def test_the_neighbour_of_a_dropped_constraint_stays(table: Definition) -> None:
    assert "UNIQUE (a, d)" in table.drop_constraint("ck_a").sql


def test_a_dropped_column_takes_its_own_clauses_along() -> None:
    sql = parse("CREATE TABLE t (a INT, b INT CHECK (b > 0) REFERENCES u)", "t").drop_column("B").sql
    assert sql == "CREATE TABLE t (a INT)"


def test_the_first_column_can_be_dropped() -> None:
    assert parse("CREATE TABLE t (a INT, b INT)", "t").drop_column("a").sql == "CREATE TABLE t ( b INT)"


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        ("CREATE TABLE t (a INT, b INT, CONSTRAINT k UNIQUE (b, a))", "t.a cannot be dropped before the constraint k"),
        ("CREATE TABLE t (a INT, b INT CHECK (b > a))", "t.a cannot be dropped before the column b"),
        ("CREATE TABLE t (a INT, b AS (a + 1))", "t.a cannot be dropped before the column b"),
        (
            'CREATE TABLE t (a INT, b INT, CHECK ("a" > 0))',
            r'cannot be dropped before the constraint CHECK \("a" > 0\)',
        ),
        ("CREATE TABLE t (a INT)", "t.a is the only column"),
        ("CREATE TABLE t (b INT)", "t has no column a."),
    ],
)
def test_a_column_in_use_is_not_dropped(sql: str, why: str) -> None:
    with pytest.raises(Refused, match=why):
        parse(sql, "t").drop_column("a")


def test_a_column_that_only_another_table_has_may_be_dropped() -> None:
    sql = "CREATE TABLE t (a INT, b INT, FOREIGN KEY (b) REFERENCES u (a))"
    assert "a INT" not in parse(sql, "t").drop_column("a").sql


def test_a_type_is_replaced_between_the_name_and_the_clauses() -> None:
    assert column(" a VARCHAR(5) NOT NULL -- x").with_type("TEXT").text == " a TEXT NOT NULL -- x"
    assert column("a NOT NULL").with_type("TEXT").text == "a TEXT NOT NULL"
    assert column("a").with_type("TEXT").text == "a TEXT"
    assert column("a TEXT").with_type("").text == "a"


def test_a_new_clause_stands_before_a_trailing_comment() -> None:
    assert column("a INT -- x").with_clause("NOT NULL").text == "a INT NOT NULL -- x"


@pytest.mark.parametrize("sql", ["CREATE VIRTUAL TABLE t USING fts5(a)", "CREATE TABLE t", "CREATE TABLE t (a"])
def test_what_is_no_ordinary_table_is_refused(sql: str) -> None:
    with pytest.raises(Refused, match="t"):
        parse(sql, "t")


def test_a_constraint_that_is_not_there_is_refused(table: Definition) -> None:
    with pytest.raises(Refused, match=r"t has no constraint ck_b\."):
        table.drop_constraint("ck_b")


def test_a_constraint_without_a_comma_does_not_become_one_of_the_column_before() -> None:
    found = parse("CREATE TABLE t (a TEXT, CONSTRAINT u UNIQUE (a) CONSTRAINT c CHECK (a > 0))", "t")
    assert found.drop_constraint("u").sql == "CREATE TABLE t (a TEXT,CONSTRAINT c CHECK (a > 0))"
