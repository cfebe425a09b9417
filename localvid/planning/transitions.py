"""Whether transitions fit into their shots, and what they take away from the film."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from localvid.errors import InvalidStoryboardError
from localvid.schemas import FilmOptions, Storyboard, Transition, TransitionKind


def film_seconds(storyboard: Storyboard) -> float:
    """How long the film is by what its shots say: a crossfade is shown once, and never for longer than the
    shorter of its two shots. A model with a number of frames of its own makes another length of it."""
    shots = storyboard.shots
    overlaps = (
        min(shot.transition.duration_seconds, shot.duration_seconds, following.duration_seconds)
        for shot, following in itertools.pairwise(shots)
        if shot.transition.kind is TransitionKind.CROSSFADE
    )
    return sum(shot.duration_seconds for shot in shots) - sum(overlaps)


def planned_transitions(
    storyboard: Storyboard,
    options: FilmOptions,
    num_frames: Sequence[int],
    *,
    fps: int,
    given: Sequence[Transition] | None = None,
) -> tuple[Transition, ...]:
    """Between the shots; what a person asks for must fit, what a model wrote is made to fit.

    `given` stands in for what storyboard and options ask for. Raises as `check_transitions`.
    """
    wanted = tuple(options.transition or shot.transition for shot in storyboard.shots[:-1])
    wanted = wanted if given is None else tuple(given)
    if storyboard.written_by and options.transition is None:
        return fit_transitions(wanted, num_frames, fps=fps)
    check_transitions(wanted, num_frames, fps=fps)
    return wanted


def check_transitions(transitions: Sequence[Transition], num_frames: Sequence[int], *, fps: int) -> None:
    """Raise InvalidStoryboardError for the first shot that is shorter than what its transitions touch.

    `num_frames` has each shot's frames, one more than there are transitions.
    """
    sides = [0, *(transition.side_frames(fps) for transition in transitions), 0]
    for index, frames in enumerate(num_frames):
        needed = sides[index] + sides[index + 1]
        if needed > frames:
            raise InvalidStoryboardError(
                f"shot {index + 1} has {frames} frames and its transitions need {needed}",
                hint=f"make the shot longer or the transition shorter: {_that_fit(num_frames, fps=fps)}",
            )


def _that_fit(num_frames: Sequence[int], *, fps: int) -> str:
    """Transitions that these shots have room for, as one asks for them."""
    ends = (0, len(num_frames) - 1)
    room = min(frames if at in ends else frames // 2 for at, frames in enumerate(num_frames))
    seconds = 100 * room // fps / 100
    return f"--transition cut, or crossfade:{seconds:g}" if seconds > 0 else "--transition cut"


def fit_transitions(
    transitions: Sequence[Transition], num_frames: Sequence[int], *, fps: int
) -> tuple[Transition, ...]:
    """The transitions, none touching more than half of either shot; a cut where there is no frame to give.

    For storyboards that a model wrote without knowing how many frames a shot would get.
    """
    return tuple(
        _fitted(transition, room=min(before, after) // 2, fps=fps)
        for transition, before, after in zip(transitions, num_frames, num_frames[1:], strict=False)
    )


def _fitted(transition: Transition, *, room: int, fps: int) -> Transition:
    if transition.side_frames(fps) <= room:
        return transition
    if room == 0:
        return Transition(kind=TransitionKind.CUT)
    both_sides = 2 if transition.kind is TransitionKind.FADE_BLACK else 1
    return transition.model_copy(update={"duration_seconds": both_sides * room / fps})
