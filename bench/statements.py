"""The SQL of the floor: the service's statements, compiled once."""

from functools import cache, partial
from typing import Any

from sqlalchemy import ClauseElement, Dialect, bindparam, func, insert, literal_column, select, update

from service.db.rows import columns, shown
from service.db.urls import parse_url
from service.employees import schemas as employees
from service.models import Department, DepartmentEmployee, Employee, Preferences, User
from service.users import schemas as users

USERS: Any = User.__table__
_SELECT = columns(User, users.User)
_EXPORT = _SELECT.add_columns(func.coalesce(Preferences.document, literal_column("'{}'"))).outerjoin(
    Preferences, Preferences.user_id == User.id
)


class Statement:
    """A statement compiled for one dialect, with the order of its parameters."""

    __slots__ = ("_parameters", "sql")

    def __init__(self, statement: ClauseElement, dialect: Dialect, *names: str) -> None:
        compiled: Any = statement.compile(dialect=dialect, column_keys=names or None)
        self.sql = str(compiled)
        binds = [compiled.binds[name] for name in compiled.positiontup]
        self._parameters = [(bind.key, bind.value) for bind in binds]

    def arguments(self, **values: Any) -> list[Any]:
        return [values.get(key, default) for key, default in self._parameters]


def _page(dialect: Dialect, limit: int, *, after: bool) -> Statement:
    """A page with a literal LIMIT, as in the service; one row more shows whether another page follows."""
    select = _SELECT.where(User.id > bindparam("after_id")) if after else _SELECT
    return Statement(select.order_by(User.id).limit(literal_column(str(limit + 1))), dialect)


class Statements:
    """The statements of the floor, for the database of a URL."""

    def __init__(self, url: str) -> None:
        dialect = parse_url(url).get_dialect()()
        self.user = Statement(_SELECT.where(User.id == bindparam("id")), dialect)
        self.page = cache(partial(_page, dialect))
        self.export = Statement(_EXPORT.order_by(User.id), dialect)
        self.employee = Statement(_EMPLOYEE_AND_DEPARTMENTS, dialect)
        fields = shown(User, users.User)
        names = [each.name for each in USERS.columns if each.name != "id"]
        self.insert = Statement(insert(USERS).returning(*fields), dialect, *names)
        self.lock = Statement(
            select(*fields).where(USERS.c.id == bindparam("id")).with_for_update(key_share=True), dialect
        )
        changed = update(USERS).where(USERS.c.id == bindparam("of_id"), USERS.c.version == bindparam("of_version"))
        self.update = Statement(changed.returning(*fields), dialect, "address", "version", "updated_at")


_EMPLOYEE_AND_DEPARTMENTS = (
    columns(Employee, employees.Employee)
    .add_columns(
        Department.id,
        Department.external_id,
        Department.name,
        DepartmentEmployee.from_date,
        DepartmentEmployee.to_date,
        DepartmentEmployee.version,
    )
    .outerjoin(DepartmentEmployee, DepartmentEmployee.employee_id == Employee.id)
    .outerjoin(Department, Department.id == DepartmentEmployee.department_id)
    .where(Employee.id == bindparam("id"))
    .order_by(Department.id)
)
