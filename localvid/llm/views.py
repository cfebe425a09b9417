"""Different sides of one scene: what each further shot of it shows, in the prompt's own words.

A storyboard that says the whole prompt in every shot shows one picture several times. Here the first shot of
a scene says all of it; the next ones say the subject and what their size sees of it. English by its clause;
other languages by a phrase of their own; languages that are not listed by the scene alone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from localvid.llm.languages import JOINERS, PHRASES, language_of
from localvid.llm.lexicon import WEATHER, time_of_day, topics_of, words_of
from localvid.llm.scenes import Size
from localvid.llm.subjects import Clause, read_clause

_SEEN: dict[Size, str] = {
    Size.WIDE: "{subject}, small in the distance{time}",
    Size.FULL: "{subject} in full view{place}{time}",
    Size.MEDIUM: "{subject}{action}{time}",
    Size.CLOSE: "{subject}{time}",
    Size.LOW: "{subject} from below{time}",
    Size.HIGH: "{subject} from above{place}{time}",
    Size.DETAIL: "A small part of {subject}{time}",
}


def views_of(scenes: Sequence[str], sizes: Sequence[Size], *, time: str) -> list[str]:
    """What each shot begins with, without a full stop: the scene at its first showing, a side of it later.

    `time` is the prompt's time of day as a phrase ("at dawn"), or "".
    """
    views: list[str] = []
    for index, (scene, size) in enumerate(zip(scenes, sizes, strict=True)):
        views.append(scene if scene not in scenes[:index] else _side(scene, size, time))
    return views


def _side(scene: str, size: Size, time: str) -> str:
    language = language_of(scene)
    if language in PHRASES:
        return f"{scene}{JOINERS.get(language, ', ')}{PHRASES[language][size.key]}"
    clause = read_clause(scene)
    if clause is None:
        return scene
    view = _SEEN[size].format(
        subject=clause.named,
        action=f" {clause.action}" if clause.action else "",
        place=f" {clause.place}" if clause.place else "",
        time=f" {time}" if time and time_of_day(clause.place) is None else "",
    )
    return view[:1].upper() + view[1:]


def characters_of(scenes: Sequence[str]) -> str:
    """The subjects of the scenes that do something, in the order of their first mention."""
    found: dict[str, Clause] = {}
    for clause in map(read_clause, scenes):
        if clause is not None and clause.predicate:
            found.setdefault(clause.named.lower(), clause)
    subjects = (
        clause.subject if clause.is_name else clause.subject[:1].lower() + clause.subject[1:]
        for clause in found.values()
    )
    return "; ".join(subjects)[:300]


def setting_of(scene: str, *, time: str) -> str:
    """Where and when, in the scene's own words; empty where the rules see neither."""
    clause = read_clause(scene)
    if clause is None:
        return time
    place = clause.place
    if not place or words_of(place)[-1] in WEATHER:
        where = clause.action.partition(" ")[2] if clause.predicate else clause.subject
        if topics_of(where):
            place = f"{_OBJECT_END.split(where)[0]} {place}".strip()
    setting = f"{place} {time}" if time and time_of_day(place) is None else place
    return (setting[:1].lower() + setting[1:]).strip()[:300]


_OBJECT_END = re.compile(r",|;|\s+(?:and|during|while|with)\b")

_STARTS: dict[Size, tuple[str, ...]] = {
    Size.WIDE: ("All around,", "Far away,", "Behind it all,"),
    Size.FULL: ("On both sides,", "Close by,", "On the ground,"),
    Size.MEDIUM: ("Behind {subject},", "In front of {subject},", "Beside {subject},"),
    Size.CLOSE: ("Soft light rests on", "Light glides over", "Light gleams on"),
    Size.LOW: ("High above,", "Overhead,", "Up there,"),
    Size.HIGH: ("Far below,", "On the ground,", "Down there,"),
    Size.DETAIL: ("Tiny", "Fine", "Small"),
}


def start_of(scene: str, size: Size, turn: int) -> str:
    """The words that a detail of the shot begins with: what lies there for a camera so placed; another for
    each turn. A small model that begins by itself tells tales; one that is to say what lies behind something
    shows it."""
    clause = read_clause(scene)
    starts = [start for start in _STARTS[size] if clause or "{" not in start] or ["Close by,", "Nearby,"]
    return starts[turn % len(starts)].format(subject=clause.head if clause else "")
