"""Where a host's result may be fetched from.

An address is https, its host is one of the host's own, and what its name resolves to is an address of the
public internet, which is then the one that is connected to; the certificate is held against the name all the
same. Where a proxy is set for it, the proxy looks the name up, and the certificate alone vouches for it. Only
the base address itself may be anything else: the user gave it.
"""

from __future__ import annotations

import ipaddress
import socket
import urllib.request
from collections.abc import Sequence

import httpx

from localvid.remote.answers import UnknownOutcomeError
from localvid.remote.http import HostClient

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class NotAllowedError(Exception):
    """An address that is not asked, and why."""


def send(client: HostClient, url: httpx.URL, *, domains: Sequence[str]) -> httpx.Response:
    """The answer, whose body is still to be read, to a GET with the token.

    `domains` are the host's own, each with all below it. Raises NotAllowedError before anything is sent,
    UnknownOutcomeError where it may be tried again, HostFailedError.
    """
    if client.is_own(url):
        request = client.client.build_request("GET", url, headers=client.authorization)
        with client.answers.failures():
            return client.client.send(request, stream=True)
    name = client.answers.redacted(url.host)
    if url.scheme != "https":
        raise NotAllowedError(f"{name} is not asked over https")
    if not any(url.host == domain or url.host.endswith(f".{domain}") for domain in domains):
        raise NotAllowedError(f"{name} is none of its own addresses")
    with client.answers.failures():
        if _has_proxy(url.host):
            request = client.client.build_request("GET", url, headers=client.authorization)
            return client.client.send(request, stream=True)
        return _send_to(client, url, _public_addresses(client, url))


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the public internet, also where IPv6 wraps another one."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inner is not None:
            return inner.is_global and not inner.is_multicast
        if ip in _NAT64:
            return is_public(str(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)))
    return ip.is_global and not ip.is_multicast


def _has_proxy(host: str) -> bool:
    proxies = urllib.request.getproxies()
    return bool(proxies.get("https") or proxies.get("all")) and not urllib.request.proxy_bypass(host)


def _public_addresses(client: HostClient, url: httpx.URL) -> list[str]:
    """Looked up once, and all of them public: whoever may answer with one of this network may not at all."""
    try:
        found = socket.getaddrinfo(url.host, url.port or 443, type=socket.SOCK_STREAM)
    except OSError as error:
        raise UnknownOutcomeError(f"{url.host} of {client.name} has no address: {error}") from error
    except ValueError as error:  # of a name that no name server can be asked for
        raise NotAllowedError("its address is no URL") from error
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    for address in addresses:
        if not is_public(address):
            raise NotAllowedError(f"{url.host} leads to {address}, which is no public address")
    return addresses


def _send_to(client: HostClient, url: httpx.URL, addresses: Sequence[str]) -> httpx.Response:
    """To the first of these addresses that takes the connection."""
    for number, address in enumerate(addresses, start=1):
        request = client.direct.build_request(
            "GET",
            url.copy_with(host=address),
            headers={**client.authorization, "Host": url.netloc.decode("ascii")},
            extensions={"sni_hostname": url.raw_host.decode("ascii")},
        )
        try:
            return client.direct.send(request, stream=True)
        except (httpx.ConnectError, httpx.ConnectTimeout):
            if number == len(addresses):
                raise
    raise UnknownOutcomeError(f"{url.host} of {client.name} has no address")
