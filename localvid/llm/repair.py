"""From whatever a language model wrote to a line that can stand in a storyboard, or to nothing.

Pure functions: they judge and mend text, and know no model.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher

from localvid.llm.lexicon import (
    CONTRADICTIONS,
    FIRST_PERSON,
    META,
    PAST,
    PEOPLE,
    STOPWORDS,
    UNSEEN,
    mentions_somebody,
    time_of_day,
    topics_of,
    words_of,
)
from localvid.llm.prompts import ENERGY_WORDS
from localvid.schemas import Camera, Frozen, clean_prompt

MAX_TEXT_CHARACTERS = 400
SIMILAR = 0.75
"""Two sentences more alike than this are the same shot written twice (1 is equal)."""
UNUSABLE = 3.0
"""A fault from which on a sentence is worse than what the outline writer puts in its place."""

_ADDRESS = re.compile(r"\S*(?:://|www\.|\\|/|\.(?:com|org|net|png|jpe?g|gif|mp4|gguf)\b)\S*", re.IGNORECASE)
_TAG = re.compile(r"</?\w[^>]*>|\[/?[A-Z]+\]")
_MARKUP = re.compile(r"[`*_#|<>{}\[\]()\"“”]")
_NUMBERING = re.compile(r"^\s*(?:\d+\s*[.):]\s*|[-•]\s*)")
_LABEL = re.compile(
    r"^(?:shot\s*\d*\s*[:,-]\s*)?(?:(?:extreme\s+)?close[- ]?up|(?:wide|full|medium|(?:low|high)[- ]angle|"
    r"aerial|establishing)\s+shot)\s*[:,.-]\s*",
    re.IGNORECASE,
)
_ENDS = "。！？؟।…"


class Line(Frozen):
    """One shot as a model wrote it, mended. `camera` and `energy` are None where it gave none that exists."""

    text: str
    camera: Camera | None = None
    energy: float | None = None


def read_line(raw: str) -> Line | None:
    """Read `text | camera | energy` out of any text; None if no words are left.

    Guarantees: one line, no address or path, no markup, no numbering or shot label, at most 400
    characters, ends like a sentence.
    """
    seen, *fields = clean_prompt(_first_line(raw)).split("|")
    text = _mended(seen)
    if not text:
        return None
    names = [field.strip().lower() for field in fields]
    cameras = {camera.replace("_", " "): camera for camera in Camera}
    return Line(
        text=text,
        camera=next((cameras[name] for name in names if name in cameras), None),
        energy=next((ENERGY_WORDS[name] for name in names if name in ENERGY_WORDS), None),
    )


def write_line(line: Line) -> str:
    """The line as a model writes it, so that what it reads of its own looks like what it is asked for."""
    if line.camera is None or line.energy is None:
        return line.text
    energy = min(ENERGY_WORDS, key=lambda word: abs(ENERGY_WORDS[word] - (line.energy or 0.0)))
    return f"{line.text} | {line.camera.replace('_', ' ')} | {energy}"


def _first_line(raw: str) -> str:
    return next((line for line in raw.splitlines() if line.strip()), "")


def _mended(text: str) -> str:
    text = _TAG.sub(" ", _NUMBERING.sub("", text))
    text = _MARKUP.sub(" ", _ADDRESS.sub(" ", text))
    text = re.sub(r"\s+([,.;:!?])", r"\1", re.sub(r"\s+", " ", text))
    text = _LABEL.sub("", text.strip()).strip(" ,;:-–—'")
    text = text[:MAX_TEXT_CHARACTERS].strip()
    if not any(char.isalnum() for char in text):
        return ""
    text = text[:1].upper() + text[1:]
    text = re.sub(r"[.!?]{2,}$", ".", text)
    return text if text[-1] in f".!?{_ENDS}" else f"{text}."


def similarity(first: str, second: str) -> float:
    """How alike two sentences are, 0 to 1: by their words, or by their characters where there are none.

    The greater of the shared share of their content words and the ratio of SequenceMatcher.
    """
    one, two = _content(first), _content(second)
    shared = len(one & two) / min(len(one), len(two)) if min(len(one), len(two)) >= 3 else 0.0
    return max(shared, SequenceMatcher(None, first.lower(), second.lower(), autojunk=False).ratio())


def is_duplicate(text: str, others: Sequence[str]) -> bool:
    return any(similarity(text, other) > SIMILAR for other in others)


def fault_of(detail: str, *, scene: str, others: Sequence[str]) -> float:
    """What is wrong with a sentence as the detail of a scene: 0 nothing, `UNUSABLE` and more: do not use.

    `others` are sentences that it must not repeat. Word lists are English; they find nothing to blame in
    other languages.
    """
    words = words_of(detail)
    known = set(words_of(scene))
    new = _content(detail) - known
    if len(words) < 5 or len(new) < 2 or is_duplicate(detail, [*others, scene]):
        return UNUSABLE
    if set(words) & (META - known) or FIRST_PERSON.search(detail) or _stutters(words):
        return UNUSABLE
    if words[-1] in STOPWORDS or _contradicts(words, scene, others):  # cut off, or at another time of day
        return UNUSABLE
    strangers = 0 if mentions_somebody(scene) else len(set(words) & (PEOPLE - known))
    unseen = len(set(words) & (UNSEEN - known))
    same_start = sum(words[:3] == words_of(other)[:3] for other in others)
    told = len(set(words) & PAST)
    here, there = set(topics_of(scene)), set(topics_of(detail))
    elsewhere = there - here - {"night"}
    off_topic = not (there & here or says_scene(detail, scene))
    new_time = time_of_day(scene) is None and time_of_day(detail) is not None
    borrowed = sum(max(0, len(new & _content(other)) - 2) for other in others)
    short = len(words) < 8
    return (
        3.0 * strangers
        + 2.0 * unseen
        + 1.5 * same_start
        + 1.0 * (told + len(elsewhere) + new_time + borrowed + short)
        + 0.75 * off_topic
    )


def _contradicts(words: Sequence[str], scene: str, others: Sequence[str]) -> bool:
    """Whether it is another time of day than in the scene, or than in the shots written before it."""
    time = time_of_day(scene) or next(filter(None, map(_light, others)), None)
    if time is None:
        return False
    said = {*words, *map(_stem, words)}
    return bool(said & (CONTRADICTIONS[time] - set(words_of(scene))))


def _light(text: str) -> str | None:
    words = set(words_of(text))
    if words & {"moon", "moonlight", "stars", "night"}:
        return "night"
    return "day" if words & {"sun", "sunlight", "daylight"} else time_of_day(text)


def _stutters(words: Sequence[str]) -> bool:
    """Whether content words come again and again, as when a small model runs in circles."""
    content = [word for word in words if word not in STOPWORDS]
    return len(content) >= 4 and len(set(content)) < 0.75 * len(content)


def _content(text: str) -> set[str]:
    return {word for word in words_of(text) if word not in STOPWORDS}


def _stem(word: str) -> str:
    """A crude stem: "waves" and "wave", "crashing" and "crashes" meet."""
    for ending in ("ing", "es", "ed", "e", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word


def says_scene(text: str, scene: str) -> bool:
    """Whether a sentence shares a content word with the scene, or, in scripts without spaces, two
    neighbouring characters."""
    wanted = {_stem(word) for word in _content(scene)}
    if wanted & {_stem(word) for word in _content(text)}:
        return True
    pairs = {scene[i : i + 2] for i in range(len(scene) - 1) if not scene[i : i + 2].isascii()}
    return any(text[i : i + 2] in pairs for i in range(len(text) - 1))
