"""Downgrades, and what functions do, are examined as upgrades are."""

from service.migrate.proof.lint.lint import Asked, lint
from tests.migrate.project import Project
from tests.migrate.proof.lint.conftest import execute, judged

ADD = "op.add_column('books', sa.Column('n', sa.Text()))"
DROP = "op.drop_column('books', 'n')"
# What a downgrade does before it drops the column, and the rule that finds it in line 22.
DOWN = {
    "op.create_index('ix', 'books', ['price'])": "index-blocks-writes",
    "op.alter_column('books', 'shelf_id', type_=sa.BigInteger())": "type-change-rewrites",
    execute("UPDATE books SET note = n"): "changes-many-rows",
    execute("DO $$ BEGIN EXECUTE (SELECT text FROM texts); END $$"): "opaque-sql",
    "op.get_bind().execute(sa.text('SELECT id FROM books'))": "reads-rows",
    "op.add_column('shelves', sa.Column('n', sa.Text(), nullable=False))": "requires-unknown-column",
    execute("TRUNCATE books"): "truncates-table",
}
FUNCTIONS = {
    ("CREATE FUNCTION f() RETURNS int AS 'UPDATE books SET price = 1' LANGUAGE sql", "SELECT f()"): "changes-many-rows",
    ("CREATE PROCEDURE f() BEGIN ATOMIC DELETE FROM books; END", "CALL f()"): "changes-many-rows",
    ("PREPARE f AS UPDATE books SET price = 1", "EXECUTE f"): "changes-many-rows",
    ("DO $$ BEGIN EXECUTE 'CREATE INDEX ' || n || ' ON books (note)'; END $$",): "index-blocks-writes",
}
INDEX = "op.drop_index('ix_books_kind_price', 'books')"
KEY = "op.drop_constraint('fk_books_shelf_id_shelves', 'books')"
AGAIN = "op.create_foreign_key('fk_books_shelf_id_shelves', 'books', 'shelves', ['shelf_id'], ['id']"
TRIGGER = "CREATE TRIGGER books_noted AFTER INSERT ON books FOR EACH ROW EXECUTE FUNCTION noted()"
# What the upgrade does, what the downgrade restores, and what is other then.
RESTORED = {
    (
        "op.alter_column('books', 'kind', server_default=None)",
        "op.alter_column('books', 'kind', server_default='poem')",
    ): ("the default of books.kind is 'poem' instead of 'novel'"),
    (INDEX, "op.create_index('ix_books_kind_price', 'books', ['kind'])"): (
        "the index is INDEX ix_books_kind_price ON books(kind) "
        "instead of INDEX ix_books_kind_price ON books(kind, price)"
    ),
    (KEY, f"{AGAIN}, ondelete='CASCADE')"): "the constraint books.fk_books_shelf_id_shelves has another definition",
    (
        KEY,
        f"{AGAIN}, postgresql_not_valid=True)",
    ): "the constraint books.fk_books_shelf_id_shelves has another definition",
    (execute("COMMENT ON TABLE books IS 'read'"), execute("SELECT 1")): "the comment on table books is still there",
    (execute("GRANT SELECT ON books TO reader"), execute("SELECT 1")): (
        "the privilege select on books to reader is still there"
    ),
    (execute("DROP TRIGGER books_noted ON books"), execute(TRIGGER)): (
        "the trigger books_noted of books has another definition"
    ),
    (execute("DROP POLICY shown ON shelves"), execute("CREATE POLICY shown ON shelves USING (false)")): (
        "the policy shown of shelves has another definition"
    ),
    ("op.drop_column('books', 'title')", "op.add_column('books', sa.Column('title', sa.String(50)))"): (
        "books.title is NULL"
    ),
    (execute("ALTER TABLE shelves ALTER COLUMN id DROP IDENTITY, OWNER TO a"), execute("SELECT 1")): (
        "the owner of shelves is a instead of the one before"
    ),
    (execute("CREATE SEQUENCE numbers OWNED BY books.id"), execute("SELECT 1")): "the sequence numbers is still there",
    (execute("ALTER PUBLICATION outward DROP TABLE shelves"), execute("SELECT 1")): (
        "the publication outward of shelves is missing"
    ),
}


