"""What the animatic understands of a shot's words."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum, StrEnum
from itertools import pairwise

from localvid.pipelines.animatic.figures.cast import CAST, Realm
from localvid.pipelines.animatic.scenery.light import Hour, Weather
from localvid.pipelines.animatic.scenery.plants import Season
from localvid.pipelines.animatic.vocabulary import (
    ACTIONS,
    COLOURS,
    HOURS,
    HOUSES,
    LOOSE_WORDS,
    PLACES,
    PLURALS,
    SEASONS,
    STYLES,
    SUBJECTS,
    WEAK_PLACES,
    WEATHERS,
    meaning,
)
from localvid.schemas import sentence_ends


class Place(StrEnum):
    FOREST = "forest"
    MOUNTAINS = "mountains"
    SEA = "sea"
    BEACH = "beach"
    LAKE = "lake"
    RIVER = "river"
    DESERT = "desert"
    CITY = "city"
    VILLAGE = "village"
    FIELDS = "fields"
    ROAD = "road"
    SNOW = "snow"
    SKY = "sky"
    SPACE = "space"
    MOON = "moon"
    MARS = "mars"
    PLANET = "planet"
    UNDERWATER = "underwater"
    CAVE = "cave"
    ROOM = "room"
    BEDROOM = "bedroom"
    KITCHEN = "kitchen"
    LIBRARY = "library"
    OFFICE = "office"


class Framing(Enum):
    """How near the camera is to the subject. The value is the share of the frame's height or width that it is
    to take, and how much larger it is made for that at most."""

    WIDE = (0.0, 1.0)
    MEDIUM = (0.45, 2.2)
    CLOSE = (0.78, 5.0)
    DETAIL = (1.2, 7.0)


@dataclass(frozen=True)
class Subject:
    """Someone or something that acts: a name in `CAST`, and how many."""

    name: str
    count: int = 1
    colour: str | None = None
    """The code of a colour that stands right before it, or after it: "a girl in a red coat"."""
    aside: bool = False
    """Told of after the first sentence: not what the shot is about."""


@dataclass(frozen=True)
class Script:
    """A scene as the words tell it; None where they do not say."""

    place: Place | None
    hour: Hour | None
    weather: Weather | None
    season: Season | None
    subjects: tuple[Subject, ...]
    styles: frozenset[str]
    still: bool
    """The subjects stand or sit."""
    sitting: bool
    houses: int = 0
    """Houses that stand in a landscape."""
    framing: Framing = Framing.WIDE
    extras: frozenset[str] = frozenset()
    """Things that change a place: "galaxy", "planet", "neon", "flowers", "fireflies", "rainbow", "aurora"."""


_MAX_SUBJECTS = 3
_AGED = frozenset({"man", "woman", "person"})
_OLD = frozenset({"old", "elderly", "aged", "alter", "alte", "vieil", "vieille", "viejo", "vieja", "vecchio"})
_ON_THE_MOON = re.compile(
    r"\bon the moon\b|\bmoon (surface|base|landing|walk)\b|\bauf dem mond\b|\bsur la lune\b|\ben la luna\b"
)
_NAME = re.compile(
    r"(?:[\w '-]{0,30}: +)?"
    r"(?!(?:It|He|She|They|This|That|Nothing|Nobody|Some\w+|Every\w+|St|Mt|No)\b)([A-Z][a-z]*[a-rt-z])"
    r"(?=(?: (?:climbs|cooks|dances|follows|jogs|kneels|laughs|listens|looks|meets|opens|paints|reads|rides|"
    r"runs|sings|sits|sleeps|smiles|stands|strolls|waits|walks|wanders|watches|works|writes|"
    r"at (?:dawn|dusk|night|noon)|from (?:above|below)|in full view)\b|, small\b|\.|$))"
)
"""Somebody's name at the start of a shot, by what follows it: "Close-up: Anna.", "Anna walks"."""
_NO_SENTENCE = ("shot.", "close up.", ";", "；", "؛", "…")
"""What a first sentence does not end with: a label, half a sentence, a pause."""
_IN_A_WORD = (
    (re.compile(r"\bsnow[- ](?:covered|capped|topped|clad)\b", re.IGNORECASE), "snowy"),
    (re.compile(r"\b(?:northern|southern) lights\b", re.IGNORECASE), "aurora"),
    (re.compile(r"\bclose-?up\b", re.IGNORECASE), "close up"),
    (re.compile(r"\bMr\.? (?=[A-Z])"), "man "),
    (re.compile(r"\bMr?s\.? (?=[A-Z])"), "woman "),
    (re.compile(r"\b(?:Dr|Prof)\.? (?=[A-Z])"), "person "),
    (
        re.compile(r"\b(paths?|river|road|stairs|stream|street|track|trail|valley|water|way) winds\b", re.I),
        r"\1 bends",
    ),
    (  # Elsewhere it is the sea.
        re.compile(r"\b(a|the|her|his|two|black|brown|gr[ae]y|old|white|wild|young) mare(s?)\b", re.I),
        r"\1 horse\2",
    ),
)
"""Phrases whose words mean something else alone."""
_TWO_TONES = re.compile(r"black\W+(and|&|n)?\W*white", re.IGNORECASE)
_NEGATIONS = frozenset(
    {"after", "before", "no", "without", "not", "ohne", "kein", "keine", "sans", "sin", "senza", "sem"}
)
_NUMBERS = {
    "two": 2,
    "three": 3,
    "four": 4,
    "five": 5,
    "six": 6,
    "seven": 7,
    "several": 4,
    "many": 6,
    "flock": 7,
    "herd": 5,
    "pair": 2,
    "zwei": 2,
    "drei": 3,
    "deux": 2,
    "trois": 3,
    "dos": 2,
    "tres": 3,
    "due": 2,
    "tre": 3,
    "pack": 4,
    "school": 8,
}


