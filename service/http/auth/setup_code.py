"""The code of the setup URL, which `roster serve` prints while there is no administrator."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from hmac import compare_digest
from typing import Final, Self

from service.db.clock import now

LIFETIME: Final = timedelta(minutes=30)
_CODE_BYTES = 24


@dataclass(frozen=True, slots=True)
class SetupCode:
    """The stored form of the code: its SHA-256, and when it expires."""

    digest: bytes
    expires_at: datetime

    @classmethod
    def new(cls) -> tuple[str, Self]:
        """Return a new code and its stored form."""
        text = secrets.token_urlsafe(_CODE_BYTES)
        return text, cls(sha256(text.encode()).digest(), now() + LIFETIME)

    def matches(self, text: str) -> bool:
        """Return whether the text is the code, and the code is valid."""
        same = compare_digest(sha256(text.encode()).digest(), self.digest)
        return same and now() < self.expires_at
