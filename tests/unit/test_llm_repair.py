"""Judging and mending what a language model wrote."""

from __future__ import annotations

import pytest

from localvid.llm.prompts import detail_examples
from localvid.llm.repair import (
    UNUSABLE,
    Line,
    fault_of,
    is_duplicate,
    read_line,
    says_scene,
    similarity,
    write_line,
)
from localvid.schemas import Camera

FOREST = "A peaceful forest at dawn"


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (" Mist drifts between the pines.", "Mist drifts between the pines."),
        ("2) close-up: dew on a leaf", "Dew on a leaf."),
        ("- Shot 3: Wide shot: **the** sea", "The sea."),
        ("A door\nand another line", "A door."),
        ("see https://evil.example/x.png for a fox", "See for a fox."),
        ("a fox ../../etc/passwd runs", "A fox runs."),
        ("a picture C:\\secret\\key.png here", "A picture here."),
        ('"Quoted" <b>bold</b> [INST] {x}', "Quoted bold x."),
        ("一只狐狸在雪地里。", "一只狐狸在雪地里。"),
        ("What a sea!!!", "What a sea."),
    ],
)
def test_lines_are_mended(raw: str, text: str) -> None:
    assert read_line(raw) == Line(text=text)


@pytest.mark.parametrize("raw", ["", "   \n ", "...", "1.", "https://a.example/b", "|||", "<tag>"])
def test_nothing_is_read_out_of_nothing(raw: str) -> None:
    assert read_line(raw) is None


def test_typed_fields() -> None:
    assert read_line("Trees. | pan left | calm") == Line(text="Trees.", camera=Camera.PAN_LEFT, energy=0.3)
    assert read_line("Trees. | fly away | 40") == Line(text="Trees.")


def test_a_written_line_is_read_back() -> None:
    for raw in ("Trees. | pan left | calm", "Trees.", "森林. | zoom in | wild"):
        line = read_line(raw)
        assert line is not None
        assert write_line(line) == raw


def test_long_lines_are_cut() -> None:
    line = read_line("tree " * 1_000)
    assert line is not None
    assert len(line.text) <= 401


def test_duplicates_are_found_through_small_changes() -> None:
    first = "The sun rises over the tall dark trees."
    assert is_duplicate("The sun rises above tall, dark trees!", [first])
    assert not is_duplicate("A drop of dew hangs from a fern.", [first])
    assert similarity("森林的黎明", "森林的黎明") == 1.0
    assert not is_duplicate("海上的暴风雨", ["森林的黎明"])


@pytest.mark.parametrize(
    "bad",
    [
        "The forest.",
        "You can see the trees in the soft light.",
        "The camera shows trees in the soft light.",
        "I walk through the trees in the soft light.",
        "The moon and stars shine above the dark trees.",
        "Trees and trees and trees and leaves and leaves and leaves.",
        "A peaceful forest at dawn in the peaceful forest.",
        detail_examples()[0],
        "The trees stand in a long and golden row of,.",
        "A lonely man walks through the soft light.",
    ],
)
def test_faults_that_rule_a_sentence_out(bad: str) -> None:
    assert fault_of(bad, scene=FOREST, others=detail_examples()) >= UNUSABLE


def test_a_good_sentence_has_no_fault() -> None:
    good = "Mist drifts between the trees as the forest slowly fills with golden light."
    assert fault_of(good, scene=FOREST, others=detail_examples()) == 0
    assert fault_of(good, scene=FOREST, others=[good]) >= UNUSABLE


def test_worse_sentences_have_greater_faults() -> None:
    def fault(text: str) -> float:
        return fault_of(text, scene="A red car in the rain", others=[])

    assert fault("The car's wet hood mirrors grey clouds and street lamps.") < fault(
        "The scent of a distant memory fills the air around the car."
    )
    assert fault("Rain drums on the red roof and runs down the glass.") < fault(
        "A ship sails past the beach while rain falls on the waves."
    )


def test_shots_agree_on_sun_or_moon() -> None:
    others = ["The moon hangs low above the wide empty road."]
    assert (
        fault_of("Bright sunlight falls on the car and the empty road.", scene="A car", others=others)
        >= UNUSABLE
    )


def test_people_belong_where_somebody_is_named() -> None:
    text = "A man lifts his hand and looks along the glittering shore."
    assert fault_of(text, scene="A wedding on a beach", others=[]) < UNUSABLE
    assert fault_of(text, scene="An empty beach", others=[]) >= UNUSABLE


def test_whether_a_sentence_stays_with_its_scene() -> None:
    assert says_scene("Waves crash on rocks.", "A wave at sea")
    assert not says_scene("A dog barks.", "A wave at sea")
    assert says_scene("黎明时的树", "黎明时宁静的森林")
    assert not says_scene("海上的船", "黎明时宁静的森林")
