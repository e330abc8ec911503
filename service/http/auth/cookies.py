"""The cookie that carries a session's token for pages."""

from typing import Final

COOKIE: Final = "roster_session"
