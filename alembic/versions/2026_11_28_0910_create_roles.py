"""Create roles.

A role is a named list of permissions. The three built-in roles are rows, so that users can have them as any other; the
code knows their permissions, and their stored list is not read. A downgrade deletes these rows unless someone has a
role or there are other roles: then the table goes to the trash with all its rows, and ids stay valid. Requests notice
nothing: the table is new.
"""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from service.migrate import ops

revision = "0018_create_roles"
down_revision = "0017_create_preferences"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
NAME = sa.String(50).with_variant(sa.String(50, collation="C"), "postgresql")
BUILT_IN = """
INSERT INTO roles (name, description, built_in) VALUES
  ('admin', 'Everything.', true),
  ('editor', 'Read and change users, records and the directory.', true),
  ('viewer', 'Read users, records and the directory.', true)
ON CONFLICT DO NOTHING
"""
# Rows of user_roles that are in the trash refer to roles by id.
DELETE_IF_UNUSED = """
DELETE FROM roles
WHERE NOT EXISTS (SELECT 1 FROM roles AS own WHERE NOT own.built_in)
  AND NOT EXISTS (SELECT 1 FROM {catalog} = '_trash_0019_user_roles')
"""


def upgrade() -> None:
    ops.create_table(
        "roles",
        sa.Column("id", KEY, sa.Identity(), nullable=False),
        sa.Column("name", NAME, nullable=False),
        sa.Column("description", sa.String(2000)),
        sa.Column("permissions", DOCUMENT, server_default=sa.text("'[]'"), nullable=False),
        sa.Column("built_in", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=ops.now(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=ops.now(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_roles"),
        sa.UniqueConstraint("name", name="uq_roles_name"),
        sqlite_autoincrement=True,
    )
    ops.execute(
        "INSERT the built-in roles into the new table roles",
        postgresql=[BUILT_IN],
        sqlite=[BUILT_IN],
        undo_postgresql=[
            DELETE_IF_UNUSED.format(catalog="pg_tables WHERE schemaname = current_schema() AND tablename")
        ],
        undo_sqlite=[DELETE_IF_UNUSED.format(catalog="sqlite_schema WHERE name")],
        lock=ops.Lock.NONE,
    )


def downgrade() -> None:
    ops.undo()
