"""The published schema and the models: what they accept it accepts, what they refuse it refuses."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator
from pydantic import ValidationError
from storyboards import boards, texts

from localvid.schemas import Shot, Storyboard, Transition
from localvid.storyboard_file import Form, schema, written
from localvid.storyboard_file.reading import yaml_data

VALIDATOR = Draft7Validator(json.loads(schema.text()))


def accepted(document: Any) -> bool:
    """Whether a file that says this is a storyboard."""
    try:
        Storyboard.model_validate_json(json.dumps(document), strict=True)
    except ValidationError:
        return False
    return True


def test_the_published_schema_is_that_of_the_models() -> None:
    assert json.loads(schema.text()) == schema.generated(), "run: python -m localvid.storyboard_file.schema"
    Draft7Validator.check_schema(schema.generated())


def test_every_key_is_described() -> None:
    properties = schema.generated()["properties"]
    shot = properties["shots"]["items"]["properties"]
    transition = shot["transition"]["anyOf"][-1]["properties"]
    assert set(properties) == {"$schema", *Storyboard.model_fields}
    assert (set(shot), set(transition)) == (set(Shot.model_fields), set(Transition.model_fields))
    for key in (*properties.values(), *shot.values(), *transition.values()):
        assert key["description"].endswith((".", '".'))


@given(boards)
@settings(max_examples=60, deadline=None)
def test_what_the_models_accept_is_valid_in_every_form(board: Storyboard) -> None:
    for document in (
        json.loads(board.model_dump_json()),
        json.loads(written(board, Form.JSON, schema="./schema.json")),
        yaml_data(written(board, Form.YAML), "film")[1],
    ):
        VALIDATOR.validate(document)


WRONG: tuple[Any, ...] = (
    None, True, -1, 0, 0.1, 61, 2**32, "", " ", "cut", "wipe", "cut:0", "cut:5.1", "cut:", "Static",
    "x" * 5000, [], {}, {"kind": "wipe"}, {"kind": "cut", "duration_seconds": 0}, {"seconds": 1},
)  # fmt: skip


@given(board=boards, data=st.data())
@settings(max_examples=120, deadline=None)
def test_what_the_models_refuse_is_not_valid(board: Storyboard, data: st.DataObject) -> None:
    document = json.loads(board.model_dump_json(exclude_none=True))
    place = data.draw(st.sampled_from([document, *document["shots"]]))
    known = [*Storyboard.model_fields] if place is document else [*Shot.model_fields]
    key = data.draw(st.sampled_from([*known, "lens"]))
    if data.draw(st.booleans()) and key in place:
        del place[key]
    else:
        place[key] = data.draw(st.sampled_from(WRONG) | texts | st.floats(-1, 70) | st.integers(-5, 70))
    assume(not accepted(document))
    assert not VALIDATOR.is_valid(document)


@pytest.mark.parametrize(
    ("place", "wrong"),
    [
        ((), {"colour": "red"}),
        (("shots", 0), {"lens": "35mm"}),
        (("shots", 0), {"continue_from_previous": True}),
        (("shots", 1), {"continue_from_previous": True, "reference_image": "a.png"}),
        (("shots", 1), {"camera": "crane_up"}),
        (("shots", 1), {"transition": "crossfade:6"}),
        ((), {"shots": [{"description": "a"}] * 101}),
    ],
)
def test_rules_that_span_keys(place: tuple[str | int, ...], wrong: dict[str, Any]) -> None:
    document: Any = {"shots": [{"description": "a"}, {"description": "b", "continue_from_previous": True}]}
    assert accepted(document)
    assert VALIDATOR.is_valid(document)
    spoiled = target = copy.deepcopy(document)
    for part in place:
        target = target[part]
    target.update(wrong)
    assert not accepted(spoiled)
    assert not VALIDATOR.is_valid(spoiled)
