"""Small models: one English sentence about one shot at a time, after the shot's own words.

Given more they copy it, earlier shots most of all. Camera and energy come from the words by rule: asked for
them, SmolLM2-135M answered "still" every time. Beats, characters and setting are read out of the prompt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from localvid.llm.draft import Draft
from localvid.llm.lexicon import is_english
from localvid.llm.outline import SHORTENED
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
    """One detail for each shot whose scene is English; where none can stand, None.

    All shots are asked for at once, then again those without a good sentence, each time with another seed.
    """
    count = len(plan.shots)
    open_shots = [index for index, shot in enumerate(plan.shots) if is_english(shot.scene)]
    if not open_shots:
        return Draft(descriptions=(None,) * count, note="the model reads English alone")
    good: dict[int, str] = {}
    tried: dict[int, list[str]] = {index: [] for index in open_shots}
    session.at(Progress(step=0, num_steps=count, message="writing the shots"))
    for attempt in range(_ATTEMPTS):
        for index, detail in zip(open_shots, _ask(session, plan, open_shots, attempt), strict=True):
            tried[index].append(detail)
            if _fault(plan, index, detail, good) <= _GOOD_ENOUGH:
                good[index] = detail
                session.at(Progress(step=len(good), num_steps=count, message=f"wrote shot {index + 1}"))
        open_shots = [index for index in open_shots if index not in good]
        if not open_shots:
            break
    for index in open_shots:
        best = min(tried[index], key=lambda detail: _fault(plan, index, detail, good))
        if _fault(plan, index, best, good) < UNUSABLE:
            good[index] = best
    return Draft(
        descriptions=tuple(
            f"{shot.size}: {shot.view}. {good[index]}" if index in good else None
            for index, shot in enumerate(plan.shots)
        ),
        note=SHORTENED if plan.shortened else "",
    )


def _ask(session: Session, plan: BoardPlan, indices: Sequence[int], attempt: int) -> list[str]:
    """A sentence for each of these shots; "" where the model gave none."""
    starts = [start_of(plan.shots[i].scene, plan.shots[i].size, plan.seed + i + attempt) for i in indices]
    answers = session.ask_all(
        [detail_dialogue(plan.shots[i], start) for i, start in zip(indices, starts, strict=True)],
        DETAIL_SHAPE,
        max_tokens=_TOKENS,
        salts=[101 * i + attempt for i in indices],
    )
    # The grammar ends longer ones where it must.
    rests = [cut_to(answer.strip(), DETAIL_CHARACTERS - 4) for answer in answers]
    return [read_line(f"{start} {rest}") if rest else "" for start, rest in zip(starts, rests, strict=True)]


def _fault(plan: BoardPlan, index: int, detail: str, good: Mapping[int, str]) -> float:
    """What is wrong with a shot's sentence, beside those of the other shots and the worked examples."""
    shot = plan.shots[index]
    others = [*good.values(), *detail_examples()]
    return fault_of(detail, scene=f"{shot.scene}. {shot.view}", others=others)
