"""Generated rows: every type and every kind of table has some, and each odd value of a type is in one of them."""

from sqlalchemy import Connection

from service.migrate.proof import scratch
from service.migrate.proof.verify import probe
from service.migrate.proof.verify.rows import Rows
from tests.migrate.memory import in_memory

TYPES = """
CREATE TYPE mood AS ENUM ('sad', 'ok')
CREATE TYPE pair AS (x integer, y text)
CREATE DOMAIN positive AS integer CHECK (value > 0)
CREATE TABLE lists (id serial PRIMARY KEY, a integer[] NOT NULL, b mood[] NOT NULL, c inet[] NOT NULL, d jsonb[])
CREATE TABLE texts (id uuid PRIMARY KEY, a json NOT NULL, b tsvector NOT NULL, c bit(5) NOT NULL, d varbit(9) NOT NULL)
CREATE TABLE nets (id bigint GENERATED ALWAYS AS IDENTITY, a inet NOT NULL, b cidr NOT NULL, c macaddr NOT NULL)
CREATE TABLE spans (id integer PRIMARY KEY, a int4range NOT NULL, b tstzrange NOT NULL, c int8multirange NOT NULL)
CREATE TABLE times (id integer PRIMARY KEY, a interval NOT NULL, b timetz NOT NULL, c timestamptz(0) NOT NULL)
CREATE TABLE numbers (id integer PRIMARY KEY, a real NOT NULL, b numeric NOT NULL, c money NOT NULL, d numeric(3,3))
CREATE TABLE others (id integer PRIMARY KEY, a point NOT NULL, b pair NOT NULL, c positive NOT NULL, d bytea NOT NULL)
CREATE TABLE ones (id integer PRIMARY KEY, other_id integer NOT NULL)
CREATE TABLE twos (id integer PRIMARY KEY, one_id integer REFERENCES ones)
ALTER TABLE ones ADD FOREIGN KEY (other_id) REFERENCES twos
CREATE TABLE trees (id integer PRIMARY KEY, parent_id integer NOT NULL REFERENCES trees)
CREATE TABLE pairs (x integer, y text, PRIMARY KEY (x, y))
CREATE TABLE of_pairs (x integer NOT NULL, y text NOT NULL, FOREIGN KEY (x, y) REFERENCES pairs)
CREATE TABLE computed (id integer PRIMARY KEY, a integer NOT NULL, b integer GENERATED ALWAYS AS (a % 9) STORED)
CREATE TABLE checked (id integer PRIMARY KEY CHECK (id > 5000), hi integer NOT NULL, lo integer CHECK (lo < hi))
CREATE TABLE sized (age integer NOT NULL CHECK (age < 3), code text NOT NULL CHECK (char_length(code) = 5))
CREATE TABLE booked (id integer PRIMARY KEY, r int4range NOT NULL, EXCLUDE USING gist (r WITH &&))
CREATE TABLE days (id integer, at date NOT NULL, PRIMARY KEY (id, at)) PARTITION BY RANGE (at)
CREATE TABLE day PARTITION OF days FOR VALUES FROM ('2019-01-01') TO ('2019-02-01')
CREATE TABLE sides (side text NOT NULL) PARTITION BY LIST (side)
CREATE TABLE side PARTITION OF sides FOR VALUES IN ('north', 'south')
CREATE TABLE mail (e text NOT NULL CHECK (e ~ '^[a-z]+@[a-z]+$'))
CREATE VIEW ids AS SELECT id FROM computed
""".strip().splitlines()


def filled(connection: Connection) -> None:
    for each in TYPES:
        connection.exec_driver_sql(each)
    rows = Rows(seed=0, count=4)
    empty = rows.fill(connection)
    assert set(empty) == {"mail"}
    assert "violates check constraint" in empty["mail"]
    assert connection.exec_driver_sql("SELECT count(*) FROM twos WHERE one_id IS NOT NULL").scalar()
    probes = probe.made(connection, rows)
    assert {each.table.name for each in probes.rows if not each.updates} == set()
    assert set(probes.reads) == {"computed", "ids", "nets"}
    connection.exec_driver_sql("DROP VIEW ids")
    connection.exec_driver_sql("ALTER TABLE computed DROP b")
    found = probe.failures(connection, probes, rows, "upgrade", is_new=False)
    assert found == [
        "SELECT FROM computed fails after the upgrade: column computed.b does not exist",
        'SELECT FROM ids fails after the upgrade: relation "ids" does not exist',
    ]


def test_every_table_of_postgresql_gets_rows(postgres_admin_url: str) -> None:
    with scratch.postgresql_database(postgres_admin_url) as url:
        scratch.in_database(url, filled, writes=True)


def test_each_odd_value_is_in_a_row() -> None:
    with in_memory() as connection:
        connection.exec_driver_sql(
            "CREATE TABLE books (id INTEGER PRIMARY KEY, title VARCHAR(30) NOT NULL, note TEXT, pages INT NOT NULL, "
            "kind TEXT DEFAULT 'a' NOT NULL CHECK (kind IN ('a', 'b')), data BLOB NOT NULL, code TEXT UNIQUE)"
        )
        assert Rows(seed=3, count=20).fill(connection) == {}
        titles = set(connection.exec_driver_sql("SELECT title FROM books").scalars())
        assert titles >= {"ß" * 30, "a", "A", "a ", "", "ångström", "ÅNGSTRÖM", "NULL", "007", "line\nbreak"}
        pages = set(connection.exec_driver_sql("SELECT pages FROM books").scalars())
        assert pages >= {2**53 + 1, 2**31 - 1, -(2**31), 0}
        assert None in set(connection.exec_driver_sql("SELECT note FROM books").scalars())
        assert set(connection.exec_driver_sql("SELECT typeof(data) FROM books").scalars()) == {"blob"}
        query = "SELECT count(*) FROM (SELECT title, note, pages FROM books GROUP BY 1, 2, 3 HAVING count(*) > 1)"
        assert connection.exec_driver_sql(query).scalar()
