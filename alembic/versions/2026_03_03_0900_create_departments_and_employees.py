"""Create departments and employees.

Employees come with the department that each is in, which cannot be deleted while anyone is in it. Traffic feels
nothing: both tables are new.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005_create_departments"
down_revision = "0004_create_records"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "departments",
        sa.Column("id", KEY, sa.Identity(), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_departments")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "employees",
        sa.Column("id", KEY, sa.Identity(), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("department_id", KEY, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_employees")),
        sa.ForeignKeyConstraint(
            ["department_id"], ["departments.id"], name=op.f("fk_employees_department_id_departments")
        ),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_employees_department_id"), "employees", ["department_id"])


def downgrade() -> None:
    op.drop_table("employees")
    op.drop_table("departments")
