from pathlib import Path
from typing import get_type_hints

import pytest
import typer

from localvid import Settings
from localvid.cli.app import COMMANDS, command
from localvid.cli.options import FilmFlags, validated_options
from localvid.errors import InvalidRequestError, InvalidSettingsError
from localvid.schemas import MAX_SEED, FilmOptions, Transition


def test_every_film_option_has_a_flag() -> None:
    flags = set(get_type_hints(FilmFlags))
    assert set(FilmOptions.model_fields) <= flags


def test_flags_win_over_the_settings() -> None:
    settings = Settings(model="local:svd", llm="outline", keyframe_model="none")
    options = FilmFlags(model="animatic", width=128, captions=True).options(settings)
    assert (options.model, options.llm, options.keyframe_model) == ("animatic", "outline", "none")
    assert (options.width, options.height, options.captions, options.metadata) == (128, None, True, True)


def test_flags_win_over_what_a_film_was_made_with_and_settings_do_not() -> None:
    recorded = FilmOptions(model="local:svd-xt", width=256, height=128, captions=True, metadata=False)
    options = FilmFlags(width=512, captions=False).options(Settings(model="local:animatic"), recorded)
    assert (options.model, options.width, options.height) == ("local:svd-xt", 512, 128)
    assert (options.captions, options.metadata) == (False, False)


def test_the_settings_of_a_run_hold_its_flags(tmp_path: Path) -> None:
    settings = FilmFlags(workspace=tmp_path, device="cpu", llm="outline").settings()
    assert (settings.workspace, settings.device, settings.llm) == (tmp_path, "cpu", "outline")


def test_a_flag_at_fault_is_named_and_so_is_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCALVID_THREADS", "0")
    with pytest.raises(InvalidRequestError, match=r"^--device: "):
        FilmFlags(device="tpu").settings()
    with pytest.raises(InvalidRequestError, match=r"^--max-cost: "):
        FilmFlags(max_cost_usd=-1).settings()
    with pytest.raises(InvalidSettingsError, match=r"^settings: threads: "):
        FilmFlags(device="cpu").settings()


def test_a_transition_is_read_from_its_short_form() -> None:
    transition = FilmFlags(transition="crossfade:0.8").options(Settings()).transition
    assert transition == Transition(kind="crossfade", duration_seconds=0.8)


@pytest.mark.parametrize(
    ("values", "flag"),
    [
        ({"max_shots": 0}, "--max-shots"),
        ({"max_shots": 8}, "--max-shots"),
        ({"num_frames": 0}, "--num-frames"),
        ({"width": -1}, "--width"),
        ({"transition": "wipe"}, "--transition"),
        ({"transition": "crossfade:long"}, "--transition"),
        ({"transition": "crossfade:-1"}, "--transition"),
        ({"noise_aug_strength": float("nan")}, "--noise-aug-strength"),
        ({"motion_bucket_id": 256}, "--motion-bucket-id"),
    ],
)
def test_a_bad_value_is_an_error_that_names_the_flag(values: dict[str, object], flag: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        validated_options(values)
    assert caught.value.message.startswith(f"{flag}: ")
    assert "\n" not in caught.value.message


def test_what_is_no_number_is_called_that() -> None:
    with pytest.raises(InvalidRequestError, match=r"^--noise-aug-strength: nan is no number$"):
        validated_options({"noise_aug_strength": float("nan")})


def test_seeds_have_the_range_of_the_schemas() -> None:
    for name in ("generate", "render", "redo", "storyboard"):
        (seed,) = [parameter for parameter in command(name).params if "--seed" in parameter.opts]
        assert (seed.min, seed.max) == (0, MAX_SEED)


def test_a_spread_command_keeps_its_words() -> None:
    assert COMMANDS["generate"].__doc__.startswith("Make a film from one prompt.")
    assert [parameter.name for parameter in command("generate").params][:2] == ["prompt", "output"]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("20s", 20), ("90", 90), ("1m30s", 90), ("2m", 120), ("1m5", 65), (" 1.5 S ", 1.5), ("2 min 3 s", 123)],
)
def test_a_length_is_read_as_people_write_it(text: str, seconds: float) -> None:
    taken = command("storyboard").make_context("storyboard", ["a lake", "--duration", text])
    assert taken.params["duration"] == seconds


@pytest.mark.parametrize("text", ["", "soon", "-5s", "1:30", "20 fps", "1h", "nan", "m", "5s3m"])
def test_what_is_no_length_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="no length"):
        command("storyboard").make_context("storyboard", ["a lake", "--duration", text])


@pytest.mark.parametrize("seconds", [0, 6001])
def test_a_length_beyond_reason_names_its_flag(seconds: float) -> None:
    with pytest.raises(InvalidRequestError, match=r"^--duration: "):
        validated_options({"duration_seconds": seconds})


def test_a_length_that_is_asked_for_takes_the_place_of_recorded_frames_and_the_reverse() -> None:
    frames, length = FilmOptions(num_frames=9), FilmOptions(duration_seconds=9)
    options = FilmFlags(duration_seconds=20).options(Settings(), frames)
    assert (options.duration_seconds, options.num_frames) == (20, None)
    options = FilmFlags(num_frames=5).options(Settings(), length)
    assert (options.duration_seconds, options.num_frames) == (None, 5)
    assert FilmFlags().options(Settings(), length).duration_seconds == 9
    assert FilmFlags(max_shots=1).options(Settings(), length).duration_seconds is None
    assert FilmFlags(max_shots=1, duration_seconds=4).options(Settings(), length).duration_seconds == 4
