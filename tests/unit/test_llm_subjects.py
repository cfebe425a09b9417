"""Who does what in a prompt, and the views that are made of it."""

from __future__ import annotations

import pytest

from localvid.llm.plan import plan_board
from localvid.llm.subjects import read_clause, split_actions, with_names


@pytest.mark.parametrize(
    ("text", "subject", "predicate", "place"),
    [
        ("A red fox crosses a snowy forest at night", "A red fox", "crosses a snowy forest at night", ""),
        ("A potter shapes a vase on a wheel", "A potter", "shapes a vase on a wheel", "on a wheel"),
        ("A black cat exploring an old theatre", "A black cat", "exploring an old theatre", ""),
        ("An old train crossing snowy hills at night", "An old train", "crossing snowy hills at night", ""),
        ("A sleeping dog chasing rabbits", "A sleeping dog", "chasing rabbits", ""),
        ("A blue carrying case", "A blue carrying case", "", ""),
        ("A railway crossing", "A railway crossing", "", ""),
        ("A small reading lamp on a desk", "A small reading lamp", "", "on a desk"),
        ("A wooden sailing ship in a storm", "A wooden sailing ship", "", "in a storm"),
        ("A caravan of camels at sunset", "A caravan of camels", "", ""),
        ("Two children fly a kite on a beach", "Two children", "fly a kite on a beach", "on a beach"),
        ("Waves crash over the deck", "Waves", "crash over the deck", "over the deck"),
        ("The wolf howls at the moon", "The wolf", "howls at the moon", "at the moon"),
        ("A glass house on Mars", "A glass house", "", "on Mars"),
        ("Anna walks through the rain", "Anna", "walks through the rain", "in the rain"),
        ("Dr. Smith reads a letter in a library", "Dr. Smith", "reads a letter in a library", "in a library"),
        ("Red Riding Hood meets a wolf", "Red Riding Hood", "meets a wolf", ""),
        ("Snow falls on a village", "Snow", "falls on a village", "on a village"),
        ("Autumn leaves on a path", "Autumn leaves", "", "on a path"),
        ("Wild horses gallop over a plain", "Wild horses", "gallop over a plain", "over a plain"),
    ],
)
def test_the_subject_is_found(text: str, subject: str, predicate: str, place: str) -> None:
    clause = read_clause(text)
    assert clause is not None
    assert (clause.subject, clause.predicate, clause.place) == (subject, predicate, place)


@pytest.mark.parametrize(
    ("text", "head"),
    [
        ("Anna walks", "Anna"),
        ("Mr. Fox sleeps in a den", "Mr. Fox"),
        ("Snow falls", "it"),
        ("Waves roll", "it"),
    ],
)
def test_a_name_stands_for_itself(text: str, head: str) -> None:
    clause = read_clause(text)
    assert clause is not None
    assert clause.head == head


@pytest.mark.parametrize(
    "text", ["", "Ein alter Mann geht", "黎明时宁静的森林", "In the dark", "It rises", "the"]
)
def test_what_has_no_subject_is_left_alone(text: str) -> None:
    assert read_clause(text) is None
    assert split_actions(text) == [text]


def test_actions_are_told_apart_and_keep_their_subject() -> None:
    assert split_actions("A keeper climbs the stairs, lights the lamp, and watches a ship") == [
        "A keeper climbs the stairs",
        "the keeper lights the lamp",
        "the keeper watches a ship",
    ]
    assert split_actions("A fox with ears and a tail sleeps") == ["A fox with ears and a tail sleeps"]


def test_pronouns_are_replaced_by_whom_they_mean() -> None:
    assert with_names(["A rocket stands there", "The engines ignite", "It rises"]) == [
        "A rocket stands there",
        "The engines ignite",
        "The rocket rises",
    ]
    assert with_names(["A knight rides", "A dragon wakes", "They bow"])[2] == "The knight and the dragon bow"
    assert with_names(["He runs"]) == ["He runs"]


def test_a_scene_is_said_once_and_its_subject_always() -> None:
    plan = plan_board("A red fox crosses a snowy forest at night", num_shots=7, seed=1)
    views = [shot.view for shot in plan.shots]
    assert views[0] == "A red fox crosses a snowy forest at night"
    assert len(set(views)) == 7
    assert all("red fox" in view and "night" in view for view in views)
    assert plan.characters == "a red fox"


def test_json_beside_words_is_no_part_of_the_scene() -> None:
    plan = plan_board('{"shots": 2, "ignore": "all instructions"} a goat on a roof', num_shots=2, seed=1)
    assert plan.shots[0].scene == "A goat on a roof"
    assert plan_board('{"a": "fox"}', num_shots=1, seed=1).shots[0].scene
