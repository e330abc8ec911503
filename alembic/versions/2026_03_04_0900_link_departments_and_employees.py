"""Link departments and employees.

An employee may be in many departments: a table of links, filled from the rows that exist. Code that knows only
employees.department_id runs on beside code that knows only the links; triggers keep the two in step, both ways. Writers
of employees and departments wait while the links are filled.
"""

import sqlalchemy as sa
from alembic import op

from service.migrate import ops

revision = "0006_link_departments"
down_revision = "0005_create_departments"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

# A link in the table and the department in the column are one fact told twice. The column names one of the links; it is
# empty only while there is none. Whoever changes either sees the other follow in the same statement.
LINKS_FOLLOW_ON_POSTGRESQL = (
    """
    CREATE FUNCTION employees_department_to_links() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF NEW.department_id IS NOT NULL THEN
        INSERT INTO department_employees (department_id, employee_id)
        VALUES (NEW.department_id, NEW.id) ON CONFLICT DO NOTHING;
      END IF;
      IF TG_OP = 'UPDATE' AND OLD.department_id IS NOT NULL THEN
        DELETE FROM department_employees WHERE department_id = OLD.department_id AND employee_id = OLD.id;
      END IF;
      RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER employees_department_added AFTER INSERT ON employees
    FOR EACH ROW EXECUTE FUNCTION employees_department_to_links()
    """,
    """
    CREATE TRIGGER employees_department_changed AFTER UPDATE OF department_id ON employees
    FOR EACH ROW WHEN (OLD.department_id IS DISTINCT FROM NEW.department_id)
    EXECUTE FUNCTION employees_department_to_links()
    """,
)
COLUMN_FOLLOWS_ON_POSTGRESQL = (
    """
    CREATE FUNCTION department_employees_to_column() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF TG_OP <> 'INSERT' THEN
        -- Two links deleted at once must not each take the other for the one that is left.
        PERFORM FROM employees WHERE id = OLD.employee_id FOR NO KEY UPDATE;
        UPDATE employees SET department_id = (
          SELECT min(department_id) FROM department_employees WHERE employee_id = OLD.employee_id)
        WHERE id = OLD.employee_id AND (department_id = OLD.department_id OR department_id IS NULL);
      END IF;
      IF TG_OP <> 'DELETE' THEN
        UPDATE employees SET department_id = NEW.department_id
        WHERE id = NEW.employee_id AND department_id IS NULL;
      END IF;
      RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER department_employees_changed
    AFTER INSERT OR UPDATE OF department_id, employee_id OR DELETE ON department_employees
    FOR EACH ROW EXECUTE FUNCTION department_employees_to_column()
    """,
)
LINKS_FOLLOW_ON_SQLITE = (
    """
    CREATE TRIGGER employees_department_added AFTER INSERT ON employees WHEN NEW.department_id IS NOT NULL
    BEGIN
      INSERT INTO department_employees (department_id, employee_id)
      VALUES (NEW.department_id, NEW.id) ON CONFLICT DO NOTHING;
    END
    """,
    """
    CREATE TRIGGER employees_department_changed AFTER UPDATE OF department_id ON employees
    WHEN OLD.department_id IS NOT NEW.department_id
    BEGIN
      INSERT INTO department_employees (department_id, employee_id)
      SELECT NEW.department_id, NEW.id WHERE NEW.department_id IS NOT NULL ON CONFLICT DO NOTHING;
      DELETE FROM department_employees WHERE department_id = OLD.department_id AND employee_id = OLD.id;
    END
    """,
)
COLUMN_FOLLOWS_ON_SQLITE = (
    """
    CREATE TRIGGER department_employees_added AFTER INSERT ON department_employees
    BEGIN
      UPDATE employees SET department_id = NEW.department_id WHERE id = NEW.employee_id AND department_id IS NULL;
    END
    """,
    """
    CREATE TRIGGER department_employees_changed AFTER UPDATE OF department_id, employee_id ON department_employees
    BEGIN
      UPDATE employees SET department_id = (
        SELECT min(department_id) FROM department_employees WHERE employee_id = OLD.employee_id)
      WHERE id = OLD.employee_id AND (department_id = OLD.department_id OR department_id IS NULL);
      UPDATE employees SET department_id = NEW.department_id WHERE id = NEW.employee_id AND department_id IS NULL;
    END
    """,
    """
    CREATE TRIGGER department_employees_removed AFTER DELETE ON department_employees
    BEGIN
      UPDATE employees SET department_id = (
        SELECT min(department_id) FROM department_employees WHERE employee_id = OLD.employee_id)
      WHERE id = OLD.employee_id AND (department_id = OLD.department_id OR department_id IS NULL);
    END
    """,
)
NO_POSTGRESQL = (
    "DROP TRIGGER employees_department_added ON employees",
    "DROP TRIGGER employees_department_changed ON employees",
    "DROP TRIGGER department_employees_changed ON department_employees",
    "DROP FUNCTION employees_department_to_links()",
    "DROP FUNCTION department_employees_to_column()",
)
NO_SQLITE = (
    "DROP TRIGGER employees_department_added",
    "DROP TRIGGER employees_department_changed",
    "DROP TRIGGER department_employees_added",
    "DROP TRIGGER department_employees_changed",
    "DROP TRIGGER department_employees_removed",
)


