"""Another time of day, other weather, another subject: a description's own words changed in place.

For English. Pure functions on texts, which know no storyboard. What is not concerned stays as it was,
character for character.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from localvid.llm.lexicon import TIMES, time_of_day, word_set, words_of
from localvid.schemas import SENTENCE_MARKS, Frozen, sentences

_LABEL = re.compile(r"\s*(?:[\w' -]{0,30}\b(?:shot|view)|(?:extreme\s+)?close-?up)\s*:\s+", re.IGNORECASE)


def split_label(description: str) -> tuple[str, str]:
    """ "Wide shot: A wood." → ("Wide shot: ", "A wood."); the label is "" where there is none."""
    match = _LABEL.match(description)
    return (match.group(), description[match.end() :]) if match else ("", description)


def first_sentence(description: str) -> str:
    """What the first sentence says, without the label and the full stop."""
    return sentences(split_label(description)[1])[0].rstrip(SENTENCE_MARKS)


def with_phrase(description: str, phrase: str) -> str:
    """The phrase at the end of the first sentence."""
    label, text = split_label(description)
    sentence = first_sentence(description)
    joined = f"{sentence}, {phrase}" if "," in sentence else f"{sentence} {phrase}"
    return f"{label}{joined}{text[len(sentence) :]}"


# --- times of day ------------------------------------------------------------------------------------


class Time(Frozen):
    """`time` is a key of TIMES; `phrase` and `noun` say it in the words that were asked for."""

    time: str
    phrase: str
    noun: str


_PHRASES = {
    "dawn": "at dawn",
    "daybreak": "at daybreak",
    "sunrise": "at sunrise",
    "morning": "in the morning",
    "day": "in daylight",
    "daylight": "in daylight",
    "daytime": "in daylight",
    "noon": "at noon",
    "midday": "at midday",
    "afternoon": "in the afternoon",
    "dusk": "at dusk",
    "sunset": "at sunset",
    "twilight": "at twilight",
    "evening": "in the evening",
    "night": "at night",
    "nighttime": "at night",
    "midnight": "at midnight",
}
TIME_WORDS = tuple(_PHRASES)


def time_called(word: str) -> Time:
    """The time of day that one of TIME_WORDS names."""
    time = "day" if word == "day" else next(time for time, names in TIMES.items() if word in names)
    noun = {"daytime": "day", "daylight": "day", "nighttime": "night"}.get(word, word)
    return Time(time=time, phrase=_PHRASES[word], noun=noun)


_SUN = {
    "moon": "sun",
    "moonlight": "sunlight",
    "starlight": "sunlight",
    "moonlit": "sunlit",
    "stars": "clouds",
}
_SWAPS: dict[str, Mapping[str, str]] = {
    "night": {
        "sun": "moon",
        "suns": "moons",
        "sunlight": "moonlight",
        "sunshine": "moonlight",
        "daylight": "moonlight",
        "sunbeam": "moonbeam",
        "sunbeams": "moonbeams",
        "sunny": "moonlit",
        "sunlit": "moonlit",
    },
    "day": {**_SUN, "starry": "clear", "moonbeam": "sunbeam", "moonbeams": "sunbeams"},
    "dawn": {**_SUN, "starry": "pale", "sunny": "sunlit", "daylight": "first light"},
    "dusk": {**_SUN, "starry": "red", "sunny": "sunlit", "daylight": "last light"},
}
"""Time of day → what shines at another one, and what shines in its place."""

_LIGHT = {"dawn": "first light", "day": "daylight", "dusk": "last light", "night": "moonlight"}
_ADJECTIVES = {"sunny", "starry", "moonlit", "moonlight", "daylight", "candlelight", "daytime", "nighttime"}
_LIT = r"(?!\s+(?:light|sun|sky|mist|fog|air|glow|haze|star)\b)"


def at_time(text: str, new: Time) -> str:
    """The text with every other time of day in it replaced; one that names none stays as it is."""
    others = sorted(
        {word for time, names in TIMES.items() if time != new.time for word in names} - _ADJECTIVES
        | ({"day"} if new.time != "day" else set())
    )
    names = "|".join(others)
    text = _swapped(
        text, rf"\b(?:early\s+|late\s+)?(?:{names})\s+(?:light|sun)\b", lambda _: _LIGHT[new.time]
    )
    text = _swapped(
        text,
        rf"\b(?:at|before|after|by|during|in)\s+(?:the\s+)?(?:early\s+|late\s+)?(?:{names})\b{_LIT}",
        lambda _: new.phrase,
    )
    swaps = _SWAPS[new.time]
    text = _with_article(text, rf"(?:{'|'.join(swaps)})", lambda word: swaps[word])
    # "All day" and "every day" tell no time of day.
    nouns = "|".join(other for other in others if other != "day")
    return _with_article(text, rf"(?:{nouns})", lambda _: new.noun)


def shown_at(description: str, new: Time) -> str:
    """A shot's description at another time of day, which it names afterwards."""
    changed = at_time(description, new)
    says = time_of_day(changed) == new.time or new.noun in words_of(changed)
    return changed if says else with_phrase(changed, new.phrase)


