"""A look at a page with headless Chromium, where it is installed."""

import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), ""
)
LOOK_SECONDS = 120
_OPTIONS = (
    "--headless",
    # The sandbox refuses root, and the page is our own.
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-logging=stderr",
    "--virtual-time-budget=20000",
    "--dump-dom",
)


@dataclass(frozen=True, kw_only=True)
class Look:
    """What a page became, what it asked for, and what it wrote to the console."""

    dom: str
    requests: list[str]
    console: list[str]


def look(url: str, folder: Path) -> Look:
    log = folder / "net.json"
    command = [CHROMIUM, *_OPTIONS, f"--user-data-dir={folder / 'profile'}", f"--log-net-log={log}", url]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=LOOK_SECONDS)
    return Look(dom=done.stdout, requests=_requests(log), console=re.findall(r".*:CONSOLE.*", done.stderr))


def _requests(log: Path) -> list[str]:
    """The addresses asked for by a page; those that the browser asks for on its own account have no origin."""
    events = json.loads(log.read_text())["events"]
    asked = (event.get("params", {}) for event in events)
    return [each["url"] for each in asked if "://" in each.get("initiator", "") and "url" in each]
