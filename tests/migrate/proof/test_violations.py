"""Which rows of a database would make a statement of a plan fail, and of which statements nothing is said."""

from sqlalchemy import Connection

from service.migrate.proof import scratch
from service.migrate.proof.forecast.violations import Violations
from tests.migrate.memory import in_memory

TABLES = """
CREATE TABLE shelves (id INTEGER PRIMARY KEY, label TEXT)
CREATE TABLE pairs (x INTEGER, y INTEGER, PRIMARY KEY (x, y))
CREATE TABLE books (id INTEGER PRIMARY KEY, title TEXT, price INT, shelf_id INT, note TEXT, isbn TEXT)
INSERT INTO shelves VALUES (1, 'a'), (2, 'b')
INSERT INTO books VALUES (1, 'Emma', 5, 1, NULL, '1'), (2, 'Emma', 5, 7, '),(', '2'), (3, 'emma', -1, NULL, '+', '3')
""".strip().splitlines()
CONSTRAINTS = """
ALTER TABLE books ADD CONSTRAINT ck_old CHECK (price < 5) NOT VALID
ALTER TABLE books ADD CONSTRAINT fk_old FOREIGN KEY (shelf_id) REFERENCES shelves NOT VALID
""".strip().splitlines()
ORPHAN = "Some values of books.shelf_id are not in shelves (1): 7."
NULLS = "books.note is NULL in some rows (1): 1."
SAME_TITLE = "Some rows of books have one value of title (1): Emma."
ON_BOTH: dict[str, list[str]] = {
    "CREATE INDEX i ON books (title)": [],
    "CREATE UNIQUE INDEX u ON books (isbn)": [],
    "CREATE UNIQUE INDEX u ON books (title, price)": [
        "Some rows of books have one value of title, price, which u forbids (1): Emma, 5."
    ],
    "CREATE UNIQUE INDEX u ON books (lower(title) DESC NULLS LAST)": [
        "Some rows of books have one value of lower(title), which u forbids (1): emma."
    ],
    "CREATE UNIQUE INDEX u ON books (title) WHERE price < 5": [],
    "CREATE UNIQUE INDEX u ON books (title) WHERE price > 0": [
        "Some rows of books have one value of title, which u forbids (1): Emma."
    ],
    # What stands in quotes ends neither the list nor an item of it.
    "CREATE UNIQUE INDEX u ON books (replace(title, '),(', ''), price ASC)": [
        "Some rows of books have one value of replace(title, '),(', ''), price, which u forbids (1): Emma, 5."
    ],
    'CREATE UNIQUE INDEX u ON books ((title || price) DESC, "title")': [
        'Some rows of books have one value of (title || price), "title", which u forbids (1): Emma5, Emma.'
    ],
    # What does not exist yet has no rows.
    "CREATE UNIQUE INDEX u ON books (missing)": [],
    "CREATE UNIQUE INDEX u ON films (title)": [],
    # A table of SQLite that is rebuilt takes every row of the old one.
    "CREATE TABLE _alembic_tmp_books (id INTEGER NOT NULL, title TEXT, note TEXT NOT NULL, price INT CHECK (price >= 0)"
    ", shelf_id INT REFERENCES shelves (id), PRIMARY KEY (id), UNIQUE (title))": [
        NULLS,
        "Some rows of books violate CHECK (price >= 0) (1): 3.",
        ORPHAN,
        SAME_TITLE,
    ],
    "CREATE TABLE _alembic_tmp_books (shelf_id INT, FOREIGN KEY (shelf_id) REFERENCES shelves)": [ORPHAN],
    "CREATE TABLE IF NOT EXISTS books (note TEXT NOT NULL)": [],
    "ALTER TABLE books ADD COLUMN n TEXT NOT NULL": ["books.n is NOT NULL and has no default, and books has 3 rows."],
    "ALTER TABLE books ADD COLUMN n TEXT DEFAULT 'x' NOT NULL": [],
}
ON_POSTGRESQL: dict[str, list[str]] = {
    "ALTER TABLE books ADD CONSTRAINT fk FOREIGN KEY (shelf_id) REFERENCES shelves (id)": [ORPHAN],
    "ALTER TABLE books ADD CONSTRAINT fk FOREIGN KEY (shelf_id) REFERENCES shelves": [ORPHAN],
    # PostgreSQL refuses it for its columns, and not for the rows.
    "ALTER TABLE books ADD CONSTRAINT fk FOREIGN KEY (shelf_id) REFERENCES pairs": [],
    # Rows count when the constraint is validated.
    "ALTER TABLE books ADD CONSTRAINT ck CHECK (price > 0) NOT VALID": [],
    "ALTER TABLE books ADD CONSTRAINT ck CHECK (price > 0) NOT VALID; ALTER TABLE books VALIDATE CONSTRAINT ck": [
        "Some rows of books violate CHECK (price > 0) (1): 3."
    ],
    "ALTER TABLE books VALIDATE CONSTRAINT ck_old": ["Some rows of books violate CHECK ((price < 5)) (2): 1; 2."],
    "ALTER TABLE books VALIDATE CONSTRAINT fk_old": [ORPHAN],
    "ALTER TABLE books VALIDATE CONSTRAINT missing": [],
    "ALTER TABLE books ADD CONSTRAINT ck CHECK (note !~ 'x' AND price >= 0)": [
        "Some rows of books violate CHECK (note !~ 'x' AND price >= 0) (1): 3."
    ],
    "ALTER TABLE books ADD CONSTRAINT pk PRIMARY KEY (note)": [NULLS],
    "ALTER TABLE books ADD CONSTRAINT uq UNIQUE (title)": [SAME_TITLE],
    "ALTER TABLE books ADD CONSTRAINT uq UNIQUE USING INDEX u": [],
    "CREATE UNIQUE INDEX u ON books USING btree (lower(title) text_pattern_ops DESC NULLS LAST)": [
        "Some rows of books have one value of lower(title), which u forbids (1): emma."
    ],
    "ALTER TABLE books ALTER COLUMN title TYPE varchar(3)": ["books.title is too long for varchar(3) in 3 rows."],
    "ALTER TABLE books ALTER COLUMN title TYPE varchar(4)": [],
    "ALTER TABLE books ALTER COLUMN title TYPE integer USING title::integer": [
        'books.title cannot be converted to integer: invalid input syntax for type integer: "Emma".'
    ],
    "ALTER TABLE books ALTER COLUMN isbn TYPE integer USING isbn::integer": [],
    "ALTER TABLE books ALTER COLUMN missing TYPE integer": [],
    "ALTER TABLE books ADD COLUMN n integer; ALTER TABLE books ALTER COLUMN n SET NOT NULL": [
        "books.n is added without a value, and books has 3 rows."
    ],
    # A revision that writes the table may have corrected its rows.
    "UPDATE books SET note = 'x'; ALTER TABLE books ALTER COLUMN note SET NOT NULL": [f"perhaps {NULLS}"],
    "UPDATE shelves SET label = 'x'; ALTER TABLE books ALTER COLUMN note SET NOT NULL": [NULLS],
    "DO $$ BEGIN EXECUTE mend_rows(); END $$; ALTER TABLE books ALTER COLUMN note SET NOT NULL": [f"perhaps {NULLS}"],
}


def said(connection: Connection, statements: dict[str, list[str]]) -> dict[str, list[str]]:
    """The sentences about the statements on tables with rows."""
    for each in TABLES:
        connection.exec_driver_sql(each)
    if connection.dialect.name == "postgresql":
        for each in CONSTRAINTS:
            connection.exec_driver_sql(each)
    violations = {each: Violations(connection=connection, touched=set()).of(each) for each in statements}
    return {
        each: [what if is_certain else f"perhaps {what}" for what, is_certain in found]
        for each, found in violations.items()
    }


def test_rows_of_sqlite_that_a_statement_refuses() -> None:
    with in_memory() as connection:
        assert said(connection, ON_BOTH) == ON_BOTH


def test_rows_of_postgresql_that_a_statement_refuses(postgres_admin_url: str) -> None:
    expected = ON_BOTH | ON_POSTGRESQL
    with scratch.postgresql_database(postgres_admin_url) as url:
        assert scratch.in_database(url, lambda connection: said(connection, expected)) == expected
