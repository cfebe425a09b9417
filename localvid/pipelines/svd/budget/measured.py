"""How long clips took on this machine, kept to make the next estimate better: one small JSON file."""

from __future__ import annotations

import logging
import statistics
from pathlib import Path

from pydantic import Field, ValidationError

from localvid.errors import LocalvidError
from localvid.files import writing
from localvid.schemas import Frozen

FILE_NAME = "measured-times.json"
_MOST_ENTRIES = 200
_logger = logging.getLogger(__name__)


class MeasuredClip(Frozen):
    """One clip that was made, and what had been predicted for it without calibration."""

    gpu: str
    model_id: str
    width: int = Field(ge=1)
    height: int = Field(ge=1)
    num_frames: int = Field(ge=1)
    seconds: float = Field(gt=0)
    predicted_seconds: float = Field(gt=0)


_ESTIMATES = 2
"""The number of the way in which estimates are made; what was predicted in another says nothing of them."""


class _Book(Frozen):
    """The newest last."""

    estimates: int = 1
    clips: tuple[MeasuredClip, ...] = ()


class Calibration(Frozen):
    """What an estimate is multiplied by, and what that rests on."""

    factor: float = 1.0
    num_clips: int = 0
    same_size: bool = False


def read_measured(workspace: Path) -> tuple[MeasuredClip, ...]:
    """The clips that were recorded, the newest last; none where the file is missing, damaged or of other
    estimates."""
    path = workspace / FILE_NAME
    try:
        book = _Book.model_validate_json(path.read_bytes())
        return book.clips if book.estimates == _ESTIMATES else ()
    except FileNotFoundError:
        return ()
    except (OSError, ValidationError) as error:
        _logger.warning("%s is not read: %s", path, str(error).splitlines()[0])
        return ()


def record_measured(workspace: Path, clip: MeasuredClip) -> None:
    """Add a clip; the oldest of 200 go. A file that cannot be written is logged, and nothing fails."""
    path = workspace / FILE_NAME
    book = _Book(estimates=_ESTIMATES, clips=(*read_measured(workspace), clip)[-_MOST_ENTRIES:])
    try:
        with writing(path, overwrite=True) as partial:
            partial.write_text(book.model_dump_json(indent=1), encoding="utf-8")
    except (OSError, LocalvidError) as error:
        _logger.warning("%s is not written: %s", path, error)


def calibrate(
    clips: tuple[MeasuredClip, ...], *, gpu: str, model_id: str, width: int, height: int, num_frames: int
) -> Calibration:
    """By clips of this GPU and model: those of the same size if there are any, else of all sizes."""
    alike = [clip for clip in clips if (clip.gpu, clip.model_id) == (gpu, model_id)]
    same = [
        clip for clip in alike if (clip.width, clip.height, clip.num_frames) == (width, height, num_frames)
    ]
    chosen = same or alike
    if not chosen:
        return Calibration()
    factor = statistics.median(clip.seconds / clip.predicted_seconds for clip in chosen)
    return Calibration(factor=factor, num_clips=len(chosen), same_size=bool(same))
