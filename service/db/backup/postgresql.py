"""A PostgreSQL database dumped in pg_dump's custom format, and restored in one transaction."""

import os
import re
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from sqlalchemy import URL

from service.db.backup.files import Copied, Watch, part, publish
from service.db.backup.programs import Programs, for_server
from service.errors import RosterError

_LOCK_WAIT_SECONDS = 30
_POLL_SECONDS = 0.1
_CHUNK_BYTES = 1_000_000
# libpq reads these; a password in the arguments would be seen by every account of the machine.
_VARIABLES = {
    "gsslib": "PGGSSLIB",
    "host": "PGHOST",
    "krbsrvname": "PGKRBSRVNAME",
    "options": "PGOPTIONS",
    "passfile": "PGPASSFILE",
    "port": "PGPORT",
    "service": "PGSERVICE",
    "ssl_max_protocol_version": "PGSSLMAXPROTOCOLVERSION",
    "ssl_min_protocol_version": "PGSSLMINPROTOCOLVERSION",
    "sslcert": "PGSSLCERT",
    "sslcrl": "PGSSLCRL",
    "sslkey": "PGSSLKEY",
    "sslmode": "PGSSLMODE",
    "sslnegotiation": "PGSSLNEGOTIATION",
    "sslrootcert": "PGSSLROOTCERT",
    "target_session_attrs": "PGTARGETSESSIONATTRS",
}
_COPIED_REVISIONS = re.compile(
    r"^COPY \S*alembic_version \(version_num\) FROM stdin;\n(?P<rows>.*?)^\\\.$", re.MULTILINE | re.DOTALL
)
# pg_restore of 17 and later sets it, and servers before 17 do not know it.
_TRANSACTION_TIMEOUT = b"SET transaction_timeout = 0;\n"
_SEVENTEEN = 17
# All but what belongs to the system or to an extension, whoever made it.
_EMPTY_DATABASE = """
DO $$
DECLARE command text;
BEGIN
    -- All commands are written before the first runs: a CASCADE removes the names of later ones.
    -- objsubid: the columns of a partition key depend on their table in the same way.
    FOREACH command IN ARRAY ARRAY(
        WITH member AS (SELECT classid, objid FROM pg_depend WHERE deptype = 'e'),
        space AS (
            SELECT oid, nspname FROM pg_namespace
            WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
              AND ('pg_namespace'::regclass, oid) NOT IN (SELECT * FROM member)
        )
        SELECT format('DROP SCHEMA %I CASCADE', nspname) FROM space WHERE nspname <> 'public'
        UNION ALL
        SELECT format('DROP %s IF EXISTS public.%I CASCADE',
                      CASE relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE'
                                   WHEN 'f' THEN 'FOREIGN TABLE' WHEN 'c' THEN 'TYPE' ELSE 'TABLE' END, relname)
        FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'S', 'f', 'c')
          AND NOT relispartition AND ('pg_class'::regclass, oid) NOT IN (SELECT * FROM member)
          AND NOT EXISTS (SELECT FROM pg_depend AS owned WHERE owned.classid = 'pg_class'::regclass
                          AND owned.objid = pg_class.oid AND owned.objsubid = 0 AND owned.deptype = 'i')
        UNION ALL
        SELECT format('DROP ROUTINE IF EXISTS %s CASCADE', oid::regprocedure)
        FROM pg_proc WHERE pronamespace = 'public'::regnamespace
          AND ('pg_proc'::regclass, oid) NOT IN (SELECT * FROM member)
        UNION ALL
        SELECT format('DROP TYPE IF EXISTS public.%I CASCADE', typname)
        FROM pg_type WHERE typnamespace = 'public'::regnamespace AND typtype IN ('e', 'd', 'r')
          AND ('pg_type'::regclass, oid) NOT IN (SELECT * FROM member)
    ) LOOP
        EXECUTE command;
    END LOOP;
END $$
"""

# Told the revisions of a backup; raises if it is not to be restored.
Check = Callable[[tuple[str, ...]], None]


def back_up(url: URL, server: int, file: Path, check: Check, watch: Watch) -> Copied:
    """Dump the database as it is at one moment; others read and write it meanwhile. `server` is its major version.

    Raises:
        RosterError: the programs are missing or too old, or one of them failed.
    """
    programs, *_ = for_server(server)
    dump = [programs.path("pg_dump"), "--format=custom", "--no-password", f"--lock-wait-timeout={_LOCK_WAIT_SECONDS}s"]
    with part(file, ".part") as (copy, descriptor):
        with _said() as said:
            # With the descriptor the lock of the file lasts as long as pg_dump writes, also if this process is killed.
            process = subprocess.Popen(
                [*dump, f"--file={copy}"], env=_environment(url), pass_fds=[descriptor], stderr=said
            )
            try:
                while process.poll() is None:
                    watch(copy.stat().st_size, None)
                    time.sleep(_POLL_SECONDS)
            finally:
                process.kill()
                process.wait()
            _require_success("pg_dump", process.returncode, said)
        revisions = _revisions(programs, copy)
        check(revisions)
        copied = Copied(revisions=revisions, bytes=copy.stat().st_size)
        publish(copy, file)
    return copied


