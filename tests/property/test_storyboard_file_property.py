"""Whatever a storyboard says, its file says it again; whatever changes, the rest of the file stays."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from storyboards import TRICKY, boards, shots, texts

from localvid.errors import InvalidStoryboardError
from localvid.schemas import Shot, Storyboard
from localvid.storyboard_file import Form, parse, updated, written

NAMES = ("zero", "one", "two", "three")


@given(boards, st.sampled_from(Form), st.booleans())
@settings(max_examples=60, deadline=None)
def test_a_file_says_what_its_storyboard_says(board: Storyboard, form: Form, named: bool) -> None:
    text = written(board, form, name="film", schema="file:///schema.json" if named else None)
    assert parse(text, form, name="film") == board


BLOCK = """\
# top
title: "Old"   # the title
shots:   # all of them
  # about all

  # zero
  - description: the zeroth shot of a fox   # zero's words
    camera: pan_left  # zero's camera
    # zero's end

  # one
  - camera: zoom_in
    seed: 5  # one's seed
    description: >-  # one's words
      the first shot
      of a hare
    transition:   # one's transition
      kind: crossfade
      duration_seconds: 0.8  # one's length


  # two
  - {description: the second shot of an owl, transition: {kind: cut}}   # two's braces
  # three
  -
    # three's begin
    description: 'the third shot of a bear'
    reference_image: bear.png
    # three's end
# the end
written_by: me
"""
FLOW = """\
{
  "title": "Old", "shots": [  # all
    # zero
    {"description": "the zeroth shot of a fox", "camera": "pan_left"},  # zero's braces
    # one
    {"camera": "zoom_in", "seed": 5, "description": "the first shot of a hare"},
    {description: the second shot of an owl,
     transition: {kind: cut}}, # two's braces
    # three
    {"description": "the third shot of a bear", "reference_image": "bear.png"}
    # the end
  ]
}
"""


@st.composite
def changed(draw: st.DrawFn, before: Storyboard) -> tuple[Storyboard, list[int | None]]:
    """The storyboard with shots taken out, moved, changed and added, and which of before each one is."""
    made: list[tuple[Shot, int | None]] = []
    places = draw(st.permutations(range(len(before.shots))))
    for origin in places[: draw(st.integers(1, len(places)))]:
        shot, other = before.shots[origin], draw(shots)
        keys = draw(st.sets(st.sampled_from([*Shot.model_fields])))
        values = {key: getattr(other, key) for key in keys}
        if "description" in keys:
            values["description"] = f"{shot.description}, {draw(st.sampled_from(TRICKY))}"
        made.append((Shot.model_validate({**shot.model_dump(), **values}), origin))
    for shot in draw(st.lists(shots, max_size=2)):
        made.insert(draw(st.integers(0, len(made))), (shot, None))
    new, origins = zip(*made, strict=True)
    return Storyboard(title=draw(texts), style=draw(texts), written_by="me", shots=new), list(origins)


@pytest.mark.parametrize("text", [BLOCK, FLOW, BLOCK.replace("\n", "\r\n"), BLOCK.rstrip("\n")])
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_a_change_keeps_every_comment_of_what_stays(text: str, data: st.DataObject) -> None:
    before = parse(text, Form.YAML, name="film")
    after, origins = data.draw(changed(before))
    result = updated(text, Form.YAML, before, after, origins=origins)
    assert parse(result, Form.YAML, name="film") == after
    assert result.count("\r\n") == ("\r\n" in text) * result.count("\n")
    for comment in re.findall("# (.*?)\r?$", text, flags=re.MULTILINE):
        gone = "one's seed" in comment and origins.count(1) and after.shots[origins.index(1)].seed is None
        name = comment.split("'")[0]
        stays = name not in NAMES or (NAMES.index(name) in origins and not gone)
        assert bool(re.search(rf"# {comment}\r?$", result, flags=re.MULTILINE)) == stays, comment


@given(data=st.data())
@settings(max_examples=50, deadline=None)
def test_nothing_changed_is_nothing_written(data: st.DataObject) -> None:
    text = data.draw(st.sampled_from((BLOCK, FLOW)))
    before = parse(text, Form.YAML, name="film")
    assert updated(text, Form.YAML, before, before, origins=range(len(before.shots))) == text


@given(boards, boards, st.sampled_from(Form))
@settings(max_examples=60, deadline=None)
def test_any_storyboard_can_become_any_other(before: Storyboard, after: Storyboard, form: Form) -> None:
    text = written(before, form)
    origins = [place if place < len(before.shots) else None for place in range(len(after.shots))][::-1]
    assert parse(updated(text, form, before, after, origins=origins), form, name="film") == after


@given(st.sampled_from((BLOCK, FLOW)), st.data())
@settings(max_examples=120, deadline=None)
def test_a_spoiled_file_is_read_or_refused_and_never_written_wrong(text: str, data: st.DataObject) -> None:
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(text)))
        new = data.draw(st.sampled_from(("", *"\n\r\t :-#'\"[]{},&*!|>%\x85\u2028\x00")))
        text = text[:place] + new + text[place + data.draw(st.integers(0, 8)) :]
    try:
        before = parse(text, Form.YAML, name="film")
        after = before.model_copy(update={"style": "oil", "shots": before.shots[::-1]})
        after = Storyboard.model_validate(after.model_dump())
        result = updated(text, Form.YAML, before, after, origins=range(len(after.shots))[::-1])
        assert parse(result, Form.YAML, name="film") == after
    except (InvalidStoryboardError, ValidationError):
        pass
