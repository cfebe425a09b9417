"""One clip from an open model to the store: begun, looked at, and published with what the next shot needs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from localvid.errors import GenerationFailedError
from localvid.film_steps import new_file
from localvid.media.check import check_clip
from localvid.pipelines.base import BegunClip, VideoModel
from localvid.planning import ShotPlan, Step
from localvid.schemas import OnProgress, VideoRequest, ignore_progress
from localvid.store import JobLease, Store


class ClipInHand:
    """A clip of which all frames are made; ended by `publish` or `close`."""

    def __init__(
        self, begun: BegunClip, request: VideoRequest, shots: Sequence[ShotPlan], index: int
    ) -> None:
        self.shot = shots[index]
        self._begun = begun
        self._request = request
        self._following = shots[index + 1] if index + 1 < len(shots) else None

    def is_written(self) -> bool:
        """Whether `publish` would not wait for the encoder; cheap, and maybe late."""
        return self._begun.is_written()

    def wait(self, on_progress: OnProgress) -> None:
        """Return when it is written. Raises what writing it raises, and whatever `on_progress` raises."""
        self._begun.wait(on_progress)

    def publish(self, lease: JobLease) -> Step | None:
        """Look at it and publish it, and before it what the next shot goes on from, which is returned: where
        the clip is found, that is there too. After `wait` also from another thread.

        Raises GenerationFailedError for a clip that shows nothing, and as `VideoModel.generate` and
        `JobLease.publish` do.
        """
        self._begun.result()
        _look_at(self._request.output, self.shot, lease.job.id)
        handed_over = None
        if self._request.hand_over is not None and self._following is not None:
            handed_over = self._following.keyframe
        if handed_over is not None and self._request.hand_over is not None:
            lease.publish(handed_over.key, handed_over.kind.value, self._request.hand_over.output)
        lease.publish(self.shot.clip.key, self.shot.clip.kind.value, self._request.output)
        return handed_over

    def close(self) -> None:
        """Give up what is not published; idempotent."""
        self._begun.close()
        self._request.output.unlink(missing_ok=True)
        if self._request.hand_over is not None:
            self._request.hand_over.output.unlink(missing_ok=True)


def begin_clip(
    model: VideoModel,
    shots: Sequence[ShotPlan],
    index: int,
    request: VideoRequest,
    *,
    store: Store,
    on_progress: OnProgress,
) -> ClipInHand:
    """Have the model make the frames. Raises as `VideoModel.begin` does, and DiskFullError."""
    request = request.model_copy(update={"output": new_file(store, ".mp4")})
    if request.hand_over is not None:
        picture = request.hand_over.model_copy(update={"output": new_file(store, ".png")})
        request = request.model_copy(update={"hand_over": picture})
    return ClipInHand(model.begin(request, on_progress), request, shots, index)


def make_clip(
    model: VideoModel,
    shots: Sequence[ShotPlan],
    index: int,
    request: VideoRequest,
    *,
    store: Store,
    lease: JobLease,
    on_progress: OnProgress = ignore_progress,
) -> None:
    """The clip from its frames to the store. Raises as `begin_clip` and `ClipInHand.publish` do."""
    hand = begin_clip(model, shots, index, request, store=store, on_progress=on_progress)
    try:
        hand.wait(on_progress)
        hand.publish(lease)
    finally:
        hand.close()


def is_due(store: Store, shots: Sequence[ShotPlan], index: int) -> bool:
    """Whether the clip must be made: it is missing, or the next shot must be and lacks its picture."""
    if store.find(shots[index].clip.key) is None:
        return True
    if shots[index].clip_request.hand_over is None:
        return False
    keyframe = shots[index + 1].keyframe
    return keyframe is not None and store.find(keyframe.key) is None and is_due(store, shots, index + 1)


def _look_at(clip: Path, shot: ShotPlan, job_id: str) -> None:
    """A valid mp4 is not success: a clip that shows nothing fails.

    One that stands still the model has told, and of what is drawn also the rest: it has looked closer, at
    frames that were not yet encoded.
    """
    if shot.clip_request.sampling is None:
        return
    finding = check_clip(clip)
    if finding is not None and finding.kind != "frozen":
        raise GenerationFailedError(
            f"shot {shot.index + 1} shows nothing: {finding.detail}",
            hint=f"try another seed: localvid redo {job_id} --shot {shot.index + 1}",
        )
