"""Which network addresses a stranger's link may lead to, and a guard on every connection."""

import ipaddress
import socket
from collections.abc import Callable
from typing import Any

WEB_PORTS = frozenset({80, 443})

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")  # no other IPv6 address is a web server's
# Within it and in IPv4: addresses that stand for one elsewhere (Teredo, 6to4 and its relays), used
# by no video site and refused rather than taken apart, and ranges newer than Python's own table.
_REFUSED = tuple(
    ipaddress.ip_network(network)
    for network in ("2001::/23", "2002::/16", "3fff::/20", "192.88.99.0/24", "192.0.0.0/24")
)


class AddressRefusedError(OSError):
    """A connection led somewhere that is not the public web."""


def is_public(address: str) -> bool:
    """True for an address of the public internet; False for anything else, names included."""
    try:
        ip = ipaddress.ip_address(address.split("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            ip = ip.ipv4_mapped
        elif ip in _NAT64:
            ip = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        elif ip not in _GLOBAL_UNICAST:
            return False
    if any(ip.version == network.version and ip in network for network in _REFUSED):
        return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved)


def literal_address(host: str) -> str | None:
    """The address that a host stands for without asking anyone: `2130706433` is 127.0.0.1."""
    try:
        return str(ipaddress.ip_address(host.strip("[]")))
    except ValueError:
        pass
    try:
        return socket.inet_ntoa(socket.inet_aton(host))  # decimal, octal, hexadecimal, short forms
    except (OSError, ValueError):
        return None


class ConnectionGuard:
    """Lets this process resolve and connect only to public addresses on web ports.

    Every connection of every Python HTTP library goes through these two functions, those of
    redirects too. The check at connect also covers literal addresses and a name that resolves to
    something else the second time.
    """

    def __init__(self) -> None:
        self.refused: list[str] = []

    def install(self) -> None:
        """For the rest of the life of this process."""
        resolve = socket.getaddrinfo
        socket.getaddrinfo = self._checked_resolve(resolve)
        for name in ("connect", "connect_ex"):
            setattr(socket.socket, name, self._checked_connect(getattr(socket.socket, name)))
        for name in ("sendto", "sendmsg"):
            setattr(socket.socket, name, self._refuse_datagrams)

    def _checked_resolve(self, resolve: Callable[..., Any]) -> Callable[..., Any]:
        def getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
            found = resolve(host, *args, **kwargs)
            for *_, where in found:
                if not is_public(str(where[0])):
                    self._refuse(f"{host!r} is {where[0]}")
            return found

        return getaddrinfo

    def _checked_connect(self, connect: Callable[..., Any]) -> Callable[..., Any]:
        def checked(sock: socket.socket, where: Any) -> Any:
            if sock.family not in (socket.AF_INET, socket.AF_INET6):
                self._refuse(f"a socket of family {sock.family}")
            if not is_public(str(where[0])) or where[1] not in WEB_PORTS:
                self._refuse(f"{where[0]} port {where[1]}")
            return connect(sock, where)

        return checked

    def _refuse_datagrams(self, *_: Any) -> Any:
        self._refuse("a datagram")

    def _refuse(self, what: str) -> None:
        self.refused.append(what)
        raise AddressRefusedError(f"{what}: only public web addresses may be reached")
