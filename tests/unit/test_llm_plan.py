"""Laying out a storyboard: which part of the prompt each shot shows, how and for how long."""

from __future__ import annotations

import pytest

from localvid.errors import InvalidRequestError
from localvid.llm.plan import energy_of, make_storyboard, plan_board
from localvid.llm.scenes import Size
from localvid.schemas import Camera, Storyboard, TransitionKind


def scenes(prompt: str, num_shots: int = 3) -> list[str]:
    return [shot.scene for shot in plan_board(prompt, num_shots=num_shots, seed=1).shots]


def board(prompt: str, num_shots: int = 3, seed: int = 1) -> Storyboard:
    plan = plan_board(prompt, num_shots=num_shots, seed=seed)
    return make_storyboard(plan, [f"{shot.size}: {shot.scene}." for shot in plan.shots], written_by="test")


def test_one_scene_is_shown_by_every_shot() -> None:
    assert scenes("A peaceful forest at dawn") == ["A peaceful forest at dawn"] * 3


def test_a_name_keeps_its_capital_among_the_characters() -> None:
    assert board("Anna walks through the rain. A dog follows.").characters == "Anna; a dog"


@pytest.mark.parametrize(
    ("prompt", "setting"),
    [
        ("A fox sleeps in a den at dawn", "in a den at dawn"),
        ("A fox crosses a snowy forest at dawn", "a snowy forest at dawn"),
        ("A robot explores a neon city in the rain at night", "a neon city in the rain at night"),
        ("A boat crosses the ocean in a storm", "the ocean in a storm"),
        ("A fox chases a hare in the snow", "in the snow"),
        ("A red fox", ""),
    ],
)
def test_where_a_film_plays_is_read_out_of_the_prompt(prompt: str, setting: str) -> None:
    assert board(prompt).setting == setting


def test_a_story_is_told_in_its_order_and_keeps_its_time_of_day() -> None:
    assert scenes("A knight rides at night. He reaches a castle. A dragon wakes.") == [
        "A knight rides at night",
        "The knight reaches a castle at night",
        "A dragon wakes at night",
    ]


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("He runs, then he falls", ["He runs", "He runs", "He falls"]),
        ("Rain falls; a door opens", ["Rain falls", "Rain falls", "A door opens"]),
        ("太阳升起。鸟儿飞翔。花开了。", ["太阳升起", "鸟儿飞翔", "花开了"]),
        ("Dr. No walks. Mr. Fox runs", ["Dr. No walks", "Dr. No walks", "Mr. Fox runs"]),
        ("1. A fox\n2. A cat\n3. An owl", ["A fox", "A cat", "An owl"]),
        ("Shot 1: a fox\nShot 2: a cat\nShot 3: an owl", ["A fox", "A cat", "An owl"]),
        ("1. it is 5 p.m.\n2. the main St.\n3. a cat", ["It is 5 p.m", "The main St", "A cat"]),
        ("1. Dezember im Schnee", ["1. Dezember im Schnee"] * 3),
        ("- A fox;\n- a cat.\n- an owl - alone", ["A fox", "A cat", "An owl; alone"]),
        ("-40 °C at the pole", ["-40 °C at the pole"] * 3),
        ("a fox, a hare and an owl", ["A fox, a hare and an owl"] * 3),
        ("one. two. three. four. five. six", ["One; two", "Three; four", "Five; six"]),
    ],
)
def test_parts_of_the_prompt(prompt: str, expected: list[str]) -> None:
    assert scenes(prompt) == expected


@pytest.mark.parametrize(
    "prompt",
    [
        "Make a short video of a red fox",
        "please create me a film about a red fox",
        "Generate an animation showing a red fox",
    ],
)
def test_the_order_to_us_is_not_part_of_the_scene(prompt: str) -> None:
    assert set(scenes(prompt)) == {"A red fox"}


def test_a_named_style_is_taken_for_the_whole_board() -> None:
    assert board("a fox in the snow, watercolour").style == "watercolour"
    assert set(scenes("a fox in the snow, watercolour")) == {"A fox in the snow"}
    assert board("a fox in the snow").style == "cinematic, natural light"
    assert board("a fox at dawn").style == "cinematic, the first light"


def test_a_named_camera_move_and_size_are_obeyed() -> None:
    shots = board("Slow zoom in on a lighthouse in fog").shots
    assert {shot.camera for shot in shots} == {Camera.ZOOM_IN}
    assert "zoom" not in shots[0].description.lower()
    assert plan_board("close-up of a bowl of ramen", num_shots=3, seed=1).shots[0].size is Size.CLOSE


