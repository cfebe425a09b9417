"""From a prompt to a storyboard by a language model, whichever it is: steps, checks, repair.

A large model takes the steps of `film.py`: the bible, the beats, each shot, how the camera moves, how shots
give way. A small one (`details.py`) is asked for one sentence about one shot at a time and leaves the rest to
rules. Where a model fails, rules take its place shot by shot, and `written_by` says for how many.

The same prompt, number, seed and model give the same storyboard, as far as the model repeats itself.
"""

from __future__ import annotations

from localvid.llm.chat import ChatModel
from localvid.llm.details import write_details
from localvid.llm.draft import Draft
from localvid.llm.film import FILM_CONTEXT_TOKENS, write_film
from localvid.llm.outline_words import outline_description
from localvid.llm.plan import BoardPlan, make_storyboard, plan_board
from localvid.llm.session import Session
from localvid.schemas import OnProgress, Progress, Storyboard, ignore_progress


def direct(
    chat: ChatModel,
    prompt: str,
    *,
    num_shots: int,
    seed: int,
    on_progress: OnProgress = ignore_progress,
) -> Storyboard:
    """Write a storyboard of `num_shots` shots.

    Raises InvalidRequestError for an empty prompt or a number of shots outside 1 to 7, what the model raises,
    and whatever `on_progress` raises.
    """
    plan = plan_board(prompt, num_shots=num_shots, seed=seed)
    session = Session(chat, seed, on_progress)
    session.wait()
    small = chat.is_small or chat.context_tokens < FILM_CONTEXT_TOKENS
    draft = write_details(session, plan) if small else write_film(session, plan)
    board = _finish(plan, draft, chat.name)
    on_progress(Progress(step=num_shots, num_steps=num_shots, message=f"written by {board.written_by}"))
    return board


def _finish(plan: BoardPlan, draft: Draft, name: str) -> Storyboard:
    """Put the shots together, outline the missing ones, and say who wrote what."""
    missing = sum(description is None for description in draft.descriptions)
    written_by = name
    if missing:
        written_by += f", outline ({missing} of {len(plan.shots)} shots)"
    if draft.note:
        written_by += f"; {draft.note}"
    return make_storyboard(
        plan,
        [
            outline_description(plan, index) if description is None else description
            for index, description in enumerate(draft.descriptions)
        ],
        written_by=written_by[:200],
        cameras=draft.cameras,
        energies=draft.energies,
        cuts=draft.cuts,
        bible=draft.bible,
    )
