"""What crosses module borders: storyboards, requests, results, models, jobs, progress.

Every type here is a frozen pydantic model that forbids unknown keys. Paths cross borders; tensors never do.
This module knows no model, no file format and no database.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

MAX_WRITTEN_SHOTS = 7
"""Most shots that a storyboard writer is asked for; a person may write more."""

MAX_STORYBOARD_SHOTS = 100
"""Most shots in one storyboard file: 100 shots of 4 s are a film of seven minutes."""

MAX_PROMPT_CHARACTERS = 4_000
MAX_SEED = 2**32 - 1

Seed = Annotated[int, Field(ge=0, le=MAX_SEED)]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class Frozen(BaseModel):
    """Base of all types here: immutable, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


# --- storyboards ---------------------------------------------------------------------------------


class Camera(StrEnum):
    """A camera move, in the terms of film: pans and tilts turn, trucks and pedestals travel, zooms change
    the lens, dollies travel along the line of sight, orbits travel around the subject."""

    STATIC = "static"
    PAN_LEFT = "pan_left"
    PAN_RIGHT = "pan_right"
    TILT_UP = "tilt_up"
    TILT_DOWN = "tilt_down"
    ZOOM_IN = "zoom_in"
    ZOOM_OUT = "zoom_out"
    DOLLY_IN = "dolly_in"
    DOLLY_OUT = "dolly_out"
    TRUCK_LEFT = "truck_left"
    TRUCK_RIGHT = "truck_right"
    PEDESTAL_UP = "pedestal_up"
    PEDESTAL_DOWN = "pedestal_down"
    ORBIT_LEFT = "orbit_left"
    ORBIT_RIGHT = "orbit_right"


class TransitionKind(StrEnum):
    CUT = "cut"
    CROSSFADE = "crossfade"
    FADE_BLACK = "fade_black"


class Transition(Frozen):
    """How a shot gives way to the next.

    A crossfade overlaps the two shots for `duration_seconds` and shortens the film by as much; a fade
    through black darkens the end of one and lights the start of the next, half of the time each, and
    keeps the film's length; a cut takes no time.
    """

    kind: TransitionKind = TransitionKind.CUT
    duration_seconds: float = Field(default=0.5, gt=0, le=5, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: object) -> object:
        """Accept `"crossfade"` and `"crossfade:0.8"` wherever a transition stands."""
        if not isinstance(value, str):
            return value
        kind, separator, seconds = value.partition(":")
        fields: dict[str, object] = {"kind": kind.strip().lower().replace("-", "_")}
        if separator:
            fields["duration_seconds"] = seconds.strip()
        return fields

    def side_frames(self, fps: float) -> int:
        """Frames that it touches at the end of one shot, and as many at the start of the next."""
        if self.kind is TransitionKind.CUT:
            return 0
        share = 1.0 if self.kind is TransitionKind.CROSSFADE else 0.5
        return max(1, round(self.duration_seconds * fps * share))

    def overlap_frames(self, fps: float) -> int:
        """Frames by which it shortens the film."""
        return self.side_frames(fps) if self.kind is TransitionKind.CROSSFADE else 0


class Shot(Frozen):
    """One shot: what is seen, how the camera and the scene move, how long, and how it ends."""

    description: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1_000)]
    camera: Camera = Camera.STATIC
    energy: float = Field(default=0.5, ge=0, le=1)
    """How much moves within the scene: 0 is a still life, 1 a storm."""
    duration_seconds: float = Field(default=4.0, ge=0.25, le=60)
    transition: Transition = Transition()
    """To the next shot; the last shot's is not used."""
    reference_image: Path | None = None
    """The shot's first frame, fitted to the frame without distortion."""
    seed: Seed | None = None
    """Drawn when the job is planned if it is not given."""
    continue_from_previous: bool = False
    """The keyframe is the last frame of the shot before."""

    @field_validator("camera", mode="before")
    @classmethod
    def _camera_from_text(cls, value: object) -> object:
        if isinstance(value, str):
            return value.strip().lower().replace("-", "_").replace(" ", "_")
        return value


