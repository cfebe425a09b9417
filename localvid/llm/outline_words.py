"""What a shot says without a language model: its scene, and what may be seen there."""

from __future__ import annotations

from localvid.llm.lexicon import DETAILS, GENERIC_DETAILS, is_english, topics_of
from localvid.llm.plan import BoardPlan


def outline_description(plan: BoardPlan, index: int) -> str:
    """ "Close-up: A peaceful forest at dawn. A drop of water hangs from the tip of a fern." """
    shot = plan.shots[index]
    start = f"{shot.size}: {shot.view}."
    return f"{start} {outline_detail(plan, index)}" if is_english(shot.scene) else start


def outline_detail(plan: BoardPlan, index: int) -> str:
    """What may be seen in this shot: of a kind of place that its scene names, else of composition alone."""
    shot = plan.shots[index]
    topics = topics_of(shot.scene) or topics_of(plan.prompt)
    if not topics:
        return GENERIC_DETAILS[shot.size.key]
    return DETAILS[topics[plan.seed % len(topics)]][shot.size.key]
