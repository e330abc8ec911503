"""From what was sent to values: strict, and with every fault told at once."""

import re
from functools import cache
from typing import Any, Generic, TypeVar
from urllib.parse import parse_qsl

import msgspec
from msgspec import inspect

from service.errors import Fault, Invalid, Malformed

S = TypeVar("S", bound=msgspec.Struct)

_WRONG = "Some of what was sent is wrong."
_AT = re.compile(r" - at `\$(?P<path>[^`]*)`$")
_STEP = re.compile(r"\.([^.\[]+)|\[(\d+|\.\.\.)\]")
_WHOLE = re.compile(r"-?[0-9]{1,19}")
_MOST_PARAMETERS = 40


class Body(Generic[S]):
    """Reads JSON documents into one type of struct."""

    def __init__(self, struct: type[S]) -> None:
        self.struct = struct
        self._decoder = msgspec.json.Decoder(struct, strict=True)
        self._fields = msgspec.structs.fields(struct)

    def read(self, raw: bytes) -> S:
        """Return the struct.

        Raises:
            Malformed: it is no JSON.
            Invalid: it is JSON and does not fit; with every fault and its JSON pointer.
        """
        try:
            return self._decoder.decode(raw)
        except msgspec.ValidationError:
            raise Invalid(_WRONG, *self.faults(decode(raw))) from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            decode(raw)
            raise

    def convert(self, document: dict[str, Any]) -> S:
        """Return the struct of an object that is decoded already; raises as `read`."""
        try:
            return msgspec.convert(document, self.struct, strict=True)
        except msgspec.ValidationError:
            raise Invalid(_WRONG, *self.faults(document)) from None

    def faults(self, document: Any) -> list[Fault]:
        """Return everything wrong with a decoded document, field by field."""
        if not isinstance(document, dict):
            return [Fault(detail="A JSON object is expected here.", pointer="")]
        known = {each.encode_name for each in self._fields}
        faults = [
            Fault(detail="There is no such field.", pointer=_pointer(name)) for name in document if name not in known
        ]
        for each in self._fields:
            if each.encode_name in document:
                faults += _fault_of_value(document[each.encode_name], each.type, each.encode_name)
            elif each.required:
                faults.append(Fault(detail="This field is required.", pointer=_pointer(each.encode_name)))
        return faults


def decode(raw: bytes) -> Any:
    """Return whatever JSON says.

    Raises:
        Malformed: it is no JSON, or none that can be held.
    """
    try:
        return msgspec.json.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Malformed(f"The body is not JSON: {error}.") from None
    except RecursionError:
        raise Malformed("The body is nested too deeply.") from None


def sent(patch: msgspec.Struct) -> dict[str, Any]:
    """Return the fields that a merge patch names (RFC 7396)."""
    return {
        name: value for name in patch.__struct_fields__ if (value := getattr(patch, name)) is not msgspec.UNSET
    }


def _fault_of_value(value: Any, kind: Any, name: str) -> list[Fault]:
    try:
        msgspec.convert(value, _without_unset(kind), strict=True)
    except msgspec.ValidationError as error:
        detail, path = str(error), ""
        if found := _AT.search(detail):
            detail = detail[: found.start()]
            path = "".join(f"/{step or index}" for step, index in _STEP.findall(found["path"]))
        return [Fault(detail=f"{_plain(detail)}.", pointer=_pointer(name) + path)]
    return []


@cache
def _without_unset(kind: Any) -> Any:
    """The field's type as JSON can hold it: UNSET is for Python alone."""
    arguments = getattr(kind, "__args__", ())
    if msgspec.UnsetType not in arguments:
        return kind
    first, *rest = (each for each in arguments if each is not msgspec.UnsetType)
    for each in rest:
        first |= each
    return first


def _plain(detail: str) -> str:
    if "matching regex" in detail:
        return "It holds a character that is not allowed here, or is blank or not of the form that is asked for"
    return detail.replace("`", "").replace(" | unset", "")


def _pointer(name: str) -> str:
    # RFC 6901: the two characters that a pointer needs for itself.
    return "/" + name.replace("~", "~0").replace("/", "~1")


class Parameters(Generic[S]):
    """Reads query strings into one type of struct, whose fields are all optional."""

    def __init__(self, struct: type[S]) -> None:
        self.struct = struct
        self._fields = {each.encode_name: each for each in msgspec.structs.fields(struct)}
        self._empty = struct()

    def read(self, raw: bytes) -> S:
        """Return the struct.

        Raises:
            Malformed: the query string is no UTF-8, or endless.
            Invalid: a parameter is unknown, repeated or wrong; every fault is told.
        """
        if not raw:
            return self._empty
        values: dict[str, Any] = {}
        faults: list[Fault] = []
        for name, text in _pairs(raw):
            field = self._fields.get(name)
            if field is None:
                faults.append(Fault(detail="There is no such parameter.", parameter=name))
            elif name in values:
                faults.append(Fault(detail="This parameter is given more than once.", parameter=name))
            else:
                values[name] = text
                try:
                    values[name] = _parameter(text, _without_unset(field.type))
                except (msgspec.ValidationError, ValueError) as error:
                    faults.append(Fault(detail=f"{_plain(str(error))}.", parameter=name))
        if faults:
            raise Invalid(_WRONG, *faults)
        return self.struct(**values)


def _pairs(raw: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(
            raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MOST_PARAMETERS
        )
    except UnicodeDecodeError:
        raise Malformed("The query string is not UTF-8, percent-encoded.") from None
    except ValueError:
        raise Malformed(f"The query string has more than {_MOST_PARAMETERS} parameters.") from None


def _parameter(text: str, kind: Any) -> Any:
    value: Any = text
    described = inspect.type_info(kind)
    if isinstance(described, inspect.Metadata):
        described = described.type
    if isinstance(described, inspect.IntType):
        if not _WHOLE.fullmatch(text):
            raise ValueError(f"Expected a whole number, got {text!r}")
        value = int(text)
    elif isinstance(described, inspect.BoolType):
        if text not in ("true", "false"):
            raise ValueError(f"Expected true or false, got {text!r}")
        value = text == "true"
    return msgspec.convert(value, kind, strict=True)
