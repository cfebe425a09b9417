"""Small models: one English sentence about one shot at a time, after the shot's own words.

Given more they copy it, earlier shots most of all. Camera and energy come from the words by rule: asked for
them, SmolLM2-135M answered "still" every time. Beats, characters and setting are read out of the prompt.
"""

from __future__ import annotations

from collections.abc import Sequence

from localvid.llm.draft import Draft
from localvid.llm.lexicon import is_english
from localvid.llm.outline import SHORTENED
from localvid.llm.outline_words import outline_detail
from localvid.llm.plan import BoardPlan
from localvid.llm.prompts import DETAIL_CHARACTERS, DETAIL_SHAPE, detail_dialogue, detail_examples
from localvid.llm.repair import UNUSABLE, cut_to, fault_of, read_line
from localvid.llm.session import Session
from localvid.llm.views import start_of
from localvid.schemas import Progress

_ATTEMPTS = 3
_GOOD_ENOUGH = 0.5
_TOKENS = 50


def write_details(session: Session, plan: BoardPlan) -> Draft:
    """One detail for each shot whose scene is English; where none can stand, None."""
    count = len(plan.shots)
    if not any(is_english(shot.scene) for shot in plan.shots):
        return Draft(descriptions=(None,) * count, note="the model reads English alone")
    details: list[str] = []
    descriptions: list[str | None] = []
    for index, shot in enumerate(plan.shots):
        session.at(Progress(step=index, num_steps=count, message=f"writing shot {index + 1}"))
        detail = _best_detail(session, plan, index, details) if is_english(shot.scene) else ""
        descriptions.append(f"{shot.size}: {shot.view}. {detail}" if detail else None)
        details.append(detail or outline_detail(plan, index))
    return Draft(descriptions=tuple(descriptions), note=SHORTENED if plan.shortened else "")


def _best_detail(session: Session, plan: BoardPlan, index: int, written: Sequence[str]) -> str:
    """Ask until a sentence is good enough, each time with another seed; the least faulty, or "" for none."""
    shot = plan.shots[index]
    others = [*written, *detail_examples()]
    best, least = "", UNUSABLE
    for attempt in range(_ATTEMPTS):
        start = start_of(shot.scene, shot.size, plan.seed + index + attempt)
        dialogue = detail_dialogue(shot, start)
        raw = session.ask(dialogue, DETAIL_SHAPE, max_tokens=_TOKENS, salt=101 * index + attempt)
        rest = cut_to(raw.strip(), DETAIL_CHARACTERS - 4)  # the grammar ends longer ones where it must
        detail = read_line(f"{start} {rest}") if rest else ""
        fault = fault_of(detail, scene=f"{shot.scene}. {shot.view}", others=others)
        if fault < least:
            best, least = detail, fault
        if least <= _GOOD_ENOUGH:
            break
    return best
