"""JSON objects of callers' own making: any members, within limits, kept as they were written."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from service.errors import Fault, Invalid, Malformed
from service.http.wire import MOST_FAULTS, WRONG, json_pointer

MOST_BYTES = 16 * 1024
MOST_LEVELS = 8
LONGEST_NAME = 100

# The type of a body, and of an answer, that is such an object.
JsonObject = dict[str, Any]

_NOT_AN_OBJECT = "A JSON object is expected here."
_TOO_DEEP = f"At most {MOST_LEVELS} levels of objects and arrays are accepted."
_encode = msgspec.json.Encoder(order="sorted").encode


class _Twice(dict[str, Any]):
    """An object some of whose names were given more than once."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.names = [name for name, count in Counter(name for name, _ in pairs).items() if count > 1]


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    held = dict(pairs)
    return held if len(held) == len(pairs) else _Twice(pairs)


def _number(text: str) -> msgspec.Raw:
    # As text: neither database nor Python then rounds 1e400, or writes 1.0 as 1.
    return msgspec.Raw(text.encode())


def _constant(text: str) -> Any:
    message = f"{text} is no JSON value"
    raise ValueError(message)


_decoder = json.JSONDecoder(object_pairs_hook=_object, parse_int=_number, parse_float=_number, parse_constant=_constant)


def read(raw: bytes) -> JsonObject:
    """Return the object that a JSON text holds, its numbers as `msgspec.Raw`.

    Raises:
        Malformed: it is no JSON.
        Invalid: it is no object, has a name twice, or is deeper or has longer names than is accepted.
    """
    try:
        document = _decoder.decode(raw.decode())
    except UnicodeDecodeError:
        raise Malformed("The body is not JSON: it is not UTF-8.") from None
    except RecursionError:
        raise Invalid(WRONG, Fault(detail=_TOO_DEEP, pointer="")) from None
    except ValueError as error:
        raise Malformed(f"The body is not JSON: {error}.") from None
    if not isinstance(document, dict):
        raise Invalid(WRONG, Fault(detail=_NOT_AN_OBJECT, pointer=""))
    faults = [fault for fault, _ in zip(_faults(document, "", 1), range(MOST_FAULTS), strict=False)]
    if faults:
        raise Invalid(WRONG, *faults)
    return document


def written(document: Mapping[str, Any]) -> str:
    """Return the one text of an object: names in the order of their code points, numbers as they were written.

    Raises:
        Invalid: it is longer than is accepted.
    """
    text = _encode(document)
    if len(text) > MOST_BYTES:
        detail = f"At most {MOST_BYTES} bytes of JSON are accepted; these are {len(text)}."
        raise Invalid(WRONG, Fault(detail=detail, pointer=""))
    return text.decode()


def merged(target: Any, patch: Mapping[str, Any]) -> JsonObject:
    """Return what a merge patch (RFC 7396) makes of a value: null removes a member, an object is merged in turn."""
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value) if isinstance(value, dict) else value
    return result


def _faults(value: Any, at: str, level: int) -> Iterator[Fault]:
    if isinstance(value, str):
        yield from _faults_of_text(value, at)
    elif isinstance(value, (dict, list)) and level > MOST_LEVELS:
        yield _fault(_TOO_DEEP, at)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _faults(item, f"{at}/{index}", level + 1)
    elif isinstance(value, dict):
        for name in value.names if isinstance(value, _Twice) else ():
            yield _fault("This field is given more than once.", at + json_pointer(name))
        for name, item in value.items():
            below = at + json_pointer(name)
            if len(name) > LONGEST_NAME:
                yield _fault(f"A name has at most {LONGEST_NAME} characters.", below)
            yield from _faults_of_text(name, below)
            yield from _faults(item, below, level + 1)


def _faults_of_text(text: str, at: str) -> Iterator[Fault]:
    # "\ud800" alone is half of a character, which UTF-8 cannot write.
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        yield _fault("Half of a surrogate pair is no character.", at)


def _fault(detail: str, at: str) -> Fault:
    return Fault(detail=detail, pointer=at.encode(errors="replace").decode())
