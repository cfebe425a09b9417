"""Reading a prompt: its parts in their order, its style, and what it asks of the camera.

Rules for English, which leave other languages as they are. It knows no shots and no language model.
"""

from __future__ import annotations

import re
import unicodedata
from enum import StrEnum

from localvid.llm.lexicon import time_of_day, words_of
from localvid.llm.subjects import split_actions, with_names
from localvid.schemas import Camera, sentences

MAX_SCENE_CHARACTERS = 220
"""Of the prompt's words in one shot; the storyboard keeps the whole prompt."""


class Size(StrEnum):
    """How much of the scene the frame holds. The value is the label that begins a description."""

    WIDE = "Wide shot"
    FULL = "Full shot"
    MEDIUM = "Medium shot"
    CLOSE = "Close-up"
    LOW = "Low-angle shot"
    HIGH = "High-angle shot"
    DETAIL = "Extreme close-up"

    @property
    def key(self) -> str:
        return self.name.lower()


_STEP = re.compile(
    r",?\s+(?:and\s+then|then|after\s+that|afterwards|later|finally|suddenly)\s*,?\s+", re.IGNORECASE
)
_CLAUSE = re.compile(r",\s+(?:and\s+|while\s+|as\s+)?|[，、،]\s*|(?<=[^\x00-\x7f]),")
_PARTICIPLE = re.compile(r"(?:filmed|seen|shot|lit|set|told|surrounded|covered|followed)\b", re.IGNORECASE)
_MIN_CLAUSE_WORDS = 4


