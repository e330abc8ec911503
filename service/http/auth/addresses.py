"""The address of a client; X-Forwarded-For and Forwarded count only from trusted proxies."""

import re
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

Address = IPv4Address | IPv6Address

UNKNOWN = "unknown"
# A chain of proxies is short; a longer list was written by the client.
_MOST_HOPS = 20
# RFC 7239, 4: `for=` of one element, a token or a quoted string; a quoted value may hold commas and semicolons.
_PAIR = re.compile(r'\s*([!#$%&\'*+.^_`|~0-9A-Za-z-]+)=("(?:[^"\\]|\\.)*"|[^\s",;]*)\s*(;|,|$)')
_WITH_PORT = re.compile(r"\[(?P<six>[^\]]*)\](?::\w*)?|(?P<four>[0-9.]+)(?::\w*)?")


class Addresses:
    """Finds the client's address of a request; `trusted` are the addresses and networks of proxies."""

    def __init__(self, trusted: Iterable[str] = ()) -> None:
        self._trusted = [ip_network(each) for each in trusted]
        # Without proxies the client is the peer, and no header is read.
        self.direct = not self._trusted

    def of(self, scope: Any) -> str:
        """Return the address in its shortest form, or `unknown`.

        The reports are read from the right, where the nearest proxy wrote: each trusted hop vouches for the one before
        it, and the first that is not trusted is the client. A report that is no address ends the walk at the hop that
        sent it. Where X-Forwarded-For and Forwarded disagree, a client wrote one of them and neither counts.
        """
        peer = _peer(scope)
        if peer is None:
            return UNKNOWN
        if not self._trusts(peer):
            return str(peer)
        forwarded = _values(scope, b"forwarded")
        x_forwarded_for = _values(scope, b"x-forwarded-for")
        clients = {
            self._client(peer, hops)
            for values, hops in ((x_forwarded_for, _hops(x_forwarded_for)), (forwarded, _forwarded(forwarded)))
            if values
        }
        return str(clients.pop() if len(clients) == 1 else peer)

    def _client(self, peer: Address, hops: list[str]) -> Address:
        client = peer
        for hop in reversed(hops[-_MOST_HOPS:]):
            address = _read(hop)
            if address is None:
                break
            client = address
            if not self._trusts(client):
                break
        return client

    def _trusts(self, address: Address) -> bool:
        return any(address in network for network in self._trusted)


def network_of(address: str) -> str:
    """Return what counts as one client: an IPv4 address, or the /64 that an IPv6 subscriber has to himself."""
    if ":" not in address:
        return address
    return str(IPv6Network((address, 64), strict=False))


def _peer(scope: Any) -> Address | None:
    client = scope.get("client")
    return _read(client[0]) if client else None


def _values(scope: Any, name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in scope["headers"] if key == name]


def _hops(values: list[str]) -> list[str]:
    return [hop.strip() for value in values for hop in value.split(",")]


def _forwarded(values: list[str]) -> list[str]:
    """Return the `for` of each element of Forwarded; one that cannot be read, or has none, is an empty hop."""
    return [hop for value in values for hop in _elements(value)]


def _elements(value: str) -> Iterator[str]:
    at, hop = 0, ""
    while at < len(value):
        found = _PAIR.match(value, at)
        if found is None:
            # The rest cannot be split into elements, so the elements before it are not trusted either.
            yield ""
            return
        name, text, end = found.groups()
        if name.lower() == "for":
            hop = re.sub(r"\\(.)", r"\1", text[1:-1]) if text.startswith('"') else text
        if end != ";":
            yield hop
            hop = ""
        at = found.end()


def _read(text: str) -> Address | None:
    """Return the address in `1.2.3.4`, `1.2.3.4:80`, `::1`, `[::1]`, `[::1]:80`; an IPv4 one also if mapped to IPv6."""
    found = _WITH_PORT.fullmatch(text)
    if found:
        text = found["six"] or found["four"] or ""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address
