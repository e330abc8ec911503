"""Roles on the wire."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, UnsetType

from service.db import words
from service.http.auth.permissions import BUILT_IN, PERMISSIONS, Permission
from service.http.pages import ListParameters

Sort = Literal["id", "-id", "name", "-name"]
Permissions = Annotated[
    list[Permission],
    msgspec.Meta(max_length=len(PERMISSIONS), examples=[["users.read"]], extra_json_schema={"uniqueItems": True}),
]


class Role(msgspec.Struct, frozen=True):
    """A named list of permissions; built-in roles cannot be changed."""

    id: words.Id
    name: words.RoleName
    description: words.Description | None
    permissions: list[str]
    built_in: bool
    version: words.Version
    created_at: words.Created
    updated_at: words.Updated

    def __post_init__(self) -> None:
        if self.built_in:
            # The code decides: a new permission needs no revision of the schema.
            msgspec.structs.force_setattr(self, "permissions", sorted(BUILT_IN.get(self.name, ())))


class RolePut(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a role is to be."""

    permissions: Permissions
    description: words.Description | None = None


class RoleCreate(RolePut, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new role of an operator."""

    name: words.RoleName


class RoleUpdate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The fields to change; null clears the description."""

    permissions: Permissions | UnsetType = UNSET
    description: words.Description | UnsetType | None = UNSET


class RolePage(msgspec.Struct, frozen=True):
    """One page of roles."""

    items: list[Role]
    next_cursor: str | None


class RoleParameters(ListParameters, frozen=True, kw_only=True):
    """Parameters of a list of roles."""

    sort: Sort = "name"


class UserRole(msgspec.Struct, frozen=True):
    """A role that a user has, since when, and the version of the user."""

    user_id: words.Ref
    role: words.RoleName
    version: words.Version
    created_at: datetime
