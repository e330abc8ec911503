"""Every verb, direction and revision with `--sql`: the script of that verb, or a refusal of one line."""

import re
from collections.abc import Iterator

import pytest
from alembic import command

from service.migrate.errors import Refused
from service.migrate.plan.config import configuration
from tests.cli.db.test_migrating import roster

POSTGRESQL, SQLITE = "postgresql://h/x", "sqlite:///none.db"
NEWEST = "0025_index_events_of_actors"
DOWN = "A downgrade has no script: its steps depend on what was contracted, purged and written in the database."
UNDO = "--undo is not written as a script: its steps depend on what the database's contracts have done."
ONE = "--sql prints the steps of one revision: name it"
NOTHING = "There is no revision to write: FROM:TO begins with the older revision."
UNKNOWN = "There is no revision {}. `roster db history` lists"
NO_SQLITE = "A script cannot alter a table on SQLite"
# The first line of the script, the whole of it where there is nothing to do, or the refusal.
EXPECTED = {
    "upgrade": f"upgrade base to {NEWEST}",
    "upgrade head": f"upgrade base to {NEWEST}",
    "upgrade heads": f"upgrade base to {NEWEST}",
    "upgrade 0002": "upgrade base to 0002_add_age_to_users",
    "upgrade +1": "upgrade base to 0001_create_users",
    "upgrade 0001:0002": "upgrade 0001_create_users to 0002_add_age_to_users",
    "upgrade 0022:head": f"upgrade 0022_create_logins to {NEWEST}",
    "upgrade 0001:+2": "upgrade 0001_create_users to 0003_add_address_to_users",
    "upgrade base:0001": "upgrade base to 0001_create_users",
    "upgrade base": NOTHING,
    "upgrade 0002:0001": NOTHING,
    "upgrade 0002:0002": NOTHING,
    "upgrade nonsense": "Can't locate revision identified by 'nonsense'",
    "downgrade 0001": DOWN,
    "downgrade 0002:0001": DOWN,
    "downgrade -1": DOWN,
    "downgrade base": DOWN,
    "downgrade head:base": DOWN,
    "backfill": ONE,
    "backfill head": ONE,
    "backfill base": UNKNOWN.format("base"),
    "backfill 0006": "backfill 0006_link_departments",
    "backfill 0008": "BACKFILL users.keys runs a Python function, which a script cannot do. Run `roster db backfill`.",
    "backfill 0003": "-- 0003_add_address_to_users has nothing to backfill",
    "backfill 0001:0002": "Can't locate revision identified by '0001:0002'",
    "backfill 0006 --pause": "--sql prints the backfill of a revision; leave out --pause",
    "backfill 0006 --resume": "--sql prints the backfill of a revision; leave out --resume",
    "contract": ONE,
    "contract head": ONE,
    "contract base": UNKNOWN.format("base"),
    "contract 0015": "contract 0015_drop_department_id",
    "contract 0003": "-- 0003_add_address_to_users has nothing to contract",
    "contract 0014:0015": "Can't locate revision identified by '0014:0015'",
    "contract --undo": UNDO,
    "contract 0015 --undo": UNDO,
    "contract --undo --to 0015": UNDO,
    "purge": ONE,
    "purge --yes": ONE,
    "purge head": ONE,
    "purge 0015": "purge 0015_drop_department_id",
    "purge 0015 --yes": "purge 0015_drop_department_id",
    "purge 0003": "-- 0003_add_address_to_users has nothing to purge",
}
# Arguments that have no meaning without --sql.
WITHOUT_SQL = {
    "upgrade 0001:0002": "Range revision not allowed",
    "backfill 0006": "backfill fills all applied revisions: leave out 0006, which is for --sql",
    "purge 0015": "purge empties the whole trash: leave out 0015, which is for --sql",
    "purge 0015 --yes": "purge empties the whole trash: leave out 0015, which is for --sql",
}


def outcomes(url: str, *commands: str) -> Iterator[tuple[str, str]]:
    """The first line that each command prints, without the prefix of a script or of a refusal."""
    for arguments in commands:
        result = roster(*arguments.split(), "--sql", url=url)
        assert "Traceback" not in result.output
        refusal = result.stderr.splitlines()
        assert (arguments, len(refusal), result.exit_code > 0) == (arguments, len(refusal[:1]), bool(refusal))
        assert not (refusal and result.stdout), arguments
        (line, *_) = refusal or result.stdout.splitlines()
        yield arguments, re.sub(r"^-- roster: |, for psql\..*|^Error: ", "", line)


@pytest.mark.slow
def test_a_script_is_of_the_verb_that_was_asked_for() -> None:
    for arguments, line in outcomes(POSTGRESQL, *EXPECTED):
        assert (arguments, line[: len(EXPECTED[arguments])]) == (arguments, EXPECTED[arguments])


def test_sqlite_has_no_script() -> None:
    for arguments, line in outcomes(SQLITE, "upgrade", "backfill 0006", "contract 0003", "purge 0015"):
        assert (arguments, line[: len(NO_SQLITE)]) == (arguments, NO_SQLITE)
    for arguments, line in outcomes(SQLITE, "downgrade -1", "contract --undo", "contract"):
        assert (arguments, line[: len(EXPECTED[arguments])]) == (arguments, EXPECTED[arguments])


def test_an_argument_of_scripts_is_refused_without_sql() -> None:
    for arguments, message in WITHOUT_SQL.items():
        result = roster(*arguments.split(), url=POSTGRESQL)
        assert (arguments, result.exit_code > 0, message in result.stderr) == (arguments, True, True), result.stderr


@pytest.mark.parametrize("url", [POSTGRESQL, SQLITE])
@pytest.mark.parametrize("revision", ["head", "0001", "0001:0002", "base"])
def test_alembic_writes_no_script_of_a_stamp_or_a_downgrade(url: str, revision: str) -> None:
    for verb, message in (("stamp", "This command has no script"), ("downgrade", "downgrade has no script")):
        if verb == "downgrade" and ":" not in revision:
            continue
        with pytest.raises(Refused, match=message):
            getattr(command, verb)(configuration(url=url), revision, sql=True)
