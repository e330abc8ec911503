"""Link departments and employees.

An employee may be in many departments: a link table, which the backfill fills from employees.department_id. The old
version uses the column, the new version the links, and triggers keep both equal. Traffic waits for changes of the
catalog, milliseconds each; the backfill inserts the links in batches.
"""

import sqlalchemy as sa

from service.migrate import ops

revision = "0006_link_departments"
down_revision = "0005_create_departments"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

# employees.department_id holds one of the employee's links, or NULL without a link. The triggers update column and
# links in the statement that changes either.
DEPARTMENT_TO_LINKS = """
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
"""
LINKS_TO_DEPARTMENT = """
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
"""
# Name, table, PostgreSQL statement and SQLite statement of each trigger.
TRIGGERS = (
    (
        "employees_department_added",
        "employees",
        """
        CREATE TRIGGER employees_department_added AFTER INSERT ON employees
        FOR EACH ROW EXECUTE FUNCTION employees_department_to_links()
        """,
        """
        CREATE TRIGGER employees_department_added AFTER INSERT ON employees WHEN NEW.department_id IS NOT NULL
        BEGIN
          INSERT INTO department_employees (department_id, employee_id)
          VALUES (NEW.department_id, NEW.id) ON CONFLICT DO NOTHING;
        END
        """,
    ),
    (
        "employees_department_changed",
        "employees",
        """
        CREATE TRIGGER employees_department_changed AFTER UPDATE OF department_id ON employees
        FOR EACH ROW WHEN (OLD.department_id IS DISTINCT FROM NEW.department_id)
        EXECUTE FUNCTION employees_department_to_links()
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
    ),
    (
        "department_employees_added",
        "department_employees",
        None,
        """
        CREATE TRIGGER department_employees_added AFTER INSERT ON department_employees
        BEGIN
          UPDATE employees SET department_id = NEW.department_id WHERE id = NEW.employee_id AND department_id IS NULL;
        END
        """,
    ),
    (
        "department_employees_changed",
        "department_employees",
        """
        CREATE TRIGGER department_employees_changed
        AFTER INSERT OR UPDATE OF department_id, employee_id OR DELETE ON department_employees
        FOR EACH ROW EXECUTE FUNCTION department_employees_to_column()
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
    ),
    (
        "department_employees_removed",
        "department_employees",
        None,
        """
        CREATE TRIGGER department_employees_removed AFTER DELETE ON department_employees
        BEGIN
          UPDATE employees SET department_id = (
            SELECT min(department_id) FROM department_employees WHERE employee_id = OLD.employee_id)
          WHERE id = OLD.employee_id AND (department_id = OLD.department_id OR department_id IS NULL);
        END
        """,
    ),
)

LINK = "INSERT INTO department_employees (department_id, employee_id) SELECT department_id, id FROM employees "
# FOR NO KEY UPDATE: a batch must not insert a link for a department that the old version is changing in the column.
backfill = ops.Backfill(
    name="department_employees",
    table="employees",
    left="department_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM department_employees AS link "
    "WHERE link.employee_id = employees.id AND link.department_id = employees.department_id)",
    statement={
        "postgresql": LINK + "WHERE {batch} AND department_id IS NOT NULL FOR NO KEY UPDATE ON CONFLICT DO NOTHING",
        "sqlite": LINK + "WHERE {batch} AND department_id IS NOT NULL ON CONFLICT DO NOTHING",
    },
)


def to_departments(ondelete: str | None = None) -> sa.ForeignKeyConstraint:
    name = "fk_employees_department_id_departments"
    return sa.ForeignKeyConstraint(["department_id"], ["departments.id"], name=name, ondelete=ondelete)


def upgrade() -> None:
    ops.create_table(
        "department_employees",
        sa.Column("department_id", KEY, nullable=False),
        sa.Column("employee_id", KEY, nullable=False),
        sa.PrimaryKeyConstraint("department_id", "employee_id", name="pk_department_employees"),
        sa.ForeignKeyConstraint(
            ["department_id"],
            ["departments.id"],
            name="fk_department_employees_department_id_departments",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["employee_id"],
            ["employees.id"],
            name="fk_department_employees_employee_id_employees",
            ondelete="CASCADE",
        ),
    )
    ops.create_index(
        "ix_department_employees_employee_id_department_id", "department_employees", ["employee_id", "department_id"]
    )
    ops.drop_not_null("employees", "department_id")
    ops.replace_constraint("employees", to_departments(), to_departments("SET NULL"))
    ops.function("employees_department_to_links", DEPARTMENT_TO_LINKS)
    ops.function("department_employees_to_column", LINKS_TO_DEPARTMENT)
    for name, table, postgresql, sqlite in TRIGGERS:
        ops.trigger(name, table, postgresql=postgresql, sqlite=sqlite)


def downgrade() -> None:
    employees = sa.table("employees", sa.column("id"), sa.column("name"), sa.column("department_id"))
    ops.refuse_if_any(
        sa.select(employees.c.id, employees.c.name).where(employees.c.department_id.is_(None)).order_by(employees.c.id),
        "Before this revision every employee was in a department, and some are in none",
    )
    ops.undo()
