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
