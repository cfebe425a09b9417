"""A call to a host that costs money, as its row says: written down before it is sent."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import Field

from localvid.schemas.base import Frozen
from localvid.schemas.models import Price


class CallState(StrEnum):
    """Where a call stands. The first four are open: the clip's next attempt begins with that call."""

    INTENT = "intent"
    """Written down and perhaps sent: whether the host has it is not known."""
    RUNNING = "running"
    """The host has it: its id is known."""
    MADE = "made"
    """Done at the host, and not yet in the workspace."""
    NEEDS_CONFIRMATION = "needs_confirmation"
    """Perhaps paid for, and out of reach: the user decides."""
    DONE = "done"
    FAILED = "failed"
    CANCELED = "canceled"
    NOT_CREATED = "not_created"
    """The host has none of it: it costs nothing."""
    REPEATED = "repeated"
    """It needed confirmation, and the user said to send another."""


class ClipOrder(Frozen):
    """What is bought."""

    host: str
    model: str
    version: str
    price: Price


OPEN_CALLS = (CallState.INTENT, CallState.RUNNING, CallState.MADE, CallState.NEEDS_CONFIRMATION)


class PaidCall(Frozen):
    """One call: at most one request to the host that makes something. Never a secret."""

    id: str
    job_id: str
    step_key: str
    host: str
    model: str
    version: str
    inputs: dict[str, Any]
    """As they were sent, with the address of the uploaded image."""
    state: CallState
    run_id: str | None = None
    """The host's own name of it."""
    estimated_usd: float = Field(ge=0)
    cost_usd: float | None = None
    """What it cost by the host's own account of its time; None: not known yet."""
    detail: str = ""
    created_at: datetime
    updated_at: datetime
    held_elsewhere: bool = False
    """Another live process sent it, or is about to."""

    @property
    def spent_usd(self) -> float:
        """What counts against the limits: the cost, and the estimate until that is known."""
        return self.estimated_usd if self.cost_usd is None else self.cost_usd
