"""Links between departments and employees on the wire."""

import msgspec

from service.db import words


class DepartmentEmployee(msgspec.Struct, frozen=True):
    """An employee's time in a department."""

    department_id: words.Ref
    employee_id: words.Ref
    from_date: words.Day | None
    to_date: words.Day | None
    version: words.Version
    created_at: words.Created
    updated_at: words.Updated


class DepartmentEmployeePut(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """From when to when an employee is in a department; both may stay open."""

    from_date: words.Day | None = None
    to_date: words.Day | None = None
