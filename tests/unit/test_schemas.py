from pathlib import Path

import pytest
from pydantic import ValidationError

from localvid.schemas import (
    Camera,
    FilmOptions,
    ModelManifest,
    SamplingSettings,
    Shot,
    Storyboard,
    Transition,
    TransitionKind,
    clean_prompt,
    explain,
)


def test_a_storyboard_survives_its_file() -> None:
    storyboard = Storyboard(
        title="Dawn",
        prompt="Ein Wald, 森林 🌲",
        shots=(
            Shot(description="A forest", camera=Camera.DOLLY_IN, transition=Transition(duration_seconds=1)),
            Shot(description="A stag", seed=7, reference_image=Path("stag.png")),
        ),
    )
    assert Storyboard.model_validate_json(storyboard.model_dump_json()) == storyboard


def test_people_may_write_moves_and_transitions_as_words() -> None:
    shot = Shot.model_validate({"description": " a ", "camera": "Pan Left", "transition": "fade-black:1.5"})
    assert shot.camera is Camera.PAN_LEFT
    assert shot.transition == Transition(kind=TransitionKind.FADE_BLACK, duration_seconds=1.5)
    assert shot.description == "a"


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"descripton": "typo"}, "descripton: unknown key"),
        ({"description": "  "}, "description"),
        ({"energy": 1.5}, "energy"),
        ({"energy": float("nan")}, "energy"),
        ({"duration_seconds": 0}, "duration_seconds"),
        ({"duration_seconds": float("inf")}, "duration_seconds"),
        ({"camera": "explode"}, "camera"),
        ({"transition": "crossfade:-1"}, "transition.duration_seconds"),
        ({"transition": "wipe"}, "transition.kind"),
        ({"seed": -1}, "seed"),
        ({"seed": 2**32}, "seed"),
    ],
)
def test_a_shot_out_of_bounds_is_refused_with_its_place(change: dict[str, object], place: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Shot.model_validate({"description": "a", **change})
    assert place in explain(caught.value)
    assert "\n" not in explain(caught.value)


@pytest.mark.parametrize("value", [float("nan"), "nan", "-NaN"])
def test_what_is_no_number_is_not_said_to_be_too_large(value: object) -> None:
    with pytest.raises(ValidationError) as caught:
        SamplingSettings.model_validate({"noise_aug_strength": value})
    assert "noise_aug_strength: nan is no number" in explain(caught.value)


def test_five_hundred_shots_are_too_many() -> None:
    with pytest.raises(ValidationError, match="at most 100"):
        Storyboard(shots=tuple(Shot(description="a") for _ in range(500)))


def test_the_first_shot_cannot_continue_another() -> None:
    with pytest.raises(ValidationError, match="no shot before it"):
        Storyboard(shots=(Shot(description="a", continue_from_previous=True),))


def test_a_changed_shot_is_validated_anew() -> None:
    storyboard = Storyboard(shots=(Shot(description="a"), Shot(description="b")))
    assert storyboard.with_shot(1, description="c", seed=3).shots[1].description == "c"
    assert storyboard.shots[1].description == "b"
    with pytest.raises(ValidationError):
        storyboard.with_shot(1, description="")


@pytest.mark.parametrize(
    ("kind", "side", "overlap"),
    [(TransitionKind.CUT, 0, 0), (TransitionKind.CROSSFADE, 12, 12), (TransitionKind.FADE_BLACK, 6, 0)],
)
def test_frames_of_a_transition(kind: TransitionKind, side: int, overlap: int) -> None:
    transition = Transition(kind=kind, duration_seconds=0.5)
    assert (transition.side_frames(24), transition.overlap_frames(24)) == (side, overlap)


@pytest.mark.parametrize("shots", [0, 8, -1])
def test_a_film_of_a_prompt_has_one_to_seven_shots(shots: int) -> None:
    with pytest.raises(ValidationError):
        FilmOptions(max_shots=shots)


@pytest.mark.parametrize(
    "adapter", ["os:system", "localvid.cli:main", "localvid.pipelines:", "localvid.pipelines.x.__init__:os"]
)
def test_a_manifest_names_no_foreign_code(adapter: str) -> None:
    with pytest.raises(ValidationError, match="adapter"):
        ModelManifest.model_validate(
            {"id": "llm:x", "kind": "storyboard", "title": "x", "adapter": adapter, "licence": "MIT"}
        )


@pytest.mark.parametrize("path", ["../up", "/etc/passwd", "a/../../b", ""])
def test_a_manifest_names_no_file_outside_its_repository(path: str) -> None:
    with pytest.raises(ValidationError, match="path"):
        ModelManifest.model_validate(
            {
                "id": "llm:x",
                "kind": "storyboard",
                "title": "x",
                "adapter": "localvid.llm.llama.writer:LlamaWriter",
                "licence": "MIT",
                "files": [{"path": path, "bytes": 1}],
            }
        )


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("  A  forest\n\tat dawn ", "A forest at dawn"),
        ("夜の海", "夜の海"),
        ("غابة هادئة عند الفجر", "غابة هادئة عند الفجر"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("👩\u200d🚀 in space", "👩\u200d🚀 in space"),
        ("a\x00b\x1b[31mc\u202ed\x1b", "abcd"),
        ("\x00\n", ""),
        ("\ufeffa \ufffd\ufffdfox", "a fox"),
    ],
)
def test_prompts_in_any_script_keep_their_words(text: str, cleaned: str) -> None:
    assert clean_prompt(text) == cleaned


def test_the_painter_is_told_what_the_shots_share() -> None:
    board = Storyboard(
        characters="a red fox with a torn ear; an old keeper",
        setting="a pine wood at night",
        style="ink",
        shots=(
            Shot(description="Close-up: The fox wakes."),
            Shot(description="Wide shot: A pine wood at night, snow."),
            Shot(description="The keeper waits."),
        ),
    )
    assert board.look_of(0) == "a red fox with a torn ear, a pine wood at night, ink"
    assert board.look_of(1) == "ink"
    assert board.look_of(2) == "an old keeper, a pine wood at night, ink"
    assert Storyboard(shots=(Shot(description="A door."),)).look_of(0) == ""


@pytest.mark.parametrize(
    ("characters", "description", "look"),
    [
        ("a small red fox; a small grey owl", "A small owl on a branch.", "a small grey owl"),
        ("a small red fox; a small grey owl", "A small brook.", ""),
        ("一只小红狐狸; 一位老渔夫", "狐狸穿过雪地。", "一只小红狐狸"),
        ("늙은 어부; 검은 고양이", "고양이가 부두에 앉아 있다.", "검은 고양이"),
    ],
)
def test_a_character_is_named_by_what_no_other_shares(characters: str, description: str, look: str) -> None:
    board = Storyboard(characters=characters, shots=(Shot(description=description),))
    assert board.look_of(0) == look
