"""The page that a password link opens."""

from service.console.pages import page_at

router = page_at("password")
