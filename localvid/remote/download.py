"""Bringing a host's result here: from allowed addresses only, and never more than was reckoned with.

Every address on the way, also of a redirect, is held to what `addresses` allows.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import httpx

from localvid.errors import HostFailedError
from localvid.remote.addresses import NotAllowedError, send
from localvid.remote.http import HostClient
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
        try:
            return _attempt(client, url, output, on_progress, domains=domains, max_bytes=max_bytes)
        except httpx.InvalidURL as error:
            raise _refused(client, "its address is no URL") from error
        except NotAllowedError as error:
            raise _refused(client, str(error)) from error

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
    target = httpx.URL(url)
    for _ in range(_MAX_REDIRECTS + 1):
        response = send(client, target, domains=domains)
        try:
            if response.is_redirect:
                target = target.join(response.headers.get("Location", ""))
                continue
            if response.status_code in _GONE:
                return False
            client.answers.refuse(response)
            _check_head(client, response, max_bytes)
            _receive(client, response, output, on_progress, max_bytes)
            return True
        finally:
            response.close()
    raise _refused(client, "it redirects without end")


def _check_head(client: HostClient, response: httpx.Response, max_bytes: int) -> None:
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind not in _TYPES:
        raise _refused(client, f"it is {client.answers.redacted(kind) or 'of no type'}, not a video")
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
    with client.answers.failures(), output.open("wb") as file:
        for chunk in response.iter_raw():
            received += len(chunk)
            if received > max_bytes:
                raise _too_large(client, max_bytes)
            if time.monotonic() > deadline:
                raise _refused(client, f"it takes longer than {_MAX_SECONDS:.0f} s")
            file.write(chunk)
            on_progress(progress)


def _too_large(client: HostClient, max_bytes: int) -> HostFailedError:
    return _refused(client, f"it has more than {max_bytes / 2**20:.0f} MiB")


def _refused(client: HostClient, why: str) -> HostFailedError:
    return HostFailedError(
        f"the result of {client.name} is not fetched: {why}",
        hint="it is paid for: resume soon, before it is deleted there; if it stays so, report it",
    )