def split_scenes(words: str, num_shots: int) -> tuple[list[str], bool]:
    """The part of the prompt that each shot shows, in order, and whether any had to be shortened.

    Parts are joined where there are too many of them, and shared where there are too few.
    """
    parts = _parts(words, num_shots)
    time = time_phrase(words)
    texts: list[str] = []
    for index in range(num_shots):
        first = index * len(parts) // num_shots
        last = max(first + 1, (index + 1) * len(parts) // num_shots)
        texts.append("; ".join(parts[first:last]))
    texts = with_names(texts)
    shortened = any(len(text) > MAX_SCENE_CHARACTERS for text in texts)
    return [_sentence(text, time) for text in texts], shortened


def _parts(words: str, num_shots: int) -> list[str]:
    """Sentences, or steps within them, or, where that is too few, long clauses."""
    parts = [step for sentence in sentences(words) for step in _STEP.split(sentence)]
    parts = [part for part in map(_trimmed, parts) if part]
    if len(parts) < num_shots:
        parts = [action for part in parts for action in split_actions(part)]
    if len(parts) < num_shots:
        clauses = [_trimmed(clause) for part in parts for clause in _CLAUSE.split(part)]
        if len(clauses) > len(parts) and all(_is_long(clause) for clause in clauses):
            parts = clauses
    return parts or [words]


def _is_long(clause: str) -> bool:
    """Whether a clause can stand alone: it is long, and begins with no participle. Scripts without spaces are
    counted by characters."""
    if _PARTICIPLE.match(clause):
        return False
    return len(clause.split()) >= _MIN_CLAUSE_WORDS or (
        " " not in clause and len(clause) >= 2 * _MIN_CLAUSE_WORDS and not clause.isascii()
    )


def _trimmed(text: str) -> str:
    trimmed = text.strip(" .,;:!?。！？；，、،؛؟।…-\"'“”‘’")
    return f"-{trimmed}" if trimmed[:1].isdigit() and f"-{trimmed}" in text else trimmed


def _sentence(text: str, time: str) -> str:
    """A part of the prompt as one short sentence that says the prompt's time of day."""
    text = _shortened(text)
    if time and time_of_day(text) is None:
        text = f"{text}, {time}" if "," in text else f"{text} {time}"
    return text[:1].upper() + text[1:]


def _shortened(text: str) -> str:
    if len(text) <= MAX_SCENE_CHARACTERS:
        return text
    cut = text[:MAX_SCENE_CHARACTERS]
    at_word = cut.rpartition(" ")[0]
    return _trimmed(at_word if len(at_word) > MAX_SCENE_CHARACTERS // 2 else cut)


def time_phrase(words: str) -> str:
    """ "at dawn", "in the morning": the prompt's time of day as a phrase; empty if it names none."""
    names = r"dawn|sunrise|daybreak|noon|midday|dusk|sunset|twilight|night|midnight|candlelight"
    match = re.search(rf"\b(?:at|before|after|by)\s+(?:{names})\b", words, re.IGNORECASE)
    if match is None:
        match = re.search(r"\bin\s+the\s+(?:early\s+|late\s+)?(?:morning|afternoon|evening)\b", words, re.I)
    if match is not None:
        return match.group().lower()
    time = time_of_day(words)
    return {"dawn": "at dawn", "dusk": "at dusk", "night": "at night"}.get(time or "", "")


def without_request(words: str) -> str:
    """ "Make a short video of a fox" → "a fox": the order to us is not part of the scene."""
    pattern = (
        r"^(?:please\s+)?(?:can you\s+)?(?:make|create|generate|render|produce|show|film|i want|i'd like)\s+"
        r"(?:me\s+|us\s+)?(?:an?\s+|the\s+)?(?:\w+\s+){0,2}?(?:video|film|movie|clip|animation|footage|scene)s?\s+"
        r"(?:of|about|showing|with|where|in which|that shows)\s+(?=\S)"
    )
    return re.sub(pattern, "", words, count=1, flags=re.IGNORECASE)


_ITEM = re.compile(r"(?:^|(?<=\s))(?:(?:(?:shot|scene)\s+)?(\d{1,2})[.):]|([-*•–]))\s+", re.IGNORECASE)


def without_list(words: str) -> str:
    """ "1. A fox 2. A cat", "Shot 1: …", "- A fox - A cat" → "A fox; A cat": each item by itself.

    The lines of the list may be folded into one.
    """
    first = _ITEM.match(words)
    if first is None:
        return words
    marks = [first]
    for found in _ITEM.finditer(words, first.end()):
        if found[2] == first[2] and (found[2] or int(found[1]) == len(marks) + 1):
            marks.append(found)
    if first[1] and (len(marks) == 1 or first[1] != "1"):
        return words  # a number that belongs to the words
    ends = [*(mark.start() for mark in marks[1:]), len(words)]
    items = [words[mark.end() : end].rstrip(" .;,") for mark, end in zip(marks, ends, strict=True)]
    return "; ".join(items) if all(items) else words


_JSON = re.compile(r"\{[^{}]*\":[^{}]*\}")


def without_markup(words: str) -> str:
    """Without quotes, brackets and tags: they are no part of what is seen. Nor is JSON beside words; of JSON
    alone its texts are taken."""
    words = _without_json(words)
    return _tidy(re.sub(r"<[/|]?\w[^<>]*>|[<>{}\[\]|\\`*_#\"“”«»]", " ", words)) or words


def _without_json(words: str) -> str:
    rest = words
    while (shorter := _JSON.sub(" ", rest)) != rest:  # from the inside out
        rest = shorter
    if len(words_of(rest)) > 2:
        return rest
    return ". ".join(re.findall(r':\s*"([^"{}]*\w[^"{}]*)"', words)) or words


def emoji_in_words(text: str) -> str:
    """A prompt of nothing but emoji in words: "🌊🌅" → "water wave, sunrise"."""
    if any(char.isalnum() for char in text):
        return text
    names = [unicodedata.name(char, "").lower() for char in text if unicodedata.category(char) == "So"]
    return ", ".join(dict.fromkeys(filter(None, names))) or text


def title_of(words: str) -> str:
    """The prompt's first words, at most 60 characters."""
    title = _trimmed(sentences(words)[0]) or words
    if len(title) > 60:
        title = title[:60].rpartition(" ")[0] or title[:60]
    return _trimmed(title[:1].upper() + title[1:]) or "Untitled"


_STYLES = re.compile(
    r",?\s*\b(?:(?:shot|filmed|painted|drawn|rendered|made)\s+)?(?:in|as)\s+(?:an?\s+|the\s+)?"
    r"((?:style\s+of\s+[\w .'-]{2,40})|(?:[\w-]+\s+){1,3}style|watercolou?rs?|oil\s+paint(?:ing)?|pencil|"
    r"charcoal|"
    r"black\s+and\s+white|claymation|pixel\s+art|anime|film\s+noir|stop\s+motion)(?=[,.;]|$)"
    r"|,\s*((?:[\w-]+\s+){1,3}style|watercolou?r|oil\s+painting|pencil\s+sketch|black\s+and\s+white|claymation|"
    r"pixel\s+art|anime|film\s+noir|stop\s+motion|cinematic|photorealistic|documentary)(?=[,.;]|$)",
    re.IGNORECASE,
)


def split_style(words: str) -> tuple[str, str]:
    """What the prompt shows, and how: "a fox, watercolour" → ("a fox", "watercolour")."""
    styles = [first or second for first, second in _STYLES.findall(words)]
    rest = _trimmed(_STYLES.sub("", words))
    return (rest, ", ".join(styles)[:300].strip()) if styles and rest else (words, "")


_ASKED_SIZES = (
    (re.compile(r"\b(?:extreme close-?up|macro)(?: shot)?\b(?: of)?", re.I), Size.DETAIL),
    (re.compile(r"\bclose[- ]?up(?: shot)?\b(?: of)?", re.I), Size.CLOSE),
    (
        re.compile(
            r",?\s*\b(?:filmed|seen|shot) from (?:the air|above)\b|"
            r"\b(?:aerial|drone|bird'?s[- ]eye|high[- ]angle)(?: shot| view)\b(?: of)?",
            re.I,
        ),
        Size.HIGH,
    ),
    (re.compile(r"\blow[- ]angle(?: shot| view)?\b(?: of)?", re.I), Size.LOW),
    (re.compile(r"\b(?:medium|mid) shot\b(?: of)?", re.I), Size.MEDIUM),
    (re.compile(r"\b(?:wide|establishing|long)[- ]shot\b(?: of)?", re.I), Size.WIDE),
)


def asked_size(words: str) -> tuple[Size | None, str]:
    """A shot size that the prompt names, taken out of its words: it is the first shot's."""
    for pattern, size in _ASKED_SIZES:
        rest = _tidy(pattern.sub("", words))
        if pattern.search(words) and rest:
            return size, rest
    return None, words


_MOVES = "|".join(("pan", "tilt", "truck", "pedestal", "orbit"))
_ASKED_CAMERA = re.compile(
    rf"\b(?:the\s+)?(?:camera\s+)?(?:slow(?:ly)?\s+)?(?:(zoom|dolly|push)(?:s|es|ing)?\s+(in|out)|"
    rf"({_MOVES})(?:s|ning|ing)?\s+(left|right|up|down))\b(?:\s+(?:on|to|over|across|around|of))?",
    re.IGNORECASE,
)


def asked_camera(words: str) -> tuple[Camera | None, str]:
    """A camera move that the prompt names, taken out of its words: it is every shot's."""
    match = _ASKED_CAMERA.search(words)
    if match is None:
        return None, words
    line, way, turn, side = (group.lower() if group else "" for group in match.groups())
    name = f"{'dolly' if line == 'push' else line}_{way}" if line else f"{turn}_{side}"
    rest = _tidy(words[: match.start()] + words[match.end() :])
    if name not in set(Camera) or not rest:
        return None, words
    return Camera(name), rest


def _tidy(words: str) -> str:
    """Words out of which something was cut: no doubled or dangling punctuation."""
    return _trimmed(re.sub(r"\s*,(?:\s*,)+", ",", re.sub(r"\s+", " ", words)).replace(" ,", ","))
