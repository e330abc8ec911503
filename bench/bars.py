"""Bars: the figures that the service must reach, each with the measured value."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import msgspec

from bench.contest import Measured
from bench.rivals import FLOOR, SERVICE, Rival

_KEYED = ("get", "links")
_WRITES = ("post", "patch")
_FLAT = 1.1


class Bar(msgspec.Struct, frozen=True, kw_only=True):
    """A required figure, the measured value, and whether the bar is met."""

    what: str
    value: float
    bar: str
    met: bool


@dataclass(frozen=True, slots=True)
class _Aim:
    """The limits of `measure`: the service's `operation` compared with `rival` at `other`, else at `operation`."""

    backends: tuple[str, ...]
    operation: str
    measure: Callable[[Measured, Measured], float | None]
    rival: Rival
    words: str
    least: float = 0.0
    most: float = float("inf")
    other: str = ""


_POSTGRESQL = ("postgresql",)
_SQLITE = ("sqlite",)
_BOTH = (*_POSTGRESQL, *_SQLITE)
_RATE, _P99 = "rate to the floor's", "p99 to the floor's"
_AIMS = (
    *(_Aim(_POSTGRESQL, each, Measured.rate_to, FLOOR, _RATE, least=0.8) for each in _KEYED),
    _Aim(_POSTGRESQL, "page", Measured.rate_to, FLOOR, _RATE, least=0.8),
    *(_Aim(_POSTGRESQL, each, Measured.p99_to, FLOOR, _P99, most=1.5) for each in (*_KEYED, "page")),
    *(_Aim(_POSTGRESQL, each, Measured.rate_to, FLOOR, _RATE, least=0.6) for each in _WRITES),
    *(_Aim(_POSTGRESQL, each, Measured.p99_to, FLOOR, _P99, most=2.0) for each in _WRITES),
    _Aim(_POSTGRESQL, "post", Measured.processor_to, FLOOR, "processor time to the floor's", most=2.0),
    *(_Aim(_SQLITE, each, Measured.rate_to, FLOOR, _RATE, least=0.6) for each in _KEYED),
    *(_Aim(_SQLITE, each, Measured.rate_to, FLOOR, _RATE, least=1.0) for each in _WRITES),
    *(_Aim(_SQLITE, each, Measured.p99_to, FLOOR, _P99, most=1.0) for each in _WRITES),
    *(_Aim(_SQLITE, each, Measured.spread, SERVICE, "longest wait to the median", most=3.0) for each in _WRITES),
    _Aim(_BOTH, "deep-page", Measured.rate_to, SERVICE, "rate to the first page's", least=0.97, other="page"),
    _Aim(_BOTH, "get-token", Measured.rate_to, SERVICE, "rate to that without a token", least=0.85, other="get"),
    _Aim(_POSTGRESQL, "import", Measured.rate_to, FLOOR, "rate to a bare COPY's", least=0.5),
    _Aim(_SQLITE, "import", Measured.rate_to, FLOOR, "rate to a bare executemany's", least=0.5),
    _Aim(
        _BOTH,
        "import",
        Measured.memory_to,
        SERVICE,
        "peak memory to that of a tenth of the lines",
        most=_FLAT,
        other="import-tenth",
    ),
)


def bars(backend: str, measured: Sequence[Measured]) -> Iterator[Bar]:
    """Yield every bar whose operations were measured."""
    by_name = {(each.operation, each.rival): each for each in measured}
    for aim in _AIMS:
        mine = by_name.get((aim.operation, SERVICE.name))
        other = by_name.get((aim.other or aim.operation, aim.rival.name))
        if backend not in aim.backends or mine is None or other is None:
            continue
        value = aim.measure(mine, other)
        if value is not None:
            words = f"≥ {aim.least:g}" if aim.least else f"≤ {aim.most:g}"
            met = aim.least <= round(value, 2) <= aim.most
            yield Bar(what=f"{mine.title}: {aim.words}", value=value, bar=words, met=met)
