"""Storyboards without a language model: the prompt's own words, told by the rules of film.

It always works, in any language and in no time; it is the fallback, and says so in `written_by`.
"""

from __future__ import annotations

from types import TracebackType
from typing import Self

from localvid.config import Settings
from localvid.llm.outline_words import outline_description
from localvid.llm.plan import make_storyboard, plan_board
from localvid.llm.revision.by_rule import revise_by_rule
from localvid.schemas import (
    IN_THIS_PROCESS,
    ModelInfo,
    OnProgress,
    PeakMemory,
    Progress,
    Revision,
    Storyboard,
    ignore_progress,
)

NAME = "outline"
SHORTENED = "each shot shows the beginning of its part of the long prompt"


class OutlineWriter:
    """The StoryboardWriter that needs nothing; constructed as any other, it ignores what it is given."""

    def __init__(self, info: ModelInfo | None = None, settings: Settings | None = None) -> None:
        del info, settings

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is held."""

    def write(
        self, prompt: str, *, num_shots: int, seed: int, on_progress: OnProgress = ignore_progress
    ) -> Storyboard:
        """Write a storyboard by rule; raises InvalidRequestError for an empty prompt or 0 or 8 shots."""
        plan = plan_board(prompt, num_shots=num_shots, seed=seed)
        descriptions = []
        for index in range(num_shots):
            on_progress(Progress(step=index, num_steps=num_shots, message=f"outlining shot {index + 1}"))
            descriptions.append(outline_description(plan, index))
        on_progress(Progress(step=num_shots, num_steps=num_shots, message="outlined"))
        written_by = f"{NAME}; {SHORTENED}" if plan.shortened else NAME
        return make_storyboard(plan, descriptions, written_by=written_by)

    def revise(
        self,
        storyboard: Storyboard,
        instruction: str,
        *,
        seed: int,
        on_progress: OnProgress = ignore_progress,
    ) -> Revision:
        """Change a storyboard as far as rules understand the instruction; raises as `revise_by_rule` does."""
        return revise_by_rule(storyboard, instruction, seed=seed, on_progress=on_progress)

    def peak_memory(self) -> PeakMemory:
        return IN_THIS_PROCESS
