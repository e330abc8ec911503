"""Events on the wire."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from service.db import words
from service.http.pages import Limit, ListParameters

Via = Annotated[
    Literal["api", "cli", "import", "system"],
    Meta(description="`import`: a file, over HTTP or on the command line. `system`: the service itself."),
]
Action = Annotated[
    str,
    Meta(max_length=50, pattern=words.BLANKABLE_LINE, description="What happened to what.", examples=["user.updated"]),
]
Resource = Annotated[
    str,
    Meta(
        max_length=50, pattern=words.BLANKABLE_LINE, description="The noun in the path of the API.", examples=["users"]
    ),
]
ResourceKey = Annotated[
    str,
    Meta(
        max_length=200,
        pattern=words.BLANKABLE_LINE,
        description="Of a resource without an id: the ids of its ends, or its name.",
        examples=["3/7"],
    ),
]
Changes = Annotated[
    dict[str, Any],
    Meta(
        description="The fields that changed, each with its old and its new value, or null. Secrets are left out.",
        examples=[{"name": ["Ann", "Anne"]}],
    ),
]
After = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=200,
        description="next_cursor of the previous response, or `now`. Without it the feed begins at the oldest event.",
    ),
]


class Event(msgspec.Struct, frozen=True):
    """One change of one resource: who made it, by which way, and the old and new values."""

    id: words.Id
    created_at: words.Moment
    action: Action
    resource: Resource
    resource_id: words.Ref | None
    resource_key: ResourceKey | None
    changes: Changes
    via: Via
    actor_id: Annotated[words.Ref, Meta(description="The user whose token made the change.")] | None
    token_id: words.Ref | None
    request_id: Annotated[str, Meta(max_length=100, description="X-Request-Id of the request.")] | None


class EventPage(msgspec.Struct, frozen=True):
    """One page of events."""

    items: list[Event]
    next_cursor: str | None


class EventParameters(ListParameters, frozen=True, kw_only=True):
    """Parameters of the list of events; the newest come first.

    With `since` or `until`, `sort=-created_at` reads the events of that time alone.
    """

    sort: Literal["id", "-id", "created_at", "-created_at"] = "-id"
    resource: Resource | UnsetType = UNSET
    resource_id: words.Ref | UnsetType = UNSET
    resource_key: ResourceKey | UnsetType = UNSET
    actor_id: words.Ref | UnsetType = UNSET
    action: Action | UnsetType = UNSET
    via: Via | UnsetType = UNSET
    since: Annotated[words.Moment, Meta(description="Not before this time.")] | UnsetType = UNSET
    until: Annotated[words.Moment, Meta(description="Before this time.")] | UnsetType = UNSET


class EventFeed(msgspec.Struct, frozen=True):
    """Events in the order in which they can be read, each once."""

    items: list[Event]
    next_cursor: Annotated[str, Meta(description="To be sent as `after`; null while there is no event.")] | None
    held_since: (
        Annotated[
            words.Moment,
            Meta(description="Since when events wait for a transaction that is still open; null if none waits."),
        ]
        | None
    )


class FeedParameters(msgspec.Struct, frozen=True, kw_only=True):
    """Parameters of the feed."""

    after: After | UnsetType = UNSET
    limit: Limit = 100
    wait: Annotated[
        int, Meta(ge=0, le=60, description="Seconds to wait for an event before an empty response is sent.")
    ] = 0
