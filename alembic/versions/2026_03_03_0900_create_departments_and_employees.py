"""Create departments and employees.

An employee is in one department; a department with employees cannot be deleted. No effect on traffic: both tables are
new.
"""

import sqlalchemy as sa

from service.migrate import ops

revision = "0005_create_departments"
down_revision = "0004_create_records"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    ops.create_table(
        "departments",
        sa.Column("id", KEY, sa.Identity(), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_departments"),
        sqlite_autoincrement=True,
    )
    ops.create_table(
        "employees",
        sa.Column("id", KEY, sa.Identity(), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("department_id", KEY, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_employees"),
        sa.ForeignKeyConstraint(["department_id"], ["departments.id"], name="fk_employees_department_id_departments"),
        sqlite_autoincrement=True,
    )
    ops.create_index("ix_employees_department_id", "employees", ["department_id"])


def downgrade() -> None:
    ops.undo()
