"""Reading an instruction: its parts, and which shots each part speaks of. It changes nothing.

"Make it night, and end on the owl" has two parts. Shots are named by their numbers, or as the first or the
last, as they stand in the file before the edit.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from localvid.errors import InvalidRequestError
from localvid.llm.scenes import emoji_in_words
from localvid.schemas import MAX_PROMPT_CHARACTERS, clean_prompt, sentence_ends


class Where(NamedTuple):
    """The shots that a part speaks of, by their places (from 0) before the edit."""

    origins: tuple[int, ...]
    is_said: bool
    """Whether the part names them; else it speaks of the film, and these are all of its shots."""


_ORDINALS = {
    word: number
    for number, word in enumerate(
        ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
    )
} | {"opening": 0, "last": -1, "final": -1, "closing": -1}
_COUNTS = {"two": 2, "three": 3, "four": 4, "five": 5}
_NUMBERS = r"#?\d{1,3}(?:\s*(?:,\s*and|,|and|&|to|through|-|–)\s*(?:shots?\s*)?#?\d{1,3})*"
WHICH = (
    rf"(?:(?:the\s+)?shots?\s*{_NUMBERS}"
    rf"|(?:the\s+)?(?:{'|'.join(_ORDINALS)})(?:\s+(?:{'|'.join(_COUNTS)}|\d{{1,2}}))?\s+shots?"
    r"|(?:all|every|each)(?:\s+of)?(?:\s+the)?\s+shots?|everywhere|throughout|the\s+whole\s+(?:film|thing)"
    r"|between\s+(?:all|the)\s+shots)"
)
"""Names shots: "shot 2", "shots 1, 3 and 4", "shots 2 to 5", "the last two shots", "every shot"."""
EVERYTHING = r"(?:it|this|that|everything|the\s+(?:whole\s+)?(?:film|movie|video|storyboard|thing))"

_VERBS = (
    "please make set turn change add insert drop remove delete cut swap switch exchange move put end finish "
    "close start begin open pan tilt zoom dolly truck pedestal orbit slow slower fast faster static still no "
    "calm calmer more less wilder livelier crossfade crossfades cross-fade fade replace use keep reverse let "
    "style longer shorter show give do don't have"
)
_TIMES_AND_STYLES = "night|dawn|dusk|sunset|sunrise|noon|every|all|watercolou?r|black\\s+and\\s+white"
_OPENING = re.compile(
    rf"(?:{'|'.join(_VERBS.split())}|leave\s+out|hard\s+cuts|the\s+camera|(?:the\s+)?(?:first|last)\s+shot|"
    rf"(?:in|at)\s+(?:shot|{_TIMES_AND_STYLES}|the\s+(?:first|last|rain|snow|fog|morning|evening|afternoon|end|"
    r"start|style))|(?:all|every|each)\s+(?:of\s+)?(?:the\s+)?shots?|shots?\s+\d+(?!\s*(?:$|,|and\b|to\b|&|-))|"
    r"\d+(?:\.\d+)?\s*(?:s|sec|seconds)\b)\b",
    re.IGNORECASE,
)
"""What a new request begins with, after a comma or "and"."""
_BREAK = re.compile(
    r"(?P<hard>[.!;]+\s+|[.!;]+$|[。！；]+)|\s*,\s*(?:and\s+then\s+|and\s+|then\s+|but\s+)?|"
    r"\s+(?:and\s+then|and|then)\s+",
    re.IGNORECASE,
)
_MAY_END = re.compile(r"\b\w\.$")
"""A letter with its full stop, which may be the last of a request ("plan B. drop shot 2"); no title is."""
_PLACE_ALONE = re.compile(
    rf"(?:in|for|during|on|before|after)\s+{WHICH}|at\s+the\s+(?:end|start)", re.IGNORECASE
)


def parts_of(instruction: str) -> list[str]:
    """The parts of an instruction in their order: sentences, and what begins like a new request.

    Raises InvalidRequestError for one that says nothing, or too much.
    """
    words = clean_prompt(instruction)
    if not words.strip(" .,;!。！；"):
        raise InvalidRequestError(
            "the instruction is empty", hint='say what is to change: "make it night, and end on the owl"'
        )
    if len(words) > MAX_PROMPT_CHARACTERS:
        raise InvalidRequestError(
            f"the instruction has {len(words):,} characters; at most {MAX_PROMPT_CHARACTERS:,} are read",
            hint="shorten it, or change the storyboard file in an editor",
        )
    words = emoji_in_words(words)
    ends = {*(end.start() for end in sentence_ends(words)), len(words)}
    parts, start = [], 0
    for match in _BREAK.finditer(words):
        opens = _OPENING.match(words, match.end())
        stop = match.start() + len((match["hard"] or "").rstrip())
        if match["hard"] and stop not in ends and not (opens and _MAY_END.search(words, start, stop)):
            continue
        begun = words[start : match.start()].strip()
        alone = _PLACE_ALONE.fullmatch(begun)
        if begun and (match["hard"] or (opens and not alone)):
            parts.append(begun)
            start = match.end()
    return [part for part in (*parts, words[start:].strip(" .,;!")) if part]


def where_of(named: str, num_shots: int) -> Where:
    """The shots that words made as WHICH name. Raises InvalidRequestError for a shot that is not there."""
    words = named.lower()
    if not re.search(r"\d", words) and not re.search(rf"\b(?:{'|'.join(_ORDINALS)})\b", words):
        return Where(tuple(range(num_shots)), is_said=True)
    ordinal = re.search(rf"\b({'|'.join(_ORDINALS)})(?:\s+({'|'.join(_COUNTS)}|\d+))?", words)
    if ordinal:
        first, many = _ORDINALS[ordinal.group(1)], ordinal.group(2) or "1"
        count = _COUNTS.get(many) or int(many)
        numbers = [num_shots - count + 1 + at if first < 0 else first + at + 1 for at in range(count)]
    else:
        numbers = []
        for match in re.finditer(r"(\d+)(?:\s*(?:to|through|-|–)\s*(?:shots?\s*)?#?(\d+))?", words):
            low, high = int(match.group(1)), int(match.group(2) or match.group(1))
            numbers += range(min(low, high), max(low, high) + 1)
    for number in numbers or (0,):  # "the first 0 shots"
        if not 1 <= number <= num_shots:
            count_said = "1 shot" if num_shots == 1 else f"{num_shots} shots"
            raise InvalidRequestError(
                f"there is no shot {max(number, 0)}", hint=f"the storyboard has {count_said}, counted from 1"
            )
    return Where(tuple(dict.fromkeys(number - 1 for number in numbers)), is_said=True)


_REQUEST = re.compile(
    r"^(?:please\s+)?(?:(?:can|could)\s+you\s+)?(?:let's\s+|i\s+(?:want|would\s+like)\s+(?:to\s+)?)?",
    re.IGNORECASE,
)
_MAKE = re.compile(
    rf"(?:make|set|turn|change|have|show|film|let|give|keep)\s+(?:(?P<which>{WHICH})|{EVERYTHING})\s+"
    r"(?:all\s+)?(?:be\s+|to\s+|into\s+|look\s+(?:like\s+)?|play\s+)?(?P<rest>.+)",
    re.IGNORECASE,
)
_LED = re.compile(rf"(?:(?:in|for|during|on)\s+)?(?P<which>{WHICH})\s*[:,]?\s+(?P<rest>.+)", re.IGNORECASE)
_FOLLOWED = re.compile(
    rf"(?P<rest>.+?)\s*,?\s+(?:(?:in|for|during|on|of|to)\s+)?(?P<which>{WHICH})", re.IGNORECASE
)
_ADD = re.compile(r"(?:make|set|have|use|do|add|give|put)\s+(?P<rest>.+)", re.IGNORECASE)


def without_request(part: str) -> str:
    """ "Please drop shot 2" → "drop shot 2"."""
    return _REQUEST.sub("", part).strip()


def addressed(part: str, num_shots: int) -> tuple[str, Where]:
    """What is asked for, and of which shots: "make shot 2 calmer" → ("calmer", shot 2)."""
    where = Where(tuple(range(num_shots)), is_said=False)
    for pattern in (_MAKE, _LED, _FOLLOWED, _MAKE, _ADD):
        match = pattern.fullmatch(part)
        if match is None:
            continue
        if named := match.groupdict().get("which"):
            if where.is_said:
                continue
            where = where_of(named, num_shots)
        part = match["rest"].strip(" ,:")
    return part, where
