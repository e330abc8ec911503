"""What the rehearsal and its child processes send each other."""

from typing import Any

import msgspec


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The load: closed connections, requests per second of the open loop, and what the traffic file says."""

    versions: tuple[str, ...]
    connections: int
    rate: float
    writes: float
    timeout_seconds: float
    seed: int
    headers: dict[str, str]
    openapi: str
    skip: tuple[str, ...]
    weights: dict[str, float]
    values: dict[str, Any]


class Learn(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Read the OpenAPI document of a version that serves now; the answer is `Learned`."""

    version: str
    port: int


class Learned(msgspec.Struct, frozen=True, kw_only=True):
    """How many operations are used, and why others are not; `problem` if nothing can be sent at all."""

    reads: int = 0
    writes: int = 0
    unused: dict[str, str] = {}
    problem: str = ""


class Begin(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Send requests to these versions, by their ports; the answer is `Begun`."""

    ports: dict[str, int]


class Begun(msgspec.Struct, frozen=True, kw_only=True):
    pass


class End(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Let requests end and read back: what was written since `Begin`, or everything. The answer is `Seen`."""

    everything: bool = False


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What a load met: failures by version and cause, statuses of 4xx by operation, and losses."""

    requests: int = 0
    writes: int = 0
    retries: int = 0
    failures: dict[str, int] = {}
    refusals: dict[str, int] = {}
    p50_ms: float = 0.0
    write_longest_ms: float = 0.0
    p99_ms: float = 0.0
    longest_ms: float = 0.0
    open_p99_ms: float = 0.0
    open_longest_ms: float = 0.0
    read_back: int = 0
    lost_rows: int = 0
    lost_updates: int = 0
    lost_values: int = 0
    losses: tuple[str, ...] = ()


class Watch(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Sample the locks of sessions with these names on these tables; the answer is `Begun`."""

    migrators: tuple[str, ...]
    tables: tuple[str, ...]
    pause_seconds: float = 0.002


class Locks(msgspec.Struct, frozen=True, kw_only=True):
    """The longest wait of another session for the migrator, and the longest time that it held a blocking lock.

    `gap_ms` is the longest time between two samples: in a control, how long this machine stalls a process.
    """

    waited_ms: float = 0.0
    held_ms: float = 0.0
    gap_ms: float = 0.0
    waiting: str = ""
    holding: str = ""
    samples: int = 0
    seconds: float = 0.0


class Stop(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Stop sampling; the answer is `Locks`."""


class Run(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Run a command of the migrator; the answer is `Done`, with a kill at the first transaction not in `seen`.

    `url` is the database, which `Migrators` adds.
    """

    command: str
    url: str = ""
    revision: str = ""
    seen: tuple[str, ...] | None = None


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """The command has ended, with this error if any; or the migrator kills itself in the transaction `killed_at`."""

    error: str = ""
    seconds: float = 0.0
    killed_at: str = ""
