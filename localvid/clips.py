"""One clip from an open model to the store: made, looked at, and published with what the next shot needs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from localvid.errors import GenerationFailedError
from localvid.media.check import check_clip
from localvid.pipelines.base import VideoModel
from localvid.planning import ShotPlan, Step
from localvid.schemas import OnProgress, VideoRequest
from localvid.store import JobLease, Store


def make_clip(
    model: VideoModel,
    shots: Sequence[ShotPlan],
    index: int,
    request: VideoRequest,
    *,
    store: Store,
    lease: JobLease,
    on_progress: OnProgress,
    on_notice: Callable[[str], None],
) -> Step | None:
    """Make the clip, and publish before it what the next shot goes on from: where the clip is found, that is
    there too. Returns the keyframe that was handed over, if one was."""
    partial = new_file(store, ".mp4")
    request = request.model_copy(update={"output": partial})
    if request.hand_over is not None:
        picture = request.hand_over.model_copy(update={"output": new_file(store, ".png")})
        request = request.model_copy(update={"hand_over": picture})
    model.generate(request, on_progress)
    _look_at(partial, shots[index], lease.job.id, on_notice)
    handed_over = None
    if request.hand_over is not None and (keyframe := shots[index + 1].keyframe) is not None:
        lease.publish(keyframe.key, keyframe.kind.value, request.hand_over.output)
        handed_over = keyframe
    lease.publish(shots[index].clip.key, shots[index].clip.kind.value, partial)
    return handed_over


def is_due(store: Store, shots: Sequence[ShotPlan], index: int) -> bool:
    """Whether the clip must be made: it is missing, or the next shot must be and lacks its picture."""
    if store.find(shots[index].clip.key) is None:
        return True
    if shots[index].clip_request.hand_over is None:
        return False
    keyframe = shots[index + 1].keyframe
    return keyframe is not None and store.find(keyframe.key) is None and is_due(store, shots, index + 1)


def artifact(store: Store, step: Step, job_id: str) -> Path:
    """The step's file. Raises GenerationFailedError if it is gone."""
    path = store.find(step.key)
    if path is None:
        raise GenerationFailedError(
            f"the artifact of «{step.label}» is gone", hint=f"localvid resume {job_id}"
        )
    return path


def new_file(store: Store, suffix: str) -> Path:
    """A temporary name, where the disk has room. Raises DiskFullError."""
    store.check_space()
    return store.temporary(suffix)


def _look_at(clip: Path, shot: ShotPlan, job_id: str, on_notice: Callable[[str], None]) -> None:
    """A valid mp4 is not success: a clip that shows nothing fails, a frozen one is reported."""
    drawn = shot.clip_request.sampling is None
    finding = check_clip(clip, key_frames_only=drawn)
    if finding is None:
        return
    if drawn:
        still = shot.shot.energy == 0 and shot.shot.camera == "static"
        if not (finding.kind == "frozen" and still):
            on_notice(f"shot {shot.index + 1}: {finding.detail}")
        return
    if finding.kind == "frozen":
        return  # the model has looked closer, at frames that were not yet encoded, and has said so
    raise GenerationFailedError(
        f"shot {shot.index + 1} shows nothing: {finding.detail}",
        hint=f"try another seed: localvid redo {job_id} --shot {shot.index + 1}",
    )