class Storyboard(Frozen):
    """The words and motion of a film; as JSON, a file that a person can edit and render."""

    version: Literal[1] = 1
    title: Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)] = ""
    prompt: Annotated[str, StringConstraints(max_length=MAX_PROMPT_CHARACTERS)] = ""
    style: Annotated[str, StringConstraints(strip_whitespace=True, max_length=300)] = ""
    """Shared by all shots: "watercolour", "1970s documentary, grainy"."""
    shots: Annotated[tuple[Shot, ...], Field(min_length=1, max_length=MAX_STORYBOARD_SHOTS)]
    written_by: Annotated[str, StringConstraints(max_length=200)] = ""
    """The model that wrote it ("llama:SmolLM2-135M-Instruct"), "outline", or empty for a person."""

    @model_validator(mode="after")
    def _first_shot_continues_nothing(self) -> Self:
        if self.shots[0].continue_from_previous:
            raise ValueError("shots.0.continue_from_previous: the first shot has no shot before it")
        for index, shot in enumerate(self.shots):
            if shot.continue_from_previous and shot.reference_image is not None:
                raise ValueError(
                    f"shots.{index}: continue_from_previous and reference_image both name the first frame"
                )
        return self

    def with_shot(self, index: int, **changes: object) -> Storyboard:
        """The same storyboard with fields of shot `index` (from 0) replaced and validated anew."""
        shots = list(self.shots)
        shots[index] = Shot.model_validate({**shots[index].model_dump(), **changes})
        return self.model_copy(update={"shots": tuple(shots)})


# --- models --------------------------------------------------------------------------------------


class ModelKind(StrEnum):
    VIDEO = "video"
    KEYFRAME = "keyframe"
    STORYBOARD = "storyboard"


class IntRange(Frozen):
    """A closed range of integers."""

    minimum: int
    maximum: int

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.minimum > self.maximum:
            raise ValueError(f"minimum {self.minimum} is above maximum {self.maximum}")
        return self

    def __contains__(self, value: int) -> bool:
        return self.minimum <= value <= self.maximum

    def clamp(self, value: int) -> int:
        return max(self.minimum, min(self.maximum, value))

    def __str__(self) -> str:
        return f"{self.minimum} to {self.maximum}"


class SamplingSettings(Frozen):
    """How a diffusion video model samples and decodes; a manifest holds its authors' recommendation."""

    num_inference_steps: int = Field(ge=1, le=200)
    motion_bucket_id: int = Field(ge=1, le=255)
    """More is more motion."""
    noise_aug_strength: float = Field(ge=0, le=10)
    """Noise on the first frame: more is more motion, further from the image."""
    min_guidance_scale: float = Field(ge=0, le=30)
    """Of the first frame; it rises linearly to `max_guidance_scale` at the last."""
    max_guidance_scale: float = Field(ge=0, le=30)
    conditioning_fps: int = Field(ge=1, le=30)
    """Frames a second that the model is told, apart from the speed of playback."""
    decode_chunk_size: int = Field(ge=1, le=64)
    """Frames decoded together: fewer take less memory, and a seam may show where two chunks meet."""

    @model_validator(mode="after")
    def _guidance_rises(self) -> Self:
        if self.min_guidance_scale > self.max_guidance_scale:
            raise ValueError(
                f"min_guidance_scale {self.min_guidance_scale} is above "
                f"max_guidance_scale {self.max_guidance_scale}"
            )
        return self


class ModelCapabilities(Frozen):
    """What a video model can be asked for. A request outside of it is refused before any work."""

    width: IntRange
    height: IntRange
    size_multiple: int = Field(ge=1)
    num_frames: IntRange
    fps: IntRange
    default_width: int
    default_height: int
    default_num_frames: int | None = None
    """Frames of a clip whatever the shot's duration; None: as many as the duration asks for."""
    default_fps: int
    takes_text: bool = False
    takes_camera: bool = False
    takes_first_frame: bool = True
    needs_first_frame: bool = False
    takes_last_frame: bool = False
    takes_video: bool = False
    takes_seed: bool = True
    draws_captions: bool = False
    stores_latents: bool = False
    """Sampling and decoding are two steps with an artifact between them."""
    sampling: SamplingSettings | None = None
    """None where steps, motion bucket and noise mean nothing to the model."""
    remote: bool = False
    needs_cuda: bool = False
    cost_usd_per_clip: float | None = None


class ModelFile(Frozen):
    """One file of a model: its path inside the repository, and what it must be."""

    path: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]*$")]
    bytes: int | None = Field(default=None, ge=0)
    """None where no size is published; the file is then held to what the hub gives for the revision."""
    sha256: Sha256 | None = None
    """None where no digest is published; the file is then held to the one that the hub gives."""

    @field_validator("path")
    @classmethod
    def _inside(cls, value: str) -> str:
        if ".." in value.split("/"):
            raise ValueError(f"{value!r} leaves the repository")
        return value


_PackageName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
_SAFE_REPO = r"^[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*$"
_SAFE_REVISION = r"^[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*$"
_SAFE_ADAPTER = r"^localvid\.(pipelines|llm)(\.[a-z_][a-z0-9_]*)+:[A-Z][A-Za-z0-9]*$"


