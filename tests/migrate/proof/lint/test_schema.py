"""A schema that statements change, and what it differs from another one in."""

import pytest

from service.migrate.proof.lint.sql import differences
from service.migrate.proof.lint.sql.apply import apply
from service.migrate.proof.lint.sql.schema import Schema
from service.migrate.proof.lint.sql.statements import changes

BASE = """
CREATE TABLE books (id integer NOT NULL, title text, price integer, CONSTRAINT ck CHECK (price > 0));
CREATE TABLE shelves (id serial PRIMARY KEY);
CREATE INDEX ix ON books (title);
CREATE VIEW cheap AS SELECT * FROM books WHERE price < 5;
CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE TYPE mood AS ENUM ('sad');
CREATE DOMAIN short AS text;
CREATE SEQUENCE numbers OWNED BY books.id;
CREATE TRIGGER tr BEFORE INSERT ON books FOR EACH ROW EXECUTE FUNCTION f();
CREATE POLICY p ON books USING (true);
CREATE PUBLICATION pub FOR TABLE books, shelves;
GRANT SELECT ON books TO reader;
COMMENT ON TABLE books IS 'ours';
COMMENT ON COLUMN books.price IS 'in cents';
"""


def changed(*statements: str) -> Schema:
    schema = Schema()
    for statement in (BASE, *statements):
        for each in changes(statement):
            apply(schema, each)
    return schema


WAS = changed()


def said(*statements: str) -> list[str]:
    was, now = WAS, changed(*statements)
    tables = sorted(was.tables.keys() & now.tables.keys())
    found = [what for name in tables for what in differences.of_tables(was.tables[name], now.tables[name], name)]
    return [*found, *differences.of_schemas(was, now)]


