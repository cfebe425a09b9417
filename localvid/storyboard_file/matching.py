"""Which shot of an old storyboard each shot of a new one is."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from localvid.schemas import Shot

_ALIKE = 0.5
"""Share of words in common from which two descriptions are of one shot that was reworded."""


def matched_shots(before: Sequence[Shot], after: Sequence[Shot]) -> list[int | None]:
    """For each shot of `after` the index of the shot of `before` that it is, or None for a new one.

    No two are the same one. Equal shots are found first, then shots of the same words, then reworded ones,
    the likest first; what is left on both sides at the same place is one shot told anew, if neither side
    has more shots than the other.
    """
    found: list[int | None] = [None] * len(after)
    free = dict.fromkeys(range(len(before)))

    def take(new: int, old: int) -> None:
        found[new] = old
        del free[old]

    def pair(same: Callable[[Shot, Shot], bool]) -> None:
        for new, shot in enumerate(after):
            if found[new] is None:
                near = sorted(free, key=lambda old: abs(old - new))
                old = next((old for old in near if same(before[old], shot)), None)
                if old is not None:
                    take(new, old)

    pair(lambda old, new: old == new)
    pair(lambda old, new: old.description == new.description)
    for _, _, new, old in sorted(_likenesses(before, after, found, list(free))):
        if found[new] is None and old in free:
            take(new, old)
    if len(before) == len(after):
        for new in range(len(after)):
            if found[new] is None and new in free:
                take(new, new)
    return found


def _likenesses(
    before: Sequence[Shot], after: Sequence[Shot], found: Sequence[int | None], free: Sequence[int]
) -> list[tuple[float, int, int, int]]:
    """Pairs that are alike, as what sorts the likest and nearest first."""
    old_words = {old: _words(before[old]) for old in free}
    pairs = []
    for new, shot in enumerate(after):
        if found[new] is not None:
            continue
        words = _words(shot)
        for old in free:
            alike = 2 * len(words & old_words[old]) / max(1, len(words) + len(old_words[old]))
            if alike >= _ALIKE:
                pairs.append((-alike, abs(old - new), new, old))
    return pairs


def _words(shot: Shot) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", shot.description.lower()))
