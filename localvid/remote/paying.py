"""Paying once: what is written down, in which order, and what each failure leads to.

    commit the intent → one request → commit the host's id → ask until it ends → commit that it is made

Whoever starts again begins with the call that is open. An intent without an id is looked for in the host's
list; what is there is taken up, what is not there after the grace period was not created, and only then is
another intent written down and sent. Each intent is sent once at most. An intent whose inputs the host has
deleted meanwhile, and a result that is gone, are parked: the user decides.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

from localvid.errors import (
    GenerationFailedError,
    HostFailedError,
    JobCancelledError,
    NeedsConfirmationError,
)
from localvid.remote.answers import NotCreatedError, UnknownOutcomeError
from localvid.remote.hosts import Host, PaidCalls, RemoteRun, RunState
from localvid.remote.http import HostSettings, wait
from localvid.schemas import CallState, ClipOrder, OnProgress, PaidCall, Progress

logger = logging.getLogger(__name__)

_MARGIN = timedelta(minutes=5)
"""A host is asked for what it made since so long before the intent."""
_MAX_UNKNOWN = 3
"""Calls that were lost on their way before the clip is given up."""
_LONGEST_RUN_SECONDS = 3600.0
_SLOWER = 1.1
_MAX_POLL_SECONDS = 5.0
_FIRST_WAIT_SECONDS = 0.5
_MAX_WAIT_SECONDS = 60.0

MakeInputs = Callable[[], Mapping[str, Any]]


def obtain(
    host: Host,
    calls: PaidCalls,
    order: ClipOrder,
    make_inputs: MakeInputs,
    on_progress: OnProgress,
    settings: HostSettings,
) -> tuple[PaidCall, RemoteRun]:
    """A run that has succeeded, paid for once, with the call that paid for it.

    `make_inputs` is called where a new call must be sent; it uploads what the host must be able to read.
    Raises SpendLimitError, NeedsConfirmationError, HostFailedError, GenerationFailedError where the host
    failed at it, and whatever `on_progress` raises: the run then goes on at the host and is taken up by the
    next attempt, unless the job was cancelled, which cancels it there too.
    """
    return _Purchase(host, calls, order, make_inputs, on_progress, settings).obtain()


def park(calls: PaidCalls, call: PaidCall, why: str) -> NoReturn:
    """Leave it to the user whether the call is sent once more."""
    calls.update(call.id, CallState.NEEDS_CONFIRMATION, detail=why)
    raise confirmation_needed(call, why)


def confirmation_needed(call: PaidCall, why: str) -> NeedsConfirmationError:
    return NeedsConfirmationError(
        f"a clip may have been paid for at {call.host} already, and it cannot be had: {why}",
        hint=f"to have it made and paid for again: localvid resume {call.job_id} --confirm",
    )


class _Purchase:
    """One clip's way from nothing, or from an open call, to a run that has succeeded."""

    def __init__(
        self,
        host: Host,
        calls: PaidCalls,
        order: ClipOrder,
        make_inputs: MakeInputs,
        on_progress: OnProgress,
        settings: HostSettings,
    ) -> None:
        self._host = host
        self._calls = calls
        self._order = order
        self._make_inputs = make_inputs
        self._on_progress = on_progress
        self._settings = settings
        self._inputs: Mapping[str, Any] | None = None
        self._unknown = 0
        self._busy_until = time.monotonic() + settings.patience_seconds
        self._busy_seconds = _FIRST_WAIT_SECONDS

    def obtain(self) -> tuple[PaidCall, RemoteRun]:
        while True:
            call = self._calls.current()
            call, run = self._sent() if call is None else self._taken_up(call)
            if run is not None:
                return call, self._followed(call, run)

    # --- sending ---------------------------------------------------------------------------------

    def _sent(self) -> tuple[PaidCall, RemoteRun | None]:
        """A new call with its run; None where the host has none of it and another may be sent."""
        if self._inputs is None:
            self._inputs = self._make_inputs()
        self._say(f"sending the shot to {self._host.name}")
        call = self._calls.begin(self._order, self._inputs)
        if call.held_elsewhere:
            return self._taken_up(call)
        try:
            run = self._host.create(call.inputs)
        except NotCreatedError as error:
            self._calls.update(call.id, CallState.NOT_CREATED, cost_usd=0.0, detail=error.message)
            self._wait_for_turn(error)
            return call, None
        except UnknownOutcomeError as error:
            logger.warning("%s; looking whether it was created", error.message)
            found = self._looked_for(call, sent_at=datetime.now(UTC))
            if found is None:
                self._count_unknown(error)
            return call, found
        self._calls.update(call.id, CallState.RUNNING, run_id=run.id)
        return call, run

    def _wait_for_turn(self, error: NotCreatedError) -> None:
        """Return when the next call may be sent; raise where the host's answer is no."""
        if error.wait_seconds is None:
            raise error.cause or error
        pause = max(error.wait_seconds, self._busy_seconds)
        if time.monotonic() + pause > self._busy_until:
            raise HostFailedError(error.message, hint=error.hint or "resume later") from error
        self._busy_seconds = min(2 * self._busy_seconds, _MAX_WAIT_SECONDS)
        wait(pause, self._on_progress, _plain(f"{self._host.name} is busy; trying again"))

    def _count_unknown(self, error: UnknownOutcomeError) -> None:
        self._unknown += 1
        if self._unknown >= _MAX_UNKNOWN:
            raise HostFailedError(
                f"{error.message}, {self._unknown} times", hint="resume later: nothing was created"
            ) from error

    # --- taking up -------------------------------------------------------------------------------

    def _taken_up(self, call: PaidCall) -> tuple[PaidCall, RemoteRun | None]:
        """The run of a call from before; None where the host has none of it, as far as is known."""
        if call.held_elsewhere and call.run_id is None:
            wait(self._settings.poll_seconds, self._on_progress, _plain("another process sends this shot"))
            return call, None
        if call.state is CallState.NEEDS_CONFIRMATION:
            raise confirmation_needed(call, call.detail)
        if call.run_id is None:
            return call, self._looked_for(call, sent_at=call.created_at)
        self._say(f"taking up what runs at {self._host.name}")
        run = self._host.get(call.run_id, self._on_progress)
        if run is None:
            park(self._calls, call, f"{self._host.name} does not know {call.run_id} any more")
        return call, run

    def _looked_for(self, call: PaidCall, *, sent_at: datetime) -> RemoteRun | None:
        """Find the call in the host's list, until the grace period after `sent_at` is over."""
        if datetime.now(UTC) - call.created_at > self._host.outputs_kept:
            park(
                self._calls,
                call,
                f"it was sent at {call.created_at:%Y-%m-%d %H:%M} UTC, too long ago to find",
            )
        grace_ends = sent_at + timedelta(seconds=self._settings.grace_seconds)
        while True:
            last_look = datetime.now(UTC) >= grace_ends
            self._say(f"looking for the shot at {self._host.name}")
            since = call.created_at - _MARGIN
            found = self._host.created_since(since, call.inputs, self._on_progress)
            if found.certain:
                return self._adopted(call, found.certain)
            if last_look:
                break
            left = (grace_ends - datetime.now(UTC)).total_seconds()
            pause = min(self._settings.poll_seconds, max(left, 0.01))
            wait(pause, self._on_progress, _plain(f"looking for the shot at {self._host.name}"))
        if found.unclear:
            park(self._calls, call, f"{', '.join(found.unclear[:3])} at {call.host} may be it, or may not")
        why = f"not in {self._host.name}'s list {self._settings.grace_seconds:g} s after it was sent"
        self._calls.update(call.id, CallState.NOT_CREATED, cost_usd=0.0, detail=why)
        return None

    def _adopted(self, call: PaidCall, runs: tuple[RemoteRun, ...]) -> RemoteRun:
        """The run that is furthest; any other is stopped: one is enough."""
        first, *others = sorted(runs, key=lambda run: _ORDER.index(run.state))
        self._calls.update(call.id, CallState.RUNNING, run_id=first.id)
        for other in others:
            if other.state in (RunState.WAITING, RunState.RUNNING):
                self._host.cancel(other.id)
        return first

    # --- following -------------------------------------------------------------------------------

    def _followed(self, call: PaidCall, run: RemoteRun) -> RemoteRun:
        """The run when it has succeeded."""
        seconds, deadline = self._settings.poll_seconds, time.monotonic() + _LONGEST_RUN_SECONDS
        try:
            while run.state in (RunState.WAITING, RunState.RUNNING):
                if time.monotonic() > deadline:
                    raise HostFailedError(
                        f"{self._host.name} has not finished {run.id} in {_LONGEST_RUN_SECONDS / 60:g} min",
                        hint="look at it there; resume takes it up",
                    )
                progress = self._progress(run)
                self._on_progress(progress)
                wait(seconds, self._on_progress, progress)
                seconds = min(seconds * _SLOWER, max(_MAX_POLL_SECONDS, self._settings.poll_seconds))
                again = self._host.get(run.id, self._on_progress)
                if again is None:
                    park(self._calls, call, f"{self._host.name} does not know {run.id} any more")
                run = again
        except JobCancelledError:
            self._cancelled(call, run)
            raise
        return self._ended(call, run)

    def _ended(self, call: PaidCall, run: RemoteRun) -> RemoteRun:
        name, cost = self._host.name, self._order.price.cost_usd(run.billed_seconds)
        match run.state:
            case RunState.SUCCEEDED if run.output is not None:
                self._calls.update(call.id, CallState.MADE, run_id=run.id, cost_usd=cost)
                return run
            case RunState.SUCCEEDED:
                park(self._calls, call, f"{name} has deleted the result of {run.id}")
            case RunState.FAILED:
                why = f"{name} failed at it: {run.error or 'it does not say why'}"
                self._calls.update(call.id, CallState.FAILED, run_id=run.id, cost_usd=cost, detail=why)
                raise GenerationFailedError(why, hint="resume to have it tried, and paid for, once more")
            case RunState.NEVER_STARTED:
                why = f"{name} ended it before it began"
                self._calls.update(call.id, CallState.CANCELED, run_id=run.id, cost_usd=0.0, detail=why)
                raise HostFailedError(why, hint="resume later: it costs nothing")
            case _:
                why = f"it was cancelled at {name}"
                self._calls.update(call.id, CallState.CANCELED, run_id=run.id, cost_usd=cost, detail=why)
                raise HostFailedError(why, hint="resume to have it made, and paid for, once more")

    def _cancelled(self, call: PaidCall, run: RemoteRun) -> None:
        """The job is cancelled: so is its run, which may have ended meanwhile; not one that another job waits
        for."""
        if call.held_elsewhere:
            return
        ended = self._host.cancel(run.id)
        if ended is None or ended.state in (RunState.WAITING, RunState.RUNNING, RunState.SUCCEEDED):
            return  # still open: whoever resumes finds out what became of it
        cost = (
            0.0 if ended.state is RunState.NEVER_STARTED else self._order.price.cost_usd(ended.billed_seconds)
        )
        self._calls.update(
            call.id, CallState.CANCELED, run_id=run.id, cost_usd=cost, detail="the job was cancelled"
        )

    def _progress(self, run: RemoteRun) -> Progress:
        """By what the host says of its state, and how far it is by what its logs tell."""
        if run.state is RunState.WAITING:
            return _plain(f"waiting for {self._host.name}")
        return Progress(
            step=int(100 * run.fraction), num_steps=100, message=f"rendering at {self._host.name}"
        )

    def _say(self, message: str) -> None:
        self._on_progress(_plain(message))


_ORDER = (
    RunState.SUCCEEDED,
    RunState.RUNNING,
    RunState.WAITING,
    RunState.FAILED,
    RunState.CANCELED,
    RunState.NEVER_STARTED,
)


def _plain(message: str) -> Progress:
    return Progress(step=0, num_steps=0, message=message)
