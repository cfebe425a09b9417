"""Storyboards without a language model."""

from __future__ import annotations

import pytest

from localvid.llm.lexicon import DETAILS, GENERIC_DETAILS, TOPICS
from localvid.llm.outline import OutlineWriter
from localvid.llm.scenes import Size
from localvid.schemas import Progress


def descriptions(prompt: str, num_shots: int = 3) -> list[str]:
    return [shot.description for shot in OutlineWriter().write(prompt, num_shots=num_shots, seed=0).shots]


def test_a_place_gets_details_of_its_kind() -> None:
    assert descriptions("A peaceful forest at dawn") == [
        "Wide shot: A peaceful forest at dawn. "
        "Tall trunks stand row behind row, and a thin haze lies between them.",
        "Medium shot: The peaceful forest at dawn. "
        "Light falls through the branches onto moss and old leaves.",
        "Close-up: The peaceful forest at dawn. A drop of water hangs from the tip of a fern.",
    ]


@pytest.mark.parametrize(
    ("prompt", "close"),
    [
        ("黎明时宁静的森林", "黎明时宁静的森林，近看，每个细节都很清晰"),
        ("雨の夜の東京", "雨の夜の東京、すぐ近くで、細部まではっきりと"),
        ("غابة هادئة عند الفجر", "غابة هادئة عند الفجر، عن قرب شديد بتفاصيل واضحة"),
        ("Une forêt au lever du soleil", "Une forêt au lever du soleil, de très près, chaque détail net"),
        ("گربه ای در چمن", "گربه ای در چمن"),
    ],
)
def test_other_languages_are_told_in_their_own_words(prompt: str, close: str) -> None:
    wide, medium, last = descriptions(prompt)
    assert wide == f"Wide shot: {prompt}."
    assert medium.startswith(f"Medium shot: {prompt}")
    assert last == f"Close-up: {close}."


def test_each_kind_of_place_has_a_detail_for_each_size() -> None:
    assert set(DETAILS) == set(TOPICS)
    for details in [*DETAILS.values(), GENERIC_DETAILS]:
        assert set(details) == {size.key for size in Size}
        assert len(set(details.values())) == len(details)


def test_the_writer_says_who_it_is_and_what_it_does() -> None:
    seen: list[Progress] = []
    board = OutlineWriter().write("A fox", num_shots=3, seed=0, on_progress=seen.append)
    assert board.written_by == "outline"
    assert [progress.step for progress in seen] == [0, 1, 2, 3]
    assert "long prompt" in OutlineWriter().write("tree " * 700, num_shots=1, seed=0).written_by
