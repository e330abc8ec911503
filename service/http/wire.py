"""Parses JSON bodies strictly, and reports all faults at once."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from itertools import chain, islice
from typing import Annotated, Any, Generic, TypeVar, get_args, get_origin

import msgspec
from msgspec import inspect

from service.db.types import in_utc
from service.errors import Fault, Invalid, Malformed

S = TypeVar("S", bound=msgspec.Struct)

WRONG = "The request is not valid; see errors."
_AT = re.compile(r" - at `\$(?P<path>[^`]*)`$")
_STEP = re.compile(r"\.([^.\[]+)|\[(\d+|\.\.\.)\]")
# The most faults in one problem document.
MOST_FAULTS = 100
# Only names are compared; numbers stay text, whatever their length.
_NAMES = json.JSONDecoder(object_pairs_hook=lambda pairs: [name for name, _ in pairs], parse_int=str, parse_float=str)
# Without one, no number can be a whole one that is written as a fraction.
_FLOAT = re.compile(rb"[0-9][.eE]")
# The number of members of an object, by the scanner of CPython, which takes no white space before it.
_counter: Any = json.JSONDecoder(object_pairs_hook=len, parse_int=str, parse_float=str)
_count_members = _counter.scan_once
_decode_parts = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class Body(Generic[S]):
    """Parses JSON documents into one type of struct."""

    def __init__(self, struct: type[S]) -> None:
        self.struct = struct
        self._decoder = msgspec.json.Decoder(struct, strict=True)
        self._fields = msgspec.structs.fields(struct)
        # Kept as they are written: decoding would round their numbers.
        self._raws = {each.encode_name for each in self._fields if _holds_raw(each.type)}
        self.moments = {each.name for each in self._fields if _holds_moment(each.type)}

    def read(self, raw: bytes, *, explain: bool = True) -> S:
        """Return the struct, its times in UTC; without `explain`, Invalid lists no faults, which costs less.

        Raises:
            Malformed: the text is not JSON.
            Invalid: the document does not match the struct; the error lists all faults with JSON pointers.
        """
        try:
            struct = self._decoder.decode(raw)
        except msgspec.ValidationError:
            if not explain and _FLOAT.search(raw) is None:
                raise Invalid(WRONG) from None
            struct = self._read_again(raw, explain=explain)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            decode(raw)
            raise
        if _has_twins(raw):
            raise self._invalid(self._document(raw) if explain else None, raw, explain=explain)
        return self.in_utc(struct) if self.moments else struct

    def _read_again(self, raw: bytes, *, explain: bool) -> S:
        """Return the struct of a document in which an integer may be written 3.0 (JSON Schema, 6.1.1)."""
        document = _integral(self._document(raw))
        try:
            return msgspec.convert(document, self.struct, strict=True)
        except msgspec.ValidationError:
            raise self._invalid(document, raw, explain=explain) from None

    def _document(self, raw: bytes) -> Any:
        if not self._raws:
            return decode(raw)
        try:
            parts = _decode_parts(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return decode(raw)
        return {name: part if name in self._raws else decode(bytes(part)) for name, part in parts.items()}

    def convert(self, document: dict[str, Any], *, explain: bool = True) -> S:
        """Return the struct of a decoded object; raises as `read`."""
        try:
            struct = msgspec.convert(document, self.struct, strict=True)
        except msgspec.ValidationError:
            raise self._invalid(document, explain=explain) from None
        return self.in_utc(struct) if self.moments else struct

    def faults(self, document: Any) -> Iterator[Fault]:
        """Yield all faults of a decoded document, field by field."""
        if not isinstance(document, dict):
            yield Fault(detail="A JSON object is expected here.", pointer="")
            return
        known = {each.encode_name for each in self._fields}
        for name in document:
            if name not in known:
                yield Fault(detail="There is no such field.", pointer=json_pointer(name))
        for each in self._fields:
            pointer = json_pointer(each.encode_name)
            if each.encode_name in document:
                yield from _faults_of_value(document[each.encode_name], each.type, pointer)
            elif each.required:
                yield Fault(detail="This field is required.", pointer=pointer)

    def _invalid(self, document: Any, raw: bytes = b"", *, explain: bool) -> Invalid:
        if not explain:
            return Invalid(WRONG)
        twice = _named_twice(raw) if raw and isinstance(document, dict) else []
        faults = [Fault(detail="This field is given more than once.", pointer=json_pointer(name)) for name in twice]
        return Invalid(WRONG, *islice(chain(faults, self.faults(document)), MOST_FAULTS))

    def in_utc(self, struct: S) -> S:
        """Return the struct with its times in UTC; raises Invalid."""
        moments: dict[str, datetime] = {}
        faults: list[Fault] = []
        for name in self.moments:
            value = getattr(struct, name)
            if not isinstance(value, datetime):
                continue
            try:
                moments[name] = in_utc(value)
            except ValueError as error:
                faults.append(Fault(detail=f"{error}.", pointer=json_pointer(name)))
        if faults:
            raise Invalid(WRONG, *faults)
        return msgspec.structs.replace(struct, **moments)


def decode(raw: bytes) -> Any:
    """Return the decoded document.

    Raises:
        Malformed: the text is not JSON, or is nested too deeply.
    """
    try:
        return msgspec.json.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Malformed(f"The body is not JSON: {_AT.sub('', str(error))}.") from None
    except RecursionError:
        raise Malformed("The body is nested too deeply.") from None


def _integral(document: Any) -> Any:
    """Return a decoded document with an int for each field that is a float without a fraction."""
    if not isinstance(document, dict):
        return document
    return {
        name: int(value) if isinstance(value, float) and value.is_integer() else value
        for name, value in document.items()
    }


def sent(patch: msgspec.Struct) -> dict[str, Any]:
    """Return the fields that a merge patch names (RFC 7396)."""
    return {name: value for name in patch.__struct_fields__ if (value := getattr(patch, name)) is not msgspec.UNSET}


def _has_twins(raw: bytes) -> bool:
    """Return whether a JSON object has a name twice: most objects are seen to have none without a look at each name."""
    distinct = len(_decode_parts(raw))
    # Without white space before a colon, each member has one quote with a colon behind it, and values may have more.
    is_tight = b" :" not in raw and b"\n:" not in raw and b"\t:" not in raw and b"\r:" not in raw
    if is_tight and raw.count(b'":') == distinct:
        return False
    members, _ = _count_members(raw.decode().lstrip(" \t\r\n"), 0)
    return bool(members != distinct)


def _named_twice(raw: bytes) -> list[str]:
    """Return the names that a JSON object repeats: RFC 8259 does not define which value counts."""
    names = _NAMES.decode(raw.decode())
    if len(set(names)) == len(names):
        return []
    return [name for name, count in Counter(names).items() if count > 1]


def _faults_of_value(value: Any, kind: Any, pointer: str) -> Iterator[Fault]:
    kind = without_unset(kind)
    try:
        held = msgspec.convert(value, kind, strict=True)
        if isinstance(held, datetime):
            in_utc(held)
    except ValueError as error:
        detail, path = str(error), ""
        if found := _AT.search(detail):
            detail = detail[: found.start()]
            path = "".join(f"/{step or index}" for step, index in _STEP.findall(found["path"]))
        item = _type_of_items(kind)
        if item is None or not isinstance(value, list) or not path:
            yield Fault(detail=f"{plain(detail)}.", pointer=pointer + path)
        if item is not None and isinstance(value, list):
            # msgspec stops at the first fault.
            for at, each in enumerate(value):
                yield from _faults_of_value(each, item, f"{pointer}/{at}")


def _type_of_items(kind: Any) -> Any:
    while get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    return get_args(kind)[0] if get_origin(kind) is list else None


def _holds_moment(kind: Any) -> bool:
    info = described(without_unset(kind))
    return any(isinstance(each, inspect.DateTimeType) for each in getattr(info, "types", (info,)))


def _holds_raw(kind: Any) -> bool:
    return isinstance(described(without_unset(kind)), inspect.RawType)


def described(kind: Any) -> inspect.Type:
    """The msgspec type without its constraints."""
    info = inspect.type_info(kind)
    return info.type if isinstance(info, inspect.Metadata) else info


@cache
def without_unset(kind: Any) -> Any:
    """The field's type without UNSET, which JSON cannot express."""
    arguments = getattr(kind, "__args__", ())
    if msgspec.UnsetType not in arguments:
        return kind
    first, *rest = (each for each in arguments if each is not msgspec.UnsetType)
    for each in rest:
        first |= each
    return first


def plain(detail: str) -> str:
    """A message of msgspec in terms of the API."""
    if "matching regex" in detail:
        return "The value is blank, holds a character that is not allowed, or does not match the format"
    return detail.replace("`", "").replace(" | unset", "")


def json_pointer(name: str) -> str:
    """Return the pointer to a member of the object (RFC 6901)."""
    return "/" + name.replace("~", "~0").replace("/", "~1")
