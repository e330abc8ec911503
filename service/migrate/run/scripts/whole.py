"""A script as a whole: its first statement, its steps, and its end, which stores the catalog and releases the lease."""

from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256

from service.migrate import naming
from service.migrate.run.scripts.checks import State, first_statement
from service.migrate.run.scripts.text import block


def script(what: str, state: State, parts: Sequence[str], is_complete: str) -> str:
    """The text; `is_complete` is the SQL condition under which all of it is done."""
    body = "\n\n".join(parts)
    named = replace(state, id=sha256(f"{what}\n{body}".encode()).hexdigest()[:12])
    head = (
        f"-- {naming.current().application}: {what}, for psql. It may be run again, after an interruption too; its\n"
        "-- first statement raises where the database is in another state, and later statements then do nothing."
    )
    end = "-- Store the catalog, and release the lease\n" + block(f"PERFORM pg_temp.migrator_end({is_complete});")
    return "\n\n".join((head, first_statement(named), body, end)) + "\n"
