"""The vocabulary: column type, request validation and API description of every value, each said once."""

from datetime import date, datetime
from typing import Annotated, Any

from msgspec import Meta
from sqlalchemy import Date, Identity, Integer, String, text, true
from sqlalchemy.orm import mapped_column

from service.db import clock
from service.db.folding import FOLDED_LENGTH
from service.db.types import Document, Key, UtcDateTime, folded
from service.db.types import now as server_now

# White space as Unicode has it: `\s` is not the same in every language.
_BLANK = r"[ \xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]"
# Python's `$` also matches before a final newline; ECMAScript's does not: `(?!\n)` makes them equal.
LINE = rf"^(?!{_BLANK}*$)[^\x00-\x1f\x7f-\x9f]*$(?!\n)"
BLANKABLE_LINE = r"^[^\x00-\x1f\x7f-\x9f]*$(?!\n)"
PARAGRAPHS = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*$(?!\n)"
UNSPACED = r"^[^\x00-\x20\x7f-\xa0]*$(?!\n)"
EMAIL = r"^[^\x00-\x20\x7f-\xa0@]+@[^\x00-\x20\x7f-\xa0@]+$(?!\n)"

LARGEST_KEY = 2**63 - 1
LARGEST_INTEGER = 2**31 - 1


def _as_created(context: Any) -> datetime:
    created_at: datetime = context.get_current_parameters()["created_at"]
    return created_at


Id = Annotated[
    int,
    mapped_column(Key, Identity(), primary_key=True, sort_order=-1),
    Meta(ge=1, le=LARGEST_KEY, description="Given by the service; never reused.", examples=[1]),
]
Ref = Annotated[int, mapped_column(Key), Meta(ge=1, le=LARGEST_KEY, examples=[1])]
Version = Annotated[
    int,
    mapped_column(Integer, server_default=text("1"), sort_order=1),
    Meta(ge=1, le=LARGEST_INTEGER, description="Counts the changes; the ETag is made of it.", examples=[1]),
]
Created = Annotated[
    datetime, mapped_column(UtcDateTime, default=clock.now, server_default=server_now(), sort_order=1), Meta(tz=True)
]
Updated = Annotated[
    datetime,
    mapped_column(UtcDateTime, default=_as_created, onupdate=clock.now, server_default=server_now(), sort_order=1),
    Meta(tz=True),
]
Moment = Annotated[datetime, mapped_column(UtcDateTime), Meta(tz=True)]
Day = Annotated[date, mapped_column(Date)]

Name = Annotated[str, mapped_column(String(50)), Meta(min_length=1, max_length=50, pattern=LINE, examples=["Ann Lee"])]
LongName = Annotated[
    str, mapped_column(String(100)), Meta(min_length=1, max_length=100, pattern=LINE, examples=["Research"])
]
Title = Annotated[
    str, mapped_column(String(200)), Meta(min_length=1, max_length=200, pattern=LINE, examples=["Morning bells"])
]
Email = Annotated[
    str,
    mapped_column(String(254)),
    Meta(
        min_length=3,
        max_length=254,
        pattern=EMAIL,
        description="Unique without regard to case.",
        examples=["ann@example.org"],
    ),
]
Age = Annotated[int, mapped_column(Integer), Meta(ge=0, le=150, examples=[41])]
Address = Annotated[
    str, mapped_column(String(100)), Meta(max_length=100, pattern=BLANKABLE_LINE, examples=["1 Elm Street, Leeds"])
]
ExternalId = Annotated[
    str,
    mapped_column(String(100)),
    Meta(
        min_length=1,
        max_length=100,
        pattern=UNSPACED,
        description="The caller's own key; unique.",
        examples=["crm-4711"],
    ),
]
Active = Annotated[bool, mapped_column(default=True, server_default=true())]
Seconds = Annotated[
    int, mapped_column(Integer), Meta(ge=0, le=LARGEST_INTEGER, description="In seconds.", examples=[90])
]
Description = Annotated[
    str, mapped_column(String(2000)), Meta(max_length=2000, pattern=PARAGRAPHS, examples=["In a few words."])
]
Tag = Annotated[str, Meta(min_length=1, max_length=50, pattern=LINE, examples=["bells"])]
Tags = Annotated[list[Tag], mapped_column(Document, default=list, server_default=text("'[]'")), Meta(max_length=20)]
Folded = Annotated[str, mapped_column(folded(FOLDED_LENGTH))]
