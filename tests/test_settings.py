from dataclasses import fields

import pytest

from service.errors import Misconfigured
from service.settings import Settings


def wrong(**environ: str) -> str:
    with pytest.raises(Misconfigured) as told:
        Settings.from_env(environ)
    return str(told.value)


def test_works_with_nothing_set() -> None:
    assert Settings.from_env({}) == Settings()
    assert Settings().database_url == "sqlite:///roster.db"


def test_every_setting_says_what_it_is_for() -> None:
    assert [each.name for each in fields(Settings) if not each.metadata["about"].endswith(".")] == []


def test_reads_each_kind() -> None:
    environ = {
        "ROSTER_DATABASE_URL": "postgresql://db/roster",
        "ROSTER_POOLER": "True",
        "ROSTER_POOL_SIZE": "3",
        "ROSTER_STATEMENT_SECONDS": "0.5",
        "ROSTER_LOG_FORMAT": "json",
        "ROSTER_TRUSTED_PROXIES": " 10.0.0.0/8,,2001:DB8::1",
    }
    expected = Settings(
        database_url="postgresql://db/roster",
        pooler=True,
        pool_size=3,
        statement_seconds=0.5,
        log_format="json",
        trusted_proxies=("10.0.0.0/8", "2001:db8::1/128"),
    )
    assert Settings.from_env(environ) == expected


def test_its_own_database_url_comes_first() -> None:
    plain = {"DATABASE_URL": "postgresql://plain/roster"}
    assert Settings.from_env(plain).database_url == "postgresql://plain/roster"
    assert Settings.from_env(plain | {"ROSTER_DATABASE_URL": "sqlite:///own.db"}).database_url == "sqlite:///own.db"
    assert Settings.from_env({"DATABASE_URL": ""}) == Settings()


@pytest.mark.parametrize("name", ["PATH", "roster_pool_size", "ROSTER_TEST_DATABASE_URL", "XROSTER_POOL_SIZE"])
def test_what_belongs_to_others_is_left_to_them(name: str) -> None:
    assert Settings.from_env({name: "whatever"}) == Settings()


def test_tells_all_mistakes_at_once() -> None:
    told = wrong(
        ROSTER_POOL_SISE="3",
        ROSTER_POOLER="perhaps",
        ROSTER_POOL_SIZE="0",
        ROSTER_DRAIN_SECONDS="1.5",
        ROSTER_BUSY_SECONDS="soon",
        ROSTER_LOG_LEVEL="loud",
    )
    assert told == (
        "ROSTER_POOL_SISE is not a setting; "
        "ROSTER_POOLER is 'perhaps': it must be true or false; "
        "ROSTER_POOL_SIZE is '0': it must be at least 1; "
        "ROSTER_DRAIN_SECONDS is '1.5': it must be a whole number; "
        "ROSTER_BUSY_SECONDS is 'soon': it must be a number; "
        "ROSTER_LOG_LEVEL is 'loud': it must be one of debug, info, warning, error."
    )


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("ROSTER_POOL_SIZE", "", "it must be a whole number"),
        ("ROSTER_STATEMENT_SECONDS", "nan", "it must be a number"),
        ("ROSTER_STATEMENT_SECONDS", "0", "it must be at least 0.01"),
        ("ROSTER_STATEMENT_SECONDS", "inf", "it must be at most 86400"),
        ("ROSTER_LOCK_WAIT_SECONDS", "86401", "it must be at most 86400"),
        ("ROSTER_IDEMPOTENCY_HOURS", "-1", "it must be at least 0"),
        ("ROSTER_IDEMPOTENCY_HOURS", "1e9", "it must be at most 87600"),
        ("ROSTER_LOG_FORMAT", "JSON", "it must be one of auto, json, text"),
        ("ROSTER_ARGON2_MEMORY_KIB", "1024", "it must be at least 7168"),
        ("ROSTER_ARGON2_MEMORY_KIB", "9999999", "it must be at most 4194304"),
        (
            "ROSTER_TRUSTED_PROXIES",
            "10.0.0.0/8, proxy.example.org",
            "'proxy.example.org' is not an address or a network such as 10.0.0.1, 10.0.0.0/8 or 2001:db8::/32",
        ),
        (
            "ROSTER_TRUSTED_PROXIES",
            "10.0.0.1/8",
            "'10.0.0.1/8' is not a network: it has host bits set; 10.0.0.0/8 is",
        ),
    ],
)
def test_settings_have_bounds(name: str, text: str, reason: str) -> None:
    assert wrong(**{name: text}) == f"{name} is {text!r}: {reason}."


@pytest.mark.parametrize(
    ("text", "value"), [("1", True), ("YES", True), ("on", True), ("0", False), ("no", False), ("", False)]
)
def test_says_yes_and_no_in_many_ways(text: str, value: bool) -> None:
    assert Settings.from_env({"ROSTER_POOLER": text}).pooler is value


def test_shows_no_password() -> None:
    shown = repr(
        Settings(database_url="postgresql://u:hidden@db/roster", migrate_url="postgresql://u:hidden@db/roster")
    )
    assert "hidden" not in shown
