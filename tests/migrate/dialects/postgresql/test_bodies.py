"""What the body of a function names, without a database: uses that fail later, and words that only look like one."""

from collections.abc import Sequence

import pytest

from service.migrate.dialects.postgresql.bodies import Body, Table

FIRMS = Table(schema="public", name="firms")
TABLES = {name: frozenset(("public",)) for name in ("firms", "people", "log")} | {"towns": frozenset(("geo",))}


def body(text: str, language: str = "plpgsql", *, on: Sequence[str] = (), rows: Sequence[str] = ()) -> Body:
    return Body(
        text=text, language=language, tables=TABLES, triggers=tuple(on), rows=frozenset(rows), takes_row=bool(rows)
    )


USES = [
    "UPDATE firms SET city = 'x'",
    "UPDATE ONLY public.firms AS f SET phone = upper(f.city)",
    "INSERT INTO firms (id, CITY) VALUES (1, 'x')",
    "INSERT INTO people (name) SELECT city FROM firms",
    "SELECT count(*) FROM people p JOIN firms ON p.town = firms.city",
    "SELECT 1 FROM people, firms f WHERE people.id = 1 AND city = 'x'",
    'SELECT f."city" FROM public."firms" f',
    "DELETE FROM people USING firms WHERE people.city = firms.city",
    "SELECT extract(year FROM city) FROM firms",
    "SELECT (SELECT x.city FROM firms x) FROM people",
    "WITH f AS (SELECT * FROM firms) SELECT f.city FROM f",
    "DECLARE v firms.city%TYPE; BEGIN RETURN v; END",
    "DECLARE r firms%ROWTYPE; BEGIN r.city := 'x'; END",
    "DECLARE r firms; BEGIN RETURN r.city; END",
    "DECLARE r record; BEGIN SELECT * INTO r FROM firms; RETURN r.city; END",
    "BEGIN FOR r IN SELECT * FROM firms LOOP PERFORM r.city; END LOOP; END",
    "DECLARE c CURSOR FOR SELECT * FROM firms; BEGIN FETCH c INTO r; RETURN r.city; END",
    "SELECT (jsonb_populate_record(NULL::firms, '{}')).city",
    "SELECT row_to_json(f) ->> 'city' FROM firms f",
    "EXECUTE 'UPDATE firms SET city = $1' USING 'x'",
    "EXECUTE format('UPDATE %I SET city = lower(city)', some_table)",
    "EXECUTE format('UPDATE %I SET %I = 1', 'firms', 'city')",
    "q := 'SELECT city ' || 'FROM firms'; RETURN QUERY EXECUTE q;",
    "DECLARE q text := 'SELECT city FROM firms'; BEGIN EXECUTE q; END",
    "SELECT 'DELETE FROM firms WHERE city IS NULL' INTO q; EXECUTE q;",
    "EXECUTE $q$ SELECT city FROM firms $q$",
    "UPDATE firms SET phone = CASE WHEN id > 1 THEN city ELSE phone END",
    "IF a THEN UPDATE people SET city = 1; ELSE UPDATE firms SET city = 1; END IF",
    "INSERT INTO firms (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET city = 'x'",
    "MERGE INTO people p USING firms f ON p.id = f.id WHEN MATCHED THEN UPDATE SET name = f.city",
]
NO_USES = [
    "SELECT phone FROM firms -- city",
    "SELECT /* city */ phone FROM firms",
    "RAISE NOTICE 'city of firms'; PERFORM 1 FROM firms",
    "SELECT 'city' FROM firms",
    "UPDATE people SET city = 'x'",
    "UPDATE people SET city = (SELECT max(phone) FROM firms)",
    "INSERT INTO people (id, city) SELECT id, phone FROM firms",
    "SELECT p.city FROM people p JOIN firms f ON f.id = p.id",
    "SELECT people.city FROM people, firms",
    'SELECT "City" FROM firms',
    "SELECT phone AS city FROM firms",
    "SELECT city(phone) FROM firms",
    "SELECT phone::city FROM firms",
    "SELECT f(city => phone) FROM firms",
    "SELECT firms.city FROM geo.firms",
    "DECLARE r people%ROWTYPE; BEGIN SELECT count(*) INTO n FROM firms; RETURN r.city; END",
    "BEGIN FOR r IN SELECT * FROM people LOOP PERFORM r.city; END LOOP; DELETE FROM firms; END",
    "DECLARE city text; BEGIN city := 'x'; RETURN city; END",
    "EXECUTE 'UPDATE people SET city = 1'",
    "EXECUTE 'UPDATE firms SET phone = ''city'''",
    "IF kind = 'city' THEN RAISE 'no city'; END IF; EXECUTE 'DELETE FROM firms'",
    "NEW.city := 'x'; RETURN NEW",
    "DELETE FROM firms; INSERT INTO log SELECT city FROM people",
    "SELECT cities FROM firms",
]


