"""The parameters of a PostgreSQL URL: those that asyncpg is given, and those that are ignored."""

import logging
import multiprocessing
import os
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlencode

from sqlalchemy import URL

from service.db import program
from service.errors import Misconfigured

_PLACES = frozenset({"dbname", "host", "password", "port", "user"})
# Parameters of a connection string that asyncpg reads, by libpq's names.
_DRIVER = frozenset({
    "gsslib",
    "krbsrvname",
    "options",
    "passfile",
    "search_path",
    "service",
    "ssl_max_protocol_version",
    "ssl_min_protocol_version",
    "sslcert",
    "sslcrl",
    "sslkey",
    "sslmode",
    "sslnegotiation",
    "sslpassword",
    "sslrootcert",
    "target_session_attrs",
})  # fmt: skip
_PASSED = _DRIVER | {"connect_timeout", "pgbouncer"}
_ALIASES = {
    "currentschema": "search_path",
    "database": "dbname",
    "hostaddr": "host",
    "requiressl": "sslmode",
    "schema": "search_path",
    "ssl": "sslmode",
    "username": "user",
}
_REASONS = {
    "application_name": "each session is named after the program and its purpose",
    "channel_binding": "asyncpg has no channel binding",
}
# The setting of the program that replaces the parameter.
_SETTINGS = {
    "connection_limit": "pool_size",
    "lock_timeout": "lock_wait_seconds",
    "max_overflow": "pool_size",
    "pool_size": "pool_size",
    "pool_timeout": "pool_wait_seconds",
    "statement_timeout": "statement_seconds",
}
_CACHES = frozenset({"prepared_statement_cache_size", "statement_cache_size"})
# Names that other drivers and hosting services use, and that a known one must not be suspected behind.
_FOREIGN = frozenset({
    "fallback_application_name",
    "sslaccept",
    "sslcertmode",
    "sslcompression",
    "sslcrldir",
    "sslfactory",
    "sslidentity",
    "sslsni",
})  # fmt: skip
_KNOWN = _PLACES | _PASSED | _ALIASES.keys() | _REASONS.keys() | _SETTINGS.keys() | _CACHES | _FOREIGN
_SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
# The words of JDBC, node-postgres and others.
_SSL_WORDS = {"0": "disable", "1": "require", "false": "disable", "no-verify": "require", "true": "require"}
_CHOICES = {
    "pgbouncer": ("true", "false"),
    "sslmode": _SSL_MODES,
    "sslnegotiation": ("postgres", "direct"),
    "target_session_attrs": ("any", "primary", "standby", "read-write", "read-only", "prefer-standby"),
}
_FILES = ("passfile", "sslcert", "sslcrl", "sslkey", "sslrootcert")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Parameters:
    """The parameters of a query: those of the address, those passed to asyncpg, and those ignored, with the reason."""

    places: dict[str, str] = field(default_factory=dict)
    passed: dict[str, str] = field(default_factory=dict)
    ignored: dict[str, str] = field(default_factory=dict)


def is_known(name: str) -> bool:
    return name.lower() in _KNOWN


def read(query: str) -> Parameters:
    """Sort the parameters of a query; the last of two with one name counts, as for libpq, and hosts add up.

    Raises:
        Misconfigured: a value is none of those that there are, or a name looks like a known one misspelt.
    """
    read = Parameters()
    for written in filter(None, query.split("&")):
        given, _, raw = written.partition("=")
        name, value = _plain(unquote(given), unquote(raw))
        if name == "host" and name in read.places:
            read.places[name] += f",{value}"
        elif name in _PLACES:
            read.places[name] = value
        elif name in _PASSED:
            if not (name == "sslmode" and given.lower() == "ssl" and name in read.passed):
                read.passed[name] = value
        elif name:
            read.ignored[unquote(given)] = _why_ignored(name)
    return read


def _why_ignored(name: str) -> str:
    """Why the parameter is ignored, or the setting that replaces the parameter; empty if neither is known."""
    setting = program.current().settings.get(_SETTINGS.get(name, ""))
    return f"set {setting}" if setting else _REASONS.get(name, "")


def _plain(given: str, value: str) -> tuple[str, str]:
    """The name and the value in libpq's spelling; no name if the parameter has no effect."""
    lower = given.lower()
    name = _ALIASES.get(lower, lower)
    if name not in _KNOWN and (near := get_close_matches(name, _KNOWN, 1, 0.8)):
        raise Misconfigured(f"The database URL has a parameter {given!r}, which is none; did you mean {near[0]}?")
    if name == "search_path" and lower != name and value == "public":
        return "", ""
    if name in _CACHES and value == "0":
        # The spelling for poolers, which cannot keep prepared statements.
        return "pgbouncer", "true"
    if name == "sslmode":
        value = _SSL_WORDS.get(value.lower(), value.lower())
    _require_fit(name, value)
    return name, value


def _require_fit(name: str, value: str) -> None:
    if name in _CHOICES and value not in _CHOICES[name]:
        raise Misconfigured(f"The database URL has {name}={value}. There are {', '.join(_CHOICES[name])}.")
    if name == "connect_timeout" and not (value.isdecimal() and int(value)):
        raise Misconfigured(f"The database URL has connect_timeout={value}. Write whole seconds, 1 or more.")


def warn_of(ignored: dict[str, str]) -> None:
    """Log the ignored parameters in one line, once for each process that a person started."""
    # A worker's parent has read the same URL.
    if ignored and multiprocessing.parent_process() is None:
        named = ", ".join(f"{name} ({why})" if why else name for name, why in sorted(ignored.items()))
        _warn_once(f"Ignored in the database URL: {named}.")


@cache
def _warn_once(sentence: str) -> None:
    log.warning(sentence)


def leads_through_pooler(url: URL) -> bool:
    """Whether the URL has pgbouncer=true, as hosting services write it for Prisma."""
    return url.query.get("pgbouncer") == "true"


def connect_arguments(url: URL) -> tuple[URL, dict[str, Any]]:
    """The URL for SQLAlchemy, with hosts and credentials only, and connect arguments for asyncpg.

    Raises:
        Misconfigured: a file that a parameter names cannot be read, or none says whose certificates are trusted.
    """
    said = {name: str(value) for name, value in url.query.items() if name in _DRIVER}
    arguments: dict[str, Any] = {}
    if timeout := url.query.get("connect_timeout"):
        arguments["timeout"] = float(str(timeout))
    if said.get("sslrootcert") == "system":
        # libpq's word for the certificates that the operating system trusts; each name is verified, as there.
        del said["sslrootcert"]
        said.pop("sslmode", None)
        arguments["ssl"] = True
    _require_files(said)
    if said:
        arguments["dsn"] = f"postgresql://?{urlencode(said, quote_via=quote)}"
    hosts = {name: value for name, value in url.query.items() if name in ("host", "port")}
    return url.set(query=hosts), arguments


def _require_files(said: dict[str, str]) -> None:
    for name in _FILES:
        if name in said and not os.access(said[name], os.R_OK):
            raise Misconfigured(f"The database URL names a file that cannot be read: {name}={said[name]}.")
    verified = said.get("sslmode", "").startswith("verify")
    if verified and not any((
        "sslrootcert" in said,
        os.environ.get("PGSSLROOTCERT"),
        (Path.home() / ".postgresql" / "root.crt").exists(),
    )):  # fmt: skip
        raise Misconfigured(
            f"sslmode={said['sslmode']} needs to know whose certificates to trust: add sslrootcert=FILE to the "
            "database URL, or sslrootcert=system."
        )
