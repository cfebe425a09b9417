"""What a film says of how it was made."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from localvid.schemas import (
    CameraSpeed,
    FilmOptions,
    FilmRecord,
    ModelManifest,
    ModelUse,
    Storyboard,
    is_served,
)

_OF_THE_USER: dict[str, Any] = {"allow_remote": False, "max_cost_usd": None, "fallback": None}
"""What a film never carries, and no film's key holds."""


def film_record(
    storyboard: Storyboard,
    options: FilmOptions,
    *,
    prompt: str,
    models: Sequence[ModelManifest | None],
    videos: Sequence[tuple[ModelManifest, tuple[int, ...]]],
    version: str,
) -> FilmRecord:
    """How the film is made, with paths reduced to file names, no output path, and no leave to spend money:
    that is given anew by whoever makes it again.

    `videos` are the models that make clips, each with its shots, or none where it makes all.
    """
    shots = tuple(
        shot.model_copy(update={"reference_image": Path(shot.reference_image.name)})
        if shot.reference_image
        else shot
        for shot in storyboard.shots
    )
    image = options.reference_image
    return FilmRecord(
        localvid=version,
        prompt=prompt,
        storyboard=storyboard.model_copy(update={"shots": shots}),
        options=options.model_copy(
            update={
                "output": None,
                "reference_image": Path(image.name) if image else None,
                "llm": options.llm if is_served(options.llm) else Path(options.llm).name,
                **_OF_THE_USER,
            }
        ),
        models=(
            *(_use(model) for model in models if model is not None),
            *(_use(model, shots) for model, shots in videos),
        ),
    )


def record_parameters(record: FilmRecord) -> dict[str, Any]:
    """The record as a film's key holds it.

    What was added to it in the meantime stands there only where it says something, so that films that were
    made before keep their keys.
    """
    parameters = record.model_dump(mode="json", exclude={"notices"})  # these are of the making
    if parameters["options"]["duration_seconds"] is None:
        del parameters["options"]["duration_seconds"]
    for name in _OF_THE_USER:
        del parameters["options"][name]
    for model in parameters["models"]:
        if not model["shots"]:
            del model["shots"]
    storyboard = parameters["storyboard"]
    for name in ("characters", "setting"):
        if not storyboard[name]:
            del storyboard[name]
    for shot in storyboard["shots"]:
        if shot["camera_speed"] == CameraSpeed.NORMAL:
            del shot["camera_speed"]
    return parameters


def _use(model: ModelManifest, shots: tuple[int, ...] = ()) -> ModelUse:
    return ModelUse(
        role=model.kind,
        id=model.id,
        title=model.title,
        revision=model.revision or "",
        licence=model.licence,
        shots=shots,
    )
