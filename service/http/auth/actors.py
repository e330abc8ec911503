"""The actor of a request: a user's token or session, the bootstrap token, or an anonymous client."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from service.errors import Forbidden
from service.http.auth.permissions import PERMISSIONS, Permission


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Whose request it is and what it may do; `open` is everybody on this machine while no administrator exists.

    `limited`: the token has a list of permissions of its own, instead of all permissions of its user.
    """

    kind: Literal["nobody", "open", "bootstrap", "token", "session"]
    user_id: int | None = None
    token_id: int | None = None
    permissions: frozenset[Permission] = frozenset()
    limited: bool = False
    expires_at: datetime | None = None

    @property
    def name(self) -> str:
        """The identity of the actor, which all tokens of one user share."""
        return self.kind if self.user_id is None else f"user {self.user_id}"

    def require(self, permission: Permission) -> None:
        """Return if the actor has the permission.

        Raises:
            Forbidden: the permission is missing; the message names it.
        """
        if permission not in self.permissions:
            raise Forbidden(f"This needs the permission {permission}, which the token does not have.")

    def require_user(self) -> int:
        """Return the id of the user whose token it is.

        Raises:
            Forbidden: the request has no user.
        """
        if self.user_id is None:
            raise Forbidden("This is about the user of the token, and the request has none: send a user's token.")
        return self.user_id


NOBODY = Actor(kind="nobody")
OPEN = Actor(kind="open", permissions=frozenset(PERMISSIONS))
BOOTSTRAP = Actor(kind="bootstrap", permissions=frozenset(PERMISSIONS))
