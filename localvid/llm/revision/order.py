"""Which shots there are and in which order: drop, keep, swap, move, reverse, add, begin and end."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from localvid.llm.lexicon import STOPWORDS, words_of
from localvid.llm.repair import read_line
from localvid.llm.revision.board import EditedBoard, EditedShot
from localvid.llm.revision.instructions import WHICH, where_of
from localvid.llm.revision.rewording import first_sentence
from localvid.llm.scenes import MAX_SCENE_CHARACTERS, Size, asked_size
from localvid.llm.subjects import read_clause

Rule = Callable[[EditedBoard, "re.Match[str]"], EditedBoard | None]


def apply_order(board: EditedBoard, words: str) -> EditedBoard | None:
    """The board after it; None where the words are none of these requests."""
    led = _LED.fullmatch(words)
    words = f"{led['rest']} {led['place']}" if led else words
    for pattern, rule in _RULES:
        match = pattern.fullmatch(words)
        changed = rule(board, match) if match else None
        if changed is not None:
            return changed
    return None


# --- fewer, and in another order ---------------------------------------------------------------------


def _drop(board: EditedBoard, match: re.Match[str]) -> EditedBoard | None:
    if match["which"] and "shot" not in match["which"].lower():
        return None  # "cut everywhere"
    shown = match["shown"] or match["named"]
    gone = _origins(board, match["which"]) if match["which"] else _shown_in(board, shown)
    if not gone:
        return None
    return board.with_order([each for each in board.shots if each.origin not in gone])


def _keep(board: EditedBoard, match: re.Match[str]) -> EditedBoard:
    kept = _origins(board, match["which"])
    return board.with_order([each for each in board.shots if each.origin is None or each.origin in kept])


def _swap(board: EditedBoard, match: re.Match[str]) -> EditedBoard | None:
    first, second = (
        board.place_of(_origins(board, f"the {word} shot" if word.isalpha() else f"shot {word}")[0])
        for word in (match["first"], match["second"])
    )
    if first is None or second is None:
        return None
    shots = list(board.shots)
    shots[first], shots[second] = shots[second], shots[first]
    return board.with_order(shots)


def _move(board: EditedBoard, match: re.Match[str]) -> EditedBoard | None:
    origins = _origins(board, match["which"])
    moved = [each for each in board.shots if each.origin in origins]
    rest = [each for each in board.shots if each.origin not in origins]
    place = _place(board.with_order(rest), match) if rest else None
    if place is None or not moved:
        return None
    return board.with_order([*rest[:place], *moved, *rest[place:]])


def _reverse(board: EditedBoard, match: re.Match[str]) -> EditedBoard:
    del match
    return board.with_order(board.shots[::-1])


# --- more --------------------------------------------------------------------------------------------


def _add(board: EditedBoard, match: re.Match[str]) -> EditedBoard | None:
    """A new shot, at the end unless a place is named."""
    size, scene = _scene(f"{match['size'] or ''} {match['shown']}")
    place = _place(board, match)
    if place is None:
        place = 0 if match["opening"] else len(board.shots)
    return _inserted(board, place, scene, size or Size.MEDIUM)


def _begin_or_end(board: EditedBoard, match: re.Match[str]) -> EditedBoard | None:
    """With a shot that is there, which moves; or with what the shot there shows already; else with a new
    one."""
    at_end = not match["begin"]
    if match["which"]:
        origins = _origins(board, match["which"])
        moved = [each for each in board.shots if each.origin in origins]
        rest = [each for each in board.shots if each.origin not in origins]
        return board.with_order([*rest, *moved] if at_end else [*moved, *rest]) if moved else None
    size, scene = _scene(match["shown"])
    there = board.shots[-1 if at_end else 0]
    if size is None and _is_about(there.description, scene):
        return board.with_notes(f"the {'last' if at_end else 'first'} shot is of {match['shown']} already")
    size = size or (Size.CLOSE if at_end else Size.WIDE)
    return _inserted(board, len(board.shots) if at_end else 0, scene, size)


def _reshow(board: EditedBoard, match: re.Match[str]) -> EditedBoard | None:
    """Other words for one shot."""
    origins = _origins(board, match["which"])
    place = board.place_of(origins[0])
    size, scene = _scene(match["shown"])
    if len(origins) != 1 or place is None or not scene:
        return None
    shots = list(board.shots)
    shots[place] = shots[place].model_copy(update={"scene": scene, "size": size})
    return board.with_order(shots)


def _inserted(board: EditedBoard, place: int, scene: str, size: Size) -> EditedBoard | None:
    if not scene or _NO_SCENE.match(scene):
        return None
    new = EditedShot(shot=None, origin=None, scene=scene, size=size)
    return board.with_order([*board.shots[:place], new, *board.shots[place:]])


# --- reading -----------------------------------------------------------------------------------------


def _origins(board: EditedBoard, named: str) -> tuple[int, ...]:
    return where_of(named, len(board.before.shots)).origins


def _place(board: EditedBoard, match: re.Match[str]) -> int | None:
    """Among the board's shots; None where no place is named, or one that is gone."""
    if match["edge"]:
        return len(board.shots) if match["edge"].lower() in ("end", "back", "last") else 0
    if not match["beside"]:
        return None
    places = [board.place_of(origin) for origin in _origins(board, match["beside"])]
    found = [place for place in places if place is not None]
    if not found:
        return None
    return max(found) + 1 if match["side"].lower() == "after" else min(found)


