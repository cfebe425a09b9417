"""How long a film gets: how many frames its shots have, and what is done where its length was asked for."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from localvid.planning.continuity import NUM_LATE_FRAMES, continuing_shots, num_late_frames
from localvid.planning.transitions import planned_transitions
from localvid.schemas import (
    MAX_WRITTEN_SHOTS,
    FilmOptions,
    IntRange,
    ModelCapabilities,
    Shot,
    Storyboard,
    Transition,
    TransitionKind,
)

_USUAL_SHOT_SECONDS = Fraction(str(Shot.model_fields["duration_seconds"].get_default()))
_LEAST_SHOT_SECONDS, _MOST_SHOT_SECONDS = Fraction(1, 4), 60
"""Of `Shot.duration_seconds`."""
_LONGEST_USUAL_OVERLAP = Transition(kind=TransitionKind.CROSSFADE)
"""What a writer may put between any two shots, for all that is known before it has written."""
_DECIMALS = 4
"""Of seconds in a storyboard: far less than a frame, and a number that a person can read."""


def film_fps(options: FilmOptions, capabilities: ModelCapabilities) -> int:
    return options.fps or capabilities.default_fps


def num_frames_of(
    shot: Shot, options: FilmOptions, capabilities: ModelCapabilities, *, hands_over: bool
) -> int:
    """Frames that the model makes for a shot: one more than are shown where it hands the last one over.

    A model with a number of its own keeps to it unless a length of the film is asked for, and one that
    samples to the number that the user gives: the frame that it hands over is then one of these.
    """
    handed = 1 if hands_over else 0
    if options.num_frames is not None:
        frames = options.num_frames
    elif capabilities.default_num_frames is not None and options.duration_seconds is None:
        frames = capabilities.default_num_frames
    else:
        wanted = frames_of(shot.duration_seconds, film_fps(options, capabilities))
        return capabilities.num_frames.clamp(wanted + handed)
    if capabilities.sampling is not None:
        return frames
    return max(frames, min(frames + handed, capabilities.num_frames.maximum))


def frames_of(seconds: float, fps: int) -> int:
    """The number of frames nearest to a time, at least one."""
    return max(1, round(seconds * fps))


def fit_durations(
    storyboard: Storyboard, options: FilmOptions, capabilities: ModelCapabilities
) -> Storyboard:
    """The storyboard with durations that make the film as long as `options.duration_seconds` asks.

    All shots are made longer or shorter by one factor, as far as the model's limits let them; what
    transitions take away is added, so that the film is exact to a frame wherever these limits leave room.
    Else it is as near as they let it. Transitions that a model wrote are shortened where they do not fit into
    the shots. Without a length asked for it is the same storyboard.

    Raises InvalidStoryboardError for transitions of a person's that do not fit into their shots.
    """
    if options.duration_seconds is None:
        return storyboard
    fps = film_fps(options, capabilities)
    frames, transitions = _fitted(storyboard, options, capabilities, fps=fps)
    shots = [
        shot.model_copy(update={"duration_seconds": round(count / fps, _DECIMALS)})
        for shot, count in zip(storyboard.shots, frames, strict=True)
    ]
    if options.transition is None:
        for index, transition in enumerate(transitions):
            shots[index] = shots[index].model_copy(update={"transition": transition})
    return storyboard.model_copy(update={"shots": tuple(shots)})


def num_shots_for(options: FilmOptions, capabilities: ModelCapabilities) -> int:
    """How many shots a writer is asked for, so that a film of `options.duration_seconds` can be made of them.

    Shots of the usual length, and more if the model's longest would not do. A writer that is given a number
    of shots by the user is not asked for another, nor for more than `MAX_WRITTEN_SHOTS`.
    """
    if options.duration_seconds is None or "max_shots" in options.model_fields_set:
        return options.max_shots
    fps = film_fps(options, capabilities)
    wanted = wanted_frames(options.duration_seconds, fps)
    longest = _limits(capabilities, fps, hands_over=False).maximum
    overlap = min((options.transition or _LONGEST_USUAL_OVERLAP).overlap_frames(fps), longest // 2)
    usual = round(Fraction(wanted, fps) / _USUAL_SHOT_SECONDS)
    needed = -(-(wanted - overlap) // (longest - overlap))
    return max(1, min(MAX_WRITTEN_SHOTS, max(usual, needed)))


def wanted_frames(duration_seconds: float, fps: int) -> int:
    return max(1, round(Fraction(duration_seconds) * fps))


def shared(total: int, weights: Sequence[float], limits: Sequence[IntRange]) -> list[int]:
    """Whole numbers within their limits, in proportion to the weights as far as these let them be, whose sum
    is `total` wherever the limits leave room, and else the nearest.

    `weights` are positive. The factor is found by bisection; what rounding leaves goes to the largest
    remainders, the first of equal ones.
    """
    total = max(sum(each.minimum for each in limits), min(total, sum(each.maximum for each in limits)))

    def scaled(factor: float) -> list[float]:
        return [
            min(max(factor * weight, each.minimum), each.maximum)
            for weight, each in zip(weights, limits, strict=True)
        ]

    low, high = 0.0, max(each.maximum / weight for weight, each in zip(weights, limits, strict=True))
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if sum(scaled(middle)) < total else (low, middle)
    exact = scaled(high)
    counts = [int(value) for value in exact]
    by_remainder = sorted(range(len(exact)), key=lambda index: (counts[index] - exact[index], index))
    while (missing := total - sum(counts)) > 0:
        room = [index for index in by_remainder if counts[index] < limits[index].maximum]
        for index in room[:missing]:
            counts[index] += 1
    return counts


def _fitted(
    storyboard: Storyboard, options: FilmOptions, capabilities: ModelCapabilities, *, fps: int
) -> tuple[list[int], tuple[Transition, ...]]:
    """Shown frames of every shot, and the transitions. Those that are made to fit short shots take less away
    from the film, which then needs shorter shots again; they only ever get shorter, so this ends."""
    assert options.duration_seconds is not None
    wanted = wanted_frames(options.duration_seconds, fps)
    weights = [shot.duration_seconds for shot in storyboard.shots]
    transitions = tuple(options.transition or shot.transition for shot in storyboard.shots[:-1])
    while True:
        limits = _all_limits(storyboard, transitions, options, capabilities, fps=fps)
        overlaps = sum(transition.overlap_frames(fps) for transition in transitions)
        frames = shared(wanted + overlaps, weights, limits)
        sure = [
            count + 1 - num_late_frames(capabilities, count + 1) if hands_over else count
            for count, hands_over in zip(frames, _handing_over(storyboard), strict=True)
        ]
        fitted = planned_transitions(storyboard, options, sure, fps=fps, given=transitions)
        if fitted == transitions:
            return frames, transitions
        transitions = fitted


def _all_limits(
    storyboard: Storyboard,
    transitions: Sequence[Transition],
    options: FilmOptions,
    capabilities: ModelCapabilities,
    *,
    fps: int,
) -> list[IntRange]:
    """Of shown frames, for each shot. Transitions that a person asks for keep the frames that they touch."""
    handing_over = _handing_over(storyboard)
    limits = [_limits(capabilities, fps, hands_over=hands_over) for hands_over in handing_over]
    if storyboard.written_by and options.transition is None:
        return limits
    sides = [0, *(transition.side_frames(fps) for transition in transitions), 0]
    spare = [
        NUM_LATE_FRAMES - 1 if capabilities.sampling and hands_over else 0 for hands_over in handing_over
    ]
    return [
        IntRange(minimum=each.clamp(sides[index] + sides[index + 1] + spare[index]), maximum=each.maximum)
        for index, each in enumerate(limits)
    ]


def _handing_over(storyboard: Storyboard) -> tuple[bool, ...]:
    """For each shot, whether the next goes on from it."""
    return (*continuing_shots(storyboard)[1:], False)


def _limits(capabilities: ModelCapabilities, fps: int, *, hands_over: bool) -> IntRange:
    """Of shown frames: the model's, and those of a shot's duration."""
    least = -(-_LEAST_SHOT_SECONDS.numerator * fps // _LEAST_SHOT_SECONDS.denominator)
    handed = 1 if hands_over else 0
    most = max(1, min(capabilities.num_frames.maximum - handed, _MOST_SHOT_SECONDS * fps))
    return IntRange(minimum=min(most, max(capabilities.num_frames.minimum - handed, least)), maximum=most)