class ModelManifest(Frozen):
    """One model: where it comes from, what it is licensed under, what runs it and what it can do."""

    id: Annotated[str, StringConstraints(pattern=r"^[a-z]+:[a-z0-9][a-z0-9.-]*$")]
    kind: ModelKind
    title: str
    adapter: Annotated[str, StringConstraints(pattern=_SAFE_ADAPTER)]
    """`module:Class`, inside localvid only: a manifest is data and must not name foreign code."""
    requires: tuple[_PackageName, ...] = ()
    """Importable packages that the adapter needs, checked without importing them."""
    repo: Annotated[str, StringConstraints(pattern=_SAFE_REPO)] | None = None
    """Repository on the Hugging Face hub; None for models that need no weights."""
    revision: Annotated[str, StringConstraints(pattern=_SAFE_REVISION)] | None = None
    """Commit of the repository, or the version of what is embedded: part of every step's key.

    A branch is allowed; what it stood for when the weights were pulled is what counts.
    """
    package: _PackageName | None = None
    """Python package that carries the weights, in place of a repository."""
    files: tuple[ModelFile, ...] = ()
    licence: str
    licence_url: str = ""
    licence_notes: str = ""
    gated: bool = False
    """The hub asks for a token of an account that accepted the licence."""
    capabilities: ModelCapabilities | None = None
    vram_gib: float | None = Field(default=None, gt=0)
    """GPU memory that it needs at its default size; None where that is not known."""
    settings: dict[str, int | float | str | bool] = {}
    """Defaults of keyframe and storyboard models: steps, guidance, context length, chat format."""
    notes: str = ""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.kind is ModelKind.VIDEO and self.capabilities is None:
            raise ValueError("a video model needs [capabilities]")
        if self.repo and not self.revision:
            raise ValueError("a repository needs a pinned revision")
        if self.repo and not self.files:
            raise ValueError("a repository needs [[files]]")
        if self.package and len(self.files) != 1:
            raise ValueError("a package needs exactly one of [[files]]: its weights")
        return self

    @property
    def total_bytes(self) -> int:
        """Size of all files together; those of unknown size count as nothing."""
        return sum(file.bytes or 0 for file in self.files)


class ModelInfo(Frozen):
    """A manifest and whether it runs on this machine now; if not, why and what to do."""

    manifest: ModelManifest
    available: bool
    reason: str = ""
    """Why it does not run; of an available model, why it may not (too little GPU memory)."""
    remedy: str = ""
    source: Path | None = None
    """Resolved snapshot directory or weights file; None where nothing is needed or nothing is here."""


# --- making clips and keyframes ------------------------------------------------------------------


class Caption(Frozen):
    """What the animatic burns into a frame: "2/3", the shot's words, an arrow for the camera move."""

    shot_number: int = Field(ge=1)
    num_shots: int = Field(ge=1)


class VideoRequest(Frozen):
    """One clip. `first_frame` already has the clip's size; `output` is an mp4 that does not exist yet."""

    model_id: str
    description: str
    style: str = ""
    camera: Camera = Camera.STATIC
    energy: float = Field(default=0.5, ge=0, le=1)
    width: int = Field(gt=0)
    height: int = Field(gt=0)
    num_frames: int = Field(gt=0)
    fps: int = Field(gt=0)
    """Frames a second of playback."""
    seed: Seed
    first_frame: Path | None = None
    sampling: SamplingSettings | None = None
    latents: Path | None = None
    """Latents that `VideoModel.sample` wrote for this request; None: sample now."""
    caption: Caption | None = None
    output: Path


class KeyframeRequest(Frozen):
    """One still picture, from words or from the user's own image."""

    model_id: str
    description: str
    style: str = ""
    reference_image: Path | None = None
    width: int = Field(gt=0)
    height: int = Field(gt=0)
    seed: Seed
    num_inference_steps: int | None = Field(default=None, ge=1, le=200)
    """None: the model's own recommendation."""
    output: Path


class VideoInfo(Frozen):
    """What a video file says of itself, read from the file."""

    path: Path
    container: str
    codec: str
    width: int
    height: int
    num_frames: int
    fps: float
    duration_seconds: float
    bytes: int
    pixel_format: str
    color_space: str = ""
    constant_frame_rate: bool = True
    faststart: bool = False


class VideoGenerationResult(Frozen):
    """A clip that exists, is whole, and was described by reading the file back."""

    model_id: str
    seed: int
    video: VideoInfo
    seconds: float
    """Wall-clock time of the generation."""


# --- jobs ----------------------------------------------------------------------------------------


class JobStatus(StrEnum):
    PENDING = "pending"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"


