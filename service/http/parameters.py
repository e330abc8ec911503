"""From a query string to values: strict, and with every fault told at once."""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Generic, TypeVar
from urllib.parse import parse_qsl

import msgspec
from msgspec import inspect

from service.errors import Fault, Invalid, Malformed
from service.http.wire import WRONG, described, plain, without_unset

S = TypeVar("S", bound=msgspec.Struct)

_WHOLE = re.compile(r"0|-?[1-9][0-9]{0,18}")
_MOST_PARAMETERS = 40
# A few parameters, each with a value, of characters that mean themselves: most query strings are like this.
_NEEDS_NO_DECODING = re.compile(rb"[\w.~-]+=[\w.~:,-]*(?:&[\w.~-]+=[\w.~:,-]*){0,9}")
# Query strings that are not parsed twice: short ones, which have no cursor in them.
_LONGEST_REMEMBERED = 40
_MOST_REMEMBERED = 200


class Parameters(Generic[S]):
    """Reads query strings into one type of struct, whose fields are all optional."""

    def __init__(self, struct: type[S]) -> None:
        self.struct = struct
        self._readers = {each.encode_name: _reader(each.type) for each in msgspec.structs.fields(struct)}
        self._empty = struct()
        self._remembered = lru_cache(_MOST_REMEMBERED)(self._read)

    def read(self, raw: bytes) -> S:
        """Return the struct, which is frozen and may be shared.

        Raises:
            Malformed: the query string is no UTF-8, or endless.
            Invalid: a parameter is unknown, repeated or wrong; every fault is told.
        """
        if len(raw) > _LONGEST_REMEMBERED:
            return self._read(raw)
        # Callers ask for the same few things again and again; what a struct holds never changes.
        return self._remembered(raw)

    def _read(self, raw: bytes) -> S:
        if not raw:
            return self._empty
        values: dict[str, Any] = {}
        faults: list[Fault] = []
        for name, text in _pairs(raw):
            reader = self._readers.get(name)
            if reader is None:
                faults.append(Fault(detail="There is no such parameter.", parameter=name))
            elif name in values:
                faults.append(Fault(detail="This parameter is given more than once.", parameter=name))
            else:
                values[name] = text
                try:
                    values[name] = reader(text)
                except (msgspec.ValidationError, ValueError) as error:
                    faults.append(Fault(detail=f"{plain(str(error))}.", parameter=name))
        if faults:
            raise Invalid(WRONG, *faults)
        return self.struct(**values)


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


def _reader(kind: Any) -> Callable[[str], Any]:
    """Return what makes a value of a parameter's text; it raises ValueError."""
    kind = without_unset(kind)
    info = described(kind)
    prepare = _PREPARE.get(type(info), str)
    words = info.values if isinstance(info, inspect.LiteralType) else ()

    def read(text: str) -> Any:
        # msgspec hashes the whole type for each word.
        return text if text in words else msgspec.convert(prepare(text), kind, strict=True)

    return read


def _whole(text: str) -> int:
    if not _WHOLE.fullmatch(text):
        raise ValueError(f"Expected a whole number, got {text!r}")
    return int(text)


def _boolean(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError(f"Expected true or false, got {text!r}")
    return text == "true"


_PREPARE: dict[type[inspect.Type], Callable[[str], Any]] = {inspect.IntType: _whole, inspect.BoolType: _boolean}
