"""The HTTP client that the providers' packages send with: it says nothing that was not asked for, follows no
redirect, and reads no more than an answer can be.

The packages add what they find in the environment (organisations, headers) and what they know of this
machine; here all of it is taken out again.
"""

from __future__ import annotations

import email.utils
import time
from collections.abc import AsyncIterator

import httpx2

from localvid import __version__
from localvid.errors import NotAvailableError
from localvid.llm.served.endpoint import Endpoint
from localvid.llm.served.failures import FailureKind, ServerFailure

_CONNECT_SECONDS = 10.0
_MAX_BYTES = 4 * 2**20
"""Of an answer. Seven lines and a reasoning model's thoughts take tens of kilobytes."""
_SENT = frozenset(
    {
        "accept",
        "anthropic-version",
        "connection",
        "content-length",
        "content-type",
        "host",
        # A constant by which the packages know later what the caller wanted of the answer.
        "x-stainless-raw-response",
    }
)
"""Headers that a request needs; the key and the names of encodings are set here."""


class OversizedError(httpx2.RequestError):
    """An answer that is larger than one can be, or packed."""


def open_client(endpoint: Endpoint) -> httpx2.AsyncClient:
    """A client for requests to one endpoint; time is kept by whoever waits for it.

    Proxies of the environment serve, as for downloads, but not on the way to this machine.
    """
    secret = endpoint.api_key.get_secret_value() if endpoint.api_key else ""

    async def say_only_this(request: httpx2.Request) -> None:
        for name in set(request.headers) - _SENT:
            del request.headers[name]
        request.headers["Accept-Encoding"] = "identity"
        request.headers["User-Agent"] = f"localvid/{__version__}"
        if secret:
            request.headers["Authorization"] = f"Bearer {secret}"

    try:
        return httpx2.AsyncClient(
            event_hooks={"request": [say_only_this], "response": [_read_no_more]},
            follow_redirects=False,
            timeout=httpx2.Timeout(None, connect=_CONNECT_SECONDS),
            trust_env=not endpoint.is_here,
        )
    except (ValueError, httpx2.InvalidURL) as error:
        raise NotAvailableError(
            f"the proxy settings cannot be used: {error}", hint="mend HTTPS_PROXY and its kin"
        ) from error


def failure_of_response(response: httpx2.Response) -> ServerFailure:
    """What an HTTP answer other than success says."""
    return ServerFailure(
        FailureKind.STATUS,
        response.text,
        status=response.status_code,
        retry_after=_retry_after(response.headers),
    )


def failure_of_connection(cause: BaseException | None) -> ServerFailure:
    """What became of a connection, from the exception under the package's own."""
    unreached = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.ProxyError, httpx2.UnsupportedProtocol)
    kind = FailureKind.BROKEN_OFF
    if isinstance(cause, unreached):
        kind = FailureKind.UNREACHED
    elif isinstance(cause, OversizedError):
        kind = FailureKind.NONSENSE
    return ServerFailure(kind, str(cause) or type(cause).__name__)


async def _read_no_more(response: httpx2.Response) -> None:
    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise OversizedError("the answer is packed, which was not asked for", request=response.request)
    assert isinstance(response.stream, httpx2.AsyncByteStream)
    response.stream = _Capped(response.stream, response.request)


class _Capped(httpx2.AsyncByteStream):
    """A body that ends with an error where it is larger than an answer can be."""

    def __init__(self, stream: httpx2.AsyncByteStream, request: httpx2.Request) -> None:
        self._stream = stream
        self._request = request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for chunk in self._stream:
            size += len(chunk)
            if size > _MAX_BYTES:
                raise OversizedError(
                    f"the answer is larger than {_MAX_BYTES // 2**20} MiB", request=self._request
                )
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()


def _retry_after(headers: httpx2.Headers) -> float | None:
    """Seconds that the server asks to wait: a number of them, or a date."""
    text = headers.get("Retry-After", "")
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None
