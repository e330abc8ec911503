"""Departments on the wire."""

from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from service.db import words
from service.http.pages import ListParameters, Search

Sort = Literal["id", "-id", "name", "-name"]


class Department(msgspec.Struct, frozen=True):
    """A department."""

    id: words.Id
    external_id: words.ExternalId | None
    name: words.LongName
    description: words.Description | None
    version: words.Version
    created_at: words.Created
    updated_at: words.Updated


class DepartmentCreate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The fields of a new department; the name is unique, case-insensitively."""

    name: words.LongName
    external_id: words.ExternalId | None = None
    description: words.Description | None = None


class DepartmentUpdate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The fields to change; null clears an optional field."""

    name: words.LongName | UnsetType = UNSET
    external_id: words.ExternalId | UnsetType | None = UNSET
    description: words.Description | UnsetType | None = UNSET


class DepartmentPage(msgspec.Struct, frozen=True):
    """One page of departments."""

    items: list[Department]
    next_cursor: str | None


class DepartmentParameters(ListParameters, frozen=True, kw_only=True):
    """Parameters of the list of departments."""

    sort: Sort = "id"
    q: Search | UnsetType = UNSET
    external_id: words.ExternalId | UnsetType = UNSET


class DepartmentMember(msgspec.Struct, frozen=True):
    """An employee in a department, with the dates of the link."""

    employee_id: words.Ref
    external_id: words.ExternalId | None
    name: words.LongName
    job_title: words.LongName | None
    from_date: words.Day | None
    to_date: words.Day | None
    version: words.Version


class DepartmentMemberPage(msgspec.Struct, frozen=True):
    """One page of a department's employees."""

    items: list[DepartmentMember]
    next_cursor: str | None


class DepartmentMemberParameters(ListParameters, frozen=True, kw_only=True):
    """Parameters of the list of a department's employees; ids are those of the employees."""

    sort: Sort = "id"
    q: Search | UnsetType = UNSET
