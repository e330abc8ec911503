"""Employees on the wire."""

from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from service.db import words
from service.http.pages import ListParameters, Search

Sort = Literal["id", "-id", "name", "-name"]


class EmployeeDepartment(msgspec.Struct, frozen=True):
    """A department of an employee, with the dates of the link."""

    department_id: words.Ref
    external_id: words.ExternalId | None
    name: words.LongName
    from_date: words.Day | None
    to_date: words.Day | None
    version: words.Version


class Employee(msgspec.Struct, frozen=True):
    """An employee, who may also be a user."""

    id: words.Id
    external_id: words.ExternalId | None
    name: words.LongName
    user_id: words.Ref | None
    job_title: words.LongName | None
    hired_on: words.Day | None
    version: words.Version
    created_at: words.Created
    updated_at: words.Updated


class EmployeeShown(Employee, frozen=True):
    """An employee; include=departments adds the departments."""

    departments: list[EmployeeDepartment] | UnsetType = UNSET


class EmployeeCreate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The fields of a new employee."""

    name: words.LongName
    external_id: words.ExternalId | None = None
    user_id: words.Ref | None = None
    job_title: words.LongName | None = None
    hired_on: words.Day | None = None


class EmployeeUpdate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The fields to change; null clears an optional field."""

    name: words.LongName | UnsetType = UNSET
    external_id: words.ExternalId | UnsetType | None = UNSET
    user_id: words.Ref | UnsetType | None = UNSET
    job_title: words.LongName | UnsetType | None = UNSET
    hired_on: words.Day | UnsetType | None = UNSET


class EmployeePage(msgspec.Struct, frozen=True):
    """One page of employees."""

    items: list[Employee]
    next_cursor: str | None


class EmployeeParameters(ListParameters, frozen=True, kw_only=True):
    """Parameters of the list of employees."""

    sort: Sort = "id"
    q: Search | UnsetType = UNSET
    external_id: words.ExternalId | UnsetType = UNSET
    user_id: words.Ref | UnsetType = UNSET
    department_id: words.Ref | UnsetType = UNSET


class Include(msgspec.Struct, frozen=True, kw_only=True):
    """What the response includes besides the employee."""

    include: Literal["departments"] | UnsetType = UNSET


class EmployeeDepartmentPage(msgspec.Struct, frozen=True):
    """One page of an employee's departments."""

    items: list[EmployeeDepartment]
    next_cursor: str | None


class EmployeeDepartmentParameters(ListParameters, frozen=True, kw_only=True):
    """Parameters of the list of an employee's departments; ids are those of the departments."""

    sort: Sort = "id"
    q: Search | UnsetType = UNSET
