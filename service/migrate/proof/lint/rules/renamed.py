"""New names of what the running version calls by name, beside tables and columns."""

from service.migrate.proof.finding import Level
from service.migrate.proof.lint.rule import PG, Family, Place, Rules
from service.migrate.proof.lint.sql.change import Kind

rules = Rules(family=Family.RUNNING_VERSION, databases=(PG,))


@rules.on(
    Kind.RENAME_OTHER,
    id="renames-used-type",
    advice="Keep the name: a type is dropped and created again only when no version uses it any more",
)
def renames_used_type(at: Place) -> str | None:
    """Statements of the running version fail, which cast their parameters to the type by its old name."""
    if at.change.words.isdisjoint(("type", "domain")) or _is_own(at, Kind.CREATE_ENUM, Kind.CREATE_DOMAIN):
        return None
    return f"The type {at.change.name} is renamed to {at.change.to}"


@rules.on(
    Kind.RENAME_OTHER,
    id="renames-used-object",
    level=Level.WARNING,
    advice="Keep the name, or create a second object (CREATE FUNCTION, CREATE VIEW) and drop the old one in contract()",
)
def renames_used_object(at: Place) -> str | None:
    """Statements of the running version with the old name fail, and errors name a constraint that it does not know."""
    kinds = sorted(at.change.words & {"view", "sequence", "function", "procedure", "constraint"})
    made = (Kind.CREATE_VIEW, Kind.CREATE_SEQUENCE, Kind.CREATE_FUNCTION, Kind.ADD_CONSTRAINT)
    if at.is_new or not kinds or at.call.phase == "contract" or _is_own(at, *made):
        return None
    return f"The {kinds[0]} {at.change.name} is renamed to {at.change.to}"


def _is_own(at: Place, *kinds: Kind) -> bool:
    return any(each.change.kind in kinds and each.change.name == at.change.name for each in at.together)
