"""Each directive of Alembic, and the safe operation that `lint --fix` writes instead of it, or why it writes none."""

from typing import NamedTuple

import pytest

from service.migrate.errors import Unusable
from service.migrate.proof.lint.fix.fixing import Fix, fixes
from service.migrate.proof.lint.fix.rewriting import Rewriter
from service.migrate.proof.lint.lint import Asked
from service.migrate.proof.lint.sql.schema import Schema
from tests.migrate.project import Project

IN_CONTRACT = "\n\n\ndef contract() -> None:\n    {}\n\n\n"
IN_UPGRADE = "def upgrade() -> None:\n    {}\n\n\n"


class Case(NamedTuple):
    """The bodies of upgrade() and downgrade(), and what the new source has, or why there is none."""

    up: str
    down: str
    written: str = ""
    refused: str = ""


CASES = {
    "drop_not_null": Case(
        "op.alter_column('books', 'title', nullable=True)",
        "op.alter_column('books', 'title', nullable=False)",
        IN_UPGRADE.format("ops.drop_not_null('books', 'title')"),
    ),
    "set_not_null": Case(
        "op.alter_column('shelves', 'label', nullable=False)",
        "op.alter_column('shelves', 'label', nullable=True)",
        IN_CONTRACT.format("ops.set_not_null('shelves', 'label')"),
    ),
    "set_default": Case(
        "op.alter_column('books', 'kind', server_default='poem')",
        "op.alter_column('books', 'kind', server_default='novel')",
        """ops.set_default('books', 'kind', "'poem'", was="'novel'")""",
    ),
    "first_default": Case(
        "op.alter_column('books', 'note', server_default=sa.text('upper(title)'), existing_server_default=None)",
        "op.alter_column('books', 'note', server_default=None)",
        "ops.set_default('books', 'note', sa.text('upper(title)'), was=None)",
    ),
    "drop_default": Case(
        "op.alter_column('books', 'kind', server_default=None, existing_server_default='novel')",
        "op.alter_column('books', 'kind', server_default='novel')",
        """ops.set_default('books', 'kind', None, was="'novel'")""",
    ),
    "no_default": Case(
        "op.alter_column('books', 'kind', server_default=False)",
        "pass",
        refused="op.alter_column: server_default=False changes nothing",
    ),
    "unknown_default": Case(
        "op.alter_column('films', 'kind', server_default='poem')",
        "pass",
        refused="op.alter_column: existing_server_default is not given",
    ),
    "unknown_nullable": Case(
        "op.alter_column('films', 'kind', type_=sa.Text(), existing_type=sa.String(9))",
        "pass",
        refused="op.alter_column: existing_nullable is not given",
    ),
    "nothing": Case("op.alter_column('books', 'kind')", "pass", refused="op.alter_column changes nothing at once"),
    "rename_column": Case(
        "op.alter_column('shelves', 'label', new_column_name='sign', existing_type=sa.String(20))",
        "op.alter_column('shelves', 'sign', new_column_name='label')",
        "ops.rename_column('shelves', sa.Column('label', sa.String(20)), sa.Column('sign', sa.String(20)))",
    ),
    "change_type": Case(
        "op.alter_column('books', 'kind', type_=sa.Text(), existing_type=sa.String(9))",
        "op.alter_column('books', 'kind', type_=sa.String(9))",
        "ops.change_type('books', sa.Column('kind', sa.String(9), nullable=False, "
        """server_default=sa.text("'novel'")), sa.Column('kind', sa.Text(), nullable=False""",
    ),
    "rename_table": Case(
        "op.rename_table('shelves', 'racks')",
        "op.rename_table('racks', 'shelves')",
        'ops.rename_table("shelves", "racks", ["id", "label"])',
    ),
    "unknown_table": Case(
        "op.rename_table('films', 'movies')", "pass", refused="op.rename_table: the history does not tell its columns"
    ),
    "create_table": Case(
        "op.create_table('films', sa.Column('id', sa.Integer(), nullable=False), comment='old')",
        "op.drop_table('films')",
        "ops.create_table('films', sa.Column('id', sa.Integer(), nullable=False), comment='old')",
    ),
    "drop_table": Case(
        "op.drop_table('parts')",
        "op.create_table('parts', sa.Column('id', sa.Integer(), nullable=False))",
        IN_CONTRACT.format("ops.drop_table('parts', sa.Column('id', sa.Integer(), nullable=False))"),
    ),
    "drop_table_of_unknown_definition": Case(
        "op.drop_table('parts')",
        "op.create_table('others', sa.Column('id', sa.Integer()))",
        refused="op.drop_table: downgrade() has no op.create_table with its definition",
    ),
    "drop_column": Case(
        "op.drop_column('books', 'note')",
        "op.drop_index('ix')\nop.add_column('books', sa.Column('price', sa.Text()))\n"
        "op.add_column('books', sa.Column('note', sa.Text()))",
        IN_CONTRACT.format("ops.drop_column('books', sa.Column('note', sa.Text()))"),
    ),
    "drop_index": Case(
        "op.drop_index('ix_books_shelf_id', table_name='books')",
        "op.create_index('ix_books_shelf_id', 'books', ['shelf_id'], postgresql_concurrently=True)",
        IN_CONTRACT.format("ops.drop_index('ix_books_shelf_id', 'books', ['shelf_id'])"),
    ),
    "drop_check": Case(
        "op.drop_constraint('ck_books_kind', 'books')",
        "op.drop_column('books', 'x')\n"
        "op.create_check_constraint('ck_books_kind', 'books', \"kind IN ('novel', 'poem')\")",
        IN_CONTRACT.format(
            "ops.drop_constraint('books', sa.CheckConstraint(\"kind IN ('novel', 'poem')\", name='ck_books_kind'))"
        ),
    ),
    "drop_unique": Case(
        "op.drop_constraint('uq_books', 'books')",
        "op.create_unique_constraint('uq_books', 'books', ['title', 'kind'])",
        IN_CONTRACT.format("ops.drop_constraint('books', sa.UniqueConstraint(*['title', 'kind'], name='uq_books'))"),
    ),
    "drop_constraint_of_unknown_definition": Case(
        "op.drop_constraint('uq_books', 'books')",
        "op.create_exclude_constraint(constraint_name='uq_books')",
        refused="op.drop_constraint: downgrade() has no directive with its definition",
    ),
    "other_schema": Case(
        "op.add_column('books', sa.Column('n', sa.Integer()), schema='other')",
        "pass",
        refused="op.add_column: safe operations work in one schema",
    ),
    "other_option": Case(
        "op.drop_column('books', 'note', mssql_drop_check=True)",
        "op.add_column('books', sa.Column('note', sa.Text()))",
        refused="op.drop_column: mssql_drop_check has no counterpart",
    ),
    "bind": Case("op.get_bind()", "pass", refused="op.get_bind: ops.Backfill(by=…) runs Python on rows"),
    "batch": Case(
        "with op.batch_alter_table('books') as batch:\n    batch.drop_column('note')",
        "pass",
        refused="op.batch_alter_table: write the operations of the batch without it",
    ),
    "unknown": Case(
        "op.create_table_comment('books', 'x')", "pass", refused="op.create_table_comment: there is no such safe"
    ),
    "more_in_downgrade": Case(
        "op.add_column('books', sa.Column('n', sa.Integer()))",
        "if True:\n    op.drop_column('books', 'n')",
        refused="downgrade() does more than call directives",
    ),
}


