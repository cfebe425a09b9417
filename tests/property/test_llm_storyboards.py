"""Any prompt gives a valid outline; any text from a model gives a valid storyboard."""

from __future__ import annotations

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from localvid.llm.outline import OutlineWriter
from localvid.llm.outline_words import outline_description
from localvid.llm.plan import make_storyboard, plan_board
from localvid.llm.repair import fault_of, read_line, similarity
from localvid.llm.scenes import Size
from localvid.llm.subjects import split_actions, with_names
from localvid.llm.views import start_of, views_of
from localvid.schemas import Storyboard, clean_prompt, says_something

anything = st.text(max_size=600)
line_like = st.lists(
    st.sampled_from(
        [
            "the",
            "sea",
            "1.",
            "Wide",
            "shot:",
            "|",
            "pan",
            "left",
            "calm",
            "I",
            "camera",
            "https://x.org/a.png",
            "/etc/passwd",
            "..\\..",
            "<|im_end|>",
            "a.gguf",
            "\u202e",
            "\x00",
            "森",
            "🌊",
            '"',
            "{",
        ]
    ),
    max_size=30,
).map(" ".join)


@settings(deadline=None, max_examples=300)
@given(prompt=anything | line_like, num_shots=st.integers(1, 7), seed=st.integers(0, 2**32 - 1))
def test_any_prompt_gives_an_outline(prompt: str, num_shots: int, seed: int) -> None:
    assume(says_something(clean_prompt(prompt)))
    board = OutlineWriter().write(prompt, num_shots=num_shots, seed=seed)
    assert len(board.shots) == num_shots
    assert len({shot.description for shot in board.shots}) == num_shots
    assert Storyboard.model_validate_json(board.model_dump_json()) == board
    assert all(shot.reference_image is None and shot.seed is None for shot in board.shots)
    assert board == OutlineWriter().write(prompt, num_shots=num_shots, seed=seed)


@settings(deadline=None, max_examples=300)
@given(raw=anything | line_like)
def test_any_text_gives_a_harmless_line_or_none(raw: str) -> None:
    line = read_line(raw)
    if not line:
        return
    assert 0 < len(line) <= 401
    assert not set(line) & set('\n\r\x00\u202e<>{}[]|"\\/')
    assert "://" not in line
    assert fault_of(line, scene="A storm at sea", others=[line]) > 0


@settings(deadline=None, max_examples=200)
@given(raws=st.lists(anything | line_like, min_size=3, max_size=3))
def test_any_text_gives_a_storyboard(raws: list[str]) -> None:
    plan = plan_board("A storm at sea", num_shots=3, seed=1)
    lines = [read_line(raw) for raw in raws]
    board = make_storyboard(
        plan,
        [
            f"{shot.size}: {shot.scene}. {line}" if line else outline_description(plan, index)
            for index, (shot, line) in enumerate(zip(plan.shots, lines, strict=True))
        ],
        written_by="test",
    )
    assert Storyboard.model_validate_json(board.model_dump_json()) == board
    assert "storm at sea" in board.shots[0].description
    assert all("storm" in shot.description for shot in board.shots)


@given(first=anything, second=anything)
def test_similarity_is_a_share(first: str, second: str) -> None:
    assert 0 <= similarity(first, second) <= 1
    assume(first)
    assert similarity(first, first) == 1


words = st.lists(
    st.sampled_from(["a", "the", "two", "of", "and", "in", "on", "fox", "runs", "it", "it,", ",", "fish"]),
    max_size=12,
).map(" ".join)


@settings(deadline=None, max_examples=300)
@given(texts=st.lists(anything | words, min_size=1, max_size=4), turn=st.integers(0, 2**33))
def test_any_text_has_views(texts: list[str], turn: int) -> None:
    scenes = [action for text in texts for action in split_actions(text)]
    named = with_names(scenes)
    assert len(named) == len(scenes)
    views = views_of([named[0]] * len(Size), list(Size), time="at night")
    assert views[0] == named[0]
    for size in Size:
        assert start_of(named[0], size, turn)
