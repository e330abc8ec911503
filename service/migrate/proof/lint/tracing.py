"""Findings by trace: the chosen revisions executed on PostgreSQL, where the rules have not found the same."""

from collections.abc import Callable, Iterator, Sequence

from service.migrate.plan.config import Source
from service.migrate.proof.finding import Finding
from service.migrate.proof.lint.examining import Examined
from service.migrate.proof.lint.rule import RULES
from service.migrate.proof.scratch import postgresql_server
from service.migrate.proof.trace.revisions import RevisionTracer
from service.migrate.proof.trace.trace import findings
from service.migrate.proof.verify.rows import Rows

# How many revisions are done, of how many, and the last of them.
Watch = Callable[[int, int, str], None]


def traced(
    revisions: Sequence[str],
    known: Sequence[Finding],
    *,
    server: str | None,
    rows: int,
    config: Source | None,
    watch: Watch,
) -> Iterator[Examined]:
    """Execute the revisions, and yield what no rule found in the same line.

    Raises:
        Unusable: there is no PostgreSQL, or the server does not let this account create a database.
    """
    blocking = {(each.revision, each.line) for each in known if RULES[each.rule].blocks}
    with postgresql_server(server) as url:
        tracer = RevisionTracer(server=url, rows=Rows(seed=0, count=rows), config=config)
        for done, each in enumerate(tracer.run(revisions), start=1):
            watch(done, len(revisions), each.revision)
            for finding in findings(each):
                if (finding.revision, finding.line) not in blocking:
                    yield Examined(finding=finding, lines=(finding.line,))
