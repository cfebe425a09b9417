"""A film's plan: every step that makes it, with requests, seeds and keys. Nothing here reads or writes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from localvid.errors import CapabilityError, InvalidRequestError
from localvid.planning.capabilities import check_request
from localvid.planning.continuity import continuing_shots
from localvid.planning.motion import SAMPLING_OPTIONS
from localvid.planning.notes import cost_notes, film_notes
from localvid.planning.record import film_record, record_parameters
from localvid.planning.shots import ShotPlan, capabilities_of, plan_shot
from localvid.planning.steps import Step, StepKind, step_key
from localvid.planning.transitions import planned_transitions
from localvid.schemas import FilmOptions, FilmRecord, Frozen, ModelManifest, Storyboard, Transition


class FilmPlan(Frozen):
    """Every step of a film, and what the user should be told before it is made."""

    width: int
    height: int
    fps: int
    shots: tuple[ShotPlan, ...]
    transitions: tuple[Transition, ...]
    """Between the shots: one fewer than shots."""
    film: Step
    container: str
    """The film's file ending: ".mp4", ".webm", ".gif"."""
    record: FilmRecord | None
    sent: frozenset[int] = frozenset()
    """Shots (from 0) that the fallback makes."""
    cost_usd: float = 0.0
    """Of all clips that a host makes, by its price: what is made already costs nothing again."""
    notes: tuple[str, ...] = ()

    def steps(self) -> Iterator[Step]:
        """All steps in an order in which they can run."""
        for shot in self.shots:
            yield from (step for step in (shot.keyframe, shot.latents, shot.clip) if step is not None)
        yield self.film

    def step_rows(self) -> list[tuple[str, str, str]]:
        """All steps as (key, kind, label), as a job's plan is recorded."""
        return [(step.key, step.kind.value, step.label) for step in self.steps()]


def plan_film(
    storyboard: Storyboard,
    options: FilmOptions,
    *,
    prompt: str,
    video: ModelManifest,
    painter: ModelManifest | None,
    writer: ModelManifest | None,
    image_digests: Mapping[Path, str],
    version: str,
    fallback: ModelManifest | None = None,
    sent: frozenset[int] = frozenset(),
) -> FilmPlan:
    """Plan a film from a storyboard whose seeds are assigned.

    `painter` makes keyframes from words; None where the video model needs none. `writer` wrote the
    storyboard; None for a person. `image_digests` gives the SHA-256 of every reference image that the
    storyboard or the options name. Shots in `sent` (from 0) are made by `fallback` in place of `video`, in
    the same size, speed and number of frames.

    Raises CapabilityError where the model cannot do what is asked, InvalidRequestError where two options
    contradict each other, InvalidStoryboardError where transitions do not fit into their shots.
    """
    capabilities = capabilities_of(video)
    _refuse_unheeded(options, video)
    continuing = continuing_shots(storyboard)
    shots: list[ShotPlan] = []
    for index, continues in enumerate(continuing):
        shots.append(
            plan_shot(
                index,
                storyboard,
                options,
                video=video,
                instead=fallback if index in sent else None,
                painter=painter,
                image_digests=image_digests,
                previous_clip=shots[-1].clip if continues else None,
                hands_over=any(continuing[index + 1 : index + 2]),
            )
        )
        maker = fallback if fallback is not None and index in sent else video
        check_request(shots[-1].clip_request, capabilities_of(maker))
    requests = [shot.clip_request for shot in shots]
    first = requests[0]
    container = options.output.suffix.lower() if options.output else ".mp4"
    transitions = planned_transitions(
        storyboard, options, [request.least_frames for request in requests], fps=first.fps
    )
    record = (
        film_record(
            storyboard,
            options,
            prompt=prompt,
            models=(writer, painter),
            videos=_videos(len(shots), video, fallback, sent),
            version=version,
        )
        if options.metadata
        else None
    )
    prices = [(video, len(shots) - len(sent))] if video.is_remote else []
    prices += [(fallback, len(sent))] if fallback is not None and sent else []
    return FilmPlan(
        width=first.width,
        height=first.height,
        fps=first.fps,
        shots=tuple(shots),
        transitions=transitions,
        film=_film_step(shots, transitions, container, record),
        container=container,
        record=record,
        sent=sent,
        cost_usd=sum(count * model.price.usd_per_clip for model, count in prices if model.price is not None),
        notes=(
            *film_notes(storyboard, requests, transitions, capabilities, options),
            *cost_notes(prices, requests),
        ),
    )


def _videos(
    num_shots: int, video: ModelManifest, fallback: ModelManifest | None, sent: frozenset[int]
) -> list[tuple[ModelManifest, tuple[int, ...]]]:
    """The models that make clips, with the numbers of their shots where there are two."""
    if fallback is None or not sent:
        return [(video, ())]
    if len(sent) == num_shots:
        return [(fallback, ())]
    kept = tuple(index + 1 for index in range(num_shots) if index not in sent)
    return [(video, kept), (fallback, tuple(index + 1 for index in sorted(sent)))]


def _refuse_unheeded(options: FilmOptions, video: ModelManifest) -> None:
    """An option that the model would ignore is an error: nothing is dropped in silence."""
    capabilities = capabilities_of(video)
    unheeded = [name for name in SAMPLING_OPTIONS if getattr(options, name) is not None]
    if unheeded and capabilities.sampling is None:
        flags = ", ".join("--" + name.replace("_", "-") for name in unheeded)
        raise CapabilityError(
            f"{video.id} has no sampling: it cannot heed {flags}",
            hint="leave it out, or choose a diffusion model with --model",
        )
    if options.duration_seconds is not None and options.num_frames is not None:
        raise InvalidRequestError(
            "the film's length and the frames of every shot are both given",
            hint="leave out --num-frames or --duration",
        )


def _film_step(
    shots: list[ShotPlan],
    transitions: tuple[Transition, ...],
    container: str,
    record: FilmRecord | None,
) -> Step:
    parameters = {
        "transitions": [transition.model_dump(mode="json") for transition in transitions],
        "container": container,
        "record": record_parameters(record) if record else None,
    }
    key = step_key(StepKind.FILM, parameters, inputs=tuple(shot.clip.key for shot in shots))
    return Step(kind=StepKind.FILM, key=key, label="joining the film")
