"""Storyboard files: what is read, what is refused and where, what a new file and a changed one look like."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from localvid.errors import InvalidStoryboardError
from localvid.schemas import Camera, Shot, Storyboard, Transition, TransitionKind
from localvid.storyboard_file import Form, form_of, parse, updated, written
from localvid.storyboard_file.scalars import on_one_line

SHOT = "shots:\n  - description: a forest\n"


def refused(text: str, form: Form = Form.YAML) -> InvalidStoryboardError:
    """What is said of a text that is no storyboard: one line, of bounded length, with a hint."""
    with pytest.raises(InvalidStoryboardError) as caught:
        parse(text, form, name="film")
    assert "\n" not in caught.value.message + caught.value.hint
    assert len(caught.value.message) < 500
    assert caught.value.hint
    return caught.value


# --- reading -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("suffix", "text", "form"),
    [
        (".yaml", None, Form.YAML),
        (".YML", "{}", Form.YAML),
        (".json", "shots:", Form.JSON),
        ("", None, Form.JSON),
        ("", ' \n{"shots": []}', Form.JSON),
        ("", "# mine\nshots:", Form.YAML),
        (".txt", "\ufeffshots:", Form.YAML),
    ],
)
def test_json_or_yaml(suffix: str, text: str | None, form: Form) -> None:
    assert form_of(suffix, text) is form


def test_words_that_yaml_is_known_to_change_are_words() -> None:
    text = """\
title: 2024-01-01
style: on
characters: No
setting: 12:30
shots:
  - {description: "~", camera: static, transition: crossfade:0.8, seed: 010}
  - description: |
      Two
      lines.
    camera: Pan Left