def read_script(description: str, style: str = "", setting: str = "") -> Script:
    """Find what is known in a shot's words; the first mention of a place, an hour or a weather holds.

    A shot's first sentence says what it is about. What that leaves open is looked for in the film's setting,
    then in plain words of its style (an hour) and of the other sentences, which may be details that change
    nothing ("a dark edge", "a bright hall"). Unknown words are passed over: any text gives a script.
    """
    begin, rest = (_words(part) for part in _first_sentence(_in_a_word(description)))
    shared = _words(_in_a_word(setting))
    look = _words(_TWO_TONES.sub("monochrome", style))
    words = begin + rest
    about = {subject.name for subject in _subjects(begin)}
    subjects = tuple(replace(subject, aside=subject.name not in about) for subject in _subjects(words))
    if _names_somebody(description):
        subjects = (Subject("person"), *subjects)[:_MAX_SUBJECTS]
    inhabitants = _subjects(shared)
    place = _strong_place(begin) or _place(shared) or _home_of(inhabitants) or _place(begin)
    place = place or _home_of(subjects) or _strong_place(rest)
    weather_name = _told(WEATHERS, begin, shared, rest)
    season_name = _told(SEASONS, begin, shared, rest)
    styles = frozenset(found for word in begin + shared + look if (found := meaning(word, STYLES)))
    extras = _extras(begin) | (_extras(shared) - _OF_A_SHOT)
    hour_name = _told(HOURS, begin, shared, rest, look)
    if hour_name is None and (extras & _SEEN_AT_NIGHT or "neon" in styles):
        hour_name = Hour.NIGHT
    details = _extras(rest) - _OF_A_SHOT
    if hour_name != Hour.NIGHT:
        details -= _SEEN_AT_NIGHT
    pairs = [f"{first} {second}" for first, second in pairwise(words)]
    by_the_sea = place is Place.MOUNTAINS and _has((*subjects, *inhabitants), "lighthouse")
    return Script(
        place=Place.SEA if by_the_sea else place,
        hour=Hour(hour_name) if hour_name else None,
        weather=Weather(weather_name) if weather_name else None,
        season=Season(season_name)
        if season_name
        else Season.WINTER
        if weather_name == Weather.SNOW
        else None,
        subjects=subjects,
        styles=styles,
        still=any(meaning(word, ACTIONS) in ("still", "sit") for word in words),
        sitting=any(meaning(word, ACTIONS) == "sit" for word in words),
        houses=min(6, sum(2 if word in PLURALS else 1 for word in words if meaning(word, HOUSES))),
        extras=extras | details,
        framing=next((_SIZES[pair] for pair in pairs if pair in _SIZES), Framing.WIDE),
    )


