"""What words alone settle of an instruction: a small set of requests, each understood whole or not at all.

A part that no rule understands to its last word is left to a model. docs/director.md lists what they
understand.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from localvid.llm.lexicon import LIGHT, is_english
from localvid.llm.repair import read_line
from localvid.llm.revision.board import EditedBoard
from localvid.llm.revision.instructions import Where, addressed, parts_of, without_request
from localvid.llm.revision.order import apply_order
from localvid.llm.revision.rewording import (
    TIME_WORDS,
    WEATHERS,
    at_time,
    in_weather,
    shown_at,
    time_called,
    with_words,
)
from localvid.llm.scenes import asked_camera, split_style
from localvid.schemas import Camera, CameraSpeed, Shot, Transition, TransitionKind

Rule = Callable[[EditedBoard, "re.Match[str]", Where], EditedBoard | None]
"""The board after it; None where it does not hold here after all."""

_ENERGY_STEP = 0.2
_PACE_STEP = 1.25
NO_FADE_OUT = (
    "a film cannot fade out: the last shot's transition is not used; a fade before the last shot can be had"
)
NO_TRANSITION = "the last shot's transition is not used: no shot follows it"


def apply_rules(board: EditedBoard, instruction: str) -> tuple[EditedBoard, list[str]]:
    """The board after all parts that the rules understand, and the other parts, in their order.

    Raises InvalidRequestError for an instruction that says nothing or too much, for a shot that is not there,
    and where no shot or more than a storyboard holds would be left.
    """
    left: list[str] = []
    for part in parts_of(instruction):
        changed = _apply(board, part)
        if changed is None:
            left.append(part)
        else:
            board = changed
    return board, left


def _apply(board: EditedBoard, part: str) -> EditedBoard | None:
    words = without_request(part)
    changed = apply_order(board, words)
    if changed is not None:
        return changed
    rest, where = addressed(words, len(board.before.shots))
    for pattern, rule in _RULES:
        match = pattern.fullmatch(rest)
        changed = rule(board, match, where) if match else None
        if changed is not None:
            return changed
    return None


# --- words -------------------------------------------------------------------------------------------


def _time(board: EditedBoard, match: re.Match[str], where: Where) -> EditedBoard | None:
    """In the words of the shots, and, where it is the film's, in what all of them share."""
    time = time_called(match["time"].lower().replace("-", ""))
    changed = _reworded(board, where, lambda text: shown_at(text, time))
    if changed is None or not _is_of_film(board, where):
        return changed
    film, light = changed.film, LIGHT[time.time]
    style = film.style.replace("natural light", light) if film.written_by else film.style
    for other in LIGHT.values():
        style = style.replace(other, light)
    return changed.with_film(
        title=at_time(film.title, time)[:200],
        setting=shown_at(film.setting, time)[:300] if film.setting else "",
        style=style[:300],
    )


def _weather(board: EditedBoard, match: re.Match[str], where: Where) -> EditedBoard | None:
    weather = WEATHERS[next(name for name in WEATHERS if match[name])]
    changed = _reworded(board, where, lambda text: in_weather(text, weather))
    if changed is None or not _is_of_film(board, where) or not changed.film.setting:
        return changed
    return changed.with_film(setting=in_weather(changed.film.setting, weather)[:300])


def _is_of_film(board: EditedBoard, where: Where) -> bool:
    """Whether it is all shots that are spoken of, and so what they share, too."""
    return len(where.origins) == len(board.before.shots)


def _reworded(board: EditedBoard, where: Where, change: Callable[[str], str]) -> EditedBoard | None:
    """With the words of these shots changed; None where some of them are not English."""
    if not all(is_english(board.before.shots[origin].description) for origin in where.origins):
        return None
    return _described(board, where.origins, change)


def _described(board: EditedBoard, origins: Sequence[int], change: Callable[[str], str]) -> EditedBoard:
    return board.with_each(
        origins, lambda shot: shot.model_copy(update={"description": change(shot.description)})
    )


def _replace(board: EditedBoard, match: re.Match[str], where: Where) -> EditedBoard | None:
    """One word for another, wherever a shot or what all share says it."""
    old, new = (_bare(match[name]) for name in ("old", "new"))
    if not old or not new:
        return None
    changed = _described(board, where.origins, lambda text: with_words(text, old, new))
    if _is_of_film(board, where):
        changed = changed.with_film(
            title=with_words(board.film.title, old, new)[:200],
            characters=with_words(board.film.characters, old, new)[:300],
            setting=with_words(board.film.setting, old, new)[:300],
        )
    return changed if changed != board else None


def _bare(words: str) -> str:
    """ "the red fox" → "red fox", without anything that no picture shows."""
    line = read_line(words, limit=120).rstrip(".!?")
    line = re.sub(r"^(?:an?|the)\s+", "", line, flags=re.IGNORECASE)
    return line[:1].lower() + line[1:] if words.strip(" \"'")[:1].islower() else line


