"""Hashing and verifying passwords in threads of their own, with a limit on how many may wait."""

import asyncio
import base64
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import structlog
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError

from service.errors import Unavailable
from service.settings import Settings

T = TypeVar("T")

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Verified:
    """Whether the password was right, and whether its hash was made with other parameters than today's."""

    right: bool
    outdated: bool = False


class Passwords:
    """argon2id off the event loop: `password_threads` at work, `password_queue` waiting, the next is refused."""

    def __init__(self, settings: Settings) -> None:
        self._hasher = PasswordHasher(
            time_cost=settings.argon2_iterations, memory_cost=settings.argon2_memory_kib, parallelism=1
        )
        self._threads = ThreadPoolExecutor(settings.password_threads, thread_name_prefix="argon2")
        self._places = settings.password_threads + settings.password_queue
        self._taken = 0
        self._nobodys = _unmatched(settings)

    @property
    def taken(self) -> int:
        """How many passwords are being worked on or wait."""
        return self._taken

    async def hash(self, password: str) -> str:
        """Return the hash to store, with its parameters and salt in it; raises Unavailable."""
        return await self._run(lambda: self._hasher.hash(password))

    async def verify(self, stored: str | None, password: str) -> Verified:
        """Compare; without a stored hash the answer is no, after the time that a comparison takes.

        Raises:
            Unavailable: too many passwords are waiting.
        """
        return await self._run(lambda: self._verify(stored or self._nobodys, password))

    def close(self) -> None:
        """Drop what waits; a hash that has begun is finished."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _verify(self, stored: str, password: str) -> Verified:
        try:
            self._hasher.verify(stored, password)
        except VerifyMismatchError:
            return Verified(right=False)
        except (InvalidHashError, VerificationError) as failure:
            log.warning("a stored password hash cannot be read", reason=type(failure).__name__)
            return Verified(right=False)
        return Verified(right=True, outdated=self._hasher.check_needs_rehash(stored))

    async def _run(self, work: Callable[[], T]) -> T:
        if self._taken >= self._places:
            raise Unavailable("Too many passwords are being checked at once; try again.", retry_after_seconds=1)
        self._taken += 1
        future = asyncio.get_running_loop().run_in_executor(self._threads, work)
        future.add_done_callback(self._leave)
        # A request that is cancelled leaves the thread at work: its place is free when the thread is.
        return await asyncio.shield(future)

    def _leave(self, future: "asyncio.Future[T]") -> None:
        self._taken -= 1
        if not future.cancelled():
            # A failure after the request was cancelled has nobody to report to.
            future.exception()


def _unmatched(settings: Settings) -> str:
    """Return a hash of today's parameters that no password has: it is drawn, not computed."""
    salt, digest = (base64.b64encode(secrets.token_bytes(size)).rstrip(b"=").decode() for size in (16, 32))
    parameters = f"m={settings.argon2_memory_kib},t={settings.argon2_iterations},p=1"
    return f"$argon2id$v=19${parameters}${salt}${digest}"
