"""What a downgrade may lose beside definitions: each has a line in the catalog that is compared."""

from collections.abc import Iterable
from functools import partial

from sqlalchemy import Connection

from service.migrate.proof import scratch
from service.migrate.proof.catalog import catalog
from tests.migrate.memory import in_memory

BASE = """
CREATE TABLE par (id integer PRIMARY KEY, t text)
CREATE TABLE ch (id bigserial PRIMARY KEY, par_id integer CONSTRAINT fk REFERENCES par, lo integer,
  t text CONSTRAINT uq UNIQUE)
CREATE TABLE parts (id integer, at date NOT NULL) PARTITION BY RANGE (at)
CREATE TABLE part PARTITION OF parts FOR VALUES FROM ('2020-01-01') TO ('2021-01-01')
CREATE TABLE heir (y integer) INHERITS (par)
CREATE VIEW v AS SELECT id FROM par
CREATE MATERIALIZED VIEW mv AS SELECT id FROM par
CREATE TYPE mood AS ENUM ('sad', 'ok')
CREATE TYPE pair AS (x integer)
CREATE DOMAIN pos AS integer CHECK (value > 0)
CREATE SEQUENCE sq
CREATE FUNCTION f() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'
CREATE STATISTICS st ON id, t FROM par
CREATE RULE ru AS ON DELETE TO ch WHERE old.id < 0 DO INSTEAD NOTHING
CREATE POLICY po ON ch USING (true)
CREATE PUBLICATION pb FOR TABLE ch
CREATE SCHEMA apart
CREATE COLLATION lost (provider = libc, locale = 'C')
CREATE OPERATOR === (leftarg = integer, rightarg = integer, function = int4eq)
CREATE AGGREGATE total (integer) (sfunc = int4pl, stype = integer)
CREATE CAST (mood AS integer) WITH INOUT
CREATE TEXT SEARCH CONFIGURATION tsc (copy = english)
"""
# A change, and the line of which there is another, none or a new one afterwards.
CHANGES = {
    "ALTER TABLE par SET (toast.autovacuum_enabled = off)": "table par ",
    "ALTER TABLE heir NO INHERIT par": "table heir inherits par",
    "ALTER TABLE ch DISABLE TRIGGER ALL": "trigger of constraint fk on ch: ",
    "ALTER TABLE ch DISABLE RULE ru": "rule CREATE RULE ru ",
    "ALTER TABLE parts DETACH PARTITION part": "partition part of parts FOR VALUES",
    "CREATE TABLE rest PARTITION OF parts DEFAULT": "partition rest of parts DEFAULT",
    "ALTER TABLE rest ALTER id SET DEFAULT 3": "column rest.id default 3",
    "ALTER TABLE rest ADD CONSTRAINT own CHECK (id > 0)": "constraint own of rest CHECK",
    "CREATE INDEX of_rest ON rest (id)": "index CREATE INDEX of_rest ",
    "ALTER TABLE ch DROP CONSTRAINT uq ;; ALTER TABLE ch ADD CONSTRAINT uq UNIQUE NULLS NOT DISTINCT (t)": (
        "constraint ch uq UNIQUE NULLS NOT DISTINCT (t)"
    ),
    "GRANT SELECT (t) ON par TO pg_monitor": "privileges of par.t to pg_monitor: SELECT",
    "REVOKE USAGE ON TYPE mood FROM PUBLIC": "privileges of type mood to ",
    "GRANT USAGE ON SCHEMA apart TO pg_monitor": "privileges of schema apart to pg_monitor: USAGE",
    "ALTER DEFAULT PRIVILEGES IN SCHEMA apart GRANT SELECT ON TABLES TO pg_monitor": (
        "default privileges of tables in apart for "
    ),
    "COMMENT ON TYPE mood IS 'x'": "comment on type mood: x",
    "COMMENT ON POLICY po ON ch IS 'x'": "comment on policy po of ch: x",
    "COMMENT ON STATISTICS st IS 'x'": "comment on statistics object st: x",
    "COMMENT ON SCHEMA apart IS 'x'": "comment on schema apart: x",
    "ALTER SEQUENCE sq CYCLE": "sequence sq start 1 ",
    "REFRESH MATERIALIZED VIEW mv WITH NO DATA": "materialized view mv ",
    "ALTER VIEW v SET (security_barrier = true)": "options of view v: security_barrier=true",
    "ALTER TYPE mood RENAME VALUE 'ok' TO 'fine'": "type mood sad, fine",
    "ALTER TYPE mood OWNER TO pg_monitor": "owner of type mood: pg_monitor",
    "ALTER TYPE pair ADD ATTRIBUTE y text": "type pair composite x integer, y text",
    "CREATE TYPE span AS RANGE (subtype = float8)": "type span range of double precision",
    "ALTER STATISTICS st SET STATISTICS 500": "statistics CREATE STATISTICS",
    "ALTER PUBLICATION pb SET TABLE ch (id) WHERE (id > 0)": "publication pb of ch (id) where (id > 0)",
    "ALTER PUBLICATION pb SET (publish = 'insert')": "publication pb {",
    "CREATE EVENT TRIGGER et ON ddl_command_end EXECUTE FUNCTION f()": "event trigger et ddl_command_end",
    "DROP COLLATION lost": "collation lost ",
    "DROP OPERATOR === (integer, integer)": "operator ===(integer,integer) ",
    "DROP AGGREGATE total (integer)": "aggregate total(integer) ",
    "DROP CAST (mood AS integer)": "cast from mood to integer",
    "DROP TEXT SEARCH CONFIGURATION tsc": "text search configuration tsc ",
    "CREATE TABLE apart.log (id integer DEFAULT 7)": "in schema apart: column log.id integer default 7",
    "CREATE FOREIGN DATA WRAPPER fw": "foreign-data wrapper fw ",
}
ON_SQLITE = {
    "DROP TABLE a ;; CREATE TABLE a (id INTEGER PRIMARY KEY AUTOINCREMENT, t TEXT COLLATE NOCASE)": "in a: ",
    "DROP TABLE b ;; CREATE TABLE b (id INTEGER PRIMARY KEY, t TEXT) STRICT, WITHOUT ROWID": "table b ",
    "DROP TABLE c ;; CREATE TABLE c (id INTEGER, t TEXT AS (id || 'x'))": "in c: ",
    "CREATE INDEX some ON d (lower(t)) WHERE id > 0": "index some of d",
    "CREATE TRIGGER g AFTER INSERT ON d BEGIN SELECT 1; END": "trigger g of d",
    "CREATE VIEW w AS SELECT 1": "view w",
    "PRAGMA user_version = 5": "user_version 5",
}


def differing(connection: Connection, base: Iterable[str], changes: Iterable[str]) -> list[str]:
    """The lines that the changes add or remove."""
    for each in base:
        connection.exec_driver_sql(each)
    before = catalog.lines(connection)
    for change in changes:
        for each in change.split(" ;; "):
            connection.exec_driver_sql(each)
    return sorted(set(before) ^ set(catalog.lines(connection)))


def test_a_change_on_postgresql_has_a_line(postgres_admin_url: str) -> None:
    with scratch.postgresql_database(postgres_admin_url) as url:
        base = BASE.strip().replace(",\n", ", ").splitlines()
        found = scratch.in_database(url, partial(differing, base=base, changes=CHANGES), writes=True)
    assert {
        change: expected for change, expected in CHANGES.items() if not any(expected in each for each in found)
    } == {}


def test_a_change_on_sqlite_has_a_line() -> None:
    with in_memory() as connection:
        base = [f"CREATE TABLE {name} (id INTEGER PRIMARY KEY, t TEXT)" for name in "abcd"]
        found = differing(connection, base, ON_SQLITE)
    assert {each for each in ON_SQLITE.values() if not any(line.startswith(each) for line in found)} == set()
