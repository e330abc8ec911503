import signal
import socket
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.cli.servers import get, serving

BEGUN = (
    b"POST /v1/users/import?atomic=true HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/csv\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)


def chunk(text: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(text), text)


@pytest.mark.slow
def test_a_drain_that_ends_imports_leaves_status_0_and_answers_503(fresh_url: str, tmp_path: Path) -> None:
    with serving(fresh_url, tmp_path / "log", ROSTER_DRAIN_SECONDS="1") as (base, process):
        address = (urlsplit(base).hostname, urlsplit(base).port)
        clients = [socket.create_connection(address, timeout=20) for _ in range(3)]
        for at, client in enumerate(clients):
            lines = b"".join(b"N,%d.%d@example.org\n" % (at, line) for line in range(5000))
            client.sendall(BEGUN + chunk(b"name,email\n" + lines))
        # Answered on a later connection: the server has accepted the others, which it would else reset.
        get(f"{base}/livez").raise_for_status()
        process.send_signal(signal.SIGTERM)
        answers = [client.recv(65536).split(b"\r\n", 1)[0] for client in clients]
        assert process.wait(20) == 0
    assert answers == [b"HTTP/1.1 503 Service Unavailable"] * 3
    assert "Traceback" not in (tmp_path / "log").read_text()
    for client in clients:
        client.close()