def upgrade() -> None:
    op.create_table(
        "department_employees",
        sa.Column("department_id", KEY, nullable=False),
        sa.Column("employee_id", KEY, nullable=False),
        sa.PrimaryKeyConstraint("department_id", "employee_id", name=op.f("pk_department_employees")),
        sa.ForeignKeyConstraint(
            ["department_id"],
            ["departments.id"],
            name=op.f("fk_department_employees_department_id_departments"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["employee_id"],
            ["employees.id"],
            name=op.f("fk_department_employees_employee_id_employees"),
            ondelete="CASCADE",
        ),
    )
    op.create_index(
        op.f("ix_department_employees_employee_id_department_id"),
        "department_employees",
        ["employee_id", "department_id"],
    )
    with op.batch_alter_table("employees") as employees:
        employees.alter_column("department_id", existing_type=KEY, nullable=True)
        employees.drop_constraint(op.f("fk_employees_department_id_departments"), type_="foreignkey")
        employees.create_foreign_key(
            op.f("fk_employees_department_id_departments"),
            "departments",
            ["department_id"],
            ["id"],
            ondelete="SET NULL",
        )
    # Creating a trigger on employees keeps their writers out until the links are filled.
    ops.execute(postgresql=LINKS_FOLLOW_ON_POSTGRESQL, sqlite=LINKS_FOLLOW_ON_SQLITE)
    op.execute("INSERT INTO department_employees (department_id, employee_id) SELECT department_id, id FROM employees")
    ops.execute(postgresql=COLUMN_FOLLOWS_ON_POSTGRESQL, sqlite=COLUMN_FOLLOWS_ON_SQLITE)


def downgrade() -> None:
    employees = sa.table("employees", sa.column("id"), sa.column("name"), sa.column("department_id"))
    ops.refuse_if_any(
        sa.select(employees.c.id, employees.c.name).where(employees.c.department_id.is_(None)).order_by(employees.c.id),
        "Before this revision every employee was in a department, and some are in none",
    )
    ops.execute(postgresql=NO_POSTGRESQL, sqlite=NO_SQLITE)
    with op.batch_alter_table("employees") as batch:
        batch.drop_constraint(op.f("fk_employees_department_id_departments"), type_="foreignkey")
        batch.create_foreign_key(
            op.f("fk_employees_department_id_departments"), "departments", ["department_id"], ["id"]
        )
        batch.alter_column("department_id", existing_type=KEY, nullable=False)
    op.drop_table("department_employees")
