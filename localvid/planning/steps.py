"""Steps, their keys and their seeds.

Every step of a film has a **key**: the SHA-256 of its canonical request, which holds its kind, the step's
version, the model and its revision, every parameter that the model heeds, the seed, and the keys of its
inputs. A step whose key has an artifact need not run. Resuming, redoing one shot, and changing a
transition or the order without touching the models all follow from this.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from enum import StrEnum

from localvid.schemas import MAX_SEED, Frozen, ModelManifest, Storyboard


class StepKind(StrEnum):
    STORYBOARD = "storyboard"
    KEYFRAME = "keyframe"
    LAST_FRAME = "last_frame"
    LATENTS = "latents"
    CLIP = "clip"
    FILM = "film"


_STEP_VERSIONS = {
    StepKind.STORYBOARD: 4,
    StepKind.KEYFRAME: 1,
    StepKind.LAST_FRAME: 2,
    StepKind.LATENTS: 1,
    StepKind.CLIP: 1,
    StepKind.FILM: 1,
}
"""Raised when the code behind a kind of step gives other results for the same request."""


class Step(Frozen):
    """One step: its key is known before anything runs."""

    kind: StepKind
    key: str
    label: str


def identity(model: ModelManifest) -> dict[str, object]:
    return {"model": model.id, "revision": model.revision or "", "settings": dict(model.settings)}


def derive_seed(seed: int, *parts: str | int) -> int:
    """A seed that depends on `seed` and the parts, and on nothing else."""
    digest = hashlib.sha256(json.dumps([seed, *parts]).encode()).digest()
    return int.from_bytes(digest[:4]) & MAX_SEED


def assign_seeds(storyboard: Storyboard, seed: int) -> Storyboard:
    """The storyboard with a seed for every shot that has none.

    A seed depends on `seed` and the shot's words (and, among equal words, on the order), not on the
    shot's place: shots can be moved, added and removed without changing what the others look like.
    """
    seen: Counter[str] = Counter()
    shots = []
    for shot in storyboard.shots:
        if shot.seed is None:
            shots.append(
                shot.model_copy(update={"seed": derive_seed(seed, shot.description, seen[shot.description])})
            )
        else:
            shots.append(shot)
        seen[shot.description] += 1
    return storyboard.model_copy(update={"shots": tuple(shots)})


def step_key(kind: StepKind, parameters: Mapping[str, object], *, inputs: tuple[str, ...] = ()) -> str:
    """The key of a step; `parameters` must be of JSON's types."""
    canonical = {
        "kind": kind.value,
        "version": _STEP_VERSIONS[kind],
        "parameters": parameters,
        "inputs": inputs,
    }
    text = json.dumps(canonical, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def storyboard_step(
    prompt: str, *, num_shots: int, seed: int, writer: ModelManifest, context_tokens: int
) -> Step:
    """The step that writes the storyboard."""
    parameters = {
        "prompt": prompt,
        "num_shots": num_shots,
        "seed": seed,
        "context_tokens": context_tokens,
        **identity(writer),
    }
    return Step(
        kind=StepKind.STORYBOARD,
        key=step_key(StepKind.STORYBOARD, parameters),
        label="writing the storyboard",
    )