"""
    board = parse(text, Form.YAML, name="film")
    assert (board.title, board.style, board.characters, board.setting) == ("2024-01-01", "on", "No", "12:30")
    assert (board.shots[0].description, board.shots[0].seed) == ("~", 10)
    assert board.shots[0].transition == Transition(kind=TransitionKind.CROSSFADE, duration_seconds=0.8)
    assert (board.shots[1].description, board.shots[1].camera) == ("Two\nlines.", Camera.PAN_LEFT)


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("", None, "is empty"),
        ("# nothing\n", None, "is empty"),
        ("a forest at dawn", None, "begin with a key"),
        ("- a\n", None, "begin with a key"),
        (SHOT + "title: a: b\n", 3, "a colon stands where no key can be"),
        (SHOT + "title: 'a\n", 3, "quotes are opened"),
        (SHOT + "\ttitle: a\n", 3, "a tab stands"),
        (SHOT + "   camera: static\n", 3, "indentation"),
        (SHOT + "title\n", 3, "a colon and a space"),
        (SHOT + "title: \x07\n", 3, "control character"),
        (SHOT + 'title: "\\UFFFFFFFF"\n', 1, "cannot be read"),
        (SHOT + "title: a\ntitle: b\n", 4, "the key title stands there twice"),
        (SHOT + "    camera: static\n    camera: static\n", 4, "the key camera stands there twice"),
        (SHOT + "title: &a a\n", 3, "anchors and aliases"),
        (SHOT + "title: *a\n", 3, "anchors and aliases"),
        (SHOT + "title: !!python/object/apply:os.system [ls]\n", 3, "!!python/object/apply:os.system"),
        (SHOT + "title: !!str 5\n", 3, "the tag !!str"),
        (SHOT + "---\n" + SHOT, 3, "a second document"),
        (SHOT + "    energy: .nan\n", 3, ".nan is no number"),
        (SHOT + "    energy: -.inf\n", 3, "-.inf is no number"),
        (SHOT + "    energy: 1e999\n", 3, "1e999 is no number"),
        (SHOT + f"    seed: {'9' * 9000}\n", 3, "is no number that is read"),
        ("? [a]\n: b\n", 1, "a key is one word"),
        (SHOT + "version: '1'\n", 3, "version: Input should be 1"),
        (SHOT + "title: 1984\n", 3, "title: Input should be a valid string"),
        (SHOT + "title:\n", 3, "title: Input should be a valid string"),
        (SHOT + "    energy: '0.5'\n", 3, "shots.0.energy: Input should be a valid number"),
        (SHOT + "    energy: 7\n", 3, "shots.0.energy: Input should be less than or equal to 1"),
        (SHOT + "    continue_from_previous: yes\n", 3, "continue_from_previous: Input should be"),
        (SHOT + "    camera: on\n", 3, "shots.0.camera"),
        (SHOT + "    lens: 35mm\n", 3, "shots.0.lens: unknown key"),
        (SHOT + "    transition: {kind: wipe}\n", 3, "shots.0.transition.kind"),
        (SHOT + "  - camera: static\n", 3, "shots.1.description: Field required"),
        ("shots: []\n", 1, "shots: needs at least 1 item, not 0"),
        ("title: a\n", 1, "shots: Field required"),
        ("shots:\n" + "  - description: a\n" * 500, 2, "shots: takes at most 100 items"),
        ("shots:\n" + "  - description: a\n" * 9000, 3334, "more than a storyboard can"),
        ("a: " + "[" * 50_000, 1, "nested deeper"),
        ("- " * 50_000, 1, "nested deeper"),
    ],
)  # fmt: skip
def test_what_is_no_storyboard_in_yaml(text: str, line: int | None, said: str) -> None:
    error = refused(text)
    assert said in error.message
    assert (f"film, line {line}: " in error.message) == (line is not None)


def test_text_that_looks_like_a_number_is_told_how_to_be_one() -> None:
    assert refused(SHOT + "title: 1984\n").hint.endswith('in quotes: "1984"')
    assert "by spaces" in refused(SHOT + "\ttitle: a\n").hint


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"shots": [{"description": "a"}], "title": "a", "title": "b"}', "the key title stands there twice"),
        ('{"shots": [{"description": "a", "energy": NaN}]}', "NaN is no number"),
        ('{"shots": [{"description": "a", "energy": 1e999}]}', "shots.0.energy"),
        ('{"shots": [{"description": "a", "energy": "0.5"}]}', "shots.0.energy: Input should be"),
        (
            '{"shots": [{"description": "a", "seed": ' + "9" * 9000 + "}]}",
            "is not JSON that is read: a number in it has thousands of digits",
        ),
        ('{"shots": [{"description": "\\ud800"}]}', "half of a character"),
        ('{"shots":\n [{"description": "a",}]}', "line 2"),
        ("[" * 100_000, "nested too deep"),
        ("[1]", "should be an object"),
        ('{"$schema": 5, "schema": 5, "shots": [{"description": "a"}]}', "schema: unknown key"),
    ],
)  # fmt: skip
def test_what_is_no_storyboard_in_json(text: str, said: str) -> None:
    assert said in refused(text, Form.JSON).message


def test_yaml_in_a_json_file_is_told_where_it_belongs() -> None:
    assert ".yaml" in refused(SHOT, Form.JSON).hint


def test_a_large_text_is_refused_or_read_in_bounded_time() -> None:
    started = time.monotonic()
    refused("x: &a [" + "*a, " * 200_000)
    refused(SHOT + "title: '" + "x y " * 200_000 + "'\n")
    assert time.monotonic() - started < 60


def test_the_name_of_the_schema_says_nothing() -> None:
    text = '{"$schema": "./s.json", "shots": [{"description": "a"}]}'
    assert parse(text, Form.JSON, name="film") == parse(text, Form.YAML, name="film")


# --- a new file ----------------------------------------------------------------------------------

BOARD = Storyboard(
    title="The owl",
    prompt="The owl: a night",
    shots=(
        Shot(
            description="Wide shot: a forest of tall dark pines in deep snow, at night. Between two trunks "
            "an owl sits on a bare branch and looks at the moon.",
            camera=Camera.PAN_LEFT,
            transition=Transition(kind=TransitionKind.CROSSFADE, duration_seconds=0.8),
        ),
        Shot(description="The owl flies", seed=7, duration_seconds=2.5),
    ),
)


def test_yaml_as_a_person_would_write_it() -> None:
    assert (
        written(BOARD, Form.YAML, name="the owl.yaml", schema="./schema.json")
        == """\