def _style(board: EditedBoard, match: re.Match[str], where: Where) -> EditedBoard | None:
    if not _is_of_film(board, where):
        return None  # all shots share one style
    words = match.group("named") or ""
    if not words:
        for joined in (f"a film {match.group()}", f"a film, {match.group()}", f"a film as {match.group()}"):
            rest, style = split_style(joined)
            if rest == "a film":
                words = style
    style = read_line(words, limit=300).rstrip(".")
    return board.with_film(style=style[:1].lower() + style[1:]) if style else None


# --- camera and energy -------------------------------------------------------------------------------


def _static(board: EditedBoard, match: re.Match[str], where: Where) -> EditedBoard:
    del match
    return board.with_each(where.origins, lambda shot: shot.model_copy(update={"camera": Camera.STATIC}))


def _camera(board: EditedBoard, match: re.Match[str], where: Where) -> EditedBoard | None:
    words = match["move"].lower()
    camera, rest = asked_camera(f"x {words}")
    if camera is None or rest != "x":
        return None
    changes: dict[str, object] = {"camera": camera}
    if speed := match["speed"] or match["late"]:
        changes["camera_speed"] = CameraSpeed(speed.lower().removesuffix("ly"))
    return board.with_each(where.origins, lambda shot: shot.model_copy(update=changes))


_SPEEDS = tuple(CameraSpeed)


def _speed(board: EditedBoard, match: re.Match[str], where: Where) -> EditedBoard:
    """ "Slow camera" is slow, "slower camera" one step down. A camera that stands still is left so."""
    word = next(filter(None, match.groups())).lower()
    step = 1 if word.startswith("fast") else -1

    def change(shot: Shot) -> Shot:
        if shot.camera is Camera.STATIC:
            return shot
        at = _SPEEDS.index(shot.camera_speed) + step
        named = CameraSpeed(word) if word in set(CameraSpeed) else None
        return shot.model_copy(update={"camera_speed": named or _SPEEDS[max(0, min(2, at))]})

    moving = [origin for origin in where.origins if board.before.shots[origin].camera is not Camera.STATIC]
    changed = board.with_each(where.origins, change)
    return changed if moving else changed.with_notes("the camera stands still there, so it has no speed")


def _energy(board: EditedBoard, match: re.Match[str], where: Where) -> EditedBoard:
    step = -_ENERGY_STEP if match["calm"] else _ENERGY_STEP
    step *= 2 if match["much"] else 1

    def change(shot: Shot) -> Shot:
        energy = round(max(0.0, min(1.0, shot.energy + step)), 2)
        return shot.model_copy(update={"energy": energy})

    return board.with_each(where.origins, change)


# --- time and cuts -----------------------------------------------------------------------------------


def _seconds(board: EditedBoard, match: re.Match[str], where: Where) -> EditedBoard | None:
    seconds = float(match["seconds"]) * (60 if match["unit"].lower().startswith("m") else 1)
    if not where.is_said:
        return board.model_copy(update={"film_seconds": seconds})
    if match["whole"]:
        return None
    return board.with_each(where.origins, lambda shot: shot.model_copy(update={"duration_seconds": seconds}))


def _pace(board: EditedBoard, match: re.Match[str], where: Where) -> EditedBoard:
    factor = _PACE_STEP if match.group().lower().endswith("longer") else 1 / _PACE_STEP

    def change(shot: Shot) -> Shot:
        seconds = round(max(0.25, min(60.0, shot.duration_seconds * factor)), 2)
        return shot.model_copy(update={"duration_seconds": seconds})

    return board.with_each(where.origins, change)


def _transition(board: EditedBoard, match: re.Match[str], where: Where) -> EditedBoard | None:
    """To the next shot; before a shot it is the transition of the one before that."""
    kind = (
        TransitionKind.CROSSFADE
        if match["crossfade"]
        else TransitionKind.FADE_BLACK
        if match["fade"]
        else TransitionKind.CUT
    )
    seconds = next((float(match[name]) for name in ("before", "after") if match[name]), None)
    changes = {"kind": kind} | ({"duration_seconds": seconds} if seconds is not None else {})
    transition = Transition.model_validate(changes) if seconds is None or 0 < seconds <= 5 else None
    if transition is None:
        return None
    origins = where.origins
    if match["into"]:
        origins = tuple(origin - 1 for origin in origins if origin)
    if match["between"]:
        origins = origins[:-1]
    if not origins:
        return None
    if where.is_said and [board.place_of(origin) for origin in origins] == [len(board.shots) - 1]:
        return board.with_notes(NO_FADE_OUT if match["fade"] else NO_TRANSITION)
    return board.with_each(origins, lambda shot: shot.model_copy(update={"transition": transition}))


def _fade_out(board: EditedBoard, match: re.Match[str], where: Where) -> EditedBoard:
    del match, where
    return board.with_notes(NO_FADE_OUT)


# --- the rules ---------------------------------------------------------------------------------------


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text, re.IGNORECASE)


