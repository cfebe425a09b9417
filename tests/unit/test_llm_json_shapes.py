"""Shapes as JSON schemas, and lines out of JSON."""

from __future__ import annotations

import json

import jsonschema
import pytest

from localvid.llm.chat import Choice, Shape, Text
from localvid.llm.served.json_shapes import lines_of, schema_of

WORDS = Text(min_characters=4, max_characters=160)
MOVE = (Choice(options=("pan left", "static")), Choice(options=("calm", "wild")))
SHAPE = Shape(lines=((WORDS,), MOVE))
FITTING = {"line_1": "The fox wakes.", "line_2": {"field_1": "pan left", "field_2": "wild"}}


def test_an_answer_of_the_shape_fits_and_becomes_its_lines() -> None:
    jsonschema.validate(FITTING, schema_of(SHAPE))
    assert lines_of(json.dumps(FITTING)) == "The fox wakes.\npan left | wild"


@pytest.mark.parametrize(
    "change",
    [
        {"line_2": {"field_1": "fly", "field_2": "wild"}},
        {"line_2": "pan left"},
        {"line_3": "more"},
        {"line_1": 7},
    ],
)
def test_other_answers_do_not_fit(change: dict[str, object]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(FITTING | change, schema_of(SHAPE))


@pytest.mark.parametrize("missing", ["line_1", "line_2"])
def test_no_line_may_be_left_out(missing: str) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({k: v for k, v in FITTING.items() if k != missing}, schema_of(SHAPE))


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ('```json\n{"line_1": "Fog."}\n```', "Fog."),
        ('{"line_2": "B", "line_1": "A"}', "A\nB"),
        ('{"line_1": "A\\n  B\\u00e4"}', "A Bä"),
        ('{"line_1": {"field_1": "Fog", "field_2": "a"}, "line_2": {"field_1": "Fo', "Fog | a"),
        ('{"line_1": "says \\"line_2\\": \\"x\\""}', 'says "line_2": "x"'),
        ('{"line_1": 7, "line_2": [1]}', None),
        ('{"line_1": "cut', None),
        ("A fox.\nIt sleeps.", None),
        ("", None),
        ('{"line_1": ' + "[" * 20_000, None),
    ],
)
def test_lines_are_read_as_far_as_they_are_whole(text: str, lines: str | None) -> None:
    assert lines_of(text) == lines