# yaml-language-server: $schema=./schema.json
# A storyboard of localvid. Change what you like, and look at it or make the film of it:
#   localvid storyboard --show 'the owl.yaml'
#   localvid render 'the owl.yaml'

version: 1
title: The owl
prompt: "The owl: a night"

shots:
  - description: >-
      Wide shot: a forest of tall dark pines in deep snow, at night. Between two trunks an
      owl sits on a bare branch and looks at the moon.
    camera: pan_left
    energy: 0.5
    duration_seconds: 4
    transition: crossfade:0.8

  - description: The owl flies
    camera: static
    energy: 0.5
    duration_seconds: 2.5
    transition: cut
    seed: 7
"""
    )


def test_json_is_what_the_model_dumps_with_its_schema() -> None:
    document = json.loads(written(BOARD, Form.JSON, schema="./schema.json"))
    assert next(iter(document)) == "$schema"
    del document["$schema"]
    assert document == json.loads(BOARD.model_dump_json(exclude_none=True))


def test_a_name_cannot_add_lines() -> None:
    text = written(BOARD, Form.YAML, name="a\nshots: []\n.yaml")
    assert parse(text, Form.YAML, name="film") == BOARD


# --- a changed file ------------------------------------------------------------------------------

MINE = """\
# my film
title:   'The owl'     # working title

shots:
# how it begins
- description: "A forest, by day"   # light!
  energy:   .2
  # hold it

# the owl
- {camera: tilt_up, description: An owl}  # at last
- description: >
    The owl
    flies.
  transition:
    kind: crossfade   # soft
    duration_seconds: 0.80
"""


def test_only_what_changes_is_changed() -> None:
    before = parse(MINE, Form.YAML, name="film")
    first, second, third = before.shots
    after = before.model_copy(
        update={
            "title": "The owl's night",
            "shots": (
                first.model_copy(update={"description": "A forest, by night", "seed": 3}),
                second.model_copy(update={"energy": 0.9}),
                third.model_copy(update={"transition": Transition(kind=TransitionKind.CROSSFADE)}),
            ),
        }
    )
    assert updated(MINE, Form.YAML, before, after, origins=(0, 1, 2)) == (
        MINE.replace("'The owl'", "'The owl''s night'")
        .replace("by day", "by night")
        .replace("  # hold it", "  seed: 3\n  # hold it")
        .replace("tilt_up,", "tilt_up, energy: 0.9,")
        .replace("0.80", "0.5")
    )


@pytest.mark.parametrize(("sign", "kept"), [("|", "|-"), (">", "|-")])
def test_lines_of_a_block_stay_lines(sign: str, kept: str) -> None:
    text = f"shots:\n  - description: {sign}   # mine\n      A fox\n\n      at dawn.\n    seed: 3\n"
    before = parse(text, Form.YAML, name="film")
    after = before.with_shot(0, description=before.shots[0].description.replace("dawn", "night"))
    lines = "A fox\n\n      at night." if sign == "|" else "A fox\n      at night."
    assert updated(text, Form.YAML, before, after, origins=(0,)) == (
        f"shots:\n  - description: {kept} # mine\n      {lines}\n    seed: 3\n"
    )
    assert f"description: |-\n      {lines}\n" in written(after, Form.YAML)


def test_a_comment_below_a_first_key_that_goes_stays() -> None:
    text = "shots:\n  - seed: 3  # lucky\n    # the fox\n    description: a fox\n"
    before = parse(text, Form.YAML, name="film")
    assert updated(text, Form.YAML, before, before.with_shot(0, seed=None), origins=(0,)) == (
        "shots:\n  - \n    # the fox\n    description: a fox\n"
    )


def test_shots_move_with_their_comments_and_new_ones_look_like_them() -> None:
    before = parse(MINE, Form.YAML, name="film")
    first, second, third = before.shots
    new = Shot(description="The moon", duration_seconds=2)
    after = before.model_copy(update={"shots": (second, new, first)})
    assert (
        updated(MINE, Form.YAML, before, after, origins=(1, None, 0))
        == """\
