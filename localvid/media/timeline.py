"""The arithmetic of a join: which frames of which shots make each frame of the film. Pure: no file, no codec.

Frames are counted from 0, in the film and in each shot. How many of them a transition touches on each side
is said by `Transition.side_frames`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from localvid.errors import InvalidRequestError
from localvid.schemas import Transition, TransitionKind

FULL = 256
"""The weight of a frame that is shown alone."""


@dataclass(frozen=True)
class Part:
    """A share in a frame of the film: frame `frame` of shot `shot`, `weight` of 256."""

    shot: int
    frame: int
    weight: int


@dataclass(frozen=True)
class Placed:
    """A shot on the timeline: its frames `head` to `length - tail` are shown as they are."""

    start: int
    """The film's frame on which the shot's frame 0 falls."""
    length: int
    head: int = 0
    tail: int = 0
    head_overlaps: bool = False
    """The head lies over the tail of the shot before; else it comes out of black."""
    tail_overlaps: bool = False

    @property
    def stop(self) -> int:
        return self.start + self.length

    def weight(self, frame: int) -> int:
        """Of frame `frame` of this shot, in 256ths.

        A crossfade of n frames runs 1/(n+1) … n/(n+1). A fade through black ends on a black frame and
        begins on one.
        """
        if frame < self.head:
            share = Fraction(frame + 1, self.head + 1) if self.head_overlaps else Fraction(frame, self.head)
        elif frame >= self.length - self.tail:
            left = self.length - frame  # tail … 1
            share = Fraction(left, self.tail + 1) if self.tail_overlaps else Fraction(left - 1, self.tail)
        else:
            return FULL
        return round(FULL * share)


@dataclass(frozen=True)
class Stretch:
    """Frames `start` to `stop` of the film. With a shot: they are that shot's own, shown as they are."""

    start: int
    stop: int
    shot: int | None = None


@dataclass(frozen=True)
class Timeline:
    """Where every shot lies in the film."""

    shots: tuple[Placed, ...]

    @property
    def num_frames(self) -> int:
        return self.shots[-1].stop

    def parts(self, frame: int, candidates: Sequence[int]) -> list[Part]:
        """What makes frame `frame` of the film, of the shots in `candidates`; what lacks to 256 is black."""
        found = []
        for shot in candidates:
            placed = self.shots[shot]
            if placed.start <= frame < placed.stop:
                found.append(Part(shot, frame - placed.start, placed.weight(frame - placed.start)))
        if len(found) == 2:  # the two of a crossfade make one whole, whatever the rounding
            found[0] = Part(found[0].shot, found[0].frame, FULL - found[1].weight)
        return found


def lay_out(lengths: Sequence[int], transitions: Sequence[Transition], fps: Fraction) -> Timeline:
    """Place shots of `lengths` frames one after another.

    Raises InvalidRequestError if the transitions around a shot need more frames than it has.
    """
    cut = Transition()
    around = [cut, *transitions, cut]
    placed: list[Placed] = []
    position = 0
    for shot, length in enumerate(lengths):
        before, after = around[shot], around[shot + 1]
        head, tail = before.side_frames(fps), after.side_frames(fps)
        _check_room(shot, length, head, tail, fps)
        position -= before.overlap_frames(fps)
        placed.append(
            Placed(
                start=position,
                length=length,
                head=head,
                tail=tail,
                head_overlaps=before.kind is TransitionKind.CROSSFADE,
                tail_overlaps=after.kind is TransitionKind.CROSSFADE,
            )
        )
        position += length
    return Timeline(tuple(placed))


def stretches(timeline: Timeline, groups: Sequence[Sequence[tuple[int, int]]]) -> list[Stretch]:
    """Divide the film into what is copied and what is encoded anew.

    `groups` holds, for each shot, its groups of pictures that can be copied, as (first frame, frame after
    the last). A group is copied if all its frames are shown as they are; neighbouring stretches of one kind
    are merged.
    """
    found: list[Stretch] = []
    position = 0
    for shot, placed in enumerate(timeline.shots):
        for start, stop in groups[shot]:
            if start < placed.head or stop > placed.length - placed.tail:
                continue
            if position < placed.start + start:
                found.append(Stretch(position, placed.start + start))
            position = placed.start + stop
            if found and found[-1].shot == shot and found[-1].stop == placed.start + start:
                found[-1] = Stretch(found[-1].start, position, shot)
            else:
                found.append(Stretch(placed.start + start, position, shot))
    if position < timeline.num_frames:
        found.append(Stretch(position, timeline.num_frames))
    return found


def _check_room(shot: int, length: int, head: int, tail: int, fps: Fraction) -> None:
    if head + tail <= length:
        return
    longest = float(length / fps) / (2 if head and tail else 1)
    raise InvalidRequestError(
        f"shot {shot + 1} has {length} frames ({float(length / fps):.2f} s), "
        f"its transitions need {head + tail}",
        hint=f"make that shot longer, or its transitions at most {longest:.2f} s each",
    )
