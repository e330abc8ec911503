import re
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
    assert [name for name, service in SERVICES.items() if "build" in service] == ["migrate"]
    assert SERVICES["migrate"]["build"] == "."
    assert {SERVICES[name]["image"] for name in OURS} == {"roster"}
    # Without this, Compose asks a registry for the image before `migrate` has built it.
    assert {SERVICES[name]["pull_policy"] for name in OURS if name != "migrate"} == {"never"}
    assert (ROOT / "Dockerfile").is_file()


def test_every_volume_has_a_name() -> None:
    mounted = {each.split(":")[0] for service in SERVICES.values() for each in service.get("volumes", [])}
    assert mounted == COMPOSE["volumes"].keys()
    # Where PostgreSQL's image from version 18 on declares its volume: elsewhere an anonymous one is made too.
    assert SERVICES["postgres"]["volumes"] == ["data:/var/lib/postgresql"]


def test_the_version_of_postgresql_is_pinned() -> None:
    assert re.fullmatch(r"postgres:\d+\.\d+-[a-z]+", SERVICES["postgres"]["image"])


@pytest.mark.parametrize("name", OURS)
def test_a_container_can_write_nowhere_but_in_tmp_and_may_do_nothing_more(name: str) -> None:
    service = SERVICES[name]
    assert (service["read_only"], service["tmpfs"], service["cap_drop"]) == (True, ["/tmp"], ["ALL"])  # noqa: S108 - its own
    assert service["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.parametrize("name", OURS)
def test_every_command_in_compose_exists(name: str) -> None:
    assert roster_refusal(*SERVICES[name]["command"]) == ""
