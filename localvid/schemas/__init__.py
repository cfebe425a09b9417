"""What crosses module borders: storyboards, models, requests, results, jobs, progress.

Every type here is a frozen pydantic model that forbids unknown keys, or a tuple where it is never read from
outside. Paths cross borders; tensors never do.
Nothing here knows a model, a file format or a database.
"""

from localvid.schemas.base import (
    MAX_FILM_SECONDS,
    MAX_PROMPT_CHARACTERS,
    MAX_SEED,
    MAX_STORYBOARD_SHOTS,
    MAX_WRITTEN_SHOTS,
    Frozen,
    Seed,
    Sha256,
)
from localvid.schemas.batches import Activity, BatchEntry, BatchSummary, EntryState, StageTime
from localvid.schemas.crops import CropPath, Window, eased
from localvid.schemas.jobs import FilmOptions, FilmRecord, JobStatus, ModelUse, NewJob, VideoJob
from localvid.schemas.memory import IN_THIS_PROCESS, PeakMemory
from localvid.schemas.models import (
    IntRange,
    ModelCapabilities,
    ModelFile,
    ModelInfo,
    ModelKind,
    ModelManifest,
    Obstacle,
    Price,
    SamplingSettings,
    is_served,
    usd,
)
from localvid.schemas.paid import OPEN_CALLS, CallState, ClipOrder, PaidCall
from localvid.schemas.progress import OnProgress, Progress, Stage, ignore_progress
from localvid.schemas.requests import (
    Caption,
    HandOver,
    KeyframeRequest,
    VideoGenerationResult,
    VideoInfo,
    VideoRequest,
)
from localvid.schemas.storyboard import (
    Camera,
    CameraSpeed,
    Revision,
    Shot,
    Storyboard,
    Transition,
    TransitionKind,
)
from localvid.schemas.text import (
    SENTENCE_MARKS,
    Place,
    clean_prompt,
    dotted,
    explain,
    reasons,
    says_something,
    seconds_of,
    sentence_ends,
    sentences,
)

__all__ = [
    "IN_THIS_PROCESS",
    "MAX_FILM_SECONDS",
    "MAX_PROMPT_CHARACTERS",
    "MAX_SEED",
    "MAX_STORYBOARD_SHOTS",
    "MAX_WRITTEN_SHOTS",
    "OPEN_CALLS",
    "SENTENCE_MARKS",
    "Activity",
    "BatchEntry",
    "BatchSummary",
    "CallState",
    "Camera",
    "CameraSpeed",
    "Caption",
    "ClipOrder",
    "CropPath",
    "EntryState",
    "FilmOptions",
    "FilmRecord",
    "Frozen",
    "HandOver",
    "IntRange",
    "JobStatus",
    "KeyframeRequest",
    "ModelCapabilities",
    "ModelFile",
    "ModelInfo",
    "ModelKind",
    "ModelManifest",
    "ModelUse",
    "NewJob",
    "Obstacle",
    "OnProgress",
    "PaidCall",
    "PeakMemory",
    "Place",
    "Price",
    "Progress",
    "Revision",
    "SamplingSettings",
    "Seed",
    "Sha256",
    "Shot",
    "Stage",
    "StageTime",
    "Storyboard",
    "Transition",
    "TransitionKind",
    "VideoGenerationResult",
    "VideoInfo",
    "VideoJob",
    "VideoRequest",
    "Window",
    "clean_prompt",
    "dotted",
    "eased",
    "explain",
    "ignore_progress",
    "is_served",
    "reasons",
    "says_something",
    "seconds_of",
    "sentence_ends",
    "sentences",
    "usd",
]
