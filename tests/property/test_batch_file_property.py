"""Whatever a batch file holds, it is read or said to be wrong, and no film's name leads out of its folder."""

from __future__ import annotations

import io
import json
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from storyboards import texts

from localvid.batch_file import read_batch
from localvid.batch_file.fields import FIELDS
from localvid.schemas import FilmOptions

OUTPUTS = Path("/nowhere/films")
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
ROWS = st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=12), VALUES, max_size=6)
PARTS = st.sampled_from(
    ["{", "}", "[", "]", '"', ",", ":", "\n", "- ", "prompt", "jobs", "storyboard", " ", "a", "../", "é"]
)
PATTERNS = st.sampled_from(["{number:04d}-{slug}.mp4", "{model}/{line}-{slug:.9}.webm", "{slug}.gif"])


def check(content: bytes, pattern: str) -> None:
    read = read_batch(
        None, stdin=io.BytesIO(content), defaults=FilmOptions(), output_dir=OUTPUTS, name_pattern=pattern
    )
    lines = content.count(b"\n") + content.count(b"\r") + 1
    for mistake in read.mistakes:
        assert mistake.line <= lines
        assert "\n" not in str(mistake)
    outputs = [job.output for job in read.jobs]
    assert len({str(output).casefold() for output in outputs}) == len(outputs)
    for output in outputs:
        assert output is not None
        assert output.is_relative_to(OUTPUTS) and output != OUTPUTS and ".." not in output.parts


@given(st.lists(ROWS, max_size=4), PATTERNS)
@settings(max_examples=50, deadline=None)
def test_rows_of_anything(rows: list[dict[str, object]], pattern: str) -> None:
    check("\n".join(map(json.dumps, rows)).encode(), pattern)
    check(json.dumps({"jobs": rows}, indent=1).encode(), pattern)


@given(st.lists(texts, min_size=1, max_size=4), PATTERNS)
@settings(max_examples=60, deadline=None)
def test_prompts_of_anything_stay_in_the_folder(prompts: list[str], pattern: str) -> None:
    check("\n".join(json.dumps({"prompt": prompt, "model": prompt}) for prompt in prompts).encode(), pattern)


@given(st.binary(max_size=60) | st.lists(PARTS, max_size=30).map(lambda parts: "".join(parts).encode()))
@settings(max_examples=150, deadline=None)
def test_bytes_of_anything(content: bytes) -> None:
    for beginning in (b"", b"- ", b"[", b"prompt,seed\n", b'{"jobs": ['):
        check(beginning + content, "{number}.mp4")
