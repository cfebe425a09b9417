"""Requests to a host: which may be repeated, which may not, and what each failure means for money.

A request that makes nothing is repeated until the host has answered or patience ends. One that makes
something is sent once, and its failure is one of two: nothing was made, or that is not known.

No text of the token leaves this module but in the Authorization header: what a host says is searched for it.
"""

from __future__ import annotations

import ipaddress
import logging
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, Self

import httpx

from localvid import __version__
from localvid.config import Settings
from localvid.errors import HostFailedError, LocalvidError, NotAvailableError
from localvid.schemas import Frozen, OnProgress, Progress

logger = logging.getLogger(__name__)

_REPORT_SECONDS = 0.25
"""Most between two reports while nothing comes, so that a stop takes hold."""
_PATIENCE = 20.0
"""Times the time-out of one answer: so long is a host that does not answer asked again."""
_MAX_WAIT_SECONDS = 120.0
_MAX_BACKOFF_SECONDS = 30.0
_FIRST_WAIT_SECONDS = 0.5
_BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})
_RESETS_IN = re.compile(r"resets? in ~?\s*(\d+(?:\.\d+)?)\s*s", re.IGNORECASE)
_MAX_DETAIL = 300


class HostSettings(Frozen):
    """How a host is spoken to; seconds."""

    poll_seconds: float
    grace_seconds: float
    timeout_seconds: float

    @classmethod
    def of(cls, settings: Settings) -> Self:
        return cls(
            poll_seconds=settings.remote_poll_seconds,
            grace_seconds=settings.remote_grace_seconds,
            timeout_seconds=settings.remote_timeout_seconds,
        )

    @property
    def patience_seconds(self) -> float:
        return _PATIENCE * self.timeout_seconds


class NotCreatedError(HostFailedError):
    """The host made nothing, for certain. `wait_seconds`: try again after so long; None: do not.

    `cause` is what the user is told where it is not tried again.
    """

    wait_seconds: float | None = None
    cause: LocalvidError | None = None


class UnknownOutcomeError(HostFailedError):
    """Whether the host did what it was asked for is not known."""

    wait_seconds: float | None = None
    """What the host asked for; None: nothing."""


