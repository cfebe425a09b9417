"""Batch files: four forms that say the same, what rows may say, mistakes with their lines, names of films."""

from __future__ import annotations

import io
import json
import re
from datetime import date
from pathlib import Path

import pytest

from localvid.batch_file import BatchFile, BatchRow, read_batch
from localvid.batch_file.fields import FIELDS, OF_THE_BATCH
from localvid.batch_file.forms import Form, form_of
from localvid.batch_file.names import FILM_SUFFIXES, NamePattern, slug
from localvid.errors import InvalidRequestError
from localvid.schemas import FilmOptions, TransitionKind

DOCUMENT = (Path(__file__).parents[2] / "docs" / "batch.md").read_text(encoding="utf-8")
FOX = '{"prompt": "A fox"}'
BOARD = "shots:\n  - description: a forest\n    reference_image: tree.png\n  - description: a lake\n"


class Reader:
    """Reads texts as batch files of one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.outputs = folder / "films"

    def batch(self, text: str | bytes, form: str = "jsonl", **given: object) -> BatchFile:
        file = self.folder / f"batch.{form}"
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_batch(file, **{"defaults": FilmOptions(), **given})

    def jobs(self, text: str | bytes, form: str = "jsonl", **given: object) -> tuple[BatchRow, ...]:
        """The jobs of a file without mistakes."""
        read = self.batch(text, form, **given)
        assert [str(mistake) for mistake in read.mistakes] == []
        return read.jobs

    def mistakes(self, text: str | bytes, form: str = "jsonl", **given: object) -> list[str]:
        """As they are shown, without the folder."""
        found = [str(mistake) for mistake in self.batch(text, form, **given).mistakes]
        assert all("\n" not in line and len(line) < 600 for line in found)
        return [line.removeprefix(f"{self.folder}/") for line in found]


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    return Reader(tmp_path)


def example(form: str) -> str:
    found = re.search(rf"```{form}\n(.*?)```", DOCUMENT, re.DOTALL)
    assert found
    return found[1]


# --- forms ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", Form)
def test_the_documented_examples_say_the_same(reader: Reader, form: Form) -> None:
    for jobs in (reader.jobs(example(form), form), _piped(example(form)).jobs):
        storm, fox = jobs
        assert (storm.prompt, storm.seed, fox.prompt, fox.seed) == (
            "A lighthouse in a storm",
            7,
            "A fox, asleep in the snow",
            None,
        )
        assert (storm.options.duration_seconds, storm.options.max_shots, storm.options.captions) == (
            20,
            3,
            False,
        )
        assert (fox.options.duration_seconds, fox.options.max_shots, fox.options.captions) == (None, 2, True)
        assert {job.options.model for job in jobs} == {"local:animatic"}
        assert [job.number for job in jobs] == [1, 2]


def _piped(text: str) -> BatchFile:
    return read_batch(None, stdin=io.BytesIO(text.encode()), defaults=FilmOptions())


@pytest.mark.parametrize(
    ("form", "lines"), [("jsonl", [1, 2]), ("json", [4, 5]), ("yaml", [4, 7]), ("csv", [2, 3])]
)
def test_a_row_knows_the_line_where_it_begins(reader: Reader, form: str, lines: list[int]) -> None:
    assert [job.line for job in reader.jobs(example(form), form)] == lines


@pytest.mark.parametrize(
    ("suffix", "text", "form"),
    [
        (".NDJSON", "[", Form.JSONL),
        (".yml", "{}", Form.YAML),
        (".txt", "[\n" + FOX, Form.JSON),
        ("", FOX, Form.JSONL),
        ("", '\n{"jobs": []}', Form.JSON),
        ("", '{\n"jobs": []}', Form.JSON),
        ("", '{"defaults": {},\n"jobs": []}', Form.JSON),
        ("", '{"prompt": }\n' + FOX, Form.JSONL),
        ("", "# mine\n- prompt: a fox", Form.YAML),
        ("", "jobs:\n", Form.YAML),
        ("", 'seed,"prompt"\r\n1,a', Form.CSV),
        ("", "storyboard\nfox.yaml", Form.CSV),
        ("", "A fox in the snow", Form.JSONL),
        ("", "", Form.JSONL),
    ],
)
def test_what_a_text_is_taken_for(suffix: str, text: str, form: Form) -> None:
    assert form_of(suffix, text) is form


def test_a_mark_and_line_ends_of_other_systems_are_no_matter(reader: Reader) -> None:
    for form in Form:
        text = "\ufeff" + example(form).replace("\n", "\r\n")
        assert [job.seed for job in reader.jobs(text, form)] == [7, None]
    marked = '{"prompt": "A\u2028fox\u0085"}\n\n' + FOX
    assert [job.line for job in reader.jobs(marked)] == [1, 3]


def test_the_standard_input_is_called_so() -> None:
    assert [str(mistake) for mistake in _piped('{"prompt": 7}').mistakes] == [
        "stdin:1: prompt: Input should be a valid string: put it in quotes"
    ]


# --- fields --------------------------------------------------------------------------------------


def test_fields_are_the_options_of_generate() -> None:
    from localvid.cli.app import command

    options = {
        parameter.opts[0].removeprefix("--").replace("-", "_")
        for parameter in command("generate").params
        if parameter.param_type_name == "option"
    }
    assert set(FIELDS) - {"prompt", "storyboard"} == options - set(OF_THE_BATCH)
    assert set(OF_THE_BATCH) < options


def test_a_film_ends_as_media_writes_it() -> None:
    from localvid.media.containers import FORMATS

    assert set(FILM_SUFFIXES) == set(FORMATS)


def test_every_documented_field_is_read_in_every_form(reader: Reader) -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| .+ \| `(.+)` \|$", DOCUMENT, re.MULTILINE))
    assert set(rows) == set(FIELDS)
    del rows["storyboard"]
    table = f"{','.join(rows)}\n{','.join(rows.values())}\n"
    (in_csv,) = reader.jobs(table, "csv")
    mapping = "- " + "\n  ".join(f"{name}: {value}" for name, value in rows.items())
    (in_yaml,) = reader.jobs(mapping, "yaml")
    assert in_csv.options == in_yaml.options
    assert in_yaml.seed == in_csv.seed == 7
    assert in_yaml.options.reference_image == reader.folder / "fox.png"
    assert in_yaml.options.transition is not None
    assert in_yaml.options.transition.kind is TransitionKind.CROSSFADE
    assert in_yaml.options.duration_seconds == 90
    assert in_yaml.options.max_cost_usd == 0.5
    defaults = FilmOptions().model_dump(exclude={"output"})
    said = in_yaml.options.model_dump(exclude={"output"})
    assert [name for name, value in said.items() if value == defaults[name]] == []


def test_a_row_comes_before_the_file_and_the_file_before_the_command_line(reader: Reader) -> None:
    text = json.dumps(
        {"jobs": [{"prompt": "a", "fps": 24}, {"prompt": "b", "seed": 1}], "defaults": {"fps": 12, "seed": 5}}
    )
    asked = FilmOptions(fps=6, width=512, output=Path("never.mp4"))
    first, second = reader.jobs(text, "json", defaults=asked)
    assert (first.options.fps, second.options.fps, first.options.width) == (24, 12, 512)
    assert (first.seed, second.seed) == (5, 1)
    assert first.output is None


def test_a_length_puts_a_default_number_of_frames_out_of_force(reader: Reader) -> None:
    rows = '{"prompt": "a", "duration": 20}\n{"prompt": "b", "num_frames": 9}\n{"prompt": "c"}'
    long, framed, plain = reader.jobs(rows, defaults=FilmOptions(num_frames=25))
    assert (long.options.duration_seconds, long.options.num_frames) == (20, None)
    assert framed.options.num_frames == 9
    assert plain.options.num_frames == 25


def test_null_and_an_empty_cell_are_not_given(reader: Reader) -> None:
    (job,) = reader.jobs('{"prompt": "a", "storyboard": null, "fps": null, "seed": null}')
    assert job.options == FilmOptions()
    (job,) = reader.jobs("prompt,storyboard,fps,seed,\n , ,,,\na,, ,,\n", "csv")
    assert (job.options, job.line, job.number) == (FilmOptions(), 3, 1)


def test_types_are_held_to_where_they_can_be_said(reader: Reader) -> None:
    strict = '{"prompt": "a", "fps": "12", "captions": "yes", "seed": true, "width": 5.5, "model": 3}'
    assert reader.mistakes(strict) == [
        "batch.jsonl:1: seed: Input should be a valid integer",
        "batch.jsonl:1: model: Input should be a valid string",
        "batch.jsonl:1: width: Input should be a valid integer",
        "batch.jsonl:1: fps: Input should be a valid integer",
        "batch.jsonl:1: captions: Input should be a valid boolean",
    ]
    (job,) = reader.jobs("Prompt,FPS,captions,seed,noise-aug-strength\n1984, 12 ,No,7,.5", "csv")
    assert (job.prompt, job.options.fps, job.options.captions) == ("1984", 12, False)
    assert (job.seed, job.options.noise_aug_strength) == (7, 0.5)
    cells = "prompt,fps,captions,noise_aug_strength,duration\na,12.5,maybe,nan,soon\n"
    assert [line.split(": ")[1] for line in reader.mistakes(cells, "csv")] == [
        "duration",
        "fps",
        "noise_aug_strength",
        "captions",
    ]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("motion", "unknown field; did you mean motion_bucket_id?"),
        ("max-shots", "unknown field; did you mean max_shots?"),
        ("duration_seconds", "unknown field; did you mean duration?"),
        ("max_cost_usd", "unknown field; did you mean max_cost?"),
        ("no_captions", "unknown field; did you mean captions?"),
        ("steps", "unknown field; did you mean num_inference_steps?"),
        ("xyz", "unknown field"),
        ("dry_run", "it holds for the whole batch: give --dry-run on the command line"),
    ],
)
def test_an_unknown_field_is_said_with_the_one_that_is_like_it(reader: Reader, name: str, said: str) -> None:
    assert reader.mistakes(json.dumps({"prompt": "a", name: 1})) == [f"batch.jsonl:1: {name}: {said}"]
    column = f"prompt,{name}\na,1\nb,2\n"
    if "-" not in name:
        assert reader.mistakes(column, "csv") == [f"batch.csv:1: {name}: {said}"]


# --- words ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({}, "neither prompt nor storyboard: a film is made from one of them"),
        ({"prompt": "a", "storyboard": "b.yaml"}, "prompt and storyboard: a film is made from one of them"),
        ({"prompt": " \u0007"}, "prompt: it is empty"),
        ({"prompt": "—…"}, "prompt: it says nothing that can be seen"),
        ({"prompt": "a" * 4001}, "prompt: it has 4,001 characters; at most 4,000 are read"),
        ({"prompt": "board.yaml"}, "prompt: it is a file, and words are wanted; storyboard takes files"),
        ({"storyboard": 3}, "storyboard: it is the path of a file, or a storyboard itself"),
        ({"storyboard": "\x00.yaml"}, "storyboard: it holds a control character, or half of a character"),
        ({"storyboard": "a.mp4"}, "storyboard: a storyboard file ends in one of .json, .yaml, .yml"),
        ({"storyboard": "."}, "storyboard: a storyboard file ends in one of .json, .yaml, .yml"),
        ({"storyboard": {}}, "storyboard.shots: Field required"),
        ({"prompt": "a", "model": " "}, "model: it is empty"),
        (
            {"prompt": "a", "reference_image": "\ud800"},
            "reference_image: it holds a control character, or half of a character",
        ),
    ],
)
def test_a_film_is_made_from_words_or_from_a_storyboard(
    reader: Reader, row: dict[str, object], said: str
) -> None:
    (reader.folder / "board.yaml").write_text(BOARD)
    assert reader.mistakes(json.dumps(row)) == [f"batch.jsonl:1: {said}"]


def test_a_storyboard_file_lies_beside_the_batch_and_is_read_once(reader: Reader) -> None:
    (reader.folder / "boards").mkdir()
    (reader.folder / "boards" / "fox.yaml").write_text(BOARD)
    rows = '{"storyboard": "boards/fox.yaml"}\n{"storyboard": "boards/../boards/fox.yaml", "max_shots": 1}\n'
    whole, first = reader.jobs(rows + '{"storyboard": "boards/fox.yaml"}')[:2]
    assert whole.storyboard is not None and first.storyboard is not None
    assert whole.storyboard_file == reader.folder / "boards" / "fox.yaml"
    assert whole.storyboard.shots[0].reference_image == reader.folder / "boards" / "tree.png"
    assert (len(whole.storyboard.shots), len(first.storyboard.shots)) == (2, 1)
    assert whole.prompt is None
    again = reader.jobs('{"storyboard": "boards/fox.yaml"}\n' * 2)
    assert again[0].storyboard is again[1].storyboard


def test_a_bad_storyboard_file_is_said_once_with_both_places(reader: Reader) -> None:
    (reader.folder / "fox.yaml").write_text("shots:\n  - description: a\n    energy: 3\n")
    (reader.folder / "big.yaml").write_text("#" * (2**20 + 1))
    (reader.folder / "bytes.json").write_bytes(b"\xff")
    (reader.folder / "folder.json").mkdir()
    names = ["fox", "fox", "missing", "big", *["fox"] * 6]
    rows = [f'{{"storyboard": "{name}.yaml"}}' for name in names]
    rows += ['{"storyboard": "bytes.json"}', '{"storyboard": "folder.json"}', FOX]
    assert reader.mistakes("\n".join(rows)) == [
        "batch.jsonl:1: storyboard: fox.yaml, line 3: shots.0.energy: Input should be less than or equal to 1"
        " (also named on lines 2, 5, 6, 7, 8 and 2 more)",
        "batch.jsonl:3: storyboard: missing.yaml cannot be read: No such file or directory",
        "batch.jsonl:4: storyboard: big.yaml is larger than a storyboard can be (1 MiB)",
        "batch.jsonl:11: storyboard: bytes.json is not UTF-8 text (byte 0)",
        "batch.jsonl:12: storyboard: folder.json cannot be read: Is a directory",
    ]
    assert [job.number for job in reader.batch("\n".join(rows)).jobs] == [13]


def test_a_row_may_hold_its_storyboard(reader: Reader) -> None:
    text = "- fps: 12\n  storyboard:\n" + "".join(f"    {line}\n" for line in BOARD.splitlines())
    (job,) = reader.jobs(text, "yaml")
    assert job.storyboard is not None
    assert job.storyboard_file is None
    assert job.storyboard.shots[0].reference_image == reader.folder / "tree.png"
    wrong = text.replace("a lake", "a lake\n        energy: 3\n        seed: x")
    assert reader.mistakes(wrong, "yaml") == [
        "batch.yaml:7: storyboard.shots.1.energy: Input should be less than or equal to 1",
        "batch.yaml:8: storyboard.shots.1.seed: Input should be a valid integer",
    ]
    document = json.dumps([{"storyboard": {"shots": [{"description": "a"}, {"energy": 3}]}}], indent=1)
    assert reader.mistakes(document, "json") == [
        "batch.json:8: storyboard.shots.1.description: Field required",
        "batch.json:9: storyboard.shots.1.energy: Input should be less than or equal to 1",
    ]


# --- mistakes ------------------------------------------------------------------------------------


def test_no_line_hides_the_mistakes_of_another(reader: Reader) -> None:
    lines = [
        FOX,
        '{"prompt": "a", "motion": 3, "fps": 0}',
        '{"prompt": }',
        "",
        '{"prompt": "a", "prompt": "b", "seed": NaN}',
        "[1]",
        '{"prompt": "a"} {}',
        '{"prompt": "a", "seed": ' + "9" * 5000 + "}",
        '{"prompt": ' + "[" * 100_000,
        '{"prompt": "last"}',
    ]
    read = reader.batch("\n".join(lines))
    assert [str(mistake).removeprefix(f"{reader.folder}/") for mistake in read.mistakes] == [
        "batch.jsonl:2: motion: unknown field; did you mean motion_bucket_id?",
        "batch.jsonl:2: fps: Input should be greater than 0",
        "batch.jsonl:3:12: not JSON: Expecting value",
        "batch.jsonl:5: NaN is no number",
        "batch.jsonl:5: prompt: this key stands there twice",
        'batch.jsonl:6: a row has fields, such as {"prompt": "A forest at dawn"}, and this is a list',
        "batch.jsonl:7:17: not JSON: Extra data",
        "batch.jsonl:8: a number of 5,000 digits is not read",
        "batch.jsonl:9:1: not JSON: It is nested too deep",
    ]
    assert [(job.line, job.number) for job in read.jobs] == [(1, 1), (10, 9)]


def test_json_is_read_up_to_where_it_is_none(reader: Reader) -> None:
    text = '{"defaults": {"widht": 3,\n"output": "a.mp4"},\n"job": [],\n'
    text += '"jobs": [\n{"prompt": "a",\n"seed": -1},\n}'
    assert reader.mistakes(text, "json") == [
        "batch.json:1: defaults.widht: unknown field; did you mean width?",
        "batch.json:2: defaults.output: it is a row's own, and has no place among the defaults",
        "batch.json:3: job: unknown key; there are jobs and defaults",
        "batch.json:6: seed: Input should be greater than or equal to 0",
        "batch.json:7:1: not JSON: Expecting value",
    ]


@pytest.mark.parametrize(
    ("form", "text", "said"),
    [
        ("jsonl", "", ":1: it holds no rows"),
        (
            "jsonl",
            "[\n" + FOX + "\n]",
            ":1: it is JSON over several lines, not an object a line: name the file .json",
        ),
        ("json", "[]", ":1: it holds no rows"),
        ("json", '"a"', ":1: a batch is a list of rows, or an object with jobs"),
        ("json", "", ":1:1: not JSON: Expecting value"),
        ("json", "{}", ":1: an object without jobs: they are a list of rows"),
        ("json", '{"jobs":', ":1:9: not JSON: Expecting value"),
        ("json", '{"jobs" 3}', ":1:9: not JSON: Expecting ':' delimiter"),
        ("json", '{"jobs": {}}', ":1: jobs: it is a list of rows"),
        ("json", f'{{"jobs": [],\n"jobs": [{FOX}]}}', ":2: jobs: this key stands there twice"),
        ("json", f"[{FOX}\n{FOX}]", ":2:1: not JSON: Expecting ',' delimiter"),
        ("json", f"[{FOX}]]", ":1:22: not JSON: Extra data"),
        ("json", f"[]\n{FOX}", ":2:1: not JSON: Extra data; a file with an object a line is named .jsonl"),
        (
            "json",
            f'{{"defaults": 3, "jobs": [{FOX}]}}',
            ":1: defaults: they are fields, such as fps: 12, and this is a number",
        ),
        ("yaml", "", ":1: it holds no rows"),
        ("yaml", "a fox", ":1: a batch is a list of rows, or a mapping with jobs"),
        (
            "yaml",
            "job: []",
            ":1: job: unknown key; there are jobs and defaults\n"
            ":1: a mapping without jobs: they are a list of rows",
        ),
        ("yaml", "jobs: 3", ":1: jobs: it is a list of rows"),
        (
            "yaml",
            "- prompt: a\n- prompt: .nan\n- b",
            ":2: .nan is no number that is read\n"
            ':3: a row has fields, such as {"prompt": "A forest at dawn"}, and this is a text',
        ),
        (
            "yaml",
            "- prompt: &a b\n",
            ":1: not YAML that is read: anchors and aliases (& and *) are not read; "
            "write it out, or put text in quotes",
        ),
        (
            "yaml",
            "- prompt: a\n- prompt: b\n  prompt: c",
            ":3: not YAML that is read: the key prompt stands there twice",
        ),
        ("yaml", "- prompt: a: b", ":1: not YAML that is read: a colon stands where no key can be"),
        ("csv", "", ":1: it holds no rows"),
        ("csv", "prompt\n", ":1: it holds no rows"),
        (
            "csv",
            "A fox\nA hare\n",
            ":1: the first line names the columns, and one of them is prompt or storyboard",
        ),
        ("csv", "prompt;fps\na;12\n", ":1: columns are parted by commas, and these are by semicolons"),
        ("csv", "prompt\tfps\na\t12\n", ":1: columns are parted by commas, and these are by tabs"),
        ("csv", "prompt,fps,FPS\na,1,2\n", ":1: fps: two columns have this name"),
        ("csv", "prompt,\na,b\n", ":2: it has no column name above it"),
        (
            "csv",
            "prompt,fps\na, b,12\nc,12\n",
            ":2: it has 3 cells for 2 columns; a text with a comma in it is put in quotes",
        ),
        (
            "csv",
            'prompt\n"a"b\nc\n',
            ":2: not CSV: ',' expected after '\"'; quotes within quotes are doubled",
        ),
        (
            "csv",
            'prompt\na\n"b\nc\n',
            ":3: its quotes open and do not close, or a cell is too long (unexpected end of data)",
        ),
    ],
)
def test_what_is_said_of_a_file_that_is_none(reader: Reader, form: str, text: str, said: str) -> None:
    assert reader.mistakes(text, form) == [f"batch.{form}{line}" for line in said.split("\n")]


def test_bytes_that_are_no_text_are_refused_with_their_line(reader: Reader) -> None:
    assert reader.mistakes(b"\xef\xbb\xbf" + FOX.encode() + b"\n\xff") == [
        "batch.jsonl:2: it is not UTF-8 text: save the file as UTF-8"
    ]
    assert reader.mistakes(FOX + "\n\n\0") == ["batch.jsonl:3: a null character stands in it"]


def test_a_file_has_limits(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    from localvid.batch_file import found, reading

    monkeypatch.setattr(found, "MAX_ROWS", 3)
    for form, text in (("jsonl", f"{FOX}\n" * 5), ("json", f"[{FOX}]".replace("]", f",\n{FOX}" * 4 + "]"))):
        read = reader.batch(text, form)
        assert len(read.jobs) == 3
        (mistake,) = read.mistakes
        assert (mistake.line, mistake.message) == (
            4,
            "a batch has at most 3 rows; this and what follows is not read",
        )
    assert reader.mistakes("#" * (8 * 2**20 + 1), "yaml") == [
        "batch.yaml:1: YAML is read up to 8 MiB: write it as JSON lines"
    ]
    monkeypatch.setattr(reading, "MAX_BYTES", 30)
    with pytest.raises(InvalidRequestError, match="larger than a batch file can be"):
        reader.batch(f"{FOX}\n" * 2)
    with pytest.raises(InvalidRequestError, match="standard input is larger"):
        _piped(f"{FOX}\n" * 2)


def test_a_row_of_nothing_but_mistakes_is_not_listed_to_its_end(reader: Reader) -> None:
    row = json.dumps({"prompt": "a", **{f"x{index}": 1 for index in range(5_000)}}, indent=1)
    lines = reader.mistakes(f"[{row}]", "json")
    assert lines[0] == "batch.json:1: and 4,970 more mistakes in this row"
    assert lines[-1] == "batch.json:32: x29: unknown field"
    assert len(lines) == 31
    long = json.dumps({"prompt": "a" * 2**20})
    assert reader.mistakes(f"{FOX}\n{long}") == ["batch.jsonl:2: a row has at most 1,048,576 characters"]
    assert reader.mistakes(f"[{FOX},\n{long}]", "json") == [
        "batch.json:2: a row has at most 1,048,576 characters"
    ]
    assert reader.mistakes("prompt" + ",x" * 200 + "\na\n", "csv") == [
        "batch.csv:1: it has 201 columns; there are not so many fields"
    ]


def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequestError, match="No such file"):
        read_batch(tmp_path / "none.jsonl", defaults=FilmOptions())
    with pytest.raises(InvalidRequestError, match="Is a directory"):
        read_batch(tmp_path, defaults=FilmOptions())


# --- names ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("A Peaceful Forest, at dawn!", "a-peaceful-forest-at-dawn"),
        ("Der Fuchs' Höhle — naïve", "der-fuchs-hohle-naive"),
        ("../../etc/passwd", "etc-passwd"),
        ("C:\\Windows", "c-windows"),
        ("--help .hidden", "help-hidden"),
        ("海と灯台", "film"),
        ("🦊", "film"),
        ("", "film"),
        ("{number} {slug.__class__}", "number-slug-class"),
        ("word " * 30, "-".join(["word"] * 12)),
        ("a" * 80, "a" * 60),
    ],
)
def test_a_slug_is_letters_digits_and_dashes(text: str, made: str) -> None:
    assert slug(text) == made


def test_films_are_named_by_the_pattern(reader: Reader) -> None:
    (reader.folder / "b.yaml").write_text("title: The Lake\n" + BOARD)
    rows = '{"prompt": "A fox", "seed": 7}\n\n{"storyboard": "b.yaml", "seed": 8, "model": "local:svd-xt"}\n'
    given = {"output_dir": reader.outputs, "today": date(2026, 1, 31)}
    assert [job.output for job in reader.jobs(rows, **given)] == [
        reader.outputs / "0001-a-fox.mp4",
        reader.outputs / "0002-the-lake.mp4",
    ]
    pattern = "{date}/{model}/{line:02d}_{slug:.5}_{seed}.webm"
    assert [job.output for job in reader.jobs(rows, **given, name_pattern=pattern)] == [
        reader.outputs / "2026-01-31/auto/01_a-fox_7.webm",
        reader.outputs / "2026-01-31/local-svd-xt/03_the-l_8.webm",
    ]
    assert [job.output for job in reader.jobs(rows)] == [None, None]


def test_no_name_is_a_device_of_windows() -> None:
    values = {"number": 1, "slug": "Con"}
    assert NamePattern("{slug}.mp4").name(values) == "con-film.mp4"
    assert NamePattern("{slug}/{number}.mp4").name(values) == "con-film/1.mp4"
    assert NamePattern("{number}-{slug}.mp4").name(values) == "1-con.mp4"
    assert NamePattern("{slug:.3}.mp4").name({"slug": "convoy"}) == "con-film.mp4"


@pytest.mark.parametrize(
    "pattern",
    [
        "", ".mp4", "{slug}", "{slug}.txt", "{slug}.mp4/", "{prompt}.mp4", "{}.mp4", "{0}.mp4", "{slug.mp4",
        "{slug.__class__}.mp4", "{slug[0]}.mp4", "{slug!r}.mp4", "{slug:>900}.mp4", "{slug:{number}}.mp4",
        "{number:x}.mp4", "{number:09999d}.mp4", "{number:4d}.mp4", "{number:,}.mp4", "{date:%Y}.mp4",
        "/{slug}.mp4", "../{slug}.mp4", "a/../{slug}.mp4", "./{slug}.mp4", "a//{slug}.mp4", "~/{slug}.mp4",
        "a\\{slug}.mp4", "c:{slug}.mp4", "{slug}\n.mp4", "{slug}\0.mp4", "{slug}?.mp4", "-{slug}.mp4",
        ".{slug}.mp4", "a./{slug}.mp4", "a /{slug}.mp4", "a" * 200 + ".mp4",
    ],
)  # fmt: skip
def test_a_pattern_that_could_do_harm_is_refused(pattern: str, reader: Reader) -> None:
    with pytest.raises(InvalidRequestError, match="the name pattern") as caught:
        reader.batch(FOX, output_dir=reader.outputs, name_pattern=pattern)
    assert "{number:04d}-{slug}.mp4" in caught.value.hint
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("../a.mp4", "it lies outside the folder for outputs"),
        ("b/../../a.mp4", "it lies outside the folder for outputs"),
        ("/tmp/a.mp4", "it lies outside the folder for outputs"),
        ("~/a.mp4", "it lies outside the folder for outputs"),
        ("link/a.mp4", "it lies outside the folder for outputs"),
        ("../films2/a.mp4", "it lies outside the folder for outputs"),
        ("a.txt", "a film ends in one of .mp4, .m4v, .mov, .webm, .gif"),
        (".", "a film ends in one of .mp4, .m4v, .mov, .webm, .gif"),
        ("a\u0000.mp4", "it holds a control character, or half of a character"),
        ("a\n.mp4", "it holds a control character, or half of a character"),
        ("\ud800.mp4", "it holds a control character, or half of a character"),
        ("é" * 130 + ".mp4", "a name has at most 255 bytes"),
        (" ", "it is the path of a film, as text"),
        (7, "it is the path of a film, as text"),
    ],
)
def test_no_output_leads_out_of_its_folder(reader: Reader, output: object, said: str) -> None:
    reader.outputs.mkdir()
    (reader.outputs / "link").symlink_to(reader.folder)
    row = json.dumps({"prompt": "a", "output": output})
    assert reader.mistakes(row, output_dir=reader.outputs) == [f"batch.jsonl:1: output: {said}"]


def test_an_output_within_its_folder_is_taken(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(reader.folder)
    inside = {"b/../a.mp4": "films/a.mp4", f"{reader.outputs}/b/c.gif": "films/b/c.gif"}
    for output, path in inside.items():
        (job,) = reader.jobs(json.dumps({"prompt": "a", "output": output}), output_dir=Path("films"))
        assert job.output == job.options.output == reader.folder / path
    (job,) = reader.jobs(json.dumps({"prompt": "a", "output": "../a.mp4"}))
    assert job.output == reader.folder.parent / "a.mp4"


def test_two_films_of_one_name_are_a_mistake(reader: Reader) -> None:
    rows = ['{"prompt": "a", "output": "É.mp4"}', FOX, '{"prompt": "b", "output": "x/../e\u0301.MP4"}']
    rows += ['{"prompt": "c", "output": "0002-A-Fox.mp4"}', '{"prompt": "d", "fps": 0, "output": "É.mp4"}']
    assert reader.mistakes("\n".join(rows), output_dir=reader.outputs) == [
        "batch.jsonl:3: output: e\u0301.MP4 is the film of line 1 already",
        "batch.jsonl:4: output: 0002-A-Fox.mp4 is the film of line 2 already",
        "batch.jsonl:5: fps: Input should be greater than 0",
        "batch.jsonl:5: output: É.mp4 is the film of line 1 already",
    ]
    same = {"output_dir": reader.outputs, "name_pattern": "{slug}.mp4"}
    assert reader.mistakes(f"[{FOX}, {FOX}]", "json", **same) == [
        "batch.json:1: output: a-fox.mp4 is the film of row 1 already; "
        "{number} in the name pattern tells them apart"
    ]


def test_a_link_does_not_hide_that_two_films_are_one(reader: Reader) -> None:
    (reader.outputs / "real").mkdir(parents=True)
    (reader.outputs / "link").symlink_to("real")
    (reader.outputs / "ring").symlink_to("ring")
    rows = [f'{{"prompt": "a", "output": "{folder}/a.mp4"}}' for folder in ("real", "link")]
    assert reader.mistakes("\n".join(rows), output_dir=reader.outputs) == [
        "batch.jsonl:2: output: a.mp4 is the film of line 1 already"
    ]
    ring = '{"prompt": "a", "output": "ring/a.mp4"}'
    assert reader.mistakes(ring, output_dir=reader.outputs) == [
        "batch.jsonl:1: output: its folder cannot be found"
    ]


def test_a_seed_in_the_pattern_is_asked_of_every_row(reader: Reader) -> None:
    given = {"output_dir": reader.outputs, "name_pattern": "{seed}.mp4"}
    assert reader.mistakes(FOX, **given) == [
        "batch.jsonl:1: seed: the name pattern asks for it: give the row one"
    ]


def test_reading_makes_no_folder(reader: Reader) -> None:
    reader.jobs(FOX, output_dir=reader.outputs)
    assert list(reader.folder.iterdir()) == [reader.folder / "batch.jsonl"]
