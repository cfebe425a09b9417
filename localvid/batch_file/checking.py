"""Rows as they stand in the file → films to be made, each checked against what it may say."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import NamedTuple

from localvid.batch_file import fields
from localvid.batch_file.boards import Boards, of_object
from localvid.batch_file.found import MOST_OF_A_ROW, Found, RawRow
from localvid.batch_file.names import NamePattern, OutputFolder
from localvid.batch_file.rows import BatchRow
from localvid.schemas import (
    MAX_PROMPT_CHARACTERS,
    FilmOptions,
    Place,
    Storyboard,
    clean_prompt,
    dotted,
    says_something,
)

_MOST_LINES = 5
"""That are listed where many rows have one mistake."""


class _Words(NamedTuple):
    """What a film is made from."""

    prompt: str | None = None
    storyboard: Storyboard | None = None
    file: Path | None = None

    @property
    def name(self) -> str:
        """What a file is called after."""
        if self.storyboard is None:
            return self.prompt or ""
        return self.storyboard.title or self.storyboard.prompt or self.storyboard.shots[0].description


class Checker:
    """Goes through the rows once; what is wrong with them is noted in what was found."""

    def __init__(
        self,
        found: Found,
        *,
        folder: Path,
        defaults: FilmOptions,
        pattern: NamePattern,
        outputs: OutputFolder,
        today: date,
    ) -> None:
        self._found = found
        self._folder = folder
        self._pattern = pattern
        self._outputs = outputs
        self._today = today
        self._boards = Boards(folder)
        self._taken: dict[str, RawRow] = {}
        """Place of a film → the row that it is made for."""
        self._defaults = defaults.model_copy(update={"output": None})
        self._seed: int | None = None
        self._max_shots = "max_shots" in defaults.model_fields_set

    def jobs(self) -> tuple[BatchRow, ...]:
        """The rows without a mistake. To be called once."""
        for column, line in self._found.columns.items():
            if column not in fields.FIELDS:
                self._found.mistake(line, fields.unknown(column), field=column)
        if self._found.defaults is not None:
            self._take_defaults(self._found.defaults)
        checked = [self._job(row) for row in self._found.rows]
        for bad in self._boards.bad():
            self._found.mistake(bad.lines[0], bad.why + _also(bad.lines[1:]), field="storyboard")
        return tuple(job for job in checked if job is not None)

    def _take_defaults(self, row: RawRow) -> None:
        given = fields.checked(row, folder=self._folder, without=(*fields.WORDS, "output"))
        self._note(row, given.problems, within="defaults")
        self._defaults = fields.overlaid(self._defaults, given.options)
        self._seed = given.seed
        self._max_shots = self._max_shots or "max_shots" in given.options

    def _job(self, row: RawRow) -> BatchRow | None:
        """The film of a row; None where something is wrong with it."""
        given = fields.checked(row, folder=self._folder)
        problems = given.problems
        words = self._words(row, problems)
        options = fields.overlaid(self._defaults, given.options)
        seed = self._seed if given.seed is None else given.seed
        output = self._output(row, words, options, seed, problems)
        self._note(row, problems)
        if problems or words is None:
            return None
        board = words.storyboard
        if board is not None and (self._max_shots or "max_shots" in given.options):
            board = board.model_copy(update={"shots": board.shots[: options.max_shots]})
        return BatchRow(
            line=row.line,
            number=row.number,
            prompt=words.prompt,
            storyboard=board,
            storyboard_file=words.file,
            options=options.model_copy(update={"output": output}),
            seed=seed,
        )

    # --- words ---------------------------------------------------------------------------------------

    def _words(self, row: RawRow, problems: list[tuple[Place, str]]) -> _Words | None:
        prompt, storyboard = row.values.get("prompt"), row.values.get("storyboard")
        if prompt is not None and storyboard is not None:
            problems.append(((), "prompt and storyboard: a film is made from one of them"))
        elif prompt is not None:
            return self._of_prompt(prompt, problems)
        elif isinstance(storyboard, dict):
            return self._of_object(storyboard, problems)
        elif storyboard is not None:
            return self._of_file(storyboard, row, problems)
        else:
            problems.append(((), "neither prompt nor storyboard: a film is made from one of them"))
        return None

    def _of_prompt(self, prompt: object, problems: list[tuple[Place, str]]) -> _Words | None:
        if not isinstance(prompt, str):
            problems.append((("prompt",), "Input should be a valid string: put it in quotes"))
            return None
        cleaned = clean_prompt(prompt)
        why = ""
        if not says_something(cleaned):
            why = "it says nothing that can be seen" if cleaned else "it is empty"
        elif self._boards.is_one(cleaned):
            why = "it is a file, and words are wanted; storyboard takes files"
        elif len(cleaned) > MAX_PROMPT_CHARACTERS:
            why = f"it has {len(cleaned):,} characters; at most {MAX_PROMPT_CHARACTERS:,} are read"
        if why:
            problems.append((("prompt",), why))
        return None if why else _Words(prompt=cleaned)

    def _of_object(self, storyboard: dict[str, object], problems: list[tuple[Place, str]]) -> _Words | None:
        made = of_object(storyboard, self._folder)
        if isinstance(made, Storyboard):
            return _Words(storyboard=made)
        problems += ((("storyboard", *place), why) for place, why in made)
        return None

    def _of_file(self, name: object, row: RawRow, problems: list[tuple[Place, str]]) -> _Words | None:
        if not isinstance(name, str):
            problems.append((("storyboard",), "it is the path of a file, or a storyboard itself"))
            return None
        try:
            path, board = self._boards.read(name.strip(), row.line_of(("storyboard",)))
        except ValueError as error:
            problems.append((("storyboard",), str(error)))
            return None
        return None if board is None else _Words(storyboard=board, file=path)

    # --- outputs -------------------------------------------------------------------------------------

    def _output(
        self,
        row: RawRow,
        words: _Words | None,
        options: FilmOptions,
        seed: int | None,
        problems: list[tuple[Place, str]],
    ) -> Path | None:
        """Where the film goes. Of a row with a mistake no name is made, and none is missed."""
        named = row.values.get("output")
        if named is not None and (not isinstance(named, str) or not named.strip()):
            problems.append((("output",), "it is the path of a film, as text"))
            return None
        if named is None and (problems or words is None or self._outputs.folder is None):
            return None
        if named is None and "seed" in self._pattern.fields and seed is None:
            problems.append((("seed",), "the name pattern asks for it: give the row one"))
            return None
        try:
            path = self._outputs.placed(
                Path(named.strip() if named else self._name(row, words, options, seed))
            )
            key = self._outputs.key(path)
        except ValueError as error:
            problems.append((("output",), str(error)))
            return None
        first = self._taken.setdefault(key, row)
        if first is not row:
            other = "" if named else "; {number} in the name pattern tells them apart"
            place = f"line {first.line}" if first.line != row.line else f"row {first.number}"
            problems.append((("output",), f"{path.name} is the film of {place} already{other}"))
        return path

    def _name(self, row: RawRow, words: _Words | None, options: FilmOptions, seed: int | None) -> str:
        values: dict[str, int | str] = {
            "number": row.number,
            "line": row.line,
            "seed": seed or 0,
            "slug": words.name if words else "",
            "model": options.model,
            "date": self._today.isoformat(),
        }
        return self._pattern.name(values)

    def _note(self, row: RawRow, problems: list[tuple[Place, str]], *, within: str = "") -> None:
        for place, why in problems[:MOST_OF_A_ROW]:
            field = ".".join(filter(None, (within, dotted(place))))
            self._found.mistake(row.line_of(place), why, field=field)
        if more := len(problems[MOST_OF_A_ROW:]):
            self._found.mistake(row.line, f"and {more:,} more mistakes in this row")


def _also(lines: list[int]) -> str:
    """That other rows have the same mistake."""
    if not lines:
        return ""
    shown = ", ".join(map(str, lines[:_MOST_LINES]))
    more = f" and {len(lines) - _MOST_LINES} more" if len(lines) > _MOST_LINES else ""
    return f" (also named on line{'s' if len(lines) > 1 else ''} {shown}{more})"
