"""A standby of a test's own server, whose replay can be paused."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import make_url

from tests.postgres import Server, free_port, unprivileged


@contextmanager
def replicating(primary: Server) -> Iterator[Server]:
    """A hot standby of the server, gone afterwards with all that it held."""
    folder = primary.folder / "standby"
    url = make_url(primary.url)
    command: list[str | Path] = [
        *(primary.programs / "pg_basebackup", "--pgdata", folder / "data", "--host=127.0.0.1"),
        *(
            f"--port={url.port}",
            f"--username={url.username}",
            "--checkpoint=fast",
            "--no-sync",
            "--write-recovery-conf",
        ),
    ]
    environment = {"PGPASSWORD": primary.password, "HOME": str(primary.folder)}
    made = subprocess.run(
        command, check=False, cwd=primary.folder, capture_output=True, text=True, env=environment, **unprivileged()
    )
    if made.returncode:
        raise RuntimeError(f"pg_basebackup failed:\n{made.stdout}{made.stderr}")
    settings = {**primary.settings, "wal_receiver_status_interval": "1"}
    standby = Server(
        folder=folder, programs=primary.programs, port=free_port(), password=primary.password, settings=settings
    )
    standby.start()
    try:
        yield standby
    finally:
        standby.stop()
