"""Database URLs: read as people and hosting services write them, and shown without their passwords."""

import re
from itertools import zip_longest
from pathlib import Path
from urllib.parse import unquote

from sqlalchemy import URL

from service.db import url_hints, url_parameters
from service.db.counting import counted
from service.errors import Misconfigured

_DRIVERS = {"postgres": "postgresql+asyncpg", "postgresql": "postgresql+asyncpg", "sqlite": "sqlite+aiosqlite"}
_URL = re.compile(r"(?P<backend>[a-z][a-z0-9.-]*)(?P<driver>\+\w+)?://(?P<rest>.*)", re.IGNORECASE | re.DOTALL)
_HOST = re.compile(r"(?:\[(?P<ipv6>[0-9A-Fa-f:.]+(?:%\w+)?)\]|(?P<name>[\w.%-]*))(?::(?P<port>[^:]*))?")
_SECRETS = re.compile(r"(?P<name>[?&](?:ssl)?password=)[^&]*", re.IGNORECASE)
_PASSWORD = re.compile(r"(?P<before>://[^:@/?#]*):[^@/?#]*@")
_LARGEST_PORT = 65_535
_DEFAULT_PORT = "5432"


def parse_url(text: str) -> URL:
    """Return the URL with its async driver; a parameter that has no use here is ignored with one line in the log.

    A single host stands in `host` and `port`; several, and a folder of sockets, in the query as libpq writes them. The
    query otherwise holds what `url_parameters.connect_arguments` reads.

    Raises:
        Misconfigured: the text is no URL, names another database, or holds something that cannot be met. The sentence
            says what to write, and never holds the password.
    """
    text = text.strip()
    found = _URL.fullmatch(text)
    if found is None:
        raise url_hints.unreadable(text)
    backend, rest = found["backend"].lower(), found["rest"]
    if backend not in _DRIVERS:
        raise url_hints.other_database(backend, rest)
    return _sqlite_url(text, rest) if backend == "sqlite" else _postgresql_url(rest)


def shown(written: str | URL) -> str:
    """The URL for people: as it was written, or as libpq would write it, with *** for each secret."""
    if isinstance(written, URL):
        written = _rendered(written)
    return _SECRETS.sub(r"\g<name>***", _PASSWORD.sub(r"\g<before>:***@", written.strip(), count=1))


def place(url: URL) -> str:
    """Where the database is, for a sentence: the whole path of a file, or the hosts."""
    if url.get_backend_name() == "sqlite":
        return f"The file {sqlite_file(url).absolute()}"
    hosts = [f"[{host}]" if ":" in host and not host.startswith("/") else host for host, _ in _hosts_of(url)]
    named = [f"{host}:{port}" if port else host for host, (_, port) in zip(hosts, _hosts_of(url), strict=True)]
    return f"The database {url.database or url.username or ''} at {', '.join(named) or 'the local socket'}"


def sqlite_file(url: URL) -> Path:
    """The file of a SQLite URL; a relative path is relative to the current directory."""
    return Path(url.database or "")


def _sqlite_url(text: str, rest: str) -> URL:
    path, _, query = rest.partition("?")
    file = unquote(path[1:])
    if ":memory:" in path or "mode=memory" in query or not path.strip("/"):
        message = (
            "A SQLite database in memory cannot be shared by connections. Write sqlite:///file.db for a file in the "
            "current directory."
        )
        raise Misconfigured(message)
    if not path.startswith("/"):
        raise url_hints.sqlite_path(text, path)
    if query or file.startswith("file:"):
        message = f"A SQLite URL holds the path of a file and nothing else. Write {url_hints.sqlite_url(file)}."
        raise Misconfigured(message)
    return URL.create(_DRIVERS["sqlite"], database=file)


def _postgresql_url(rest: str) -> URL:
    url_hints.refuse_unescaped(rest)
    body, _, parameters = rest.partition("?")
    login, _, server = body.rpartition("@")
    (user, _, password), (authority, _, database) = login.partition(":"), server.partition("/")
    read = url_parameters.read(parameters)
    given, query = read.places, dict(read.passed)
    hosts = _hosts(authority, given)
    host, port = None, ""
    if len(hosts) == 1 and not hosts[0][0].startswith("/"):
        host, port = hosts[0]
    elif hosts:
        query["host"] = ",".join(host for host, _ in hosts)
        if len(hosts) > 1 or hosts[0][1]:
            query["port"] = ",".join(port or _DEFAULT_PORT for _, port in hosts)
    url_parameters.warn_of(read.ignored)
    return URL.create(
        _DRIVERS["postgresql"],
        username=given.get("user") or unquote(user) or None,
        password=given.get("password") or unquote(password) or None,
        host=host or None,
        port=int(port) if port else None,
        database=given.get("dbname") or unquote(database) or None,
        query=query,
    )


def _hosts(authority: str, given: dict[str, str]) -> list[tuple[str, str]]:
    """Each host or folder of sockets with its port, where one is written; parameters come before the authority."""
    hosts = [_host(each) for each in (given.get("host") or authority).split(",")]
    if "port" in given:
        ports = given["port"].split(",")
        if len(ports) == 1:
            ports *= len(hosts)
        if len(ports) != len(hosts):
            raise Misconfigured(
                f"The database URL has {counted(len(hosts), 'host')} and {counted(len(ports), 'port')}."
            )
        hosts = [(host, port) for (host, _), port in zip(hosts, ports, strict=True)]
    if any(port and not (port.isdecimal() and 0 < int(port) <= _LARGEST_PORT) for _, port in hosts):
        # The text may be a password without a host, so the message does not repeat it.
        raise Misconfigured(
            "The port in the database URL is not a number from 1 to 65535. Write postgresql://user:password@host:5432/name."
        )
    return [] if hosts == [("", "")] else hosts


def _host(text: str) -> tuple[str, str]:
    if (folder := unquote(text)).startswith("/"):
        return _socket(folder)
    found = _HOST.fullmatch(text)
    if found is None:
        # The text may be the end of a password, so the message does not repeat it.
        raise Misconfigured(
            "The host in the database URL cannot be read. Write postgresql://user:password@host:5432/name, with %40 "
            "for an @ in the password."
        )
    return found["ipv6"] or unquote(found["name"]), found["port"] or ""


def _socket(folder: str) -> tuple[str, str]:
    """A folder of sockets, and the port if one follows; the names of Google's sockets have colons of their own."""
    before, _, port = folder.rpartition(":")
    return (before, port) if port.isdecimal() and ":" not in before else (folder, "")


def _rendered(url: URL) -> str:
    backend = url.get_backend_name()
    if backend == "sqlite":
        return f"sqlite:///{url.database}"
    rendered = url.set(drivername=backend).render_as_string(hide_password=True)
    return rendered.replace("%2F", "/").replace("%2C", ",")


def _hosts_of(url: URL) -> list[tuple[str, str]]:
    if url.host:
        return [(url.host, str(url.port or ""))]
    hosts, ports = (str(url.query.get(name, "")).split(",") for name in ("host", "port"))
    return [(host, port) for host, port in zip_longest(hosts, ports, fillvalue="") if host]