_EXTRAS = {
    "galaxy": "galaxy",
    "galaxies": "galaxy",
    "nebula": "galaxy",
    "galaxie": "galaxy",
    "planet": "planet",
    "planets": "planet",
    "saturn": "planet",
    "jupiter": "planet",
    "earth": "planet",
    "neon": "neon",
    "cyberpunk": "neon",
    "futuristic": "neon",
    "flower": "flowers",
    "flowers": "flowers",
    "wildflowers": "flowers",
    "blumen": "flowers",
    "fleurs": "flowers",
    "flores": "flowers",
    "poppies": "flowers",
    "sunflowers": "flowers",
    "tulips": "flowers",
    "lavender": "flowers",
    "bloom": "flowers",
    "fiori": "flowers",
    "firefly": "fireflies",
    "fireflies": "fireflies",
    "magic": "fireflies",
    "magical": "fireflies",
    "enchanted": "fireflies",
    "fairy": "fireflies",
    "rainbow": "rainbow",
    "regenbogen": "rainbow",
    "aurora": "aurora",
    "crystal": "crystals",
    "crystals": "crystals",
    "reflection": "water",
    "reflections": "water",
    "harbour": "water",
    "harbor": "water",
    "waterfront": "water",
    "street": "street",
    "streets": "street",
    "alley": "street",
    "avenue": "street",
    "highway": "street",
    "road": "street",
    "path": "path",
    "trail": "path",
    "deep": "inside",
    "inside": "inside",
    "dense": "inside",
    "clearing": "inside",
    "canopy": "inside",
    "valley": "wide",
    "view": "wide",
    "panorama": "wide",
    "aerial": "wide",
    "wide": "wide",
    "distant": "wide",
    "close": "inside",
    "trunks": "inside",
    "undergrowth": "inside",
    "skyline": "wide",
    "waterfall": "waterfall",
    "jungle": "jungle",
    "rainforest": "jungle",
    "dschungel": "jungle",
    "selva": "jungle",
    "pine": "pines",
    "pines": "pines",
    "fir": "pines",
    "birch": "birches",
    "birches": "birches",
    "embers": "embers",
    "sparks": "embers",
}


_OF_A_SHOT = frozenset({"inside", "wide", "street", "path"})
"""What only a shot itself says: how much of a place is seen, and from where."""
_SEEN_AT_NIGHT = frozenset({"aurora", "fireflies"})
_SIZES = {
    "extreme close": Framing.DETAIL,
    "close up": Framing.CLOSE,
    "close shot": Framing.CLOSE,
    "medium shot": Framing.MEDIUM,
    "mid shot": Framing.MEDIUM,
    "low angle": Framing.MEDIUM,
}


def _extras(words: list[str]) -> frozenset[str]:
    return frozenset(found for word in words if (found := meaning(word, _EXTRAS)))


def _first_sentence(text: str) -> tuple[str, str]:
    """The first sentence, and the others."""
    for end in sentence_ends(text):
        said = text[: end.start()].lower()
        if (said[-2:-1].isalnum() or said[-1] not in ".!?") and not said.endswith(_NO_SENTENCE):
            return text[: end.start()], text[end.end() :]
    return text, ""