_TIMES = "|".join((*TIME_WORDS, "night-time", "day-time"))
_ONE_THING = r"(?P<new>(?:(?!\band\b)[^,;:]){2,80})"
_S = r"\s*(?:s|secs?|seconds?)"
_RULES: tuple[tuple[re.Pattern[str], Rule], ...] = (
    (_pattern(rf"(?:(?:at|by|in)\s+)?(?:the\s+)?(?:early\s+|late\s+)?(?P<time>{_TIMES})"), _time),
    (
        _pattern(rf"(?:turn|change)\s+(?:the\s+)?(?:{_TIMES})\s+(?:in)?to\s+(?:the\s+)?(?P<time>{_TIMES})"),
        _time,
    ),
    (
        _pattern(
            r"(?:(?:in|with|during|some|the|an?|falling|heavy|thick|bright)\s+)*"
            r"(?:(?P<rain>rain(?:y|ing|s)?)|(?P<snow>snow(?:y|ing|s)?)|(?P<fog>fog(?:gy)?|mist(?:y)?)|"
            r"(?P<storm>storm(?:y)?|thunderstorm)|(?P<sunshine>sunny|sunshine))"
        ),
        _weather,
    ),
    (_pattern(r"(?:the\s+)?style(?:\s*[:=]\s*|\s+(?:is\s+|to\s+)?)(?P<named>.+)"), _style),
    (_pattern(r"(?:in|as|like)?\s*(?:an?\s+|the\s+)?[\w' -]{3,60}(?P<named>)"), _style),
    (
        _pattern(
            r"(?:the\s+)?(?:static|still|fixed|locked)(?:\s+camera)?|"
            r"(?:the\s+)?camera\s+(?:is\s+)?(?:static|still|fixed)|"
            r"(?:keep|hold|lock)\s+the\s+camera(?:\s+(?:still|static|fixed))?|"
            r"no\s+camera\s+(?:moves?|movements?|motion)"
        ),
        _static,
    ),
    (
        _pattern(
            r"(slow(?:er)?|fast(?:er)?)\s+camera(?:\s+(?:moves?|movements?|motion))?"
            r"|(?:the\s+)?camera(?:\s+(?:moves?|movements?))?\s+(?:is\s+)?(slower|faster|slow|fast)"
            r"|(slow)(?:\s+down)?\s+the\s+camera(?:\s+down)?"
        ),
        _speed,
    ),
    (
        _pattern(
            r"(?:(?:an?|the)\s+)?(?:camera\s+)?(?:(?P<speed>slow|fast)(?:ly)?\s+)?"
            r"(?P<move>(?:zoom|dolly|push|pan|tilt|truck|pedestal|orbit)\w*\s+(?:in|out|left|right|up|down))"
            r"(?:\s+(?P<late>slowly|fast))?"
        ),
        _camera,
    ),
    (
        _pattern(
            r"(?:(?P<much>much|a\s+lot)\s+)?(?:a\s+bit\s+|a\s+little\s+)?"
            r"(?:(?P<calm>calmer|more\s+calm|quieter|less\s+(?:energy|action|movement|motion))|"
            r"livelier|wilder|more\s+(?:lively|energetic|energy|action|movement|motion))"
        ),
        _energy,
    ),
    (
        _pattern(
            r"(?:(?:last|take)\s+)?(?:a\s+total\s+of\s+)?(?P<seconds>\d{1,4}(?:\.\d+)?)\s*(?P<unit>s|secs?|seconds?|"
            r"m|min|minutes?)(?:\s+long)?(?P<whole>\s+(?:in\s+(?:all|total)|altogether|total))?"
        ),
        _seconds,
    ),
    (_pattern(r"(?:(?:an?\s+(?:bit|little)\s+)?)(?:longer|shorter)"), _pace),
    (
        _pattern(
            r"fades?\s+(?:(?:(?:to|into)\s+black|out)\s+)?(?:at|in)\s+(?:the\s+)?(?:very\s+)?end|fades?\s+out|"
            r"(?:end|finish|close)\s+(?:on|with)\s+a\s+fade(?:\s+to\s+black|\s+out)?"
        ),
        _fade_out,
    ),
    (
        _pattern(
            rf"(?:an?\s+)?(?:(?P<before>\d(?:\.\d+)?){_S}\s+)?"
            r"(?:(?P<crossfade>cross-?(?:fades?|dissolves?)|dissolves?)|(?P<fade>fades?\s+(?:to|through)\s+black)|"
            r"(?:hard\s+|straight\s+)?cuts?|no\s+(?:transitions|crossfades|fades))"
            rf"(?:\s+(?:of\s+)?(?P<after>\d(?:\.\d+)?){_S})?"
            r"(?:\s+(?:after|(?P<into>before|into|to)|(?P<between>between)))?"
        ),
        _transition,
    ),
    (
        _pattern(
            r"(?:replace|swap|exchange)\s+(?P<old>.{2,80}?)\s+(?:with|by|for)\s+" + _ONE_THING,
        ),
        _replace,
    ),
    (_pattern(r"(?:change|turn)\s+(?P<old>.{2,80}?)\s+(?:into|to)\s+" + _ONE_THING), _replace),
    (_pattern(r"(?:show\s+|use\s+)?" + _ONE_THING + r"\s+instead\s+of\s+(?P<old>.{2,80})"), _replace),
)
