"""Settings, read once from the environment and passed down."""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from ipaddress import IPv6Address, ip_interface, ip_network
from math import inf, isnan, nan
from typing import Any, Self

from service.errors import Misconfigured

PREFIX = "ROSTER_"

# PostgreSQL stores timeouts as milliseconds in 31 bits; Python's datetime ends with the year 9999.
_MOST_FEED_CLIENTS = 100_000
_A_DAY_IN_SECONDS = 86_400
_TEN_YEARS_IN_HOURS = 87_600

_REMOVED = {
    "ROSTER_TRUSTED_NETWORK": "remove it; `roster serve` binds any address once an administrator exists (run `roster "
    "token create --role admin --name NAME`) or ROSTER_BOOTSTRAP_TOKEN is set"
}
# RFC 6750, 2.1: what an Authorization header can carry.
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]{32,200}=*", re.ASCII)

_LABEL = "[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?"
# A name, an IPv4 address, or a domain with its subdomains; `*` is every host.
_HOST = re.compile(rf"\*|(\*?\.)?{_LABEL}(\.{_LABEL})*")

# As browsers send it in Origin; `*` and `null` would let any page in.
_ORIGIN = re.compile(rf"https?://({_LABEL}(\.{_LABEL})*|\[[0-9a-f:]+\])(:[0-9]{{1,5}})?")


def _setting(
    default: Any,
    about: str,
    *,
    least: float = -inf,
    most: float = inf,
    among: tuple[str, ...] = (),
    secret: bool = False,
    read: Callable[[str], Any] | None = None,
) -> Any:
    metadata = {"about": about, "least": least, "most": most, "among": among, "read": read}
    return field(default=default, repr=not secret, metadata=metadata)


def _token(text: str) -> str:
    if text and not _TOKEN.fullmatch(text):
        message = "it must be 32 to 200 letters, digits or any of . _ ~ + / -, as `openssl rand -hex 32` prints them"
        raise ValueError(message)
    return text


def _origins(text: str) -> tuple[str, ...]:
    origins = tuple(filter(None, (each.strip().lower() for each in text.split(","))))
    for origin in origins:
        if not _ORIGIN.fullmatch(origin):
            message = (
                f"{origin!r} is not an origin such as https://app.example.org: scheme, host and port, nothing after"
            )
            raise ValueError(message)
    return origins