class FilmOptions(Frozen):
    """What the user asked for beside the words. None means: the model's own default."""

    model: str = "auto"
    keyframe_model: str = "auto"
    llm: str = "auto"
    max_shots: int = Field(default=3, ge=1, le=MAX_WRITTEN_SHOTS)
    reference_image: Path | None = None
    width: int | None = Field(default=None, gt=0)
    height: int | None = Field(default=None, gt=0)
    num_frames: int | None = Field(default=None, gt=0)
    fps: int | None = Field(default=None, gt=0)
    num_inference_steps: int | None = Field(default=None, ge=1, le=200)
    motion_bucket_id: int | None = Field(default=None, ge=1, le=255)
    noise_aug_strength: float | None = Field(default=None, ge=0, le=10)
    decode_chunk_size: int | None = Field(default=None, ge=1, le=64)
    transition: Transition | None = None
    """Between all shots, in place of what the storyboard says."""
    captions: bool = False
    metadata: bool = True
    """The film carries how it was made."""
    output: Path | None = None
    """None: `films/<job id>.mp4` in the workspace."""


class VideoJob(Frozen):
    """A film in the making, as its row says: the truth about it, whatever process reads it."""

    id: str
    status: JobStatus
    prompt: str
    options: FilmOptions
    seed: Seed
    storyboard: Storyboard | None = None
    output_video_path: Path | None = None
    error: str = ""
    hint: str = ""
    created_at: datetime
    updated_at: datetime
    steps_done: int = 0
    steps_total: int = 0
    """0 until the storyboard is written."""


class ModelUse(Frozen):
    """A model that took part in a film, for the film's own record."""

    role: ModelKind
    id: str
    title: str = ""
    revision: str = ""
    licence: str = ""


class FilmRecord(Frozen):
    """How a film was made, as the film itself carries it: enough to make it again, and no secret.

    Paths of reference images are reduced to file names.
    """

    localvid: str
    """Version of localvid."""
    prompt: str
    storyboard: Storyboard
    """With every seed filled in."""
    options: FilmOptions
    models: tuple[ModelUse, ...]


# --- progress ------------------------------------------------------------------------------------


class Stage(StrEnum):
    """The stages of a film, in the order in which they run."""

    STORYBOARD = "storyboard"
    KEYFRAMES = "keyframes"
    CLIPS = "clips"
    JOIN = "join"


class Progress(Frozen):
    """One report of progress; the only kind there is.

    A model reports `step` of `num_steps` and a `message`; the orchestrator adds the stage and the shot.
    """

    step: int = Field(ge=0)
    num_steps: int = Field(ge=0)
    """0: not known, only that work goes on."""
    message: str = ""
    stage: Stage | None = None
    shot: int | None = None
    """From 1."""
    num_shots: int | None = None
    cached: bool = False
    """The step's artifact was there already, nothing ran."""
    overall: float = Field(default=0.0, ge=0, le=1)
    """Share of the whole film that is done, by a rough measure of time."""

    @property
    def fraction(self) -> float:
        """0 to 1 within the current step; 0 where the number of steps is not known."""
        return min(1.0, self.step / self.num_steps) if self.num_steps else 0.0


OnProgress = Callable[[Progress], None]
"""Called often, on the thread that works. Raising from it stops the work at that point: this is how a
job is cancelled, so whoever calls it must leave nothing half-done behind."""


def ignore_progress(_progress: Progress) -> None:
    """An `OnProgress` for callers that do not listen."""


_DROPPED_CATEGORIES = frozenset({"Cc", "Cs", "Co", "Cn"})
_BIDI_CONTROLS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")


def clean_prompt(text: str) -> str:
    """The prompt with control characters removed and white space folded, in any script.

    Joiners (U+200C, U+200D) stay: Persian, the scripts of India and emoji are spelled with them.
    """
    kept = (
        " " if char.isspace() else char
        for char in text
        if char.isspace()
        or (unicodedata.category(char) not in _DROPPED_CATEGORIES and char not in _BIDI_CONTROLS)
    )
    return re.sub(r" +", " ", "".join(kept)).strip()


def explain(error: Any) -> str:
    """A pydantic ValidationError as one line: `shots.0.energy: Input should be ≤ 1; …`, three at most."""
    errors = error.errors(include_url=False, include_input=False)
    parts = []
    for item in errors[:3]:
        place = ".".join(str(part) for part in item["loc"])
        message = item["msg"].removeprefix("Value error, ")
        if item["type"] == "extra_forbidden":
            message = "unknown key"
        parts.append(f"{place}: {message}" if place else message)
    more = f" (and {len(errors) - 3} more)" if len(errors) > 3 else ""
    return "; ".join(parts) + more
