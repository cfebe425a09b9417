"""What a batch file gives: its jobs, and its mistakes with their places."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from localvid.schemas import FilmOptions, Frozen, Seed, Storyboard


class Mistake(Frozen):
    """One thing that is wrong in a batch file. As text: `batch.jsonl:17: motion: unknown field`."""

    source: str
    """The batch file, as the user named it."""
    line: int = Field(ge=1)
    column: int | None = Field(default=None, ge=1)
    """Where text cannot be read at all; else `field` says which part of the row it is."""
    field: str = ""
    """Such as `width`, or `storyboard.shots.0.energy`; empty: the whole row, or the file."""
    message: str

    def __str__(self) -> str:
        place = f"{self.source}:{self.line}" + (f":{self.column}" if self.column else "")
        return ": ".join(filter(None, (place, self.field, self.message)))


class BatchRow(Frozen):
    """One film to be made: from a prompt or from a storyboard, never from both."""

    line: int = Field(ge=1)
    """Of the file, where the row begins."""
    number: int = Field(ge=1)
    """Of the row among all rows of the file, those with mistakes too."""
    prompt: str | None = None
    """Cleaned; None where there is a storyboard."""
    storyboard: Storyboard | None = None
    """As its file, or the row itself, says it: its images' paths are absolute, and of its shots the first
    `max_shots` are left where that was asked for."""
    storyboard_file: Path | None = None
    """Absolute; None for a prompt and for a storyboard that the row holds itself."""
    options: FilmOptions
    """The defaults overlaid with what the row says, and with the film's `output`."""
    seed: Seed | None = None

    @property
    def output(self) -> Path | None:
        """Absolute. None: neither the row nor a folder for outputs says where, so the workspace keeps it."""
        return self.options.output


class BatchFile(Frozen):
    """A batch file as read: what can be made of it, and everything that is wrong in it."""

    jobs: tuple[BatchRow, ...] = ()
    """Rows without a mistake, in the order of the file."""
    mistakes: tuple[Mistake, ...] = ()
    """In the order of their lines."""
