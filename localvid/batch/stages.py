"""Which stage of a film comes next, with the model that it needs and how much work it is."""

from __future__ import annotations

from localvid.orchestrator import VideoOrchestrator
from localvid.planning import FilmPlan
from localvid.schemas import NewJob, Stage, VideoJob, VideoRequest
from localvid.store import Next

_MILLION = 1e6


def first_stage(orchestrator: VideoOrchestrator, job: NewJob) -> Next:
    """What a new job begins with."""
    if job.storyboard is None:
        return Next(Stage.STORYBOARD, job.options.llm, 1.0)
    return next_stage(orchestrator, job, Stage.STORYBOARD)


def next_stage(orchestrator: VideoOrchestrator, job: VideoJob | NewJob, done: Stage) -> Next:
    """What follows a stage that is done and is not the last; a stage with nothing to do is left out."""
    assert job.storyboard is not None  # written in the first stage
    plan = orchestrator.plan(job.storyboard, job.options, prompt=job.prompt)
    if done is Stage.STORYBOARD and (count := painted(plan)):
        return Next(Stage.KEYFRAMES, job.options.keyframe_model, count)
    if done in (Stage.STORYBOARD, Stage.KEYFRAMES):
        return Next(Stage.CLIPS, job.options.model, clip_units(plan))
    return Next(Stage.JOIN, "", float(len(plan.shots)))


def stage_again(orchestrator: VideoOrchestrator, job: VideoJob, stage: Stage) -> Next:
    """Keyframes or clips that were made and are gone."""
    before = Stage.STORYBOARD if stage is Stage.KEYFRAMES else Stage.KEYFRAMES
    return next_stage(orchestrator, job, before)


def painted(plan: FilmPlan) -> float:
    """How many keyframes are painted, or fitted from an image of the user's."""
    return float(sum(shot.keyframe_request is not None for shot in plan.shots))


def clip_units(plan: FilmPlan) -> float:
    """Millions of pixels in its clips; where a model samples, times its steps."""
    return sum(
        pixels_of(shot.clip_request)
        / _MILLION
        * (shot.clip_request.sampling.num_inference_steps if shot.clip_request.sampling else 1)
        for shot in plan.shots
    )


def pixels_of(request: VideoRequest) -> int:
    """Of all frames of a clip."""
    return request.width * request.height * request.num_frames
