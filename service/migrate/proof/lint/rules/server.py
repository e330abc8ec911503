"""What a revision changes beyond its transaction: settings of the session, of the database and of the server."""

import re

from service.migrate.proof.finding import Level
from service.migrate.proof.lint.rule import PG, Family, Place, Rules
from service.migrate.proof.lint.sql.change import Kind

rules = Rules(family=Family.TRANSACTIONS, databases=(PG,))
_OTHERS = ("lock_timeout", "statement_timeout", "session_replication_role")
_SERVER = re.compile(r"((?:alter|create|drop)\s+(?:system|database|tablespace|role|user))\b", re.IGNORECASE)


@rules.on(
    Kind.SET,
    id="sets-the-session",
    level=Level.WARNING,
    advice="SET LOCAL, which ends with the transaction, or a name with its schema in place of search_path",
)
def sets_the_session(at: Place) -> str | None:
    """Later revisions and the migrator's own statements run with the setting, as another role or in another schema."""
    is_local = re.match(r"set\s+(local|constraints)\b", at.change.text, re.IGNORECASE)
    if is_local or at.change.name.lower() in _OTHERS:
        return None
    return f"SET {at.change.name} without LOCAL in {at.call.phase}()"


@rules.on(
    Kind.OTHER,
    Kind.DROP_WHOLE,
    id="changes-the-server",
    level=Level.WARNING,
    advice="Leave it to what installs the server: a revision is run for each database",
)
def changes_the_server(at: Place) -> str | None:
    """Every database of the server is affected, and a downgrade or a copy of the database does not have the change."""
    found = _SERVER.match(at.change.text)
    return f"{found[1].upper()} in {at.call.phase}()" if found else None
