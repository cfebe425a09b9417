"""Revising a storyboard without a language model, as far as rules understand the instruction."""

from __future__ import annotations

from collections.abc import Sequence

from localvid.errors import InvalidRequestError
from localvid.llm.revision.board import EditedBoard
from localvid.llm.revision.new_shots import wanted_plan, with_new_words
from localvid.llm.revision.rules import apply_rules
from localvid.schemas import OnProgress, Progress, Revision, Storyboard, ignore_progress

_HINT = (
    'docs/director.md lists what is understood, such as "make it night", "drop shot 2", "end on the owl", '
    '"shot 1: an owl in the rain"; a larger model reads any words: localvid pull llm:qwen3-4b-instruct-2507'
)
_SAID_CHARACTERS = 80


def revise_by_rule(
    storyboard: Storyboard, instruction: str, *, seed: int, on_progress: OnProgress = ignore_progress
) -> Revision:
    """Change a storyboard as far as rules understand the instruction, and say what they do not.

    Raises InvalidRequestError for an instruction that says nothing, too much, or nothing that they
    understand.
    """
    board = without_left(*apply_rules(EditedBoard.of(storyboard), instruction))
    if board.unwritten:
        plan = wanted_plan(board, seed)
        board = with_new_words(board, plan, [None] * len(plan.shots))
    return finished(board, on_progress)


def without_left(board: EditedBoard, left: Sequence[str]) -> EditedBoard:
    """The board with a note on each part that is left undone. Raises InvalidRequestError where all are."""
    said = [part if len(part) <= _SAID_CHARACTERS else f"{part[:_SAID_CHARACTERS]}…" for part in left]
    if said and board == EditedBoard.of(board.before):
        raise InvalidRequestError(f"no rule understands “{said[0]}”, and it takes a larger model", hint=_HINT)
    return board.with_notes(*(f"left undone, because no rule understands it: “{part}”" for part in said))


def finished(board: EditedBoard, on_progress: OnProgress, *, writer: str = "") -> Revision:
    """The revision, and a last report."""
    revision = board.finished(writer=writer)
    count = len(revision.storyboard.shots)
    on_progress(Progress(step=count, num_steps=count, message="revised"))
    return revision
