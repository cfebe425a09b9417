"""The images that a storyboard file names: they lie beside the file."""

from __future__ import annotations

from collections.abc import Sequence
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


def with_images_as_named(
    own: Storyboard, before: Storyboard, after: Storyboard, origins: Sequence[int | None]
) -> Storyboard:
    """`after`, with each image that a shot keeps named as `own` names it.

    `own` is what the text of `before` says, shot by shot; `origins` says for each shot of `after` which of
    `before` it is, None for a new one.
    """
    shots = [
        shot.model_copy(update={"reference_image": own.shots[origin].reference_image})
        if origin is not None and shot.reference_image == before.shots[origin].reference_image
        else shot
        for shot, origin in zip(after.shots, origins, strict=True)
    ]
    return after.model_copy(update={"shots": tuple(shots)})
