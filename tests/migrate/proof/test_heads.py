"""Where the revisions make one schema on SQLite and another on PostgreSQL."""

from service.migrate.proof.diagram import reading
from service.migrate.proof.diagram.schema import Schema
from service.migrate.proof.verify import heads
from tests.migrate.memory import in_memory

SHELVES = "CREATE TABLE shelves (id INTEGER PRIMARY KEY, label TEXT{})"
BOOKS = "CREATE TABLE books (id INTEGER PRIMARY KEY, shelf_id INTEGER{}, {} TEXT)"
NOTES = "CREATE TABLE notes (id INTEGER PRIMARY KEY)"


def schema(*statements: str) -> Schema:
    with in_memory() as connection:
        for each in statements:
            connection.exec_driver_sql(each)
        return reading.of_database(connection)


def test_what_one_database_lacks_is_named() -> None:
    one = schema(SHELVES.format(" NOT NULL UNIQUE"), BOOKS.format(" REFERENCES shelves (id)", "title"), NOTES)
    other = schema(SHELVES.format(""), BOOKS.format("", "headline"))
    found = heads.compared(one, other)
    assert {(each.revision, each.database, each.phase) for each in found} == {("head", "both", "databases")}
    assert [each.what for each in found] == [
        "PostgreSQL has no column title (NULL) in books",
        "PostgreSQL has no table notes",
        "PostgreSQL has no column label (unique, NOT NULL) in shelves",
        "PostgreSQL has no reference from books.shelf_id to shelves",
        "SQLite has no column headline (NULL) in books",
        "SQLite has no column label (NULL) in shelves",
    ]
    assert heads.compared(one, one) == []
