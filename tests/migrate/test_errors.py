"""An error of a migration is one sentence."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from service.migrate.errors import Refused, refusing


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    file = tmp_path / "roster.db"
    file.touch()
    engine = sa.create_engine(f"sqlite:///file:{file}?mode=ro&uri=true")
    with (
        pytest.raises(
            Refused,
            match=r"^The file .*roster.db cannot be used: attempt to write a readonly database\. "
            r"Let this account write [^.]+\.$",
        ),
        refusing(sa.make_url(f"sqlite:///{file}")),
        engine.begin() as connection,
    ):
        connection.exec_driver_sql("CREATE TABLE t (a)")
    engine.dispose()


def test_the_network_s_own_failures_are_told() -> None:
    url = sa.make_url("postgresql://u:secret@/name")
    with (
        pytest.raises(
            Refused,
            match=r"^The database name at the local socket cannot be used: TimeoutError\. "
            r"Start PostgreSQL, or correct the host and the port in ROSTER_DATABASE_URL\.$",
        ),
        refusing(url),
    ):
        raise TimeoutError
