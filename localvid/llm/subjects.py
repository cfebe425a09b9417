"""Who does what in an English sentence: its subject, what it does, and where; by rule, without a model.

Good enough for the short main clauses that prompts are made of. What it cannot read it leaves alone.
"""

from __future__ import annotations

import itertools
import re

from localvid.llm.lexicon import WEATHER, is_english, topics_of, word_set, words_of
from localvid.schemas import Frozen

_SINGULAR = word_set("a an one each this that")
_PLURAL = word_set("two three four five six seven eight nine ten many some several these those few")
_PLURAL_NOUNS = word_set("children people men women mice geese fish sheep wolves feet cattle")
_PREPOSITIONS = word_set("""
    in on at by with through over under across into onto from to down up past above below behind before
    after near inside outside around along between among against during beneath beside towards toward
    without within off upon while as when where who which that until for
    """)
_AFTER_VERB = _PREPOSITIONS | word_set(
    "a an the his her its their each one two three some alone away out back slowly quietly fresh"
)
_TAKING = word_set(
    "approaching carrying chasing crossing entering exploring following holding leaving pulling pushing "
    "wearing"
)
"""Participles that take an object, rather than stand before a noun ("a sleeping dog")."""
_DOES = word_set(
    """
    arrives asks bakes carries catches chases climbs closes cooks crosses dances discovers draws
    dreams drinks drives drums eats enters examines explores falls fights finds flees flies follows
    gathers grows hides holds hunts jogs jumps kneels laughs lies lifts listens looks meets opens
    paints picks plays pulls pushes reaches reads repairs rests returns rides rises rows runs sails
    searches shines sings sits sleeps smiles speaks stands steps stops strolls studies swims takes
    talks teaches throws turns visits waits wakes walks wanders watches waves wears works writes
    """
)
"""What somebody does, or the weather: a verb after a name ("Anna walks"), where a plural would look alike."""
_NO_NAMES = WEATHER | word_set(
    "fire ice lava light lightning music night sand smoke thunder time traffic water"
)
_HE, _THEY = frozenset({"he", "she", "it"}), frozenset({"they"})
_NO_VERBS = re.compile(r"(?:ss|us|is|'s)$")
_MAX_SUBJECT_WORDS = 7


class Clause(Frozen):
    """`subject` as it stands ("A red fox"); `predicate` from the verb on, "" where there is none;
    `place` the words that tell where it is ("on a ridge"), "" where there are none."""

    subject: str
    predicate: str = ""
    place: str = ""
    plural: bool = False

    @property
    def action(self) -> str:
        """The predicate without where and when: "crosses a snowy forest"."""
        words = _TIME.sub("", self.predicate)
        place = _PLACE.search(words)
        return (words[: place.start()] if place else words).strip(" ,;")

    @property
    def head(self) -> str:
        """The subject in a word: "the fox"; a name as it is."""
        return self.subject if self.is_name else _head(self.named)

    @property
    def is_name(self) -> bool:
        """Whether the subject seems to be somebody's name ("Anna walks"), for all that its words say."""
        words = self.subject.split()
        return (
            bool(self.predicate)
            and not self.plural
            and _is_capitalised(words)
            and not _NO_NAMES.intersection(words_of(self.subject))
            and not topics_of(self.subject)
        )

    @property
    def named(self) -> str:
        """The subject as one speaks of it when it is known: "the red fox"."""
        words = self.subject.split()
        if words and words[0].lower() in _SINGULAR | {"the"}:
            words = ["the", *words[1:]]
        elif words and words[0][1:].islower() and words[0].lower() in _PLURAL:
            words = ["the", words[0].lower(), *words[1:]]
        return " ".join(words)


_TIMES = (
    r"(?:dawn|sunrise|daybreak|noon|midday|dusk|sunset|twilight|night|midnight|candlelight|morning|"
    r"evening|afternoon)"
)
_TIME = re.compile(
    rf"\s*,?\s*\b(?:(?:at|before|after|by)\s+{_TIMES}|in\s+the\s+(?:early\s+|late\s+)?{_TIMES})\b"
    r"(?=\s*(?:[,.;]|$)|\s+(?:in|on|at|and|with|as|while|over|under|by)\b)",
    re.IGNORECASE,
)
_PLACE = re.compile(
    r"\b(in|on|at|across|through|over|under|along|above|behind|inside|near|between|down|against|beneath|into|onto)"
    r"\s+(?!front\b)((?:the|an?|his|her|its|their)?\s*[\w' -]+?)"
    r"(?=\s+(?:and|with|while|as|where|during)\b|[,.;]|$)",
    re.IGNORECASE,
)
_RESTING = {"across": "in", "through": "in", "into": "in", "along": "on", "down": "on", "onto": "on"}
"""Where something goes → where it is."""


def _head(subject: str) -> str:
    """ "the old keeper" → "the keeper", "the knight and the dragon" → "them", "Coral reef" → "it"."""
    words = subject.partition(" of ")[0].split()
    if "and" in words:
        return "them"
    return f"the {words[-1]}" if words[0] == "the" else "it"


