"""What the modules of the service cannot do, by what they import."""

import ast
import re

from tests.project.files import ROOT

CLIENTS = {"aiohttp", "httpcore", "httpx", "niquests", "pycurl", "requests", "urllib3"}
DRIVER = {"asyncpg"}
MODULES = {"http.client", "urllib.request", "smtplib", "ftplib"}


def test_no_module_imports_an_http_client() -> None:
    imported = set()
    # Only what looks like such an import is parsed; a driver is looked for too, as one that is found.
    named = re.compile(
        rf"^\s*(?:import|from)\s+(?:{'|'.join(map(re.escape, CLIENTS | MODULES | DRIVER))})\b", re.MULTILINE
    )
    for source in filter(named.search, (path.read_text() for path in (ROOT / "service").rglob("*.py"))):
        for node in ast.walk(ast.parse(source)):
            names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
            imported |= {*names, getattr(node, "module", None)}
    assert imported >= DRIVER
    assert imported & (CLIENTS | MODULES) == set()
