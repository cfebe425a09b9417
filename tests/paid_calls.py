"""Rows of paid calls in a list, for tests of what stands before the store."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from localvid.schemas import OPEN_CALLS, CallState, ClipOrder, PaidCall


class CallList:
    """Everything that was written down, in order; `forgets`: no call is open to the next attempt."""

    def __init__(self, *, forgets: bool = False) -> None:
        self.calls: list[PaidCall] = []
        self.written: list[CallState] = []
        self._forgets = forgets

    @property
    def states(self) -> list[CallState]:
        return [call.state for call in self.calls]

    def current(self) -> PaidCall | None:
        if self._forgets:
            return None
        return next((call for call in reversed(self.calls) if call.state in OPEN_CALLS), None)

    def begin(self, order: ClipOrder, inputs: Mapping[str, Any]) -> PaidCall:
        now = datetime.now(UTC)
        call = PaidCall(
            id=f"call{len(self.calls)}",
            job_id="20261122-7f3kc09q",
            step_key="step",
            host=order.host,
            model=order.model,
            version=order.version,
            inputs=dict(inputs),
            state=CallState.INTENT,
            estimated_usd=order.price.usd_per_clip,
            created_at=now,
            updated_at=now,
        )
        self.calls.append(call)
        self.written.append(call.state)
        return call

    def update(
        self,
        call_id: str,
        state: CallState,
        *,
        run_id: str | None = None,
        cost_usd: float | None = None,
        detail: str = "",
    ) -> None:
        changes: dict[str, object] = {"state": state, "detail": detail, "updated_at": datetime.now(UTC)}
        changes |= {"run_id": run_id} if run_id is not None else {}
        changes |= {"cost_usd": cost_usd} if cost_usd is not None else {}
        self.calls = [call.model_copy(update=changes) if call.id == call_id else call for call in self.calls]
        self.written.append(state)