def restore(file: Path, url: URL, server: int, check: Check, watch: Watch, *, force: bool, owner: bool) -> Copied:
    """Restore the dump in one transaction: all of it is there afterwards, or nothing has changed.

    With `force` all that is in the database goes in that transaction. Without `owner` everything belongs to the account
    of the URL, and the dump's grants are left out.

    Raises:
        RosterError: the programs are missing or too old, the dump is damaged, or a statement failed.
    """
    programs = _that_reads(file, for_server(server))
    revisions = _revisions(programs, file)
    check(revisions)
    script = [programs.path("pg_restore"), "--single-transaction", "--file=-"]
    script += [] if owner else ["--no-owner", "--no-privileges"]
    first = [
        "SET client_min_messages = error",
        f"SET lock_timeout = '{_LOCK_WAIT_SECONDS}s'",
        "BEGIN",
        *([_EMPTY_DATABASE] if force else []),
    ]
    # psql takes what it runs in order, in one session; the script itself ends with COMMIT, and only if it is whole.
    run = [programs.path("psql"), "--no-psqlrc", "--quiet", "--no-password", "--set=ON_ERROR_STOP=1"]
    run += [*(f"--command={each}" for each in first), "--file=-"]
    environment = _environment(url)
    with _said() as read, _said() as ran:
        with (
            subprocess.Popen([*script, str(file)], stdout=subprocess.PIPE, stderr=read) as reader,
            subprocess.Popen(
                run, env=environment, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=ran
            ) as runner,
        ):
            try:
                _pump(reader, runner, watch, is_old=server < _SEVENTEEN)
            finally:
                # Without its end the script has no COMMIT: the session breaks off and everything is rolled back.
                reader.kill()
                _close(runner)
        # Of the two psql failed first, if it did: the reader then only met a closed pipe.
        _require_success("psql", runner.returncode, ran)
        _require_success("pg_restore", reader.returncode, read)
    return Copied(revisions=revisions, bytes=file.stat().st_size)


def _pump(reader: subprocess.Popen[bytes], runner: subprocess.Popen[bytes], watch: Watch, *, is_old: bool) -> None:
    """Hand the script on until its end, through this process: if it is killed, psql gets no COMMIT."""
    if reader.stdout is None or runner.stdin is None:
        return
    done = 0
    try:
        while chunk := reader.stdout.read(_CHUNK_BYTES):
            plain = chunk.replace(_TRANSACTION_TIMEOUT, b"", 1) if is_old and not done else chunk
            runner.stdin.write(plain)
            done += len(chunk)
            watch(done, None)
        reader.wait()
    except BrokenPipeError:
        pass


def _close(runner: subprocess.Popen[bytes]) -> None:
    try:
        if runner.stdin is not None:
            runner.stdin.close()
    except BrokenPipeError:
        pass
    runner.wait()


def _that_reads(file: Path, found: list[Programs]) -> Programs:
    """Return the first of the programs that can read the dump, which newer ones may have written."""
    said = ""
    for programs in found:
        listed = subprocess.run([programs.path("pg_restore"), "--list", str(file)], capture_output=True, check=False)
        if listed.returncode == 0:
            return programs
        said = _last(listed.stderr.decode(errors="replace"))
    raise RosterError(f"{file} cannot be read by pg_restore {found[-1].version}: {said}.")


def _revisions(programs: Programs, file: Path) -> tuple[str, ...]:
    """The rows of alembic_version in a dump."""
    command = [programs.path("pg_restore"), "--data-only", "--table=alembic_version", "--file=-", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RosterError(f"{file} cannot be read: {_last(done.stderr)}.")
    found = _COPIED_REVISIONS.search(done.stdout)
    return tuple(sorted(found["rows"].split())) if found else ()


def _environment(url: URL) -> dict[str, str]:
    """The environment in which libpq connects to the database of the URL, with its password."""
    environment = {name: value for name, value in os.environ.items() if name != "PGOPTIONS"}
    plain = {"PGHOST": url.host, "PGPORT": url.port, "PGUSER": url.username, "PGPASSWORD": url.password}
    environment |= {name: str(value) for name, value in plain.items() if value}
    environment |= {"PGDATABASE": url.database or url.username or "", "PGAPPNAME": "roster backup"}
    for name, value in url.query.items():
        if variable := _VARIABLES.get(name):
            environment[variable] = str(value)
    # Messages are looked through for the word ERROR.
    return environment | {"LC_MESSAGES": "C", "PGCONNECT_TIMEOUT": "10"}


@contextmanager
def _said() -> Iterator[IO[bytes]]:
    """A file for what a program says: a pipe that nobody reads would stop it."""
    with tempfile.TemporaryFile() as file:
        yield file


def _require_success(program: str, status: int, said: IO[bytes]) -> None:
    if status:
        said.seek(0)
        text = said.read().decode(errors="replace")
        raise RosterError(f"{program} failed: {_last(text) or f'it ended with status {status}'}.{_advice(text)}")


def _last(text: str) -> str:
    """The sentence that says why, of all that a program said."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if "error:" in line.lower() or "fatal:" in line.lower()]
    chosen = (errors or lines or [""])[0]
    return re.sub(r"^(?:\S*psql\S*|pg_\w+): (?:error: )?|(?:ERROR|FATAL|error): +", "", chosen).rstrip(".")


def _advice(text: str) -> str:
    if "lock timeout" in text:
        return " Other sessions use the tables: stop them, or try again."
    if re.search(r'role "[^"]*" does not exist', text):
        return " Make the role first, or restore with --no-owner."
    return " Nothing was changed." if "already exists" in text else ""
