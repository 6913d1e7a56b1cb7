"""The addresses that an event may be posted to: no private one, unless the endpoint allows that."""

from __future__ import annotations

import errno
import socket
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from aiohttp import AddrInfoType

_EMBEDDING = (
    (ip_network("::/96"), 0),  # IPv4-compatible, which nobody should use any more
    (ip_network("::ffff:0:0/96"), 0),  # IPv4-mapped
    (ip_network("::ffff:0:0:0/96"), 0),  # IPv4-translated
    (ip_network("64:ff9b::/96"), 0),  # NAT64
    (ip_network("2002::/16"), 80),  # 6to4
)
"""Networks of IPv6 whose addresses hold one of IPv4, and behind how many bits from the right."""
_CLOSED = tuple(
    map(
        ip_network,
        (
            *("0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.88.99.0/24", "198.18.0.0/15", "240.0.0.0/4"),
            *("64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "3fff::/20", "5f00::/16", "fec0::/10"),
            "168.63.129.16/32",  # Azure's platform: its agents, DNS and health of the machine that asks
            *("161.26.0.0/16", "166.8.0.0/14"),  # IBM Cloud's own services, routed to its customers' machines alone
        ),
    )
)
"""Networks that are not public, whatever the table of this version of Python says.

The last ones look public and are a cloud's inside. Other clouds' metadata has link-local (AWS, Google, Tencent), shared
(Alibaba 100.100.100.200), reserved (Oracle 192.0.0.192) or unique local addresses (fd00:ec2::254, fd20:ce::254).
"""


class RefusedAddress(OSError):
    """The address is not public."""


def is_public(written: str) -> bool:
    """True for an address of the public internet; False for all others, and for a text that is no address.

    Of an IPv6 address that holds one of IPv4, both must be public.
    """
    try:
        address = ip_address(written.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, IPv6Address):
        for network, shift in _EMBEDDING:
            if address in network:
                return _is_open(IPv4Address(int(address) >> shift & 0xFFFFFFFF))
    return _is_open(address)


def _is_open(address: IPv4Address | IPv6Address) -> bool:
    closed = address.is_multicast or address.is_reserved or any(address in network for network in _CLOSED)
    return address.is_global and not closed


def public_socket(place: AddrInfoType) -> socket.socket:
    """A socket for a connection to this very address; raises RefusedAddress for one that is not public.

    The check stands at the socket, behind every spelling of an address and every answer of a resolver.
    """
    family, kind, protocol, _, to = place
    if not is_public(str(to[0])):
        raise RefusedAddress(errno.EACCES, "not a public address")
    return socket.socket(family, kind, protocol)
