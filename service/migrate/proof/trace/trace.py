"""Findings about revisions from what the server did: locks that last as long as rows, and drops too early."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from service.migrate.plan.config import Source
from service.migrate.proof.finding import Finding, Level
from service.migrate.proof.scratch import postgresql_server
from service.migrate.proof.trace.modes import Blocks, strongest
from service.migrate.proof.trace.observed import Observed
from service.migrate.proof.trace.revisions import RevisionTracer, Traced
from service.migrate.proof.verify.rows import Rows

# By what waits.
RULES = {Blocks.READS: "trace-blocks-reads", Blocks.WRITES: "trace-blocks-writes"}
DROPS = "trace-drops"
REFUSED = "trace-refused"
_SHOWN = 120
_VALUE = re.compile(r"'[^']*'|\d+")
_IN_USE = ("table ", "column ", "view ")
# Batches are bounded, and each commits: the rows of one are locked for milliseconds.
_BATCHED = ("backfill",)


def trace(
    revisions: Sequence[str], server: str | None = None, rows: int = 50, config: Source | None = None
) -> Iterator[Finding]:
    """Execute the revisions on PostgreSQL, up and down, and yield what would hurt requests.

    `server` is the URL of an account that may create databases; an ephemeral server by default. `rows` is the number of
    rows in each table.

    Raises:
        Unusable: there is no PostgreSQL, or the server does not let this account create a database.
    """
    with postgresql_server(server) as url:
        tracer = RevisionTracer(server=url, rows=Rows(seed=0, count=rows), config=config)
        for traced in tracer.run(revisions):
            yield from findings(traced)


def findings(traced: Traced) -> Iterator[Finding]:
    """The findings about one revision, each once: statements of a loop differ in their values alone."""
    found: dict[tuple[object, ...], Finding] = {}
    for each in (finding for observed in traced.observed for finding in _of(observed)):
        found.setdefault((each.rule, each.phase, each.line, _VALUE.sub("?", each.what)), each)
    yield from found.values()
    if traced.refused:
        yield Finding(
            rule=REFUSED,
            level=Level.ERROR,
            revision=traced.revision,
            file=traced.file,
            database="postgresql",
            what=f"the revision cannot be executed with rows in the tables: {traced.refused}",
            effect="the statements after the failure were not traced",
            advice="Correct the revision, or give it a function seed_before(connection) with rows that it accepts.",
        )


def _of(each: Observed) -> Iterator[Finding]:
    place: dict[str, Any] = {
        "revision": each.revision,
        "file": each.file,
        "line": each.line or 0,
        "database": "postgresql",
        "phase": "downgrade" if each.direction == "down" else each.phase,
    }
    is_batch = each.phase in _BATCHED and not any(lock.blocks.keeps_requests_waiting for lock in each.locks)
    if each.lasts and not is_batch:
        yield Finding(
            rule=RULES[each.blocks],
            level=Level.ERROR if each.blocks is Blocks.READS else Level.WARNING,
            what=f"{_shortened(each.statement)} {_work(each)} {_under(each)}",
            effect=f"{each.blocks.effect} for a time that grows with the rows",
            advice=_advice(each),
            **place,
        )
    in_use = [name for name in each.dropped if name.startswith(_IN_USE)]
    if in_use and each.phase == "upgrade" and each.direction == "up":
        yield Finding(
            rule=DROPS,
            level=Level.ERROR,
            what=f"{_shortened(each.statement)} drops {', '.join(in_use)}",
            effect="the version that still runs fails wherever it names what was dropped",
            advice="Drop it in contract(), which runs when the previous version of the code is gone.",
            **place,
        )


def _shortened(statement: str) -> str:
    text = " ".join(statement.split())
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def _work(each: Observed) -> str:
    parts = [("rewrites", each.rewritten), ("updates, deletes or locks rows of", each.changed)]
    # A rewrite and an update read the table that they write.
    parts.append(("scans", tuple(name for name in each.scanned if name not in (*each.rewritten, *each.changed))))
    return " and ".join(f"{verb} {', '.join(names)}" for verb, names in parts if names)


def _under(each: Observed) -> str:
    locks = [lock for lock in (*each.locks, *each.held) if lock.blocks.keeps_requests_waiting]
    if not locks:
        return "in one transaction, which locks these rows"
    mode = strongest(lock.mode for lock in locks)
    names = ", ".join(dict.fromkeys(lock.relation for lock in locks if lock.mode == mode))
    return f"while the transaction holds {mode} on {names}"


def _advice(each: Observed) -> str:
    if not any(lock.blocks.keeps_requests_waiting for lock in (*each.locks, *each.held)):
        return "Declare a backfill: it fills the rows in batches, each in a short transaction."
    if not any(lock.blocks.keeps_requests_waiting for lock in each.locks):
        return "Commit before this statement: an earlier one of the transaction took the lock."
    return (
        "Use the operation of ops for it, which reads the rows without a blocking lock: an index is built "
        "CONCURRENTLY, a constraint is added NOT VALID and validated afterwards, another type gets a column of its own."
    )
