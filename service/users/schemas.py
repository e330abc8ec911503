"""Users on the wire."""

from typing import Annotated, Final, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from service.db import words
from service.http.auth.permissions import MOST_ROLES, Permission
from service.http.pages import ListParameters, Search

Roles = Annotated[list[words.RoleName], Meta(max_length=MOST_ROLES)]
Preferences = Annotated[msgspec.Raw, Meta(extra_json_schema={"type": "object"})]
Choice = Literal["keep", "delete"]
# Fields that decide whether a user can log in: only who has all permissions of the user changes them.
ACCOUNT: Final = frozenset({"email", "active"})
Sort = Literal["id", "-id", "name", "-name", "email", "-email"]


class User(msgspec.Struct, frozen=True):
    """A person who uses the directory."""

    id: words.Id
    external_id: words.ExternalId | None
    name: words.Name
    email: words.Email
    age: words.Age | None
    address: words.Address | None
    active: bool
    roles: list[words.RoleName]
    version: words.Version
    created_at: words.Created
    updated_at: words.Updated


class UserCreate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The fields of a new user."""

    name: words.Name
    email: words.Email
    external_id: words.ExternalId | None = None
    age: words.Age | None = None
    address: words.Address | None = None
    active: bool = True


class UserImport(UserCreate, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A user in an import, with the names of their roles and their preferences."""

    roles: Roles | UnsetType = UNSET
    preferences: Preferences | UnsetType = UNSET


class UserExport(User, frozen=True):
    """A user in an export, with their preferences."""

    preferences: Preferences


class UserUpdate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The fields to change; null clears an optional field."""

    name: words.Name | UnsetType = UNSET
    email: words.Email | UnsetType = UNSET
    external_id: words.ExternalId | UnsetType | None = UNSET
    age: words.Age | UnsetType | None = UNSET
    address: words.Address | UnsetType | None = UNSET
    active: bool | UnsetType = UNSET


class OwnProfileUpdate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The fields of one's own profile to change; null clears an optional field. Others are for users.write."""

    name: words.Name | UnsetType = UNSET
    age: words.Age | UnsetType | None = UNSET
    address: words.Address | UnsetType | None = UNSET


class OwnToken(msgspec.Struct, frozen=True):
    """The token of the request."""

    id: words.Id
    name: words.LongName
    kind: Literal["token", "session"]
    expires_at: words.Moment | None


class Me(msgspec.Struct, frozen=True):
    """Who sends the request, and what the request may do."""

    # Without a user: `open` while no administrator exists, and `bootstrap` for the token of ROSTER_BOOTSTRAP_TOKEN.
    kind: Literal["token", "session", "bootstrap", "open"]
    user: User | None
    token: OwnToken | None
    permissions: list[Permission]


class UserPage(msgspec.Struct, frozen=True):
    """One page of users."""

    items: list[User]
    next_cursor: str | None


class UserParameters(ListParameters, frozen=True, kw_only=True):
    """Parameters of the list of users."""

    sort: Sort = "id"
    q: Search | UnsetType = UNSET
    email: words.Email | UnsetType = UNSET
    external_id: words.ExternalId | UnsetType = UNSET
    active: bool | UnsetType = UNSET
    role: words.RoleName | UnsetType = UNSET


class EraseParameters(msgspec.Struct, frozen=True, kw_only=True):
    """What goes with a user who is deleted."""

    records: Annotated[Choice, Meta(description="The user's recordings: `keep` leaves them without an owner.")] = "keep"
    employee: Annotated[Choice, Meta(description="The employee who is the user, and the links to departments.")] = (
        "keep"
    )