# my film
title:   'The owl'     # working title

shots:
# the owl
- {camera: tilt_up, description: An owl}  # at last

- description: The moon
  camera: static
  energy: 0.5
  duration_seconds: 2
  transition: cut

# how it begins
- description: "A forest, by day"   # light!
  energy:   .2
  # hold it
"""
    )
    assert third not in after.shots


def test_an_image_stays_named_as_it_was(tmp_path: Path) -> None:
    text = "shots:\n  - description: a\n    reference_image: pics/../a.png\n  - description: b\n"
    own = parse(text, Form.YAML, name="film")
    image = tmp_path / "a.png"
    before = own.model_copy(
        update={"shots": (own.shots[0].model_copy(update={"reference_image": image}), own.shots[1])}
    )
    after = before.with_shot(1, camera="zoom_in")
    assert updated(text, Form.YAML, before, after, origins=(0, 1)) == text + "    camera: zoom_in\n"


def test_a_layout_that_cannot_be_kept_is_not_spoiled() -> None:
    text = "title: a\rshots:\r- description: a\r- description: b\r"  # lines ended as on an old Macintosh
    before = parse(text, Form.YAML, name="film")
    after = before.model_copy(update={"shots": before.shots[::-1]})
    with pytest.raises(InvalidStoryboardError, match="cannot be changed in place"):
        updated(text, Form.YAML, before, after, origins=(1, 0))


@pytest.mark.parametrize("indent", ["\t", "   ", None])
def test_json_keeps_its_keys_and_its_indentation(indent: str | None) -> None:
    document = {
        "title": "é",
        "shots": [{"seed": 1, "description": "a"}, {"description": "b"}],
        "$schema": "s",
    }
    text = json.dumps(document, indent=indent, ensure_ascii=False) + "\r\n"
    before = parse(text, Form.JSON, name="film")
    after = before.model_copy(update={"shots": before.shots[::-1]}).with_shot(1, seed=None, camera="zoom_in")
    document["shots"] = [{"description": "b"}, {"description": "a", "camera": "zoom_in"}]
    assert updated(text, Form.JSON, before, after, origins=(1, 0)) == (
        json.dumps(document, indent=indent, ensure_ascii=False).replace("\n", "\r\n") + "\r\n"
    )


def test_a_file_that_changed_meanwhile_is_not_overwritten() -> None:
    before = parse(SHOT, Form.YAML, name="film")
    with pytest.raises(InvalidStoryboardError, match="changed since"):
        updated(SHOT + "  - description: b\n", Form.YAML, before, before, origins=(0,))


def test_the_documented_examples_say_the_same() -> None:
    document = (Path(__file__).parents[2] / "docs" / "storyboard.md").read_text(encoding="utf-8")
    in_yaml, in_json = (
        document.partition(f"```{form}\n")[2].partition("```")[0] for form in ("yaml", "json")
    )
    board = parse(in_yaml, Form.YAML, name="film")
    assert board == parse(in_json, Form.JSON, name="film")
    assert len(board.shots) == 2


@pytest.mark.parametrize("text", [":", "a:", ":b"])
def test_a_colon_at_an_end_is_quoted_within_braces(text: str) -> None:
    """Plain before a comma it may be taken for the mark of a key."""
    assert on_one_line(text, flow=True) == f'"{text}"'