@pytest.mark.parametrize("text", USES)
def test_a_use_of_a_column_is_found(text: str) -> None:
    assert body(text).names_column(FIRMS, "city")


@pytest.mark.parametrize("text", NO_USES)
def test_a_word_that_is_no_use_is_passed_over(text: str) -> None:
    assert not body(text).names_column(FIRMS, "city")


@pytest.mark.parametrize(
    ("text", "is_use"),
    [
        ("NEW.city := btrim(NEW.city); RETURN NEW;", True),
        ('IF OLD.CITY IS DISTINCT FROM new."city" THEN RETURN NULL; END IF;', True),
        ("r := NEW; RETURN r.city;", True),
        ("PERFORM to_jsonb(NEW) ->> 'city'; r := NEW;", True),
        ("EXECUTE format('UPDATE %I SET city = 1', TG_TABLE_NAME)", True),
        ("EXECUTE 'SELECT ($1).city' USING NEW", True),
        ("NEW.phone := 'x'; RETURN NEW;", False),
        ("SELECT * INTO r FROM people; NEW.phone := r.city; RETURN NEW;", False),
        ("UPDATE people SET city = NEW.phone WHERE id = NEW.id; RETURN NEW;", False),
    ],
)
def test_a_trigger_function_has_the_row_as_new_and_old(text: str, *, is_use: bool) -> None:
    assert body(text, on=["a_tidy"]).names_column(FIRMS, "city") is is_use


@pytest.mark.parametrize(
    ("text", "is_use"),
    [("SELECT f.city", True), ("SELECT $1.city", True), ("SELECT ($1).city", True), ("SELECT 1", False)],
)
def test_a_parameter_may_be_a_row(text: str, *, is_use: bool) -> None:
    assert body(text, "sql", rows=["f"]).names_column(FIRMS, "city") is is_use


def test_other_languages_are_searched_for_whole_words() -> None:
    text = "TD['new']['city'] = 1  # the phone"
    assert body(text, "plpython3u", on=["a"]).names_column(FIRMS, "city")
    assert not body(text, "plpython3u", on=["a"]).names_column(FIRMS, "phone")
    assert not body(text, "plpython3u").names_column(FIRMS, "city")
    assert body("plpy.execute('SELECT city FROM firms')", "plpython3u").names_column(FIRMS, "city")


@pytest.mark.parametrize(
    ("text", "is_use"),
    [
        ("TRUNCATE log, firms", True),
        ("SELECT 1 FROM people WHERE EXISTS (SELECT FROM firms)", True),
        ("EXECUTE 'DROP TABLE ' || 'firms'", True),
        ("DECLARE r firms%ROWTYPE; BEGIN RETURN r; END", True),
        ("SELECT NULL::public.firms", True),
        ("SELECT firms FROM people", False),
        ("SELECT p.firms, 'firms' FROM people p -- firms", False),
        ("SELECT 1 FROM geo.firms", False),
    ],
)
def test_a_use_of_a_table_is_found(text: str, *, is_use: bool) -> None:
    assert body(text).names_table(FIRMS) is is_use


@pytest.mark.parametrize(
    ("text", "is_use"),
    [
        ("INSERT INTO log SELECT NEW.*, now(); RETURN NEW;", True),
        ("INSERT INTO log VALUES (OLD.*);", True),
        ("INSERT INTO log SELECT * FROM firms WHERE id = NEW.id;", True),
        ("INSERT INTO log SELECT f.* FROM firms f;", True),
        ("INSERT INTO log (row) VALUES (ROW(NEW.*)::text);", False),
        ("INSERT INTO log SELECT count(*) FROM firms;", False),
        ("INSERT INTO log SELECT p.* FROM people p, firms;", False),
        ("IF OLD.* IS DISTINCT FROM NEW.* THEN RETURN NEW; END IF;", False),
    ],
)
def test_a_row_that_is_inserted_as_a_whole_is_found(text: str, *, is_use: bool) -> None:
    assert body(text, on=["a"]).inserts_row(FIRMS) is is_use


def test_a_call_is_found() -> None:
    assert body("PERFORM Helper(NEW)").calls("helper")
    assert not body("PERFORM 'helper(1)', helper").calls("helper")
