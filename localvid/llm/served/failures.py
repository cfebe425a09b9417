"""What goes wrong between a writer and its server, and the error that a user reads for it."""

from __future__ import annotations

import json
import re
from enum import Enum, auto

from localvid.errors import LocalvidError, ModelProcessError, NotAvailableError
from localvid.llm.served.endpoint import Endpoint, key_hint
from localvid.schemas import clean_prompt

_MAX_SAID_CHARACTERS = 200
_MIN_SECRET_CHARACTERS = 8
_PASSING = frozenset({408, 409, 425, 429})
_NO_ROOM = re.compile(
    r"context.{0,24}(?:length|size|window)|prompt is too long|tokens\W{0,2} is too large|"
    r"maximum allowed number of output tokens",
    re.IGNORECASE,
)
_NO_CREDIT = re.compile(r"insufficient_quota|credit balance", re.IGNORECASE)


class FailureKind(Enum):
    UNREACHED = auto()
    """No connection came about."""
    BROKEN_OFF = auto()
    NONSENSE = auto()
    """The answer is not of the protocol."""
    STATUS = auto()
    """An HTTP status other than success."""


class ServerFailure(Exception):  # noqa: N818 - not an error yet: most are mended by asking again
    """One request that got no answer."""

    def __init__(
        self, kind: FailureKind, said: str, *, status: int = 0, retry_after: float | None = None
    ) -> None:
        super().__init__(said)
        self.kind = kind
        self.said = said
        """The server's own words, of any length and not to be trusted; or what became of the connection."""
        self.status = status
        """0 where there was none."""
        self.retry_after = retry_after
        """Seconds that the server asks to wait."""

    @property
    def is_passing(self) -> bool:
        """Whether the same request may be answered a moment later."""
        if self.kind is FailureKind.BROKEN_OFF:
            return True
        return (self.status in _PASSING or self.status >= 500) and not _NO_CREDIT.search(self.said)

    @property
    def is_for_lack_of_room(self) -> bool:
        """Whether the dialogue and its answer were too long for the model."""
        return self.status in (400, 413, 422) and _NO_ROOM.search(self.said) is not None

    def names(self, *words: str) -> bool:
        """Whether something in the request was refused with one of these words; some servers answer 500 to
        what they do not know."""
        refused = self.status in (400, 404, 415, 422, 500, 501) and not self.is_for_lack_of_room
        return refused and any(word in self.said.lower() for word in words)


def message_of(body: str) -> str:
    """The message in an error's body: `{"error": {"message": …}}`, `{"error": …}`, `{"detail": …}`; else all
    of it."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return body
    for key in ("error", "message", "detail"):
        if isinstance(value, dict) and value.get(key):
            value = value[key]
    return value if isinstance(value, str) else body


def without_key(text: str, endpoint: Endpoint) -> str:
    """A server's words without the key that it was sent; "ollama" and the like are no secrets."""
    key = endpoint.api_key.get_secret_value() if endpoint.api_key else ""
    return text.replace(key, "[key]") if len(key) >= _MIN_SECRET_CHARACTERS else text


def error_of(failure: ServerFailure, endpoint: Endpoint, model: str) -> LocalvidError:
    """The error for a failure that is not mended by asking again."""
    host, name = endpoint.host, endpoint.provider.name
    said = _quoted(without_key(message_of(failure.said), endpoint))
    match failure.kind:
        case FailureKind.UNREACHED:
            return NotAvailableError(
                f"{endpoint.base_url} cannot be reached{said}",
                hint=f"start the server, or name another with {name}_base_url; --llm outline needs none",
            )
        case FailureKind.BROKEN_OFF:
            return ModelProcessError(f"{host} broke off{said}", hint="try again; look into the server's log")
        case FailureKind.NONSENSE:
            return ModelProcessError(
                f"{host} does not answer as {endpoint.provider.title}'s protocol has it{said}",
                hint=f"check {name}_base_url, {endpoint.base_url}",
            )
        case FailureKind.STATUS:
            return _error_of_status(failure, said, endpoint, model)


def _error_of_status(failure: ServerFailure, said: str, endpoint: Endpoint, model: str) -> LocalvidError:
    host, name = endpoint.host, endpoint.provider.name
    answer = f"{host} answered HTTP {failure.status}{said}"
    if failure.status in (401, 403):
        return NotAvailableError(answer, hint=key_hint(endpoint.provider))
    if failure.status == 404:
        return NotAvailableError(
            answer,
            hint=f"check the model's name, {model!r}, and {name}_base_url, {endpoint.base_url}"
            + ("; most servers' addresses end with /v1" if name == "openai" else ""),
        )
    if 300 <= failure.status < 400:
        return NotAvailableError(
            f"{host} sends requests elsewhere (HTTP {failure.status}), which is not followed",
            hint=f"name the address itself in {name}_base_url",
        )
    if failure.is_passing:
        return ModelProcessError(answer, hint="try again later; --llm outline needs no server")
    return NotAvailableError(
        answer, hint=f"check that {model} is a model for chats; look into the server's log"
    )


def _quoted(said: str) -> str:
    said = clean_prompt(said[: 10 * _MAX_SAID_CHARACTERS])
    if len(said) > _MAX_SAID_CHARACTERS:
        said = f"{said[:_MAX_SAID_CHARACTERS]}…"
    return f": {said}" if said else ""
