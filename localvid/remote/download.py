"""Bringing a host's result here: from allowed addresses only, and never more than was reckoned with.

An address is https, its host is one of the host's own, and what its name resolves to is an address of the
public internet, which is then the one that is connected to. A redirect is held to the same. Only the base
address itself may be anything else: the user gave it.
"""

from __future__ import annotations

import ipaddress
import socket
import time
from collections.abc import Sequence
from pathlib import Path

import httpx

from localvid.errors import HostFailedError
from localvid.remote.http import HostClient, UnknownOutcomeError
from localvid.schemas import OnProgress, Progress

MAX_BYTES = 256 * 2**20
"""A clip of 25 frames takes a few megabytes."""
_MAX_SECONDS = 600.0
_MAX_REDIRECTS = 3
_GONE = frozenset({404, 410})
_TYPES = ("video/mp4", "application/octet-stream", "binary/octet-stream", "application/mp4")


def fetch(
    client: HostClient,
    url: str,
    output: Path,
    on_progress: OnProgress,
    *,
    domains: Sequence[str],
    max_bytes: int = MAX_BYTES,
) -> bool:
    """Write what lies at `url` to `output`; False where it has been deleted.

    `domains` are the host's own, each with all below it. A transfer that breaks off is begun again. Raises
    HostFailedError for an address that is not allowed, for another type than a video, for more bytes than
    `max_bytes`, and where patience ends.
    """

    def attempt() -> bool:
        return _attempt(client, url, output, on_progress, domains=domains, max_bytes=max_bytes)

    done: bool = client.patiently(attempt, on_progress)
    return done


def _attempt(
    client: HostClient,
    url: str,
    output: Path,
    on_progress: OnProgress,
    *,
    domains: Sequence[str],
    max_bytes: int,
) -> bool:
    target = _parsed(client, url)
    for _ in range(_MAX_REDIRECTS + 1):
        request = _request(client, target, domains)
        with client.transport_failures():
            response = client.client.send(request, stream=True)
        try:
            if response.is_redirect:
                target = target.join(response.headers.get("Location", ""))
                continue
            if response.status_code in _GONE:
                return False
            client.refuse(response)
            _check_head(client, response, max_bytes)
            _receive(client, response, output, on_progress, max_bytes)
            return True
        finally:
            response.close()
    raise _refused(client, "it redirects without end")


def _request(client: HostClient, url: httpx.URL, domains: Sequence[str]) -> httpx.Request:
    """The request for an address that was checked, to the very address that was checked."""
    if client.is_own(url):
        return client.client.build_request("GET", url, headers=client.authorization)
    if url.scheme != "https":
        raise _refused(client, f"{url.host} is not asked over https")
    if not any(url.host == domain or url.host.endswith(f".{domain}") for domain in domains):
        raise _refused(client, f"{url.host} is none of its own addresses")
    pinned = _public_address(client, url)
    return client.client.build_request(
        "GET",
        url.copy_with(host=pinned),
        headers={**client.authorization, "Host": url.netloc.decode("ascii")},
        extensions={"sni_hostname": url.host},
    )


def _public_address(client: HostClient, url: httpx.URL) -> str:
    try:
        found = socket.getaddrinfo(url.host, url.port or 443, type=socket.SOCK_STREAM)
    except OSError as error:
        raise UnknownOutcomeError(f"{url.host} of {client.name} has no address: {error}") from error
    addresses = [str(entry[4][0]) for entry in found]
    for address in addresses:
        if not is_public(address):
            raise _refused(client, f"{url.host} leads to {address}, which is no public address")
    return addresses[0]


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


_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def _check_head(client: HostClient, response: httpx.Response, max_bytes: int) -> None:
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind not in _TYPES:
        raise _refused(client, f"it is {client.redacted(kind) or 'of no type'}, not a video")
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise _refused(client, "it is compressed, which was not asked for")
    length = response.headers.get("Content-Length", "")
    if length.isdecimal() and int(length) > max_bytes:
        raise _too_large(client, max_bytes)


def _receive(
    client: HostClient, response: httpx.Response, output: Path, on_progress: OnProgress, max_bytes: int
) -> None:
    received, deadline = 0, time.monotonic() + _MAX_SECONDS
    progress = Progress(step=0, num_steps=0, message=f"fetching the clip from {client.name}")
    with client.transport_failures(), output.open("wb") as file:
        for chunk in response.iter_raw():
            received += len(chunk)
            if received > max_bytes:
                raise _too_large(client, max_bytes)
            if time.monotonic() > deadline:
                raise _refused(client, f"it takes longer than {_MAX_SECONDS:.0f} s")
            file.write(chunk)
            on_progress(progress)


def _parsed(client: HostClient, url: str) -> httpx.URL:
    try:
        return httpx.URL(url)
    except httpx.InvalidURL as error:
        raise _refused(client, "its address is no URL") from error


def _too_large(client: HostClient, max_bytes: int) -> HostFailedError:
    return _refused(client, f"it has more than {max_bytes / 2**20:.0f} MiB")


def _refused(client: HostClient, why: str) -> HostFailedError:
    return HostFailedError(
        f"the result of {client.name} is not fetched: {why}",
        hint="it was paid for and is kept there for an hour: resume to try again; if it stays so, report it",
    )