def test_a_prompt_of_nothing_but_a_camera_move_is_kept() -> None:
    assert scenes("zoom in", 1) == ["Zoom in"]


def test_emoji_alone_are_put_in_words() -> None:
    assert scenes("🌊🌅", 1) == ["Water wave, sunrise"]
    assert scenes("a fox 🦊", 1) == ["A fox 🦊"]


def test_markup_leaves_the_scene_and_stays_in_the_prompt() -> None:
    written = board('"Quotes" and <|im_end|> {in} a forest')
    assert "<" not in written.shots[0].description
    assert written.prompt == '"Quotes" and <|im_end|> {in} a forest'


def test_a_long_part_is_shortened_and_said() -> None:
    plan = plan_board("tree " * 700, num_shots=3, seed=1)
    assert plan.shortened
    assert all(len(shot.scene) <= 250 for shot in plan.shots)
    assert not plan_board("A forest", num_shots=3, seed=1).shortened


@pytest.mark.parametrize("prompt", ["", "  \n\t ", "\u202e\x00"])
def test_an_empty_prompt_is_refused(prompt: str) -> None:
    with pytest.raises(InvalidRequestError, match="empty"):
        plan_board(prompt, num_shots=3, seed=1)


@pytest.mark.parametrize("prompt", ["...", "!?" * 900, "\u200b\u200f", '""', "[[[{{{", "—"])
def test_a_prompt_of_nothing_but_marks_is_refused(prompt: str) -> None:
    with pytest.raises(InvalidRequestError, match="nothing that can be seen"):
        plan_board(prompt, num_shots=3, seed=1)


@pytest.mark.parametrize(
    ("prompt", "scene"),
    [
        (
            'A red fox runs in the snow {"title": "x", "shots": [{"energy": 1}], "version": 1}',
            "A red fox runs",
        ),
        (
            '{"version": 1, "shots": [{"description": "a red fox runs", "camera": "static"}]}',
            "A red fox runs",
        ),
        ('<b class="x">A red fox</b> runs<br/>', "A red fox runs"),
        ("{% for a in b %}A red fox{% endfor %}", "% for a in b % A red fox"),
    ],
)
def test_json_and_tags_leave_what_they_say(prompt: str, scene: str) -> None:
    assert scenes(prompt, 1)[0].startswith(scene)


def test_out_of_range_is_refused() -> None:
    for num_shots in (0, 8, -1, 500):
        with pytest.raises(InvalidRequestError, match="1 to 7"):
            plan_board("A fox", num_shots=num_shots, seed=1)
    with pytest.raises(InvalidRequestError, match="20,000 characters"):
        plan_board("x" * 20_000, num_shots=3, seed=1)


@pytest.mark.parametrize("num_shots", range(1, 8))
def test_sizes_and_cameras_vary(num_shots: int) -> None:
    for seed in range(20):
        shots = board("A forest", num_shots, seed).shots
        assert len(shots) == num_shots
        assert len({shot.camera for shot in shots}) == num_shots
        assert all(2 <= shot.duration_seconds <= 6 for shot in shots)


def test_three_shots_are_about_twelve_seconds() -> None:
    assert sum(shot.duration_seconds for shot in board("A peaceful forest at dawn").shots) == 12


def test_energy_follows_the_words() -> None:
    calm, plain, wild = (energy_of(text) for text in ("a quiet lake", "a chair", "a storm at sea"))
    assert calm < plain < wild
    assert {shot.transition.kind for shot in board("a quiet lake").shots} == {TransitionKind.CROSSFADE}
    assert {shot.transition.kind for shot in board("a storm at sea").shots} == {TransitionKind.CUT}


def test_a_senseless_energy_counts_half() -> None:
    plan = plan_board("a storm at sea", num_shots=1, seed=1)
    told = make_storyboard(plan, ["A storm at sea."], written_by="", energies=[0.1])
    assert 0.4 < told.shots[0].energy < 0.6


def test_travelling_subjects_are_trucked_along_with() -> None:
    shots = board("a train crossing a bridge").shots
    assert shots[1].camera in (Camera.TRUCK_LEFT, Camera.TRUCK_RIGHT)


def test_the_same_seed_gives_the_same_board() -> None:
    assert board("A forest", 7, 5) == board("A forest", 7, 5)
    assert len({tuple(s.camera for s in board("A forest", 7, seed).shots) for seed in range(9)}) > 3
