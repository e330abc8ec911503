from typing import Any

import pytest

from tests.project.files import ROOT, SETTINGS, read_yaml, roster_refusal, schema_findings

COMPOSE = read_yaml("compose.yaml")
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
ONCE = ("migrate", "backfill")
OURS = (*ONCE, "service")


def test_compose_follows_the_specification() -> None:
    assert schema_findings("vendor.compose-spec", "compose.yaml") == ""


def test_the_service_waits_for_the_schema_and_the_schema_for_the_database() -> None:
    conditions = {
        name: {other: wait["condition"] for other, wait in service.get("depends_on", {}).items()}
        for name, service in SERVICES.items()
    }
    assert conditions == {
        "postgres": {},
        "migrate": {"postgres": "service_healthy"},
        "backfill": {"migrate": "service_completed_successfully"},
        "service": {"postgres": "service_healthy", "backfill": "service_completed_successfully"},
    }
    assert SERVICES["postgres"]["healthcheck"]["test"][:2] == ["CMD", "pg_isready"]
    assert {SERVICES[name]["restart"] for name in ONCE} == {"no"}


def test_only_the_hosts_loopback_leads_in() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published == {"service": ["127.0.0.1:8000:8000"]}


def test_every_setting_in_compose_exists() -> None:
    named = {name for service in SERVICES.values() for name in service["environment"] if name.startswith("ROSTER_")}
    assert named
    assert named <= SETTINGS


def test_the_same_password_is_given_to_both_sides() -> None:
    password = SERVICES["postgres"]["environment"]["POSTGRES_PASSWORD"]
    assert [SERVICES[name]["environment"]["PGPASSWORD"] for name in OURS] == [password] * len(OURS)


def test_the_image_is_built_from_this_folder() -> None:
    assert {SERVICES[name]["build"] for name in OURS} == {"."}
    assert (ROOT / "Dockerfile").is_file()


@pytest.mark.parametrize("name", OURS)
def test_every_command_in_compose_exists(name: str) -> None:
    assert roster_refusal(*SERVICES[name]["command"]) == ""