@pytest.fixture(scope="module")
def fixed(project: Project) -> dict[str, Fix]:
    """The fix of each case, of one run for all."""
    ids = {f"t{number:03}": name for number, name in enumerate(CASES)}
    for id, name in ids.items():
        project.add(id, after="0001_base", up=CASES[name].up, down=CASES[name].down)
    found = {ids[each.revision.id]: each for each in fixes(Asked(since="0001_base", ignored=("several-heads",)))}
    for id in ids:
        project.remove(id)
    return found


@pytest.mark.parametrize("name", CASES)
def test_a_directive_becomes_its_safe_operation_or_is_refused(fixed: dict[str, Fix], name: str) -> None:
    fix, case = fixed[name], CASES[name]
    if case.refused:
        assert [each.reason for each in fix.refusals if case.refused in each.reason], fix.refusals
        assert fix.source == fix.revision.source
        assert fix.diff() == ""
    else:
        assert case.written in fix.source, fix.source
        assert fix.is_exact, fix.refusals
        assert fix.source.endswith("    ops.undo()\n")


def test_a_file_that_cannot_be_written_is_named(fixed: dict[str, Fix]) -> None:
    # The folder of the revision is there, and the revision is not.
    fix = fixed["drop_not_null"]
    with pytest.raises(Unusable, match=rf"^{fix.revision.file} cannot be written: No such file or directory\.$"):
        fix.write()
    assert not fix.revision.path.exists()


IMPORT = "from alembic import op\n"
UPGRADE = "def upgrade():\n    op.drop_column('a', 'b')\n"
DOWNGRADE = "def downgrade():\n    op.add_column('a', sa.Column('b', sa.Text()))\n"


@pytest.mark.parametrize(
    ("source", "line", "reason"),
    [
        (IMPORT + UPGRADE, 1, "upgrade() or downgrade() is missing, or contract() is there"),
        (
            f"{IMPORT}{UPGRADE}{DOWNGRADE}def contract():\n    pass\n",
            1,
            "upgrade() or downgrade() is missing, or contract() is there",
        ),
        (f"from alembic import context, op\n{UPGRADE}{DOWNGRADE}", 1, "op is not imported by `from alembic import op`"),
        (f"import os\n{UPGRADE}{DOWNGRADE}", 1, "op is not imported by `from alembic import op`"),
        (f"{IMPORT}run = op.execute\n{UPGRADE}{DOWNGRADE}", 2, "op is used outside of upgrade() and downgrade()"),
    ],
)
def test_a_revision_of_another_form_stays_as_it_is(source: str, line: int, reason: str) -> None:
    rewriter = Rewriter(source, Schema())
    assert rewriter.result() == source
    assert rewriter.refusals == [(line, reason)]