def _networks(text: str) -> tuple[str, ...]:
    networks = []
    for name in filter(None, (each.strip() for each in text.split(","))):
        try:
            network = ip_network(name, strict=False)
        except ValueError:
            message = f"{name!r} is not an address or a network such as 10.0.0.1, 10.0.0.0/8 or 2001:db8::/32"
            raise ValueError(message) from None
        if network.network_address != ip_interface(name).ip:
            message = f"{name!r} is not a network: it has host bits set; {network} is"
            raise ValueError(message)
        networks.append(str(network))
    return tuple(networks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings; the variable of a field is `ROSTER_` and the field's name in capitals."""

    database_url: str = _setting(
        "sqlite:///roster.db", "The URL of the database; the default is DATABASE_URL, then roster.db.", secret=True
    )
    pooler: bool = _setting(default=False, about="The connection goes through PgBouncer or another pooler.")
    migrate_url: str = _setting("", "A direct URL for migrations, if database_url goes through a pooler.", secret=True)
    pool_size: int = _setting(
        10, "The size of the pool for reading, and of the pool for writing, per process.", least=1
    )
    pool_wait_seconds: float = _setting(
        5.0, "The longest wait for a free connection before 503.", least=0.01, most=_A_DAY_IN_SECONDS
    )
    unit_deadline_seconds: float = _setting(
        10.0, "How long a unit of work is retried before 503.", least=0, most=_A_DAY_IN_SECONDS
    )
    statement_seconds: float = _setting(
        10.0, "statement_timeout of a request on PostgreSQL.", least=0.01, most=_A_DAY_IN_SECONDS
    )
    lock_wait_seconds: float = _setting(
        2.0, "lock_timeout of a request on PostgreSQL.", least=0.001, most=_A_DAY_IN_SECONDS
    )
    busy_seconds: float = _setting(10.0, "The longest wait for SQLite's write lock.", least=0, most=_A_DAY_IN_SECONDS)
    head_limit_bytes: int = _setting(
        65_536, "The maximum size of request line and header fields together.", least=1_024, most=16_777_216
    )
    head_seconds: float = _setting(
        10.0,
        "How long the request line and header fields may take to arrive before 408.",
        least=0.1,
        most=_A_DAY_IN_SECONDS,
    )
    body_seconds: float = _setting(
        30.0, "How long each KiB of a request body may take to arrive before 408.", least=0.1, most=_A_DAY_IN_SECONDS
    )
    send_seconds: float = _setting(
        60.0,
        "How long a client may take to receive each KiB of a response before the connection is closed.",
        least=0.1,
        most=_A_DAY_IN_SECONDS,
    )
    keep_alive_seconds: float = _setting(
        75.0, "How long an idle connection is kept open.", least=0, most=_A_DAY_IN_SECONDS
    )
    connection_limit: int = _setting(
        1_000, "The maximum number of client connections per process, lowered to fit RLIMIT_NOFILE.", least=1
    )
    body_limit_bytes: int = _setting(1_000_000, "The maximum size of a request body, except for imports.", least=1)
    import_limit_bytes: int = _setting(2_000_000_000, "The maximum size of an import's body.", least=1)
    spool_directory: str = _setting("", "The folder for temporary files of imports; the default is the system's.")
    idempotency_hours: float = _setting(
        24.0, "How long the response of an Idempotency-Key is stored.", least=0, most=_TEN_YEARS_IN_HOURS
    )
    bootstrap_token: str = _setting(
        "",
        "A token with all permissions, valid while no active user has the role admin.",
        secret=True,
        read=_token,
    )
    allowed_hosts: tuple[str, ...] = _setting(
        (), "Values of Host that are accepted besides loopback: `api.example.org,.example.net`."
    )
    trusted_proxies: tuple[str, ...] = _setting(
        (),
        "Addresses and networks of proxies whose X-Forwarded-For or Forwarded is trusted: `10.0.0.0/8,::1`.",
        read=_networks,
    )
    cors_origins: tuple[str, ...] = _setting(
        (), "Origins of pages that may call the API from a browser: `https://app.example.org`.", read=_origins
    )
    session_hours: float = _setting(
        12.0, "How long a session lasts after its login.", least=0.01, most=_TEN_YEARS_IN_HOURS
    )
    # The minimum for argon2id, and the smallest memory, of OWASP's Password Storage Cheat Sheet.
    argon2_memory_kib: int = _setting(19_456, "Memory of one password hash, in KiB.", least=7_168, most=4_194_304)
    argon2_iterations: int = _setting(2, "Passes of argon2id over the memory.", least=1, most=1_000)
    password_threads: int = _setting(2, "How many passwords a process hashes at the same time.", least=1, most=256)
    password_queue: int = _setting(
        32, "How many passwords may wait for a thread; the next is answered with 503.", least=0, most=10_000
    )
    feed_clients: int = _setting(
        100, "How many requests may wait for events at once, in each process.", least=0, most=_MOST_FEED_CLIENTS
    )
    drain_seconds: int = _setting(
        30, "How long a stopping server waits for running requests.", least=0, most=_A_DAY_IN_SECONDS
    )
    log_level: str = _setting("info", "The lowest level that is logged.", among=("debug", "info", "warning", "error"))
    log_format: str = _setting("auto", "auto is text on a terminal and json elsewhere.", among=("auto", "json", "text"))

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Read the variables.

        Raises:
            Misconfigured: values are not valid, or `ROSTER_` names are not settings; the error lists all of them.
        """
        known = {PREFIX + each.name.upper(): each for each in fields(cls)}
        values: dict[str, Any] = {}
        wrong: list[str] = []
        if plain := environ.get("DATABASE_URL"):
            values["database_url"] = plain
        for variable, text in environ.items():
            if not variable.startswith(PREFIX) or variable.startswith(PREFIX + "TEST_"):
                continue
            if cure := _REMOVED.get(variable):
                wrong.append(f"{variable} is no longer a setting: {cure}")
                continue
            if (each := known.get(variable)) is None:
                wrong.append(f"{variable} is not a setting")
                continue
            try:
                values[each.name] = _read(text, type(each.default), **each.metadata)
            except ValueError as error:
                # The value of a secret is not shown.
                wrong.append(f"{variable} is {text!r}: {error}" if each.repr else f"{variable}: {error}")
        if wrong:
            raise Misconfigured("; ".join(wrong) + ".")
        return cls(**values)


def _read(text: str, kind: type, *, least: float, most: float, among: tuple[str, ...], read: Any, **_: Any) -> Any:
    value = (read or _READERS[kind])(text)
    if among and value not in among:
        message = f"it must be one of {', '.join(among)}"
        raise ValueError(message)
    if kind not in (int, float):
        return value
    if value < least:
        message = f"it must be at least {least:.10g}"
        raise ValueError(message)
    if value > most:
        message = f"it must be at most {most:.10g}"
        raise ValueError(message)
    return value


def _boolean(text: str) -> bool:
    if text.lower() in {"1", "true", "yes", "on"}:
        return True
    if text.lower() in {"0", "false", "no", "off", ""}:
        return False
    message = "it must be true or false"
    raise ValueError(message)


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        message = "it must be a whole number"
        raise ValueError(message) from None


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = nan
    if isnan(number):
        message = "it must be a number"
        raise ValueError(message)
    return number


def _is_ipv6(name: str) -> bool:
    try:
        IPv6Address(name)
    except ValueError:
        return False
    return True


def _hosts(text: str) -> tuple[str, ...]:
    names = tuple(each.strip().lower().strip("[]").removesuffix(".") for each in text.split(","))
    for name in filter(None, names):
        if not (_HOST.fullmatch(name) or _is_ipv6(name)):
            message = (
                f"{name!r} is not a host; names such as api.example.org, domains such as .example.org and addresses "
                "are expected, without scheme, port or path"
            )
            raise ValueError(message)
    return tuple(str(IPv6Address(each)) if ":" in each else each for each in names if each)


_READERS: dict[type, Callable[[str], Any]] = {
    str: str,
    bool: _boolean,
    int: _integer,
    float: _number,
    tuple: _hosts,
}
