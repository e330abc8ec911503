"""What the modules of the service cannot do, by what they import."""

import ast

from tests.project.files import ROOT

CLIENTS = {"aiohttp", "httpcore", "httpx", "niquests", "pycurl", "requests", "urllib3"}
MODULES = {"http.client", "urllib.request", "smtplib", "ftplib"}


def test_no_module_imports_an_http_client() -> None:
    imported = set()
    for path in (ROOT / "service").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
            imported |= {*names, getattr(node, "module", None)}
    assert "asyncpg" in imported
    assert imported & (CLIENTS | MODULES) == set()
