"""What a host's answers, and the failures on the way to it, mean: for money, and for whether to ask again.

No text of the token leaves this package but in the Authorization header: what a host says is searched for it.
"""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from localvid.errors import HostFailedError, LocalvidError, NotAvailableError

MAX_WAIT_SECONDS = 120.0
BUSY_SECONDS = 2.0
"""Until a host is asked again that does not say when."""
_BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})
_MAX_DETAIL = 300
_ELSE = "if it happens again, report it with the time"
_HINTS = {
    401: "the token is not accepted: set a valid one (docs/remote.md)",
    402: "the host wants the account's billing to be set up",
    403: "the token's account may not do this",
    404: "the model's version is not there any more: see its page, and the manifest's revision",
    422: "the host does not take these inputs: another version of the model?",
}


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


class Answers:
    """How the answers of one host are read, whose people know it as `name`.

    `wait_words` finds, in a group, the seconds that the host wants to be left alone, where it says so in
    words and not in a header.
    """

    def __init__(self, name: str, token: str, *, wait_words: re.Pattern[str] | None = None) -> None:
        self.name = name
        self._token = token
        self._wait_words = wait_words

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

    def refuse_creation(self, response: httpx.Response) -> None:
        """Raise for an answer to a request that makes something: NotCreatedError where nothing was made for
        certain, UnknownOutcomeError where it is not known."""
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

    def document(self, response: httpx.Response) -> Any:
        """The JSON that was answered. Raises UnknownOutcomeError where it is none."""
        if response.status_code == httpx.codes.NO_CONTENT:
            return {}
        try:
            return response.json()
        except ValueError as error:
            raise UnknownOutcomeError(f"{self.name} answers what is no JSON") from error

    def wait_of(self, response: httpx.Response) -> float:
        """Seconds after which a busy host wants to be asked again: by its header, its words, or a guess."""
        header = response.headers.get("Retry-After", "").strip()
        if re.fullmatch(r"\d+(\.\d+)?", header):
            return min(float(header), MAX_WAIT_SECONDS)
        if header:
            try:
                seconds = parsedate_to_datetime(header).timestamp() - time.time()
                return min(max(seconds, 0.0), MAX_WAIT_SECONDS)
            except (TypeError, ValueError):
                pass
        said = self._wait_words.search(response.text[:4096]) if self._wait_words else None
        return min(float(said[1]), MAX_WAIT_SECONDS) if said else BUSY_SECONDS

    def redacted(self, text: str) -> str:
        """A host's words as one short line without the token."""
        safe = text.replace(self._token, "***") if self._token else text
        line = re.sub(r"\s+", " ", safe).strip()
        return line if len(line) <= _MAX_DETAIL else f"{line[:_MAX_DETAIL]}…"

    def failures(self) -> AbstractContextManager[None]:
        """What goes wrong on the way of a request that may be repeated, as UnknownOutcomeError."""
        return self._said(UnknownOutcomeError, UnknownOutcomeError)

    def failures_of_creation(self) -> AbstractContextManager[None]:
        """What goes wrong on the way of a request that makes something: as NotCreatedError where it cannot
        have reached the host."""
        return self._said(NotCreatedError, UnknownOutcomeError)

    @contextmanager
    def _said(self, before: type[HostFailedError], after: type[HostFailedError]) -> Iterator[None]:
        """Transport failures as `before` where no request can have reached the host, else as `after`."""
        try:
            yield
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError) as error:
            if (certificate := _certificate_error(error)) is not None:
                raise self._not_trusted(certificate, before) from error
            failure = before(f"{self.name} cannot be reached: {self.redacted(str(error)) or 'no connection'}")
            failure.hint = "check the network, then resume"
            if isinstance(failure, NotCreatedError):
                failure.wait_seconds = BUSY_SECONDS
            raise failure from error
        except (httpx.TimeoutException, httpx.NetworkError, httpx.RemoteProtocolError) as error:
            what = self.redacted(str(error)) or type(error).__name__
            raise after(f"{self.name} did not answer: {what}") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise HostFailedError(
                f"{self.name} cannot be asked: {self.redacted(str(error))}",
                hint=f"check {self.name.lower()}_base_url and the proxy settings",
            ) from error

    def _not_trusted(
        self, certificate: ssl.SSLCertVerificationError, before: type[HostFailedError]
    ) -> HostFailedError:
        """Of whoever answered with another's certificate: asking again would not change it."""
        kind = NotCreatedError if before is NotCreatedError else HostFailedError
        return kind(
            f"what answers for {self.name} is not trusted: {certificate.verify_message}",
            hint="where a proxy of yours looks into connections, name its authority's file in SSL_CERT_FILE",
        )

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


def _certificate_error(error: BaseException | None) -> ssl.SSLCertVerificationError | None:
    while error is not None and not isinstance(error, ssl.SSLCertVerificationError):
        error = error.__cause__ or error.__context__
    return error
