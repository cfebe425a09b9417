"""Models: their manifests, what they can do, whether they run here."""

from __future__ import annotations

import re
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal, NamedTuple, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from localvid.schemas.base import Frozen, Sha256


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
    decode_chunk_size: int | None = Field(default=None, ge=1, le=64)
    """Frames decoded together; None: all of them, as the decoder is defined. With fewer a seam may show where
    two chunks meet."""

    @model_validator(mode="after")
    def _guidance_rises(self) -> Self:
        if self.min_guidance_scale > self.max_guidance_scale:
            raise ValueError(
                f"min_guidance_scale {self.min_guidance_scale} is above "
                f"max_guidance_scale {self.max_guidance_scale}"
            )
        return self


FixedSampling = Literal["num_inference_steps", "min_guidance_scale", "max_guidance_scale"]


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
    takes_crop_path: bool = False
    """A camera move can be made by a crop: over its frames, or over a first frame that is shown as it is."""
    draws_captions: bool = False
    stores_latents: bool = False
    """Sampling and decoding are two steps with an artifact between them."""
    sampling: SamplingSettings | None = None
    """None where steps, motion bucket and noise mean nothing to the model."""
    fixed_sampling: tuple[FixedSampling, ...] = ()
    """What of `sampling` cannot be asked for otherwise."""
    needs_cuda: bool = False
    remote: bool = False
    """It runs on another's machines: nothing is sent there without the user's leave, and it costs money."""


class Price(Frozen):
    """What a clip costs on a host, as far as it is known."""

    usd_per_clip: float = Field(ge=0, allow_inf_nan=False)
    """What is set aside for a clip before it is sent."""
    usd_per_second: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """Of the host's own time, where it bills by time and says how long a clip took."""
    is_estimate: bool
    read_on: date
    """When `source` was read."""
    source: str
    is_own: bool = False
    """The user's own figure, which was read nowhere."""

    def __str__(self) -> str:
        if self.is_own:
            return f"{usd(self.usd_per_clip)} a clip, as {self.source} has it"
        kind = "estimated" if self.is_estimate else "as published"
        return f"{usd(self.usd_per_clip)} a clip, {kind} from what was read on {self.read_on}"

    def cost_usd(self, seconds: float | None) -> float:
        """Of a clip on which the host worked for so many seconds; None: it does not say."""
        if seconds is None or self.usd_per_second is None:
            return self.usd_per_clip
        return seconds * self.usd_per_second


def usd(amount: float) -> str:
    """An amount of money as people read it: "$1.20", and "$0.067" where cents would hide it."""
    return f"${amount:.3f}" if 0 < amount < 0.1 else f"${amount:.2f}"


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
_LOCAL_ID = r"[a-z]+:[a-z0-9][a-z0-9.-]*"
_SERVED_ID = r"(?:openai|anthropic):[A-Za-z0-9._/@~+:-]{1,150}"
_SAFE_ADAPTER = r"^localvid\.(pipelines|llm)(\.[a-z_][a-z0-9_]*)+:[A-Z][A-Za-z0-9]*$"


def is_served(model_id: str) -> bool:
    """Whether it names a model on a server, "openai:MODEL": it has no manifest of its own."""
    return re.fullmatch(_SERVED_ID, model_id) is not None


class ModelManifest(Frozen):
    """One model: where it comes from, what it is licensed under, what runs it and what it can do."""

    id: Annotated[str, StringConstraints(pattern=rf"^(?:{_LOCAL_ID}|{_SERVED_ID})$")]
    """A model on a server is called after its provider and as the server calls it, whatever its case:
    "openai:Qwen/Qwen3-4B-Instruct-2507"."""
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
    about_bytes: int | None = Field(default=None, gt=0)
    """Of all files together, where the sizes of some are not published."""
    licence: str
    licence_url: str = ""
    licence_notes: str = ""
    gated: bool = False
    """The hub asks for a token of an account that accepted the licence."""
    capabilities: ModelCapabilities | None = None
    reads_setting: bool = False
    """It is told the film's setting by itself, too: it draws by rules, which find a place better alone."""
    vram_gib: float | None = Field(default=None, gt=0)
    """GPU memory that it needs at its default size; None where that is not known."""
    price: Price | None = None
    """Of a clip, for models that run on a host."""
    settings: dict[str, int | float | str | bool] = Field(default_factory=dict)
    """Defaults of keyframe and storyboard models: steps, guidance, context length, chat format; of a model on
    a server its address. Part of every step's key."""
    notes: str = ""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.kind is ModelKind.VIDEO and self.capabilities is None:
            raise ValueError("a video model needs [capabilities]")
        if self.is_remote and (self.price is None or not self.revision):
            raise ValueError("a remote model needs [price], so that a limit can hold, and a revision")
        if self.repo and not self.revision:
            raise ValueError("a repository needs a pinned revision")
        if self.repo and not self.files:
            raise ValueError("a repository needs [[files]]")
        if self.package and len(self.files) != 1:
            raise ValueError("a package needs exactly one of [[files]]: its weights")
        return self

    @property
    def is_remote(self) -> bool:
        return self.capabilities is not None and self.capabilities.remote

    @property
    def host(self) -> str:
        """Of a remote model, who runs it: "replicate"."""
        return self.id.partition(":")[0]

    @property
    def total_bytes(self) -> int:
        """Size of all files together, as far as it is known; 0 where nothing is."""
        return max(self.about_bytes or 0, sum(file.bytes or 0 for file in self.files))


class Obstacle(NamedTuple):
    """One reason why a model does not run, and what removes it."""

    reason: str
    remedy: str


class ModelInfo(Frozen):
    """A manifest and whether it runs on this machine now; if not, why and what to do."""

    manifest: ModelManifest
    available: bool
    reason: str = ""
    """Why it does not run; of an available model, why it may not (too little GPU memory)."""
    remedy: str = ""
    source: Path | None = None
    """Resolved snapshot directory or weights file; None where nothing is needed or nothing is here."""