CASES: dict[str, list[str]] = {
    "ALTER TABLE books RENAME CONSTRAINT ck TO ck2": [
        "the constraint books.ck is missing",
        "the constraint books.ck2 is still there",
    ],
    "ALTER INDEX ix RENAME TO ix2": ["the index books.ix is missing", "the index books.ix2 is still there"],
    "ALTER VIEW cheap RENAME TO low": ["the view cheap is missing", "the view low is still there"],
    "ALTER TABLE cheap RENAME TO low": ["the view cheap is missing", "the view low is still there"],
    "ALTER FUNCTION f RENAME TO g": ["the function f is missing", "the function g is still there"],
    "ALTER FUNCTION h RENAME TO g": [],
    "ALTER SEQUENCE numbers RENAME TO digits": [
        "the sequence numbers is missing",
        "the sequence digits is still there",
    ],
    "ALTER DOMAIN short RENAME TO brief": ["the domain short is missing", "the domain brief is still there"],
    "ALTER TYPE mood RENAME TO temper": ["the type mood is missing", "the type temper is still there"],
    "ALTER TRIGGER tr ON books RENAME TO tr2": [
        "the trigger tr of books is missing",
        "the trigger tr2 of books is still there",
    ],
    "ALTER POLICY p ON books RENAME TO p2": [
        "the policy p of books is missing",
        "the policy p2 of books is still there",
    ],
    "ALTER TABLE books RENAME TO tomes": [
        "the trigger tr of books is missing",
        "the trigger tr of tomes is still there",
        "the policy p of books is missing",
        "the policy p of tomes is still there",
        "the privilege select on books to reader is missing",
        "the privilege select on tomes to reader is still there",
    ],
    "ALTER TABLE books RENAME COLUMN price TO cost": [
        "the column books.price is missing",
        "the column books.cost is still there",
    ],
    "ALTER TABLE books DROP COLUMN title": ["the column books.title is missing", "the index books.ix is missing"],
    "ALTER TABLE books DROP COLUMN price": [
        "the column books.price is missing",
        "the constraint books.ck is missing",
        "the comment on column books.price is missing",
    ],
    "ALTER TABLE books ALTER COLUMN title SET DEFAULT 'x'": ["the default of books.title is 'x' instead of none"],
    'ALTER TABLE books ALTER COLUMN title TYPE varchar(9) COLLATE "C"': [
        "books.title is varchar(9) instead of text",
        "the collation of books.title is C instead of the default",
    ],
    "ALTER TABLE books ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY": [
        "books.id is an identity column instead of a plain column"
    ],
    "ALTER TABLE books SET UNLOGGED": ["the logged of books is unlogged instead of logged"],
    "ALTER TABLE books SET TABLESPACE fast": ["the tablespace of books is fast instead of pg_default"],
    "ALTER TABLE books OWNER TO other": ["the owner of books is other instead of the one before"],
    "ALTER TABLE books REPLICA IDENTITY FULL": ["the replica identity of books is full instead of default"],
    "ALTER TABLE books ENABLE ROW LEVEL SECURITY": ["the row security of books is enabled instead of disabled"],
    "ALTER TABLE books FORCE ROW LEVEL SECURITY": ["the forced row security of books is forced instead of not forced"],
    "ALTER TABLE books DISABLE TRIGGER tr": ["the trigger tr of books is disabled instead of enabled"],
    "ALTER TABLE books ALTER COLUMN title SET NOT NULL": ["books.title is NOT NULL"],
    "ALTER TABLE books ADD CONSTRAINT nn NOT NULL title NOT VALID": ["the constraint books.nn is still there"],
    "ALTER TABLE books ADD CONSTRAINT nn NOT NULL title NOT VALID; ALTER TABLE books VALIDATE CONSTRAINT nn": [
        "the constraint books.nn is still there",
        "books.title is NOT NULL",
    ],
    "ALTER TABLE books DROP CONSTRAINT ck; ALTER TABLE books ADD CONSTRAINT ck CHECK (price > 1)": [
        "the constraint books.ck has another definition"
    ],
    "ALTER TABLE books DROP CONSTRAINT ck; ALTER TABLE books ADD CONSTRAINT ck CHECK (price > 0) NOT VALID": [
        "the constraint books.ck has another definition"
    ],
    "ALTER TABLE books DROP CONSTRAINT ck; ALTER TABLE books ADD CONSTRAINT ck CHECK ((price>0))": [],
    "DROP INDEX ix; CREATE INDEX ix ON books (title DESC)": [
        "the index is INDEX ix ON books(title DESC) instead of INDEX ix ON books(title)"
    ],
    "DROP INDEX ix; CREATE INDEX CONCURRENTLY ix ON public.books USING btree (title)": [],
    "ALTER PUBLICATION pub DROP TABLE books": ["the publication pub of books is missing"],
    "DROP PUBLICATION pub": ["the publication pub of books is missing", "the publication pub of shelves is missing"],
    "CREATE PUBLICATION every FOR ALL TABLES": [
        "the publication every of books is still there",
        "the publication every of shelves is still there",
    ],
    "REVOKE ALL ON books FROM reader": ["the privilege select on books to reader is missing"],
    "REVOKE INSERT ON books FROM reader": [],
    "REVOKE SELECT ON books FROM reader": ["the privilege select on books to reader is missing"],
    "GRANT reader TO writer": [],
    "COMMENT ON TABLE books IS NULL": ["the comment on table books is missing"],
    "COMMENT ON TABLE books IS 'yours'": ["the comment on table books is 'yours'"],
    "DROP SEQUENCE numbers": ["the sequence numbers is missing"],
    "DROP TYPE mood": ["the type mood is missing"],
    "DROP TABLE books": [
        "the trigger tr of books is missing",
        "the policy p of books is missing",
        "the comment on column books.price is missing",
        "the comment on table books is missing",
        "the privilege select on books to reader is missing",
    ],
    "DROP VIEW cheap": ["the view cheap is missing"],
    "DROP TRIGGER tr ON books": ["the trigger tr of books is missing"],
    "DROP POLICY p ON books": ["the policy p of books is missing"],
    "CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 2'": ["the function f has another definition"],
    "CREATE OR REPLACE VIEW cheap AS SELECT * FROM books WHERE price < 6": ["the view cheap has another definition"],
    "CREATE INDEX ON books (price)": ["the index books.on price is still there"],
}


@pytest.mark.parametrize("statements", CASES)
def test_a_statement_makes_another_schema_or_the_same(statements: str) -> None:
    assert said(statements) == CASES[statements]
