"""The page that the setup URL opens."""

from service.console.pages import page_at

router = page_at("setup")
