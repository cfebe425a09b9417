"""A storyboard's pictures, before anything is rendered: what the animatic would open each shot with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from localvid import registry
from localvid.config import Settings
from localvid.planning import assign_seeds
from localvid.schemas import (
    KeyframeRequest,
    ModelKind,
    OnProgress,
    Progress,
    Stage,
    Storyboard,
    ignore_progress,
)

_PAINTER = "local:animatic-still"
_SEED = 0
"""Of shots that have none. What they will get is not drawn before a job is planned."""


def paint_stills(
    storyboard: Storyboard,
    folder: Path,
    settings: Settings,
    *,
    width: int,
    height: int,
    on_progress: OnProgress = ignore_progress,
) -> list[Path]:
    """One PNG of this size for each shot, in `folder`: the user's image, fitted, or painted from its words.

    On any CPU, without weights; the same storyboard gives the same pictures. Raises InvalidImageError for an
    image that cannot be used, before anything is painted, and whatever `on_progress` raises.
    """
    shots = assign_seeds(storyboard, _SEED).shots
    stills = [folder / f"{index:03}.png" for index in range(len(shots))]
    own_first = sorted(range(len(shots)), key=lambda index: shots[index].reference_image is None)
    painter_info = registry.get_model(_PAINTER, settings, ModelKind.KEYFRAME)
    with registry.open_painter(painter_info, settings) as painter:
        for done, index in enumerate(own_first):
            shot = shots[index]
            assert shot.seed is not None  # assigned above
            where = {
                "stage": Stage.KEYFRAMES,
                "shot": index + 1,
                "num_shots": len(shots),
                "overall": done / len(shots),
            }
            report = _placed(on_progress, where)
            report(Progress(step=0, num_steps=1, message="painting the still"))
            request = KeyframeRequest(
                model_id=_PAINTER,
                description=shot.description,
                style=storyboard.look_of(index),
                setting=storyboard.setting,
                reference_image=shot.reference_image,
                width=width,
                height=height,
                seed=shot.seed,
                output=stills[index],
            )
            painter.paint(request, report)
    return stills


def _placed(on_progress: OnProgress, where: Mapping[str, object]) -> OnProgress:
    """A listener to one shot's painting that says where in the storyboard it is."""
    return lambda progress: on_progress(progress.model_copy(update=dict(where)))
