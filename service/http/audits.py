"""The actor of a request, for the events of its changes."""

from typing import Any

from service.db.audit import Audit, Via


def audit_of(scope: Any, via: Via) -> Audit:
    """Return the actor and the token of a request, if it has them, and the request id."""
    actor = scope.get("actor")
    return Audit(
        actor_id=getattr(actor, "user_id", None),
        token_id=getattr(actor, "token_id", None),
        via=via,
        request_id=scope["request_id"],
    )
