"""Values of a type: odd ones, at its limits, and a plain one that no other row has."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import types
from sqlalchemy.dialects.postgresql import DOMAIN
from sqlalchemy.types import TypeEngine

# Two that differ by case only, a space at the end, letters outside of ASCII and outside of the basic plane.
# In Unicode there is more than one way to write é.
_TEXTS = (
    *("a", "A", "a ", "", "ÅNGSTRÖM", "ångström", "Straße", "e\u0301 字 🙂", "NULL", "007"),
    *("O'Neil 100% :x \\ \"", "line\nbreak"),
)
_INTEGERS = {types.SmallInteger: 15, types.BigInteger: 63}


def samples(kind: TypeEngine[Any], serial: int, dialect: str = "") -> tuple[list[Any], Any]:
    """The odd values of a type, and one plain value for this serial number; None for a type that is unknown here."""
    if isinstance(kind, DOMAIN):
        return samples(kind.data_type, serial, dialect)
    if isinstance(kind, types.ARRAY):
        odd, plain = samples(kind.item_type, serial, dialect)
        return [[], [*odd, None]], [] if plain is None else [plain]
    if dialect == "sqlite" and isinstance(kind, (types.Integer, types.NullType)):
        # An INTEGER has 64 bits there, which no floating-point number keeps; a column without a type takes anything.
        more = [2**53 + 1] if isinstance(kind, types.Integer) else [1, "1", 1.5, b"1", 2**63 - 1]
        odd, plain = _integer(kind, serial)
        return [*more, *odd], plain
    if isinstance(kind, types.Enum):
        return list(kind.enums), kind.enums[serial % len(kind.enums)]
    for known, values in _KINDS:
        if isinstance(kind, known):
            odd, plain = values(kind, serial)
            return list(odd), plain
    return [], None


def plain(kind: TypeEngine[Any]) -> Callable[[int], Any]:
    """What makes the plain value of a type for a serial number, without its odd ones where that is much work."""
    if isinstance(kind, types.String) and not isinstance(kind, types.Enum):
        longest = kind.length or 5000
        return lambda serial: f"plain-{serial}"[-longest:]
    if isinstance(kind, types.Integer):
        most = 2**15 if isinstance(kind, types.SmallInteger) else 2**31
        return lambda serial: serial % most
    if isinstance(kind, types.DateTime):
        first = datetime(2020, 1, 1, tzinfo=UTC if kind.timezone else None)
        return lambda serial: first + timedelta(seconds=serial)
    return lambda serial: samples(kind, serial)[1]


def _text(kind: Any, serial: int) -> tuple[list[Any], Any]:
    longest = kind.length or 5000
    texts = [each for each in _TEXTS if len(each) <= longest]
    return [("ß" * longest)[:longest], *texts], f"Plain-{serial}"[-longest:]


def _integer(kind: Any, serial: int) -> tuple[list[Any], Any]:
    bits = next((bits for known, bits in _INTEGERS.items() if isinstance(kind, known)), 31)
    return [0, 1, -1, 2**bits - 1, -(2**bits)], serial


def _numeric(kind: Any, serial: int) -> tuple[list[Any], Any]:
    scale = kind.scale if kind.scale is not None else 2
    whole = (kind.precision or 12) - scale
    most = Decimal("9" * whole or "0") + (Decimal(10) ** -scale) * (10**scale - 1)
    odd = [Decimal(0), Decimal(1).scaleb(-scale), most, -most]
    if kind.precision is None and kind.asdecimal:
        odd.append(Decimal("0.123456789012345678901234567890"))
    # Not a whole number, so that one that is rounded is another.
    number = Decimal(serial % 10 ** min(whole, 9) if whole else 0) + Decimal(1).scaleb(-scale)
    return ([each if kind.asdecimal else float(each) for each in odd], number if kind.asdecimal else float(number))


def _moment(kind: Any, serial: int) -> tuple[list[Any], Any]:
    zone = UTC if kind.timezone else None
    odd = [
        datetime(1, 1, 2, tzinfo=zone),
        datetime(1970, 1, 1, tzinfo=zone),
        datetime(2024, 2, 29, 23, 59, 59, 999999, tzinfo=zone),
        datetime(9999, 12, 30, 23, 59, 59, 999999, tzinfo=zone),
    ]
    return odd, datetime(2020, 1, 1, 0, 0, 0, 123456, tzinfo=zone) + timedelta(seconds=serial)


_KINDS: tuple[tuple[Any, Any], ...] = (
    (types.Boolean, lambda _kind, serial: ([True, False], serial % 2 == 0)),
    (types.REAL, lambda _kind, serial: ([0.0, -0.0, 1.5, 0.1, 3e38, -1e-30], serial + 0.5)),
    (types.Float, lambda _kind, serial: ([0.0, -0.0, 1.5, 0.1, 1e300, -1e-300], serial + 0.1)),
    (types.Numeric, _numeric),
    (types.Integer, _integer),
    (types.DateTime, _moment),
    (
        types.Date,
        lambda _k, serial: ([date(1, 1, 2), date(2024, 2, 29)], date(2020, 1, 1) + timedelta(days=serial % 36_500)),
    ),
    (types.Time, lambda _kind, serial: ([time(0), time(23, 59, 59, 999999)], time(serial % 24))),
    (types.Interval, lambda _kind, serial: ([timedelta(0), timedelta(days=-1)], timedelta(seconds=serial))),
    (types.Uuid, lambda _kind, serial: ([UUID(int=0), UUID(int=2**128 - 1)], UUID(int=serial))),
    (types.JSON, lambda _kind, serial: ([{}, [], "", 0, {"a": [None, "ß"]}], {"serial": serial})),
    (types.LargeBinary, lambda _kind, serial: ([b"", b"\x00\xff"], str(serial).encode())),
    (types.String, _text),
)
