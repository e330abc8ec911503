"""Extend employees.

Employees get a key of their callers, a folded name to be found and sorted by, a job title, the day they were hired, and
may be a user. Code that does not write name_key cannot write employees after this.
"""

from unicodedata import normalize

import sqlalchemy as sa
from alembic import op

from service.migrate import ops

revision = "0012_extend_employees"
down_revision = "0011_extend_departments"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
FOLDED = sa.String(512).with_variant(sa.String(512, collation="C"), "postgresql")


def fold(text: str) -> str:
    """NFKC and casefold, cut at 512 characters, as on the day this revision was written."""
    return normalize("NFKC", normalize("NFKC", text).casefold())[:512]


def upgrade() -> None:
    op.add_column("employees", sa.Column("external_id", sa.String(100)))
    op.create_unique_constraint(op.f("uq_employees_external_id"), "employees", ["external_id"])
    op.add_column("employees", sa.Column("user_id", KEY))
    op.create_unique_constraint(op.f("uq_employees_user_id"), "employees", ["user_id"])
    op.create_foreign_key(
        op.f("fk_employees_user_id_users"), "employees", "users", ["user_id"], ["id"], ondelete="SET NULL"
    )
    op.add_column("employees", sa.Column("job_title", sa.String(100)))
    op.add_column("employees", sa.Column("hired_on", sa.Date()))
    op.add_column("employees", sa.Column("name_key", FOLDED))
    ops.fill("employees", {"name_key": "name"}, fold)
    op.alter_column("employees", "name_key", existing_type=FOLDED, nullable=False)
    op.create_index(op.f("ix_employees_name_key_id"), "employees", ["name_key", "id"])


def downgrade() -> None:
    op.drop_index(op.f("ix_employees_name_key_id"), table_name="employees")
    op.drop_column("employees", "name_key")
    op.drop_column("employees", "hired_on")
    op.drop_column("employees", "job_title")
    op.drop_constraint(op.f("fk_employees_user_id_users"), "employees", type_="foreignkey")
    op.drop_constraint(op.f("uq_employees_user_id"), "employees", type_="unique")
    op.drop_column("employees", "user_id")
    op.drop_constraint(op.f("uq_employees_external_id"), "employees", type_="unique")
    op.drop_column("employees", "external_id")
