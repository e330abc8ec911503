"""Drop employees.department_id.

The new version uses the links alone. The contract drops the triggers and moves the column to the trash. The undo of the
contract restores the column, and sets it to the lowest of an employee's links where its department is no longer one of
the links. Traffic waits for changes of the catalog, milliseconds each.
"""

import sqlalchemy as sa

from service.migrate import ops

revision = "0015_drop_department_id"
down_revision = "0014_create_idempotency_keys"
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

IS_LINKED = (
    "EXISTS (SELECT 1 FROM department_employees AS link "
    "WHERE link.employee_id = employees.id AND link.department_id = employees.department_id)"
)
HAS_LINKS = "EXISTS (SELECT 1 FROM department_employees AS link WHERE link.employee_id = employees.id)"
LOWEST = "(SELECT min(link.department_id) FROM department_employees AS link WHERE link.employee_id = employees.id)"
TO_DEPARTMENTS = "fk_employees_department_id_departments"


def upgrade() -> None:
    pass


def contract() -> None:
    ops.refuse_if_any(
        f"SELECT id, name FROM employees WHERE department_id IS NOT NULL AND NOT {IS_LINKED} ORDER BY id",
        "Some employees are in a department that they have no link to",
    )
    ops.drop_index("ix_employees_department_id", "employees", ["department_id"])
    ops.drop_constraint(
        "employees",
        sa.ForeignKeyConstraint(["department_id"], ["departments.id"], name=TO_DEPARTMENTS, ondelete="SET NULL"),
    )
    ops.refill(
        ops.Backfill(
            name="employees.department_id",
            table="employees",
            left=f"(department_id IS NULL AND {HAS_LINKS}) OR (department_id IS NOT NULL AND NOT {IS_LINKED})",
            assign={"department_id": LOWEST},
        )
    )
    for name, table, postgresql, sqlite in reversed(TRIGGERS):
        ops.drop_trigger(name, table, postgresql=postgresql, sqlite=sqlite)
    ops.drop_function("department_employees_to_column", LINKS_TO_DEPARTMENT)
    ops.drop_function("employees_department_to_links", DEPARTMENT_TO_LINKS)
    ops.drop_column("employees", sa.Column("department_id", KEY))


def downgrade() -> None:
    ops.undo()
