"""What a model is asked for, and what it gave."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from localvid.schemas.base import Frozen, Seed
from localvid.schemas.crops import CropPath
from localvid.schemas.models import SamplingSettings
from localvid.schemas.storyboard import Camera, CameraSpeed


class Caption(Frozen):
    """What the animatic burns into a frame: "2/3", the shot's words, an arrow for the camera move."""

    shot_number: int = Field(ge=1)
    num_shots: int = Field(ge=1)


class HandOver(Frozen):
    """That the next shot goes on from this clip: its sharpest late frame opens that shot."""

    num_late_frames: int = Field(ge=1)
    """The last frames of the clip as it is made, among which the sharpest is looked for."""
    output: Path
    """A PNG that does not exist yet: that frame as it was before it was encoded."""


class VideoRequest(Frozen):
    """One clip. `first_frame` already has the clip's size; `output` is an mp4 that does not exist yet."""

    model_id: str
    description: str
    style: str = ""
    setting: str = ""
    """Where and when the film plays, for a model that `reads_setting`; `style` says it too, where the
    description does not."""
    camera: Camera = Camera.STATIC
    camera_speed: CameraSpeed = CameraSpeed.NORMAL
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
    crop_path: CropPath | None = None
    """How the camera move is made over frames, or a first frame, that do not hold it. None: not at all."""
    hand_over: HandOver | None = None
    """If given, the clip ends with the frame before the one that is handed over."""
    output: Path

    @property
    def least_frames(self) -> int:
        """Fewest frames that the finished clip has; `num_frames` are made."""
        return self.num_frames - (self.hand_over.num_late_frames if self.hand_over else 0)

    @property
    def most_frames(self) -> int:
        return self.num_frames - (1 if self.hand_over else 0)


class KeyframeRequest(Frozen):
    """One still picture, from words or from the user's own image."""

    model_id: str
    description: str
    style: str = ""
    setting: str = ""
    """As of `VideoRequest`."""
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
    notices: tuple[str, ...] = ()
    """What was done otherwise than asked for, or is to be known of the clip, one sentence each: that memory
    ran out, and what was then made smaller."""
