"""Requests to a host: those that may be repeated, and those that are sent once.

A request that makes nothing is repeated until the host has answered or patience ends. One that makes
something is sent once, and its failure is one of two: nothing was made, or that is not known. What an answer
means is read in `answers`.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, Self

import httpx

from localvid import __version__
from localvid.addresses import is_loopback
from localvid.config import Settings, is_token
from localvid.errors import HostFailedError, NotAvailableError
from localvid.remote.answers import Answers, UnknownOutcomeError
from localvid.schemas import Frozen, OnProgress, Progress

logger = logging.getLogger(__name__)

_REPORT_SECONDS = 0.25
"""Most between two reports while nothing comes, so that a stop takes hold."""
_PATIENCE = 20.0
"""Times the time-out of one answer: so long is a host that does not answer asked again."""
_MAX_BACKOFF_SECONDS = 30.0
_FIRST_WAIT_SECONDS = 0.5


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


class HostClient:
    """A connection to one host, opened at the first request; `close` is idempotent, and it opens again.

    `wait_words` are those of `Answers`. Raises NotAvailableError if the base address may not see the token,
    because it is neither https nor this machine, and for a token that no header can carry.
    """

    def __init__(
        self,
        name: str,
        base_url: str,
        token: str,
        settings: HostSettings,
        *,
        wait_words: re.Pattern[str] | None = None,
    ) -> None:
        self.name = name
        self.settings = settings
        self.answers = Answers(name, token, wait_words=wait_words)
        self._token = token
        self._client: httpx.Client | None = None
        self._direct: httpx.Client | None = None
        self.clock_ahead = timedelta()
        """How far the host's clock is ahead of this machine's, by its latest answer; to a second or so."""
        try:
            self.base = httpx.URL(base_url.rstrip("/"))
        except httpx.InvalidURL as error:
            raise NotAvailableError(
                f"the base address of {name} is no URL", hint=f"mend {name.lower()}_base_url"
            ) from error
        if not is_token(token):
            raise NotAvailableError(
                f"the token for {name} holds a space, a line's end or a letter that no token has",
                hint=f"set {name.upper()}_API_TOKEN again",
            )
        here = self.base.scheme == "http" and is_loopback(self.base.host)
        if self.base.scheme != "https" and not here:
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
        for client in (self._client, self._direct):
            if client is not None:
                client.close()
        self._client = self._direct = None

    @property
    def client(self) -> httpx.Client:
        """It carries no token: `authorization` is added to each request that may have it."""
        if self._client is None:
            self._client = self._opened()
        return self._client

    @property
    def direct(self) -> httpx.Client:
        """For requests to an address in place of a name: through no proxy, which would hold the certificate
        against the address, and each on a connection of its own, which was made for that name."""
        if self._direct is None:
            self._direct = self._opened(trust_env=False, limits=httpx.Limits(max_keepalive_connections=0))
        return self._direct

    def _opened(self, **how: Any) -> httpx.Client:
        timeout = httpx.Timeout(self.settings.timeout_seconds)
        headers = {"User-Agent": f"localvid/{__version__}", "Accept-Encoding": "identity"}
        try:
            verify = httpx.create_ssl_context()  # by SSL_CERT_FILE, if that is set
            return httpx.Client(headers=headers, timeout=timeout, verify=verify, **how)
        except (ValueError, OSError, httpx.InvalidURL) as error:
            raise NotAvailableError(
                f"the settings of proxies and certificates cannot be used: {error}",
                hint="mend HTTPS_PROXY and its kin, or SSL_CERT_FILE",
            ) from error

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
            with self.answers.failures():
                response = self.client.request(
                    method, self.url(path), params=params, files=files, headers=self.authorization
                )
            if response.status_code in (404, 410):
                return None
            self.answers.refuse(response)
            return self._document(response)

        return self.patiently(attempt, on_progress, seconds=patience_seconds)

    def send_once(self, path: str, document: Mapping[str, Any], *, headers: Mapping[str, str]) -> Any:
        """The JSON answer of the one request that makes something. Raises as `Host.create`."""
        with self.answers.failures_of_creation():
            response = self.client.post(
                self.url(path), json=dict(document), headers={**self.authorization, **headers}
            )
        self.answers.refuse_creation(response)
        return self._document(response)

    def url(self, path: str) -> httpx.URL:
        """Raises HostFailedError for a whole address that is none, or on another host."""
        if not path.startswith(("http://", "https://")):
            return httpx.URL(f"{self.base}/{path.lstrip('/')}")
        try:
            url = httpx.URL(path)
        except httpx.InvalidURL as error:
            raise HostFailedError(
                f"{self.name} names an address that is no URL", hint="report it, with the time"
            ) from error
        if not self.is_own(url):
            where = self.answers.redacted(url.host)
            raise HostFailedError(
                f"{self.name} names an address on another host, {where}", hint="report it, with the time"
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

    def _document(self, response: httpx.Response) -> Any:
        self._compare_clocks(response)
        return self.answers.document(response)

    def _compare_clocks(self, response: httpx.Response) -> None:
        try:
            said = parsedate_to_datetime(response.headers.get("Date", ""))
            self.clock_ahead = said.astimezone(UTC) - datetime.now(UTC)
        except (TypeError, ValueError):
            pass  # it does not say: its clock is taken for right


def wait(seconds: float, on_progress: OnProgress, progress: Progress) -> None:
    """Let time go by, reporting so often that a stop takes hold at once."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        on_progress(progress)
        time.sleep(min(left, _REPORT_SECONDS))
