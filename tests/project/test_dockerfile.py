import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from zipfile import ZipFile

import pytest

from service.settings import Settings
from tests import loopback
from tests.cli.servers import START_SECONDS, announced
from tests.programs import start
from tests.project.files import ROOT, SETTINGS, read, read_yaml, roster_refusal

# Each instruction on one line, as the builder reads them: (name, rest).
INSTRUCTIONS = [
    (line.split(maxsplit=1)[0], line.split(maxsplit=1)[1])
    for line in re.sub(r"\\\n", " ", re.sub(r"(?m)^#.*\n", "", read("Dockerfile"))).splitlines()
    if line.strip()
]
SECOND_STAGE = [index for index, (name, _) in enumerate(INSTRUCTIONS) if name == "FROM"][1]
FINAL = INSTRUCTIONS[SECOND_STAGE:]


def arguments(name: str) -> list[str]:
    return [rest for instruction, rest in FINAL if instruction == name]


def copied_paths() -> set[str]:
    return {
        path.removeprefix("./")
        for name, rest in INSTRUCTIONS
        if name == "COPY" and not rest.startswith("--from")
        for path in rest.split()[:-1]
    }


def test_everything_copied_is_in_the_repository_and_let_through() -> None:
    let_through = {line[1:] for line in read(".dockerignore").splitlines() if line.startswith("!")}
    assert {path for path in copied_paths() if not (ROOT / path).exists()} == set()
    assert {path.split("/")[0] for path in copied_paths()} == let_through


def test_everything_the_service_needs_is_copied() -> None:
    assert copied_paths() >= {
        "alembic",
        "alembic.ini",
        "hatch_build.py",
        "pyproject.toml",
        "requirements.lock",
        "service",
    }


def test_the_wheel_can_be_built_from_what_is_copied(tmp_path: Path) -> None:
    for path in copied_paths():
        copy = shutil.copytree if (ROOT / path).is_dir() else shutil.copy
        copy(ROOT / path, tmp_path / path)
    (build,) = re.findall(
        r'/build/bin/python -c "(.+?)"', " ".join(rest for name, rest in INSTRUCTIONS if name == "RUN")
    )
    code = build.replace("/wheel", str(tmp_path / "wheel"))
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True)
    (wheel,) = (tmp_path / "wheel").iterdir()
    names = ZipFile(wheel).namelist()
    assert {"service/alembic.ini", "service/alembic/env.py", "service/cli/serve.py"} <= set(names)


def test_nothing_is_installed_without_its_hash() -> None:
    installs = re.findall(r"pip install [^&]*", " ".join(rest for name, rest in INSTRUCTIONS if name == "RUN"))
    assert installs
    assert [
        install for install in installs if "--require-hashes" not in install and "--no-deps /wheel" not in install
    ] == []


def test_the_image_holds_a_python_the_project_supports() -> None:
    default = next(rest for name, rest in INSTRUCTIONS if name == "ARG").removeprefix("PYTHON=")
    classifiers = tomllib.loads(read("pyproject.toml"))["project"]["classifiers"]
    assert f"Programming Language :: Python :: {default}" in classifiers
    assert [rest.split()[0] for name, rest in INSTRUCTIONS if name == "FROM"] == ["python:${PYTHON}-slim-trixie"] * 2


def test_the_container_runs_as_an_ordinary_user() -> None:
    # A number, so that Kubernetes' runAsNonRoot can tell that it is not root.
    assert arguments("USER") == ["10001"]
    names = [name for name, _ in FINAL]
    assert names.index("USER") < names.index("ENTRYPOINT")


def test_the_container_is_healthy_when_the_service_is_ready() -> None:
    (check,) = arguments("HEALTHCHECK")
    command = json.loads(check[check.index("[") :])
    assert command[:2] == ["python", "-c"]
    compile(command[2], "healthcheck", "exec")
    assert "http://127.0.0.1:8000/readyz" in command[2]
    assert arguments("EXPOSE") == ["8000"]


def test_the_entry_point_exists() -> None:
    assert arguments("ENTRYPOINT") == ['["roster"]']
    assert "roster" in tomllib.loads(read("pyproject.toml"))["project"]["scripts"]
    (command,) = arguments("CMD")
    assert roster_refusal(*json.loads(command)) == ""


def test_every_setting_in_the_image_exists() -> None:
    named = set(re.findall(r"\bROSTER_[A-Z_]+", " ".join(arguments("ENV"))))
    assert named == {"ROSTER_DATABASE_URL"}
    assert named <= SETTINGS


def test_a_stopping_service_is_given_time_to_finish() -> None:
    grace = read_yaml("compose.yaml")["services"]["service"]["stop_grace_period"]
    assert int(grace.removesuffix("s")) > Settings().drain_seconds


def test_no_anonymous_volume_is_made() -> None:
    assert arguments("VOLUME") == []


@pytest.mark.slow
def test_the_command_serves_on_a_new_volume_and_again_on_an_old_one(tmp_path: Path) -> None:
    volume, temporary = tmp_path / "data", tmp_path / "tmp"
    volume.mkdir()
    temporary.mkdir()
    set_there = dict(re.findall(r"(ROSTER_[A-Z_]+)=(\S+)", " ".join(arguments("ENV"))))
    set_there["ROSTER_DATABASE_URL"] = set_there["ROSTER_DATABASE_URL"].replace("/data", str(volume))
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ROSTER_")}
    token = "b" * 32
    environ = kept | set_there | {"TMPDIR": str(temporary), "ROSTER_BOOTSTRAP_TOKEN": token}
    (command,) = arguments("CMD")
    for age in ("new", "old"):
        log = tmp_path / age
        with log.open("wb") as output:
            server = start(
                "service", *json.loads(command), "--port=0", env=environ, stdout=subprocess.DEVNULL, stderr=output
            )
        try:
            base = announced(log).removesuffix("/v1")
            assert loopback.get(f"{base}/readyz").status_code == 200
            assert loopback.get(f"{base}/v1/users").status_code == 401
            headers = {"authorization": f"Bearer {token}"}
            assert loopback.get(f"{base}/v1/users", headers=headers).status_code == 200
        finally:
            server.terminate()
        assert server.wait(START_SECONDS) == 0
