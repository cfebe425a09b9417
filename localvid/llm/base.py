"""The interface behind which everything that writes storyboards stands."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol, Self

from localvid.schemas import OnProgress, PeakMemory, Revision, Storyboard, ignore_progress


class StoryboardWriter(Protocol):
    """Turns a prompt into a storyboard; opened and closed like a file.

    Guarantees of every implementation, held by the contract suite: exactly `num_shots` shots whose
    descriptions differ; the same prompt, number and seed give the same storyboard, as far as a model on a
    server repeats itself; `written_by` names the writer; a failure raises a LocalvidError
    (NotAvailableError where the model cannot be had, ModelProcessError where it breaks or takes too long) and
    leaves no process behind.
    """

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def write(
        self, prompt: str, *, num_shots: int, seed: int, on_progress: OnProgress = ignore_progress
    ) -> Storyboard:
        """Write a storyboard of `num_shots` shots (1 to 7) for a prompt that `clean_prompt` has cleaned."""
        ...

    def revise(
        self,
        storyboard: Storyboard,
        instruction: str,
        *,
        seed: int,
        on_progress: OnProgress = ignore_progress,
    ) -> Revision:
        """Change a storyboard as an instruction says; shots that it does not touch stay as they are.

        The same storyboard, instruction and seed give the same revision. What could not be done is among its
        notes; InvalidRequestError where nothing could, StoryboardFailedError where the model gave nothing
        usable.
        """
        ...

    def peak_memory(self) -> PeakMemory:
        """The most memory that its process held at a time since this was last asked; raises nothing.

        IN_THIS_PROCESS where it has none.
        """
        ...
