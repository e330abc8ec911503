"""What a trace measures on a server; the findings come from `proof.trace`."""

from service.migrate.proof.finding import Level
from service.migrate.proof.lint.rule import Family, Rules

rules = Rules(family=Family.TRACE)
_SAFE = "The safe operation of service.migrate.ops for this change"

BLOCKS_READS = rules.declare(
    id="trace-blocks-reads",
    effect="Readers and writers of the table wait as long as the lock was held.",
    advice=_SAFE,
)
BLOCKS_WRITES = rules.declare(
    id="trace-blocks-writes",
    effect="Writers of the table wait as long as the lock was held.",
    advice=_SAFE,
    level=Level.WARNING,
)
DROPS = rules.declare(
    id="trace-drops",
    effect="The running version fails wherever it names what was dropped.",
    advice="Drop it in contract(), when the previous version runs no more",
)
REFUSED = rules.declare(
    id="trace-refused",
    effect="The deploy stops at this revision if the tables have such rows.",
    advice="Correct the revision, or give it a function seed_before(connection) with rows that it accepts",
)