def _scene(words: str) -> tuple[Size | None, str]:
    """The size that the words name, and what is shown, as a line that can stand in a storyboard."""
    size, rest = asked_size(words.strip())
    rest = re.sub(r"^an?\s+(?=(?:the|an?)\s)", "", rest)  # "a close-up of the owl"
    return size, read_line(rest, limit=MAX_SCENE_CHARACTERS).rstrip(".")


def _shown_in(board: EditedBoard, shown: str) -> Sequence[int]:
    """The one shot that shows it; none where several do."""
    found = [
        each.origin for each in board.shots if each.origin is not None and _shows(each.description, shown)
    ]
    return found if len(found) == 1 else ()


def _shows(description: str, shown: str) -> bool:
    """Whether a description says all the words that are no small words, of which there must be some."""
    wanted = {word for word in words_of(shown) if word not in STOPWORDS}
    return bool(wanted) and wanted <= set(words_of(description))


def _is_about(description: str, shown: str) -> bool:
    """Whether it is what the first sentence is about: its subject, where the rules see one."""
    sentence = first_sentence(description)
    clause = read_clause(sentence)
    return _shows(clause.subject if clause is not None else sentence, shown)


# --- the rules ---------------------------------------------------------------------------------------


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text, re.IGNORECASE)


_NO_SCENE = re.compile(r"(?:an?\s+)?(?:slow\s+)?(?:fades?|cross-?fades?|cuts?|dissolves?|black)\b", re.I)
_SIZES = (
    r"extreme\s+close-?up|macro|close[- ]?up|aerial|drone|high[- ]angle|low[- ]angle|medium|wide|"
    r"establishing|full"
)
_AT = (
    r"(?:(?:at|to|into)\s+(?:the\s+)?(?:very\s+)?(?P<edge>end|back|start|beginning|front)"
    rf"|(?P<side>before|after)\s+(?P<beside>{WHICH}))"
)
_LED = re.compile(rf"(?P<place>{_AT})\s*,?\s+(?P<rest>(?:add|insert)\s.+)", re.IGNORECASE)
_DROP = r"(?:drop|remove|delete|cut|leave\s+out|take\s+out|skip|lose|without)"
_RULES: tuple[tuple[re.Pattern[str], Rule], ...] = (
    (
        _pattern(
            rf"{_DROP}\s+(?:(?P<which>{WHICH})|the\s+(?:shot|scene)\s+(?:of|with|where|showing)\s+(?P<shown>.+)"
            r"|the\s+(?P<named>[\w' -]+?)\s+(?:shot|scene))"
        ),
        _drop,
    ),
    (_pattern(rf"(?:keep\s+only|only\s+keep|only|just)\s+(?P<which>{WHICH})"), _keep),
    (
        _pattern(
            r"(?:swap|exchange|switch)\s+(?:the\s+)?(?:shots?\s*)?(?P<first>\d{1,3}|first|last)\s*(?:shot\s*)?"
            r"(?:and|with|&|for)\s*(?:the\s+)?(?:shot\s*)?(?P<second>\d{1,3}|first|last)(?:\s*shots?)?"
        ),
        _swap,
    ),
    (_pattern(rf"(?:move|put)\s+(?P<which>{WHICH})\s+{_AT}"), _move),
    (_pattern(r"reverse(?:\s+(?:the|order|of|all|shots|film|it))*"), _reverse),
    (
        _pattern(
            r"(?:add|insert)\s+(?:an?\s+|one\s+)?(?:(?P<opening>opening|first)\s+|another\s+|new\s+|final\s+|"
            rf"last\s+|closing\s+)?(?P<size>{_SIZES})?\s*(?:shot|scene|view|(?<=close-up)|(?<=closeup))\s*"
            rf"(?:of|with|showing|where|in\s+which|:)\s+(?P<shown>.+?)(?:\s*,?\s+{_AT})?"
        ),
        _add,
    ),
    (
        _pattern(
            r"(?:add|show)\s+(?P<size>)(?P<shown>.+?)\s+at\s+the\s+(?:very\s+)?"
            r"(?P<edge>end|start|beginning)(?P<opening>)"
        ),
        _add,
    ),
    (
        _pattern(
            r"(?:(?P<begin>start|begin|open)|end|finish|close)\s+(?:(?:it|the\s+film|the\s+storyboard)\s+)?"
            rf"(?:on|with)\s+(?:(?P<which>{WHICH})|(?P<shown>.+))"
        ),
        _begin_or_end,
    ),
    (
        _pattern(
            rf"(?:in\s+)?(?P<which>{WHICH})(?:\s*:|\s+(?:shows?|should\s+show|must\s+show|becomes))\s+(?P<shown>.+)"
        ),
        _reshow,
    ),
    (_pattern(rf"make\s+(?P<which>{WHICH})\s+(?P<shown>an?\s+(?:{_SIZES})\b.+)"), _reshow),
)
