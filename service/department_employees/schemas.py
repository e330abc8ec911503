"""Links between departments and employees on the wire."""

import msgspec
from msgspec import UNSET, UnsetType

from service.db import words
from service.http.pages import ListParameters


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


class DepartmentEmployeeCreate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A link in a file; each end is named by its external id or, where that is not given, by its id."""

    department_id: words.Ref | None = None
    employee_id: words.Ref | None = None
    department_external_id: words.ExternalId | None = None
    employee_external_id: words.ExternalId | None = None
    from_date: words.Day | None = None
    to_date: words.Day | None = None


class DepartmentEmployeeExport(msgspec.Struct, frozen=True):
    """A link in a file, for this directory or for another."""

    department_id: words.Ref
    employee_id: words.Ref
    department_external_id: words.ExternalId | None
    employee_external_id: words.ExternalId | None
    from_date: words.Day | None
    to_date: words.Day | None
    version: words.Version
    created_at: words.Created
    updated_at: words.Updated


class DepartmentEmployeeParameters(ListParameters, frozen=True, kw_only=True):
    """Which links are exported."""

    department_id: words.Ref | UnsetType = UNSET
    employee_id: words.Ref | UnsetType = UNSET
