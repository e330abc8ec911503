"""Checks Host against the allowed names, as a defence against DNS rebinding."""

import re
from collections.abc import Collection
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Any

from service.errors import Malformed
from service.http.problems import Misdirected

# RFC 9110, 7.2 and RFC 3986, 3.2.2: a registered name or an IPv4 address, or an IPv6 address in brackets, and a port.
_AUTHORITY = re.compile(r"(?P<name>[A-Za-z0-9._~!$&'()*+,;=%-]+|\[[0-9A-Fa-f:.]+\])(?::0*?(?P<port>[0-9]{0,5}))?")
_LARGEST_PORT = 65_535
_MOST_REMEMBERED = 1_000
# Load balancers and the kubelet send the replica's address as Host; these responses hold no data.
EXEMPT = frozenset({"/livez", "/readyz"})


class Hosts:
    """The allowed values of Host: loopback names, and those of the settings."""

    def __init__(self, allowed: Collection[str] = ()) -> None:
        self._any = "*" in allowed
        self._exact = frozenset(each for each in allowed if not each.startswith((".", "*")))
        self._domains = tuple(each.removeprefix("*") for each in allowed if each.startswith((".", "*.")))
        self._apexes = frozenset(each[1:] for each in allowed if each.startswith("."))
        # A cache of accepted values: parsing one takes ten times as long.
        self._remembered: set[bytes] = set()

    def check(self, values: list[bytes], scope: Any) -> None:
        """Return if the request has one valid and allowed Host.

        Raises:
            Malformed: Host is repeated, not valid, or missing in HTTP/1.1.
            Misdirected: the host is neither loopback nor allowed.
        """
        if len(values) == 1 and values[0] in self._remembered:
            return
        if len(values) > 1:
            raise Malformed("The request has more than one Host header.")
        if not values:
            if scope.get("http_version") == "1.0":
                return
            raise Malformed("The request has no Host header, which HTTP/1.1 requires.")
        name, _ = read_authority(values[0])
        if self._allows(name):
            if len(self._remembered) < _MOST_REMEMBERED:
                self._remembered.add(values[0])
        elif scope["path"] not in EXEMPT:
            raise Misdirected(
                f"This service does not answer for the host {name!r}; ROSTER_ALLOWED_HOSTS names the hosts besides "
                "localhost."
            )

    def _allows(self, name: str) -> bool:
        return (
            self._any
            or _is_loopback(name)
            or name in self._exact
            or name in self._apexes
            or any(name.endswith(domain) and len(name) > len(domain) for domain in self._domains)
        )


def read_authority(written: bytes, default_port: int = 80) -> tuple[str, int]:
    """Return the name, in lower case without brackets or a final dot, and the port of `host:port`.

    Raises:
        Malformed: the value is not a host with an optional port.
    """
    found = _AUTHORITY.fullmatch(written.decode("latin-1").strip(" \t"))
    if found is None or int(found["port"] or default_port) > _LARGEST_PORT:
        shown = written[:100].decode("ascii", "backslashreplace")
        raise Malformed(f"Host is {shown!r}; a name or an address with an optional port is expected.")
    name = found["name"].lower().removesuffix(".")
    if name.startswith("["):
        try:
            name = str(IPv6Address(name[1:-1]))
        except AddressValueError:
            raise Malformed(f"Host is {found['name']!r}, which is not an IPv6 address.") from None
    return name, int(found["port"] or default_port)


def _is_loopback(name: str) -> bool:
    if name in ("localhost", "127.0.0.1", "::1") or name.endswith(".localhost"):
        return True
    try:
        return IPv4Address(name).is_loopback
    except AddressValueError:
        return False