def _words(text: str) -> list[str]:
    """Lower case, without accents, split at everything that is no letter or digit."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(char for char in plain if not unicodedata.combining(char))
    return re.findall(r"[^\W_]+", plain)


def _told(
    table: dict[str, str], begin: list[str], shared: list[str], rest: list[str], look: Sequence[str] = ()
) -> str | None:
    """What a shot's first sentence tells in a plain word, else the film's setting, else a plain word of its
    look, else any word of the sentence, else a plain word of the others."""
    return (
        _first(begin, table, plain=True)
        or _first(shared, table)
        or _first(look, table, plain=True)
        or _first(begin, table)
        or _first(rest, table, plain=True)
    )


def _first(words: Sequence[str], table: dict[str, str], *, plain: bool = False) -> str | None:
    """What the first word or phrase means that is in the table; `plain`: without LOOSE_WORDS."""
    negations = _NEGATIONS - {"after", "before"} if table is HOURS else _NEGATIONS
    pairs = (f"{first} {second}" for first, second in pairwise(words))
    if phrase := next((table[pair] for pair in pairs if pair in table), None):
        return phrase
    for index, word in enumerate(words):
        if plain and not LOOSE_WORDS.isdisjoint((word, word.removesuffix("s"))):
            continue
        if not negations.intersection(words[max(0, index - 2) : index]) and (found := meaning(word, table)):
            return found
    return None


def _place(words: list[str]) -> Place | None:
    name = _first(words, PLACES)
    return _strong_place(words) or (Place(name) if name else None)


def _strong_place(words: list[str]) -> Place | None:
    if _ON_THE_MOON.search(" ".join(words)):
        return Place.MOON
    name = _first([word for word in words if word not in WEAK_PLACES], PLACES)
    return Place(name) if name else None


def _in_a_word(text: str) -> str:
    for phrase, word in _IN_A_WORD:
        text = phrase.sub(word, text)
    return text


def _subjects(words: list[str]) -> tuple[Subject, ...]:
    found: dict[str, Subject] = {}
    for index, word in enumerate(words):
        name = meaning(word, SUBJECTS)
        before = words[max(0, index - 3) : index]
        if name is None or (before and before[-1] in _NEGATIONS):
            continue
        if name in _AGED and _OLD.intersection(before[-1:]):
            name = "old"
        number = next((_NUMBERS[other] for other in reversed(before) if other in _NUMBERS), 0)
        plural = word in PLURALS or (word.endswith("s") and word not in SUBJECTS)
        count = min(9, number or ((CAST[name].flock or 3) if plural else 1))
        again = name in found and found[name].count > 1 and not number  # "two children … the children"
        if name not in found or (found[name].count < count and not again):
            found[name] = Subject(name, count, _colour_of(words, index))
    return tuple(found.values())[:_MAX_SUBJECTS]


def _names_somebody(description: str) -> bool:
    """Whether a shot begins with what seems to be a name: a word that means nothing else here."""
    found = _NAME.match(description)
    word = _words(found[1])[0] if found else ""
    tables = (SUBJECTS, PLACES, HOURS, WEATHERS, SEASONS, HOUSES, STYLES, COLOURS, _EXTRAS)
    return found is not None and not any(meaning(word, table) for table in tables)


def _has(subjects: tuple[Subject, ...], name: str) -> bool:
    return any(subject.name == name for subject in subjects)


def _colour_of(words: list[str], index: int) -> str | None:
    """The colour in the two words before a noun, or in "in (a) …" after it."""
    near = words[max(0, index - 2) : index][::-1]
    if "in" in words[index + 1 : index + 2]:
        near += words[index + 2 : index + 5]
    return next((COLOURS[word] for word in near if word in COLOURS), None)


_HOMES = {
    "camel": Place.DESERT,
    "pyramid": Place.DESERT,
    "penguin": Place.SNOW,
    "snowman": Place.SNOW,
    "lighthouse": Place.SEA,
    "train": Place.FIELDS,
    "car": Place.ROAD,
    "taxi": Place.CITY,
    "bus": Place.CITY,
    "truck": Place.ROAD,
    "dragon": Place.MOUNTAINS,
    "castle": Place.MOUNTAINS,
    "deer": Place.FOREST,
    "fox": Place.FOREST,
    "wolf": Place.FOREST,
    "bear": Place.FOREST,
    "owl": Place.FOREST,
    "mushroom": Place.FOREST,
    "detective": Place.CITY,
    "plane": Place.SKY,
    "balloon": Place.SKY,
    "rowboat": Place.LAKE,
    "swan": Place.LAKE,
    "bridge": Place.RIVER,
    "elephant": Place.DESERT,
    "lion": Place.FIELDS,
    "giraffe": Place.FIELDS,
    "cow": Place.FIELDS,
    "sheep": Place.FIELDS,
    "horse": Place.FIELDS,
    "windmill": Place.FIELDS,
    "hiker": Place.MOUNTAINS,
    "tent": Place.FOREST,
    "campfire": Place.FOREST,
    "robot": Place.CITY,
    "gull": Place.SEA,
}


def _home_of(subjects: tuple[Subject, ...]) -> Place | None:
    """Where the first subject is at home."""
    if not subjects:
        return None
    name = subjects[0].name
    by_realm = {Realm.WATER: Place.SEA, Realm.DEEP: Place.UNDERWATER, Realm.SPACE: Place.SPACE}
    return _HOMES.get(name) or by_realm.get(CAST[name].realm)
