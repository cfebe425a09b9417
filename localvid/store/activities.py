"""What processes do at the moment: a file in the folder of temporaries of each, for whoever looks on.

No row, since it changes every second, is worth nothing afterwards, and goes with its folder when its process
dies.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from localvid.files import as_workspace_error
from localvid.schemas import Activity
from localvid.store import owners

_NAME = "activity.json"


def show(folder: Path, activity: Activity) -> None:
    """Say in an owner's folder what its process does, in place of what it said before."""
    path, partial = folder / _NAME, folder / f"{_NAME}.part"
    try:
        partial.write_text(activity.model_dump_json(), encoding="utf-8")
        partial.replace(path)  # not flushed: it tells nothing once its process is gone
    except OSError as error:
        raise as_workspace_error(error, path) from error


def forget(folder: Path) -> None:
    """The owner's process does nothing more."""
    (folder / _NAME).unlink(missing_ok=True)


def of_the_living(temporaries: Path) -> list[Activity]:
    """What processes that live do, by owner."""
    found = []
    for path in sorted(temporaries.glob(f"*/{_NAME}")):
        try:
            activity = Activity.model_validate_json(path.read_bytes())
        except (OSError, ValidationError):
            continue  # it has just ended, or another version of localvid wrote it
        if activity.owner == path.parent.name and owners.is_alive(temporaries, activity.owner):
            found.append(activity)
    return found