def _is_capitalised(words: list[str]) -> bool:
    """Whether each begins with a capital letter, and none of them is an article."""
    return words[0].lower() not in _SINGULAR | _PLURAL | {"the"} and all(word[:1].isupper() for word in words)


def _place(words: str) -> str:
    match = _PLACE.search(_TIME.sub("", words))
    if match is None:
        return ""
    where = match.group(1).lower()
    return f"{_RESTING.get(where, where)} {match.group(2).strip()}"


def read_clause(text: str) -> Clause | None:
    """The clause that a text begins with; None for other languages and where no subject is found."""
    words = text.split()
    if not words or not is_english(text) or words_of(words[0])[:1] == []:
        return None
    first = words[0].lower()
    if first in _PREPOSITIONS or first in _HE | _THEY:
        return None
    at, plural = _subject_end(words)
    if not 0 < at <= _MAX_SUBJECT_WORDS or (at == 1 and first in _SINGULAR | _PLURAL | {"the"}):
        return None
    verb = at < len(words) and words[at].lower() not in _PREPOSITIONS and not words[at - 1].endswith(",")
    return Clause(
        subject=" ".join(words[:at]).strip(" ,;"),
        predicate=" ".join(words[at:]) if verb else "",
        place=_place(" ".join(words[at:])),
        plural=plural,
    )


def _subject_end(words: list[str]) -> tuple[int, bool]:
    """The number of words that the subject takes, and whether it is more than one thing."""
    first = words[0].lower()
    plural = first in _PLURAL
    start = 1 if first in _SINGULAR | _PLURAL | {"the", "his", "her", "their", "its"} else 0
    within_of = False
    for index in range(start, len(words)):
        word = words[index].lower().rstrip(",;")
        after = words[index + 1].lower() if index + 1 < len(words) else ""
        if word in {"of", "and"} and index > start:
            within_of = True
            continue
        if word in _PREPOSITIONS:
            return index, plural
        if word in _DOES and index > 0 and _is_capitalised(words[:index]) and not within_of:
            return index, False
        acts = word.endswith("ing") and (after in _AFTER_VERB or _takes_several(words[index:]))
        if index > start and acts and not within_of:
            return index, plural
        if word in _PLURAL_NOUNS or (word.endswith("s") and not _NO_VERBS.search(word)):
            if first in _SINGULAR and index > start and not within_of:
                return index, False
            if not within_of and first not in _SINGULAR:
                if index > start and first == "the" and after in _AFTER_VERB:
                    return index, False  # "The wolf howls at": a verb
                return index + 1, True
        if words[index].endswith((",", ";")):
            return index + 1, plural
    return len(words), plural


def _takes_several(words: list[str]) -> bool:
    """Whether a participle is followed by things without an article: "crossing snowy hills at night", and not
    "carrying case"."""
    things = list(itertools.takewhile(lambda word: word.lower() not in _PREPOSITIONS, words[1:4]))
    last = things[-1].rstrip(",;") if things else ""
    return words[0].lower() in _TAKING and last.endswith("s") and not _NO_VERBS.search(last)


_NEXT_VERB = re.compile(
    r"(?:,\s+(?:and\s+|then\s+)?|\s+and\s+)(?=([a-z]+s)\s+(?:an?|the|his|her|its|their|to|in|on|at|away|into|up|"
    r"down|past|through|over|out|off|towards?|back|one|two|some)\b)"
)


def split_actions(text: str) -> list[str]:
    """ "A fox crosses a wood and finds its den" → "A fox crosses a wood", "the fox finds its den".

    Each but the first begins with the subject of the first. A text that is not made so is returned whole.
    """
    clause = read_clause(text)
    if clause is None or clause.plural or not clause.predicate:
        return [text]
    first, *rest = _cut(text)
    return [first, *(f"{clause.named} {action}" for action in rest)]


def _cut(text: str) -> list[str]:
    parts, start = [], 0
    for match in _NEXT_VERB.finditer(text):
        if not _NO_VERBS.search(match.group(1)):
            parts.append(text[start : match.start()])
            start = match.end()
    return [*parts, text[start:]]


_LED = re.compile(r"^(inside|behind|above|below|around|near|beside|under|over|in|on)\s+it\b", re.IGNORECASE)


def with_names(texts: list[str]) -> list[str]:
    """Texts whose leading "he", "she", "it" or "they" is replaced by whom it stands for, also after a
    preposition ("inside it")."""
    known: list[Clause] = []
    named = []
    for text in texts:
        text = _LED.sub(lambda match: f"{match.group(1)} {_meant('it', known) or 'it'}", text)
        pronoun, _, rest = text.partition(" ")
        name = _meant(pronoun.lower(), known)
        if name and rest:
            text = f"{name[:1].upper()}{name[1:]} {rest}"
        else:
            clause = read_clause(text)
            if clause is not None:
                known.append(clause)
        named.append(text)
    return named


def _meant(pronoun: str, known: list[Clause]) -> str:
    singular = [clause for clause in known if not clause.plural]
    if pronoun in _HE and singular:
        return singular[-1].named
    if pronoun in _THEY and known:
        plural = [clause for clause in known if clause.plural]
        return plural[-1].named if plural else " and ".join(clause.named for clause in known[-2:])
    return ""
