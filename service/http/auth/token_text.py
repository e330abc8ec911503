"""The format of tokens: `roster_`, 32 random bytes in base 62, and a checksum for scanners of leaked secrets."""

import re
import secrets
import string
from hashlib import sha256
from typing import Final
from zlib import crc32

# The prefix by which scanners of leaked secrets find tokens.
WRITTEN: Final = r"roster_[0-9A-Za-z]{49}"

_PREFIX = "roster_"
_RANDOM_BYTES = 32
# 62**43 > 2**256 and 62**6 > 2**32.
_RANDOM_DIGITS, _CHECKSUM_DIGITS = 43, 6
_DIGITS = string.digits + string.ascii_uppercase + string.ascii_lowercase
_TOKEN = re.compile(WRITTEN, re.ASCII)


def new_token() -> str:
    """Return the text of a new token, a bearer credential."""
    body = _PREFIX + _base62(int.from_bytes(secrets.token_bytes(_RANDOM_BYTES)), _RANDOM_DIGITS)
    return body + _checksum(body)


def is_token(text: str) -> bool:
    """Return whether the text has the form and the checksum of a token."""
    if not _TOKEN.fullmatch(text):
        return False
    return text[-_CHECKSUM_DIGITS:] == _checksum(text[:-_CHECKSUM_DIGITS])


def digest(text: str) -> bytes:
    """Return the SHA-256 of a token, which is all that is stored: 256 random bits need no salt and no slow hash."""
    return sha256(text.encode()).digest()


def _checksum(body: str) -> str:
    return _base62(crc32(body.encode()), _CHECKSUM_DIGITS)


def _base62(number: int, digits: int) -> str:
    text = []
    for _ in range(digits):
        number, digit = divmod(number, 62)
        text.append(_DIGITS[digit])
    return "".join(reversed(text))