def test_a_downgrade_that_restores_less_is_found(project: Project) -> None:
    found = judged(
        project, {name: (up, down) for name, (up, down) in ((f"{up}{down}", (up, down)) for up, down in RESTORED)}
    )
    said = {
        name: [each.what for each in findings if each.rule == "false-downgrade"] for name, findings in found.items()
    }
    wrong = {
        pair: said["".join(pair)]
        for pair, what in RESTORED.items()
        if f"after downgrade() {what}" not in said["".join(pair)]
    }
    assert wrong == {}


def test_code_that_names_what_is_gone_is_found(project: Project) -> None:
    counted = "CREATE FUNCTION counted() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM shelves'"
    rename = "op.rename_table('shelves', 'racks')"
    found = judged(
        project,
        {
            "renamed": (
                f"{execute(counted)}\n{rename}",
                execute("DROP FUNCTION counted()", "ALTER TABLE racks RENAME TO shelves"),
            ),
            "replaced": (f"{execute(counted)}\n{rename}\n{execute(counted.replace('shelves', 'racks'))}", "pass"),
        },
    )
    said = {
        name: [(each.line, each.what) for each in findings if each.rule == "leaves-broken-code"]
        for name, findings in found.items()
    }
    assert said == {"renamed": [(19, "function counted names shelves, which is renamed")], "replaced": []}


def test_a_downgrade_is_examined(project: Project) -> None:
    found = judged(project, {body: (ADD, f"{body}\n{DROP}") for body in DOWN})
    rules = {body: {each.rule for each in findings if each.line == 22} for body, findings in found.items()}
    assert {body: found for body, found in rules.items() if DOWN[body] not in found} == {}
    assert {each.phase for findings in found.values() for each in findings} <= {"downgrade", ""}


def test_a_downgrade_may_drop_what_the_upgrade_made(project: Project) -> None:
    up = "op.create_table('a', sa.Column('id', sa.Integer(), primary_key=True))\n" + ADD
    inserted = execute("INSERT INTO shelves (label) VALUES ('a')"), execute("DELETE FROM shelves WHERE label = 'a'")
    found = judged(project, {"drop": (up, f"{DROP}\nop.drop_table('a')"), "delete": inserted})
    assert found == {"drop": [], "delete": []}


def test_the_undo_of_raw_statements_is_examined(project: Project) -> None:
    undo = "'ALTER TABLE books ADD n int', 'UPDATE books SET price = 1'"
    project.add_safe(
        "0002_it", after="0001_base", up=f"ops.execute('x', postgresql=['SELECT 1'], undo_postgresql=[{undo}])"
    )
    found = lint(Asked(since="0001_base")).findings
    project.remove("0002_it")
    assert [(each.line, each.rule, each.phase) for each in found] == [
        (13, "changes-many-rows", "downgrade"),
        (13, "long-work-under-a-lock", "downgrade"),
    ]


def test_what_a_function_does_is_examined(project: Project) -> None:
    found = judged(project, {execute(*each): (execute(*each), "pass") for each in FUNCTIONS})
    rules = {body: {each.rule for each in findings} for body, findings in found.items()}
    assert {each: rules[execute(*each)] for each, rule in FUNCTIONS.items() if rule not in rules[execute(*each)]} == {}


def test_a_condition_on_a_key_means_few_rows(project: Project) -> None:
    merged = "MERGE INTO shelves USING (VALUES (1, 'x')) AS v (id, label) ON shelves.id = v.id"
    bodies = {
        "merge": execute(f"{merged} WHEN MATCHED THEN UPDATE SET label = v.label"),
        "join": execute("UPDATE books b SET note = 'x' FROM shelves s WHERE s.id = 7 AND s.label = b.title"),
        "read": execute("ALTER TABLE books ADD n integer", "SELECT 1 FROM books WHERE note = 'x'"),
        "look": execute("ALTER TABLE books ADD n integer", "SELECT 1 FROM books WHERE id = 7"),
    }
    found = judged(project, {name: (body, "pass") for name, body in bodies.items()})
    long = ("changes-many-rows", "long-work-under-a-lock")
    assert {name for name, findings in found.items() if any(each.rule in long for each in findings)} == {"read"}