# --- weather -----------------------------------------------------------------------------------------


class Weather(Frozen):
    """`phrase` follows a sentence; `noun` and `adjective` replace those of the weather in `others`."""

    phrase: str
    noun: str
    adjective: str
    words: frozenset[str]
    """A description with one of them says this weather already."""
    others: tuple[str, ...]


_NOUNS = {
    "rain": ("rain", "drizzle", "downpour"),
    "snow": ("falling snow", "snowfall", "blizzard"),
    "fog": ("fog",),
    "storm": ("thunderstorm", "storm"),
    "sunshine": ("sunshine",),
}


def _weather(phrase: str, noun: str, adjective: str, words: str, *others: str) -> Weather:
    return Weather(
        phrase=phrase,
        noun=noun,
        adjective=adjective,
        words=word_set(words),
        others=tuple(name for other in others for name in _NOUNS[other]),
    )


WEATHERS = {
    "rain": _weather(
        "in the rain",
        "rain",
        "rainy",
        "rain rainy raining drizzle downpour",
        "snow",
        "fog",
        "storm",
        "sunshine",
    ),
    "snow": _weather(
        "in falling snow", "snow", "snowy", "snowfall snowing blizzard", "rain", "fog", "storm", "sunshine"
    ),
    "fog": _weather("in thick fog", "fog", "foggy", "fog foggy", "rain", "snow", "storm", "sunshine"),
    "storm": _weather("in a storm", "a storm", "stormy", "storm stormy thunderstorm", "fog", "sunshine"),
    "sunshine": _weather(
        "in bright sunshine", "sunshine", "sunny", "sunshine sunny sunlit", "rain", "snow", "fog", "storm"
    ),
}
"""What rain takes the place of, a storm may come with: rain and snow stay in it."""
_SKIES = "rainy|foggy|misty|stormy|sunny|cloudy|overcast"


def in_weather(description: str, new: Weather) -> str:
    """A shot's description in other weather, which it names afterwards. Snow that lies stays."""
    if set(words_of(description)) & new.words or new.phrase in description.lower():
        return description
    named = (
        r"(?:(?:an?|the)\s+)?(?:(?:heavy|light|thick|dense|violent|bright|pouring|strong)\s+)?"
        rf"(?:{'|'.join(new.others)})\b"
    )
    text = _swapped(description, rf"\bin\s+{named}", lambda _: new.phrase)
    text = _swapped(text, rf"\b{named}", lambda _: new.noun)
    text = _with_article(text, rf"(?:{_SKIES})", lambda _: new.adjective)
    return text if text != description else with_phrase(description, new.phrase)


# --- words -------------------------------------------------------------------------------------------


def with_words(text: str, old: str, new: str) -> str:
    """The text with every `old` replaced by `new`, whole words in any case; an "a" or "an" before it fits."""
    return _with_article(text, rf"(?:{re.escape(old)})", lambda _: new)


def _with_article(text: str, pattern: str, new: Callable[[str], str]) -> str:
    """As `_swapped`, for whole words."""
    text = re.sub(
        rf"\b(a)n?(\s+)(?={pattern}(?!\w))",
        lambda match: (
            f"{match.group(1)}{'n' if new(_after(text, match, pattern))[:1] in 'aeio' else ''}"
            + match.group(2)
        ),
        text,
        flags=re.IGNORECASE,
    )
    return _swapped(text, rf"(?<!\w){pattern}(?!\w)", new)


def _after(text: str, article: re.Match[str], pattern: str) -> str:
    """The word that follows an article."""
    found = re.compile(pattern, re.IGNORECASE).match(text, article.end())
    return found.group().lower() if found else ""


def _swapped(text: str, pattern: str, new: Callable[[str], str]) -> str:
    """Every match replaced, with a capital letter where it had one."""

    def swap(match: re.Match[str]) -> str:
        word = new(match.group().lower())
        return word[:1].upper() + word[1:] if match.group()[:1].isupper() else word

    return re.sub(pattern, swap, text, flags=re.IGNORECASE)
