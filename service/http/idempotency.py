"""Idempotency-Key: the response is stored in the same transaction as the change."""

import re
from collections.abc import Sequence
from datetime import timedelta
from hashlib import sha256
from typing import Any, Self

import msgspec
from sqlalchemy import LargeBinary, delete, literal, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from service.db.clock import now
from service.db.types import holds_bytes
from service.db.upserts import insert_into
from service.errors import Fault, Invalid, Malformed
from service.http.answers import Answer, header
from service.http.auth.actors import Actor
from service.http.problems import problem
from service.models import IdempotencyKey

# The syntax of Idempotency-Key.
KEY = r"^[\x21-\x7e]{1,200}$"

_KEY = re.compile(KEY)
_ADDRESSES_OF_A_STATEMENT = 50
_KEPT = (
    IdempotencyKey.fingerprint,
    IdempotencyKey.status,
    IdempotencyKey.headers,
    IdempotencyKey.body,
    IdempotencyKey.created_at,
)


class Once:
    """The key of a request, and a hash of its body."""

    __slots__ = ("_fingerprint", "_id", "_lifetime")

    def __init__(self, key: str, scope: Any, body: bytes, lifetime: timedelta) -> None:
        # A key is its caller's own: the answer of one user is never shown to another one.
        actor: Actor = scope["actor"]
        caller = "" if actor.kind == "open" else f"{actor.name} "
        self._id = sha256(f"{caller}{scope['method']} {scope['path']} {key}".encode()).hexdigest()
        self._fingerprint = sha256(scope["query_string"] + b"\n" + body).hexdigest()
        self._lifetime = lifetime

    @classmethod
    def of(cls, scope: Any, body: bytes, lifetime: timedelta) -> Self | None:
        """Return the key in the headers, if there is one.

        Raises:
            Malformed: the key is too long or is not printable ASCII.
        """
        key = header(scope, b"idempotency-key")
        if key is None:
            return None
        if not _KEY.fullmatch(key):
            raise Malformed("Idempotency-Key is 1 to 200 printable ASCII characters without spaces.")
        return cls(key, scope, body, lifetime)

    async def recall(self, session: AsyncSession) -> Answer | None:
        """Return the stored response, `None` for the first request; others with the key wait for its COMMIT.

        Raises:
            Invalid: the key was used for another request.
        """
        values = {"id": self._id, "fingerprint": self._fingerprint, "created_at": now()}
        insert = insert_into(IdempotencyKey.__table__, session.get_bind().dialect)  # type: ignore[arg-type]
        claim = insert.values(values).on_conflict_do_nothing().returning(IdempotencyKey.id)
        lookup = select(*_KEPT).where(IdempotencyKey.id == self._id).with_for_update()
        stored = None
        while stored is None:
            if await session.scalar(claim) is not None:
                return None
            # An expired response may be deleted between the two statements: then the key is free again.
            stored = (await session.execute(lookup)).one_or_none()
        if stored.created_at < now() - self._lifetime:
            await session.execute(update(IdempotencyKey).where(IdempotencyKey.id == self._id).values(values))
            return None
        if stored.fingerprint != self._fingerprint:
            raise Invalid(
                "This Idempotency-Key was used with another body.",
                Fault(detail="Use a new key for a new request.", parameter="Idempotency-Key"),
            )
        answer = Answer(stored.body or b"", status=stored.status or 200)
        answer.headers = msgspec.json.decode(stored.headers, type=list[tuple[bytes, bytes]])
        answer.headers.append((b"idempotency-replayed", b"true"))
        return answer

    async def keep(self, session: AsyncSession, answer: Answer) -> None:
        """Store the response in the transaction of the change."""
        values = {"status": answer.status, "headers": msgspec.json.encode(answer.headers), "body": answer.body}
        await session.execute(update(IdempotencyKey).where(IdempotencyKey.id == self._id).values(values))


async def forget_old(session: AsyncSession, lifetime: timedelta, *, most: int = 500) -> int:
    """Delete up to `most` expired responses and return their number."""
    old = (
        select(IdempotencyKey.id)
        .where(IdempotencyKey.created_at < now() - lifetime)
        .order_by(IdempotencyKey.created_at)
        .limit(most)
    )
    result = await session.execute(delete(IdempotencyKey).where(IdempotencyKey.id.in_(old)))
    return int(result.rowcount)  # type: ignore[attr-defined]


async def scrub_answers(session: AsyncSession, addresses: Sequence[str]) -> None:
    """Take what is personal out of the stored responses that created these resources: their keys get 409 from now on.

    It reads every stored response, of `ROSTER_IDEMPOTENCY_HOURS` at most (docs/decisions/0070).
    """
    answer = problem(409, "conflict", "What the request with this Idempotency-Key created was erased since.")
    values = {"status": answer.status, "headers": msgspec.json.encode(answer.headers), "body": answer.body}
    for at in range(0, len(addresses), _ADDRESSES_OF_A_STATEMENT):
        # `keep` stores the headers as JSON, in which bytes are base64.
        written = [msgspec.json.encode(each.encode()) for each in addresses[at : at + _ADDRESSES_OF_A_STATEMENT]]
        created = or_(*(holds_bytes(IdempotencyKey.headers, literal(each, LargeBinary())) for each in written))
        scrubbed = update(IdempotencyKey).where(created).values(values)
        await session.execute(scrubbed, execution_options={"synchronize_session": False})
