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
    op.add_column("employees", sa.Column("user_id", KEY))
    op.add_column("employees", sa.Column("job_title", sa.String(100)))
    op.add_column("employees", sa.Column("hired_on", sa.Date()))
    op.add_column("employees", sa.Column("name_key", FOLDED))
    ops.fill("employees", {"name_key": "name"}, fold)
    with op.batch_alter_table("employees") as employees:
        employees.alter_column("name_key", existing_type=FOLDED, nullable=False)
        employees.create_unique_constraint(op.f("uq_employees_external_id"), ["external_id"])
        employees.create_unique_constraint(op.f("uq_employees_user_id"), ["user_id"])
        employees.create_foreign_key(
            op.f("fk_employees_user_id_users"), "users", ["user_id"], ["id"], ondelete="SET NULL"
        )
    op.create_index(op.f("ix_employees_name_key_id"), "employees", ["name_key", "id"])


def downgrade() -> None:
    op.drop_index(op.f("ix_employees_name_key_id"), table_name="employees")
    with op.batch_alter_table("employees") as employees:
        employees.drop_constraint(op.f("fk_employees_user_id_users"), type_="foreignkey")
        employees.drop_constraint(op.f("uq_employees_user_id"), type_="unique")
        employees.drop_constraint(op.f("uq_employees_external_id"), type_="unique")
        for name in ("name_key", "hired_on", "job_title", "user_id", "external_id"):
            employees.drop_column(name)
