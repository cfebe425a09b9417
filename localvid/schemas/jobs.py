"""A film in the making, and what the film itself says of how it was made."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from pathlib import Path

from pydantic import Field

from localvid.schemas.base import MAX_FILM_SECONDS, MAX_WRITTEN_SHOTS, Frozen, Seed
from localvid.schemas.models import ModelKind
from localvid.schemas.storyboard import Storyboard, Transition


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
    duration_seconds: float | None = Field(default=None, gt=0, le=MAX_FILM_SECONDS, allow_inf_nan=False)
    """Of the whole film; None: as long as its shots."""
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
    allow_remote: bool = False
    """The user's leave to send this film's first frames to a host, and to pay for its clips."""
    max_cost_usd: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """Most that the job may spend on hosts; None: the settings' limit."""
    fallback: str | None = None
    """A remote model for the shots that cannot run here, or failed here."""
    output: Path | None = None
    """None: `films/<job id>.mp4` in the workspace."""


class NewJob(Frozen):
    """A film that is settled, models and seeds too, and not recorded yet."""

    prompt: str
    options: FilmOptions
    seed: Seed
    storyboard: Storyboard | None


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
    notices: tuple[str, ...] = ()
    """What its models said of their work, one sentence each: that memory ran out, and what was then done."""
    created_at: datetime
    updated_at: datetime
    steps_done: int = 0
    steps_total: int = 0
    """0 until the storyboard is written."""
    cost_usd: float = 0.0
    """Spent on hosts, and set aside for what runs there; estimates where a host has not said."""


class ModelUse(Frozen):
    """A model that took part in a film, for the film's own record."""

    role: ModelKind
    id: str
    title: str = ""
    revision: str = ""
    licence: str = ""
    shots: tuple[int, ...] = ()
    """Which shots (from 1) it made, where two video models shared a film; empty: all."""


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
    notices: tuple[str, ...] = ()
    """As the job's, until the film was joined."""
