"""Any instruction on any storyboard gives a storyboard or an error; what it does not name stays as it is."""

from __future__ import annotations

import random
from collections.abc import Sequence
from contextlib import suppress

from hypothesis import given, settings
from hypothesis import strategies as st

from localvid.errors import LocalvidError
from localvid.llm.chat import Choice, OnWait, Question
from localvid.llm.revision.by_rule import revise_by_rule
from localvid.llm.revision.revise import revise
from localvid.schemas import Camera, Revision, Shot, Storyboard, TransitionKind

descriptions = st.text(min_size=1, max_size=80).filter(str.strip) | st.sampled_from(
    [
        "Wide shot: A red fox crosses a snowy forest at dawn. Mist lies between the trunks.",
        "The sun burns over the dunes; a camel walks.",
        "Ein alter Fischer fährt mit seinem Boot hinaus aufs Meer.",
        "海辺の灯台",
        "Close-up: An owl.",
    ]
)
shots = st.builds(
    Shot,
    description=descriptions,
    camera=st.sampled_from(Camera),
    energy=st.floats(0, 1),
    duration_seconds=st.floats(0.25, 60),
    seed=st.none() | st.integers(0, 2**32 - 1),
    continue_from_previous=st.booleans(),
)


def board_of(made: list[Shot], texts: tuple[str, str, str]) -> Storyboard:
    made[0] = made[0].model_copy(update={"continue_from_previous": False})
    style, setting, written_by = texts
    return Storyboard(shots=tuple(made), style=style, setting=setting, written_by=written_by)


words = st.text(max_size=60)
boards = st.builds(board_of, st.lists(shots, min_size=1, max_size=6), st.tuples(words, words, words))
PIECES = (
    "make it night rain end on with start the owl an shot shots 1 2 3 9 and , . ; drop swap move last first "
    "before after everywhere slower camera pan left static calmer more action 6 20 seconds in all crossfade "
    "fade to black replace fox wolf instead of watercolour style: add a close-up every reverse 海 🌙 { } | "
    "https://x.org / \\ <s>"
)
pieces = st.sampled_from(PIECES.split())
instructions = st.lists(pieces, min_size=1, max_size=14).map(" ".join) | st.text(min_size=1, max_size=120)
commands = st.sampled_from(
    [
        "make it night",
        "in the rain",
        "pan left",
        "slower camera",
        "calmer",
        "6 seconds",
        "crossfade",
        "longer",
    ]
)


def check(board: Storyboard, revision: Revision) -> None:
    assert Storyboard.model_validate_json(revision.storyboard.model_dump_json()) == revision.storyboard
    kept = [origin for origin in revision.origins if origin is not None]
    assert len(kept) == len(set(kept))
    assert all(0 <= origin < len(board.shots) for origin in kept)
    assert revision.storyboard.prompt == board.prompt
    for origin, shot in zip(revision.origins, revision.storyboard.shots, strict=True):
        if origin is not None:
            assert (shot.seed, shot.reference_image) == (
                board.shots[origin].seed,
                board.shots[origin].reference_image,
            )


@settings(deadline=None, max_examples=250)
@given(board=boards, instruction=instructions)
def test_any_instruction_gives_a_storyboard_or_an_error(board: Storyboard, instruction: str) -> None:
    with suppress(LocalvidError):
        revision = revise_by_rule(board, instruction, seed=3)
        check(board, revision)
        assert revise_by_rule(board, instruction, seed=3) == revision


@settings(deadline=None, max_examples=100)
@given(board=boards, command=commands, number=st.integers(1, 6))
def test_shots_that_are_not_named_stay_as_they_are(board: Storyboard, command: str, number: int) -> None:
    with suppress(LocalvidError):
        revision = revise_by_rule(board, f"{command} in shot {number}", seed=3)
        assert revision.origins == tuple(range(len(board.shots)))
        others = range(len(board.shots))
        assert all(revision.storyboard.shots[at] == board.shots[at] for at in others if at != number - 1)
        if len(board.shots) > 1:  # one of one is the whole film
            assert revision.storyboard.model_copy(update={"shots": board.shots}) == board


class RandomChat:
    """Answers as the shape of the question allows, or with any text."""

    name = "random"
    first_message = "drawing lots"
    context_tokens = 4096

    def __init__(self, texts: list[str], seed: int, *, is_small: bool) -> None:
        self.is_small = is_small
        self.planned: list[str] = []
        self._texts = texts
        self._random = random.Random(seed)

    def fit(self, text: str, max_tokens: int, on_wait: OnWait) -> str:
        on_wait()
        return text[:max_tokens]

    def answer(self, questions: Sequence[Question], on_wait: OnWait) -> list[str]:
        on_wait()
        return [self._answer(question) for question in questions]

    def _answer(self, question: Question) -> str:
        if self._random.random() < 0.1:
            return self._random.choice(self._texts)
        lines = [
            " | ".join(
                self._random.choice(field.options if isinstance(field, Choice) else self._texts)
                for field in line
            )
            for line in question.shape.lines
        ]
        if "drop" in str(question.shape):
            self.planned = lines
        return "\n".join(lines)


@settings(deadline=None, max_examples=120)
@given(
    board=boards,
    instruction=instructions,
    texts=st.lists(st.text(max_size=80) | descriptions, min_size=3, max_size=8),
    seed=st.integers(0, 2**32 - 1),
    is_small=st.booleans(),
)
def test_any_answers_give_a_storyboard_or_an_error(
    board: Storyboard, instruction: str, texts: list[str], seed: int, is_small: bool
) -> None:
    with suppress(LocalvidError):
        revision = revise(RandomChat(texts, seed, is_small=is_small), board, instruction, seed=seed)
        check(board, revision)
        assert revise(RandomChat(texts, seed, is_small=is_small), board, instruction, seed=seed) == revision


@settings(deadline=None, max_examples=120)
@given(board=boards, texts=st.lists(descriptions, min_size=3, max_size=8), seed=st.integers(0, 2**32 - 1))
def test_shots_that_a_plan_keeps_stay_as_they_are(board: Storyboard, texts: list[str], seed: int) -> None:
    chat = RandomChat(texts, seed, is_small=False)
    with suppress(LocalvidError):
        revision = revise(chat, board, "make it lonelier", seed=seed)
        kept = [at for at, line in enumerate(chat.planned) if line.startswith("keep")]
        for origin, shot in zip(revision.origins, revision.storyboard.shots, strict=True):
            if origin in kept:
                old = board.shots[origin]
                assert shot == old or shot == old.model_copy(update={"continue_from_previous": False})


def test_the_random_answers_reach_the_board() -> None:
    """The properties above would hold for a model that is never heard, too."""
    board = Storyboard(shots=(Shot(description="Close-up: An owl on a branch at night."),) * 2)
    texts = ["An owl spreads its wings in the moonlight.", "A grey owl sits on a dark branch under stars."]
    described, transitions = set(), set()
    for seed in range(60):
        with suppress(LocalvidError):
            revision = revise(RandomChat(texts, seed, is_small=False), board, "make it lonelier", seed=seed)
            described |= {shot.description for shot in revision.storyboard.shots}
            transitions |= {shot.transition.kind for shot in revision.storyboard.shots}
    assert {f"Close-up: {text}" for text in texts} <= described
    assert transitions == set(TransitionKind)
