"""The listening sockets, opened before anything else starts."""

import errno
import socket

from service.errors import CannotStart, Misconfigured

_BACKLOG = 2048
_UNAVAILABLE = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


def listen(host: str, port: int) -> list[socket.socket]:
    """Return a listening socket for each address of `host`, all on one port; port 0 takes a free one.

    Raises:
        Misconfigured: `host` has no address.
        CannotStart: the port is in use or needs privileges, or the address belongs to another machine.
    """
    sockets: list[socket.socket] = []
    refusals: list[OSError] = []
    for family, address in _addresses(host, port):
        try:
            sockets.append(_open(family, address, port or (port_of(sockets) if sockets else 0)))
        except OSError as error:
            refusals.append(error)
    # localhost may resolve to an IPv6 address on a machine without IPv6: one address is enough.
    fatal = [each for each in refusals if each.errno not in _UNAVAILABLE] or ([] if sockets else refusals)
    if fatal:
        for each in sockets:
            each.close()
        raise CannotStart(_explained(fatal[0], host, port)) from fatal[0]
    return sockets


def port_of(sockets: list[socket.socket]) -> int:
    """Return the port that the sockets share."""
    port: int = sockets[0].getsockname()[1]
    return port


def _addresses(host: str, port: int) -> list[tuple[socket.AddressFamily, str]]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError):
        message = f"--host {host!r} has no address; write one of this machine's, such as 127.0.0.1 or 0.0.0.0."
        raise Misconfigured(message) from None
    # getsockname's form: an IPv6 address keeps its zone, as in fe80::1%eth0.
    return list(dict.fromkeys((family, str(address[0])) for family, _, _, _, address in found))


def _open(family: socket.AddressFamily, address: str, port: int) -> socket.socket:
    both = family == socket.AF_INET6 and address == "::" and socket.has_dualstack_ipv6()
    return socket.create_server((address, port), family=family, backlog=_BACKLOG, dualstack_ipv6=both)


def _explained(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        other = port + 1 if port < 65535 else 8000
        return (
            f"Port {port} on {host} is in use by another program. Stop that program, or choose another port: "
            f"`roster serve --port {other}` or `make serve PORT={other}`."
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"Port {port} needs privileges that this user lacks. Choose one above 1023: `roster serve --port 8000`."
    if error.errno in _UNAVAILABLE:
        return f"--host {host} is not an address of this machine. Bind 127.0.0.1, or 0.0.0.0 for every IPv4 address."
    reason = (error.strerror or str(error)).partition(" (while")[0]
    return f"Cannot listen on {host} port {port}: {reason}."
