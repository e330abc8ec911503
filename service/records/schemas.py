"""Recordings on the wire."""

from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from service.db import words
from service.http.pages import ListParameters, Search

Sort = Literal["id", "-id", "title", "-title", "date_created", "-date_created"]


class Record(msgspec.Struct, frozen=True):
    """A recording."""

    id: words.Id
    external_id: words.ExternalId | None
    title: words.Title
    duration: words.Seconds | None
    date_created: words.Moment
    owner_id: words.Ref | None
    description: words.Description | None
    tags: words.Tags
    version: words.Version
    created_at: words.Created
    updated_at: words.Updated


class RecordCreate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The fields of a new recording; date_created defaults to the current time."""

    title: words.Title
    external_id: words.ExternalId | None = None
    duration: words.Seconds | None = None
    date_created: words.Moment | UnsetType = UNSET
    owner_id: words.Ref | None = None
    description: words.Description | None = None
    tags: words.Tags = []


class RecordUpdate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The fields to change; null clears an optional field."""

    title: words.Title | UnsetType = UNSET
    external_id: words.ExternalId | UnsetType | None = UNSET
    duration: words.Seconds | UnsetType | None = UNSET
    date_created: words.Moment | UnsetType = UNSET
    owner_id: words.Ref | UnsetType | None = UNSET
    description: words.Description | UnsetType | None = UNSET
    tags: words.Tags | UnsetType = UNSET


class RecordPage(msgspec.Struct, frozen=True):
    """One page of recordings."""

    items: list[Record]
    next_cursor: str | None


class OwnRecordParameters(ListParameters, frozen=True, kw_only=True):
    """Parameters of the list of one's own recordings."""

    sort: Sort = "id"
    q: Search | UnsetType = UNSET
    external_id: words.ExternalId | UnsetType = UNSET
    tag: words.Tag | UnsetType = UNSET


class RecordParameters(OwnRecordParameters, frozen=True, kw_only=True):
    """Parameters of the list of recordings."""

    owner_id: words.Ref | UnsetType = UNSET
