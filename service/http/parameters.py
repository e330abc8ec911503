"""Parses query strings strictly, and reports all faults at once."""

import re
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import lru_cache
from typing import Any, Generic, TypeVar
from urllib.parse import parse_qsl

import msgspec
from msgspec import inspect

from service.db.types import in_utc
from service.db.words import Moment
from service.errors import Fault, Invalid, Malformed
from service.http.wire import WRONG, described, plain, without_unset

S = TypeVar("S", bound=msgspec.Struct)

_WHOLE = re.compile(r"0|-?[1-9][0-9]{0,18}")
_MOST_PARAMETERS = 40
# The common case: a few parameters with values that need no percent-decoding.
_NEEDS_NO_DECODING = re.compile(rb"[\w.~-]+=[\w.~:,-]*(?:&[\w.~-]+=[\w.~:,-]*){0,9}")
# The longest query string that is cached: short ones, which hold no cursor.
_LONGEST_REMEMBERED = 40
_IN_CURSORS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_MOST_REMEMBERED = 200


class Parameters(Generic[S]):
    """Parses query strings into one type of struct, whose fields are all optional."""

    def __init__(self, struct: type[S]) -> None:
        self.struct = struct
        kinds = {each.encode_name: without_unset(each.type) for each in msgspec.structs.fields(struct)}
        self._kinds = kinds
        self._prepare = {name: _PREPARE.get(type(described(kind)), str) for name, kind in kinds.items()}
        self._empty = struct()
        self._remembered = lru_cache(_MOST_REMEMBERED)(self._read)
        self._first_page = lru_cache(_MOST_REMEMBERED)(self._values)

    def read(self, raw: bytes) -> S:
        """Return the struct, which is frozen and may be shared.

        Raises:
            Malformed: the query string is not UTF-8, or has too many parameters.
            Invalid: parameters are unknown, repeated or not valid; the error lists all of them.
        """
        if not raw:
            return self._empty
        # Callers repeat few query strings, and the structs are immutable.
        if len(raw) <= _LONGEST_REMEMBERED:
            return self._remembered(raw)
        first, name, cursor = raw.rpartition(b"cursor=")
        if name and not cursor.translate(None, _IN_CURSORS) and first[-1:] in (b"&", b""):
            return self._with_cursor(first[:-1], cursor) or self._read(raw)
        return self._read(raw)

    def _with_cursor(self, first: bytes, cursor: bytes) -> S | None:
        """Return the struct of the query of a first page and a cursor, as Link and most callers join them.

        `None` if something is wrong, or has to be looked at more closely.
        """
        if len(first) > _LONGEST_REMEMBERED or "cursor" not in self._kinds:
            return None
        try:
            values = self._first_page(first)
            return None if "cursor" in values else msgspec.convert(values | {"cursor": cursor.decode()}, self.struct)
        except (KeyError, ValueError, Malformed):
            return None

    def _read(self, raw: bytes) -> S:
        if not raw:
            return self._empty
        try:
            # All at once is cheaper; one by one finds all faults.
            return msgspec.convert(self._values(raw), self.struct)
        except (KeyError, ValueError):  # msgspec's errors are ValueErrors
            pass
        raise Invalid(WRONG, *self._faults(_pairs(raw)))

    def _values(self, raw: bytes) -> dict[str, Any]:
        """Return the values by name; raises KeyError or ValueError if one is unknown, repeated or not valid."""
        if not raw:
            return {}
        pairs = _pairs(raw)
        values = {name: self._prepare[name](text) for name, text in pairs}
        if len(values) < len(pairs):
            raise ValueError(raw)
        return values

    def _faults(self, pairs: list[tuple[str, str]]) -> Iterator[Fault]:
        seen: set[str] = set()
        for name, text in pairs:
            if name not in self._kinds:
                yield Fault(detail="There is no such parameter.", parameter=name)
            elif name in seen:
                yield Fault(detail="This parameter is given more than once.", parameter=name)
            else:
                seen.add(name)
                try:
                    msgspec.convert(self._prepare[name](text), self._kinds[name])
                except ValueError as error:
                    yield Fault(detail=f"{plain(str(error))}.", parameter=name)


def _pairs(raw: bytes) -> list[tuple[str, str]]:
    if _NEEDS_NO_DECODING.fullmatch(raw):
        return [_split(pair) for pair in raw.decode("ascii").split("&")]
    try:
        return parse_qsl(raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MOST_PARAMETERS)
    except UnicodeDecodeError:
        raise Malformed("The query string is not UTF-8, percent-encoded.") from None
    except ValueError:
        raise Malformed(f"The query string has more than {_MOST_PARAMETERS} parameters.") from None


def _split(pair: str) -> tuple[str, str]:
    name, _, text = pair.partition("=")
    return name, text


def _whole(text: str) -> int:
    if not _WHOLE.fullmatch(text):
        raise ValueError(f"Expected a whole number, got {text!r}")
    return int(text)


def _boolean(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError(f"Expected true or false, got {text!r}")
    return text == "true"


def _moment(text: str) -> str | datetime:
    try:
        return in_utc(msgspec.convert(text, Moment))
    except msgspec.ValidationError:
        # The conversion of all parameters says what is wrong.
        return text


_PREPARE: dict[type[inspect.Type], Callable[[str], Any]] = {
    inspect.IntType: _whole,
    inspect.BoolType: _boolean,
    inspect.DateTimeType: _moment,
}
