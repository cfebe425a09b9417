"""Where the images lie that a storyboard file names: beside the file."""

from __future__ import annotations

from pathlib import Path

from localvid.files import expanded
from localvid.schemas import Storyboard


def with_images_beside(storyboard: Storyboard, folder: Path) -> Storyboard:
    """The storyboard with relative image paths taken from the folder of the file that names them."""
    shots = tuple(
        shot.model_copy(update={"reference_image": (folder / expanded(shot.reference_image)).absolute()})
        if shot.reference_image is not None
        else shot
        for shot in storyboard.shots
    )
    return storyboard.model_copy(update={"shots": shots})
