"""Links between departments and employees on the wire."""

import msgspec
from msgspec import UNSET, UnsetType

from service.db import words
from service.http.pages import ListParameters


class DepartmentEmployee(msgspec.Struct, frozen=True):
    """The link of an employee to a department: the period in which the employee is in the department."""

    department_id: words.Ref
    employee_id: words.Ref
    from_date: words.Day | None
    to_date: words.Day | None
    version: words.Version
    created_at: words.Created
    updated_at: words.Updated


class DepartmentEmployeePut(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The period in which an employee is in a department; null leaves an end open."""

    from_date: words.Day | None = None
    to_date: words.Day | None = None


class DepartmentEmployeeCreate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A link in an import; the department and the employee are each given by external id, else by id."""

    department_id: words.Ref | None = None
    employee_id: words.Ref | None = None
    department_external_id: words.ExternalId | None = None
    employee_external_id: words.ExternalId | None = None
    from_date: words.Day | None = None
    to_date: words.Day | None = None


class DepartmentEmployeeExport(msgspec.Struct, frozen=True):
    """A link in an export, with ids and external ids."""

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
    """Filters of an export of links."""

    department_id: words.Ref | UnsetType = UNSET
    employee_id: words.Ref | UnsetType = UNSET
