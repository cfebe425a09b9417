"""The two sides between which a paid call goes: a host that makes things, and the rows that say so."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from localvid.schemas import CallState, ClipOrder, Frozen, OnProgress, PaidCall


class RunState(StrEnum):
    """What a host says of something that it was asked to make."""

    WAITING = "waiting"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"
    NEVER_STARTED = "never_started"
    """Ended before it began, which costs nothing."""


class RemoteRun(Frozen):
    """One thing that a host makes or has made, in no host's own words."""

    id: str
    state: RunState
    fraction: float = 0.0
    """How much of it is done, 0 to 1, as far as the host says."""
    output: str | None = None
    """Where its result is; None: there is none, or it has been deleted."""
    error: str = ""
    billed_seconds: float | None = None


class Matches(Frozen):
    """What of a host's list may be a call that was written down."""

    certain: tuple[RemoteRun, ...] = ()
    """The same model, version and inputs."""
    unclear: tuple[str, ...] = ()
    """Ids of those of which it cannot be told: the host no longer shows their inputs, or changed them."""


class Host(Protocol):
    """A host of paid models. What it raises: HostFailedError where it fails after patient tries,
    NotAvailableError where it refuses the user, and whatever `on_progress` raises."""

    name: str
    """As people know it, with its capitals."""
    outputs_kept: timedelta
    """So long inputs and outputs are kept there: a call that is older cannot be recognised."""

    def upload(self, image: bytes, on_progress: OnProgress) -> str:
        """Put a PNG where the model can read it, and return where; costs nothing, so it may be repeated."""
        ...

    def create(self, inputs: Mapping[str, Any]) -> RemoteRun:
        """Ask for one run: one request, never repeated here.

        Raises NotCreatedError where it is certain that nothing was made, UnknownOutcomeError where it is not.
        """
        ...

    def get(self, run_id: str, on_progress: OnProgress) -> RemoteRun | None:
        """None: the host knows no such run any more."""
        ...

    def created_since(self, moment: datetime, inputs: Mapping[str, Any], on_progress: OnProgress) -> Matches:
        """What it made since `moment`, by this machine's clock, that may be a run with these inputs."""
        ...

    def cancel(self, run_id: str) -> RemoteRun | None:
        """Ask it to stop. None where it could not be told; that is not tried for long."""
        ...

    def download(self, url: str, output: Path, on_progress: OnProgress) -> bool:
        """Write the result to `output`; False where the host has deleted it."""
        ...

    def forget(self, inputs: Mapping[str, Any]) -> None:
        """Delete the uploaded image, if the host lets it be deleted; never fails, and is tried once."""
        ...


class PaidCalls(Protocol):
    """The rows of one clip's calls. Every method returns when the row is on disk."""

    def current(self) -> PaidCall | None:
        """The call that is open: sent before and not ended, as far as is known."""
        ...

    def begin(self, order: ClipOrder, inputs: Mapping[str, Any]) -> PaidCall:
        """Write down that a call is about to be sent. Raises SpendLimitError: nothing is written then.

        Where another process was faster, its call is returned, `held_elsewhere`, and nothing may be sent.
        """
        ...

    def update(
        self,
        call_id: str,
        state: CallState,
        *,
        run_id: str | None = None,
        cost_usd: float | None = None,
        detail: str = "",
    ) -> None: ...
