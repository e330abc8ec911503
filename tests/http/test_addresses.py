from typing import Any

import pytest

from service.http.auth.addresses import Addresses, network_of

PROXIES = ("10.0.0.0/8", "2001:db8:ffff::/48", "127.0.0.1/32")


def scope(peer: str | None, *headers: tuple[str, str]) -> Any:
    written = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    return {"client": (peer, 40_000) if peer else None, "headers": written}


def x(*values: str) -> tuple[tuple[str, str], ...]:
    return tuple(("x-forwarded-for", value) for value in values)


def forwarded(*values: str) -> tuple[tuple[str, str], ...]:
    return tuple(("forwarded", value) for value in values)


@pytest.mark.parametrize(
    ("peer", "headers", "client"),
    [
        # Nobody vouches for what an untrusted peer says.
        ("203.0.113.9", x("198.51.100.1"), "203.0.113.9"),
        ("203.0.113.9", forwarded("for=198.51.100.1"), "203.0.113.9"),
        (None, x("198.51.100.1"), "unknown"),
        ("10.0.0.1", (), "10.0.0.1"),
        # From right to left, as far as the hops are trusted.
        ("10.0.0.1", x("198.51.100.1"), "198.51.100.1"),
        ("10.0.0.1", x("6.6.6.6, 198.51.100.1"), "198.51.100.1"),
        ("10.0.0.1", x("6.6.6.6, 198.51.100.1, 10.2.3.4"), "198.51.100.1"),
        ("10.0.0.1", x("6.6.6.6", "198.51.100.1", "10.2.3.4"), "198.51.100.1"),
        ("10.0.0.1", x("10.9.9.9, 10.2.3.4"), "10.9.9.9"),
        # What is no address ends the walk at the hop that sent it.
        ("10.0.0.1", x("198.51.100.1, nonsense"), "10.0.0.1"),
        ("10.0.0.1", x("198.51.100.1, nonsense, 10.2.3.4"), "10.2.3.4"),
        ("10.0.0.1", x(""), "10.0.0.1"),
        ("10.0.0.1", x("198.51.100.1,"), "10.0.0.1"),
        ("10.0.0.1", x("é"), "10.0.0.1"),
        ("10.0.0.1", x(", ".join(["10.1.1.1"] * 5_000)), "10.1.1.1"),
        # Ports, brackets, zones, mapped addresses.
        ("10.0.0.1", x("198.51.100.1:5500"), "198.51.100.1"),
        ("10.0.0.1", x("[2001:DB8::0:1]:443"), "2001:db8::1"),
        ("10.0.0.1", x("2001:db8::1"), "2001:db8::1"),
        ("10.0.0.1", x("::ffff:198.51.100.1"), "198.51.100.1"),
        ("::ffff:10.0.0.1", x("198.51.100.1"), "198.51.100.1"),
        ("fe80::1%eth0", (), "fe80::1"),
        ("2001:db8:ffff::7", x("198.51.100.1"), "198.51.100.1"),
        # RFC 7239.
        ("10.0.0.1", forwarded("for=198.51.100.1"), "198.51.100.1"),
        ("10.0.0.1", forwarded('For="[2001:db8::1]:4711";proto=https;by=10.0.0.1'), "2001:db8::1"),
        ("10.0.0.1", forwarded("for=6.6.6.6, for=198.51.100.1;host=a, for=10.2.3.4"), "198.51.100.1"),
        ("10.0.0.1", forwarded("for=6.6.6.6", "for=198.51.100.1"), "198.51.100.1"),
        ("10.0.0.1", forwarded('for=6.6.6.6;host="a, for=7.7.7.7", for=198.51.100.1'), "198.51.100.1"),
        ("10.0.0.1", forwarded("for=198.51.100.1, for=unknown"), "10.0.0.1"),
        ("10.0.0.1", forwarded("for=198.51.100.1, for=_hidden"), "10.0.0.1"),
        ("10.0.0.1", forwarded("for=198.51.100.1, proto=https"), "10.0.0.1"),
        ("10.0.0.1", forwarded('for="198.51.100.1'), "10.0.0.1"),
        # A client can send the header that the proxy does not write.
        ("10.0.0.1", x("198.51.100.1") + forwarded("for=6.6.6.6"), "10.0.0.1"),
        ("10.0.0.1", x("198.51.100.1") + forwarded("for=198.51.100.1"), "198.51.100.1"),
    ],
)
def test_the_client_is_the_first_hop_that_is_not_trusted(
    peer: str | None, headers: tuple[tuple[str, str], ...], client: str
) -> None:
    assert Addresses(PROXIES).of(scope(peer, *headers)) == client


def test_without_trusted_proxies_no_header_counts() -> None:
    assert Addresses().of(scope("127.0.0.1", *x("198.51.100.1"))) == "127.0.0.1"


def test_an_ipv6_subscriber_counts_as_one_client() -> None:
    assert network_of("198.51.100.1") == "198.51.100.1"
    assert network_of("2001:db8:1:2:3:4:5:6") == network_of("2001:db8:1:2::1") == "2001:db8:1:2::/64"
    assert network_of("unknown") == "unknown"
