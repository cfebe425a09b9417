"""Judging and mending what a language model wrote."""

from __future__ import annotations

import time

import pytest

from localvid.llm.prompts import detail_examples
from localvid.llm.repair import (
    UNUSABLE,
    cut_to,
    fault_of,
    is_duplicate,
    read_fields,
    read_line,
    read_lines,
    same_script,
    says_scene,
    similarity,
)

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
    assert read_line(raw) == text


@pytest.mark.parametrize("unit", ["a", "<a", "[A", "1", ".c", '"line_1":'])
def test_a_word_without_end_is_read_in_no_time(unit: str) -> None:
    start = time.process_time()
    assert len(read_line(unit * (20_000 // len(unit)), limit=300)) <= 301
    assert time.process_time() - start < 2  # 0.5 s at worst; with an address in one pattern 8 to 14 s


@pytest.mark.parametrize("raw", ["", "   \n ", "...", "1.", "https://a.example/b", "|||", "<tag>"])
def test_nothing_is_read_out_of_nothing(raw: str) -> None:
    assert read_line(raw) == ""


def test_fields_are_read_line_by_line() -> None:
    assert read_fields("1. Pan Left | calm\n\n2) static|wild.", 2) == [
        ["pan left", "calm"],
        ["static", "wild"],
    ]
    assert read_fields("pan left | calm", 2) is None


def test_lines_beyond_those_asked_for_are_left_out() -> None:
    assert read_lines("1. A fox.\n\n- A hare\nThe end.", 2) == ["A fox.", "A hare."]
    assert read_lines("A fox.", 2) is None
    assert read_lines("<think>first\nsecond\nthird</think>A fox.", 2) is None


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Short.", "Short."),
        ("A whole sentence. Then a long one that is cu", "A whole sentence."),
        ("A first clause of words, then another that is cu", "A first clause of words"),
        ("Words without any stop that are ended in the mid", "Words without any stop that are ended"),
        (
            "森林里的清晨，一只小鹿在溪边喝水它慢慢抬起头来看着远方的山它慢慢抬起头来看着远方的山",
            "森林里的清晨",
        ),
    ],
)
def test_what_is_too_long_ends_with_a_whole_word(text: str, kept: str) -> None:
    limit = 1_000 if text == kept else len(text) if text.isascii() else 17
    assert cut_to(text, limit) == kept


def test_scripts_are_told_apart() -> None:
    assert same_script("Ein Fuchs läuft.", "A fox")
    assert same_script("狐狸", "森林里的清晨")
    assert not same_script("A fox", "森林里的清晨")
    assert same_script("123", "森林里的清晨")


def test_long_lines_are_cut() -> None:
    assert 300 < len(read_line("tree " * 1_000)) <= 401


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


@pytest.mark.parametrize("weather", ["in a storm", "in the rain", "in thick fog"])
def test_the_sky_is_not_clear_in_weather_that_hides_it(weather: str) -> None:
    detail = "Behind the lighthouse, the stars are shining over the wide water."
    assert fault_of(detail, scene=f"A lighthouse {weather}", others=[]) >= UNUSABLE
    assert fault_of(detail, scene="A lighthouse at night", others=[]) < UNUSABLE
    assert fault_of(detail, scene=f"A lighthouse {weather}, stars above the clouds", others=[]) < UNUSABLE


def test_a_sentence_that_brings_the_night_is_worse_than_one_that_does_not() -> None:
    bright, dark = (
        f"All around, {what} shapes stand along the edge of the hill." for what in ("tall", "dark")
    )
    scene = "A castle on a hill"
    assert fault_of(bright, scene=scene, others=[]) < fault_of(dark, scene=scene, others=[]) < UNUSABLE
    assert fault_of(dark, scene=f"{scene} at night", others=[]) == fault_of(
        bright, scene=f"{scene} at night", others=[]
    )


def test_lights_in_the_night_sky_are_no_place_for_the_sun() -> None:
    detail = "Behind it all, the sun beats down on the ridge."
    assert fault_of(detail, scene="A wolf howls under the northern lights", others=[]) >= UNUSABLE


@pytest.mark.parametrize(
    ("time", "wrong", "right"),
    [
        ("at sunrise", "sets", "rises"),
        ("at sunset", "slowly rises", "slowly sets"),
        ("at noon", "is setting", "is burning"),
        ("at dawn", "is slowly setting", "lights the setting"),
        ("at noon", "rises", "lights a balloon that rises"),
    ],
)
def test_the_sun_goes_the_way_of_the_hour(time: str, wrong: str, right: str) -> None:
    def fault(way: str) -> float:
        return fault_of(f"Far away, the sun {way} over the still water.", scene=f"A lake {time}", others=[])

    assert fault(right) < UNUSABLE <= fault(wrong)


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
