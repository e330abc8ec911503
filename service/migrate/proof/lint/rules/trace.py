"""What a trace measures on a server; the findings come from `proof.trace`."""

from service.migrate.proof.finding import Level
from service.migrate.proof.lint.rule import Family, Rules

rules = Rules(family=Family.TRACE)
_SAFE = "The safe operation of service.migrate.ops for this change"

BLOCKS_READS = rules.declare(
    id="blocks-reads",
    effect="Readers and writers of the table wait as long as the lock was held.",
    advice=_SAFE,
)
BLOCKS_WRITES = rules.declare(
    id="blocks-writes",
    effect="Writers of the table wait as long as the lock was held.",
    advice=_SAFE,
)
REWRITES_TABLE = rules.declare(
    id="rewrites-table",
    effect="Requests to the table wait until every row was written anew, and the disk holds the table twice.",
    advice=_SAFE,
)
SCANS_TABLE = rules.declare(
    id="scans-table",
    effect="Requests to the table wait until every row was read.",
    advice=_SAFE,
)
DROPS_UNDECLARED = rules.declare(
    id="drops-undeclared",
    effect="What the revision does not name is gone with what it drops.",
    advice="Drop it by name, so that the downgrade restores it",
    level=Level.WARNING,
)