class HostClient:
    """A connection to one host, opened at the first request; `close` is idempotent, and it opens again.

    Raises NotAvailableError if the base address may not see the token: it is neither https nor this machine.
    """

    def __init__(self, name: str, base_url: str, token: str, settings: HostSettings) -> None:
        self.name = name
        self.settings = settings
        self._token = token
        self._client: httpx.Client | None = None
        self.clock_ahead = timedelta()
        """How far the host's clock is ahead of this machine's, by its latest answer; to a second or so."""
        try:
            self.base = httpx.URL(base_url.rstrip("/"))
        except httpx.InvalidURL as error:
            raise NotAvailableError(
                f"the base address of {name} is no URL", hint=f"mend {name.lower()}_base_url"
            ) from error
        if self.base.scheme != "https" and not (self.base.scheme == "http" and is_this_machine(self.base)):
            raise NotAvailableError(
                f"the token for {name} is not sent to {self.base.host}: it is not https",
                hint=f"give an https address as {name.lower()}_base_url",
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    @property
    def client(self) -> httpx.Client:
        """It carries no token: `authorization` is added to each request that may have it."""
        if self._client is None:
            timeout = httpx.Timeout(self.settings.timeout_seconds)
            headers = {"User-Agent": f"localvid/{__version__}", "Accept-Encoding": "identity"}
            try:
                self._client = httpx.Client(headers=headers, timeout=timeout, follow_redirects=False)
            except (ValueError, httpx.InvalidURL) as error:
                raise NotAvailableError(
                    f"the proxy settings cannot be used: {error}", hint="mend HTTPS_PROXY and its kin"
                ) from error
        return self._client

    @property
    def authorization(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token}"}

    def is_own(self, url: httpx.URL) -> bool:
        """Whether an address is the base address's own host, by scheme, name and port."""
        return (url.scheme, url.host, url.port) == (self.base.scheme, self.base.host, self.base.port)

    def ask(
        self,
        method: str,
        path: str,
        on_progress: OnProgress,
        *,
        params: Mapping[str, str] | None = None,
        files: Mapping[str, tuple[str, bytes, str]] | None = None,
        patience_seconds: float | None = None,
    ) -> Any:
        """The JSON answer of a request that may be repeated; None where the host has no such thing (404).

        `path` is below the base address, or a whole address on the same host.
        """

        def attempt() -> Any:
            with self.transport_failures():
                response = self.client.request(
                    method, self.url(path), params=params, files=files, headers=self.authorization
                )
            if response.status_code in (404, 410):
                return None
            self.refuse(response)
            return self._json(response)

        return self.patiently(attempt, on_progress, seconds=patience_seconds)

    def send_once(self, path: str, document: Mapping[str, Any], *, headers: Mapping[str, str]) -> Any:
        """The JSON answer of the one request that makes something. Raises as `Host.create`."""
        with self._said(NotCreatedError, UnknownOutcomeError):
            response = self.client.post(
                self.url(path), json=dict(document), headers={**self.authorization, **headers}
            )
        if response.status_code == httpx.codes.TOO_MANY_REQUESTS:
            error = NotCreatedError(self._what(response), hint="wait a little, then resume")
            error.wait_seconds = self.wait_of(response)
            raise error
        if 300 <= response.status_code < 500 and response.status_code != httpx.codes.REQUEST_TIMEOUT:
            error = NotCreatedError(self._what(response), hint=_HINTS.get(response.status_code, ""))
            error.cause = self._refusal(response)
            raise error
        if not response.is_success:
            raise UnknownOutcomeError(self._what(response))
        return self._json(response)

    def url(self, path: str) -> httpx.URL:
        """Raises HostFailedError for a whole address on another host."""
        if not path.startswith(("http://", "https://")):
            return httpx.URL(f"{self.base}/{path.lstrip('/')}")
        url = httpx.URL(path)
        if not self.is_own(url):
            raise HostFailedError(
                f"{self.name} names an address on another host, {url.host}", hint="report it, with the time"
            )
        return url

    def patiently(
        self, attempt: Callable[[], Any], on_progress: OnProgress, *, seconds: float | None = None
    ) -> Any:
        """What `attempt` returns, tried again while it raises UnknownOutcomeError and patience lasts."""
        patience = self.settings.patience_seconds if seconds is None else seconds
        deadline, backoff = time.monotonic() + patience, _FIRST_WAIT_SECONDS
        while True:
            try:
                return attempt()
            except UnknownOutcomeError as error:
                pause = backoff if error.wait_seconds is None else error.wait_seconds
                if time.monotonic() + pause > deadline:
                    raise HostFailedError(
                        error.message, hint="resume later: what was paid for is not paid for again"
                    ) from error
                logger.info("%s; asking again in %.1f s", error.message, pause)
                say = Progress(step=0, num_steps=0, message=f"{self.name} does not answer; asking again")
            wait(pause, on_progress, say)
            backoff = min(2 * backoff, _MAX_BACKOFF_SECONDS)

    def wait_of(self, response: httpx.Response) -> float:
        """Seconds after which a busy host wants to be asked again: by its header, its words, or a guess."""
        header = response.headers.get("Retry-After", "").strip()
        if re.fullmatch(r"\d+(\.\d+)?", header):
            return min(float(header), _MAX_WAIT_SECONDS)
        if header:
            try:
                seconds = parsedate_to_datetime(header).timestamp() - time.time()
                return min(max(seconds, 0.0), _MAX_WAIT_SECONDS)
            except (TypeError, ValueError):
                pass
        said = _RESETS_IN.search(response.text[:4096])
        return min(float(said[1]), _MAX_WAIT_SECONDS) if said else 4 * _FIRST_WAIT_SECONDS

    def redacted(self, text: str) -> str:
        """A host's words as one short line without the token."""
        safe = text.replace(self._token, "***") if self._token else text
        line = re.sub(r"\s+", " ", safe).strip()
        return line if len(line) <= _MAX_DETAIL else f"{line[:_MAX_DETAIL]}…"

    # --- answers ---------------------------------------------------------------------------------

    @contextmanager
    def _said(self, before: type[HostFailedError], after: type[HostFailedError]) -> Iterator[None]:
        """Transport failures as `before` where no request can have reached the host, else as `after`."""
        try:
            yield
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError) as error:
            failure = before(f"{self.name} cannot be reached: {self.redacted(str(error)) or 'no connection'}")
            failure.hint = "check the network, then resume"
            if isinstance(failure, NotCreatedError):
                failure.wait_seconds = 4 * _FIRST_WAIT_SECONDS
            raise failure from error
        except (httpx.TimeoutException, httpx.NetworkError, httpx.RemoteProtocolError) as error:
            what = self.redacted(str(error)) or type(error).__name__
            raise after(f"{self.name} did not answer: {what}") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise HostFailedError(
                f"{self.name} cannot be asked: {self.redacted(str(error))}",
                hint=f"check {self.name.lower()}_base_url and the proxy settings",
            ) from error

    def refuse(self, response: httpx.Response) -> None:
        """Raise for an answer that is none: UnknownOutcomeError where the same may be asked again."""
        if response.status_code in _BUSY:
            response.read()  # of a stream, for what the host says
            error = UnknownOutcomeError(self._what(response))
            if response.status_code == httpx.codes.TOO_MANY_REQUESTS or "Retry-After" in response.headers:
                error.wait_seconds = self.wait_of(response)
            raise error
        if not response.is_success:
            response.read()
            raise self._refusal(response)

    def transport_failures(self) -> AbstractContextManager[None]:
        """What goes wrong on the way of a request that may be repeated, as UnknownOutcomeError."""
        return self._said(UnknownOutcomeError, UnknownOutcomeError)

    def _refusal(self, response: httpx.Response) -> LocalvidError:
        kind = NotAvailableError if response.status_code in (401, 402, 403) else HostFailedError
        return kind(self._what(response), hint=_HINTS.get(response.status_code, _ELSE))

    def _what(self, response: httpx.Response) -> str:
        try:
            document = response.json()
            detail = str(document.get("detail") or document.get("title") or "")
        except (ValueError, AttributeError):
            detail = ""
        words = self.redacted(detail)
        return f"{self.name} answers HTTP {response.status_code}{f': {words}' if words else ''}"

    def _json(self, response: httpx.Response) -> Any:
        self._compare_clocks(response)
        if response.status_code == httpx.codes.NO_CONTENT:
            return {}
        try:
            return response.json()
        except ValueError as error:
            raise UnknownOutcomeError(f"{self.name} answers what is no JSON") from error

    def _compare_clocks(self, response: httpx.Response) -> None:
        try:
            said = parsedate_to_datetime(response.headers.get("Date", ""))
            self.clock_ahead = said.astimezone(UTC) - datetime.now(UTC)
        except (TypeError, ValueError):
            pass  # it does not say: its clock is taken for right


_ELSE = "if it happens again, report it with the time"
_HINTS = {
    401: "the token is not accepted: set a valid one (docs/remote.md)",
    402: "the host wants the account's billing to be set up",
    403: "the token's account may not do this",
    404: "the model's version is not there any more: see its page, and the manifest's revision",
    422: "the host does not take these inputs: another version of the model?",
}


def wait(seconds: float, on_progress: OnProgress, progress: Progress) -> None:
    """Let time go by, reporting so often that a stop takes hold at once."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        on_progress(progress)
        time.sleep(min(left, _REPORT_SECONDS))


def is_this_machine(url: httpx.URL) -> bool:
    try:
        return url.host == "localhost" or ipaddress.ip_address(url.host).is_loopback
    except ValueError:
        return False
