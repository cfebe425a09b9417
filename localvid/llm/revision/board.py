"""A storyboard on its way to the next: shots that know where they come from, and what is still to be written.

Frozen values and pure functions. What an operation does not name it leaves as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Self

from pydantic import ValidationError

from localvid.errors import InvalidRequestError
from localvid.llm.scenes import Size
from localvid.schemas import MAX_STORYBOARD_SHOTS, Frozen, Revision, Shot, Storyboard, explain


class EditedShot(Frozen):
    """`shot` is None until a new shot has been written. `scene` is what is to be written anew: the words that
    the instruction gives it; "" where the description stands."""

    shot: Shot | None
    origin: int | None
    scene: str = ""
    size: Size | None = None

    @property
    def description(self) -> str:
        """The words that stand, or that are wanted."""
        return self.scene or (self.shot.description if self.shot else "")


class EditedBoard(Frozen):
    """The storyboard before (`film` holds what all shots share), and its shots as they now are."""

    before: Storyboard
    film: Storyboard
    shots: tuple[EditedShot, ...]
    film_seconds: float | None = None
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, storyboard: Storyboard) -> Self:
        shots = tuple(EditedShot(shot=shot, origin=origin) for origin, shot in enumerate(storyboard.shots))
        return cls(before=storyboard, film=storyboard, shots=shots)

    def with_film(self, **changes: object) -> Self:
        """With fields that all shots share replaced."""
        return self.model_copy(update={"film": self.film.model_copy(update=changes)})

    def with_notes(self, *notes: str) -> Self:
        return self.model_copy(update={"notes": tuple(dict.fromkeys((*self.notes, *notes)))})

    def with_order(self, shots: Sequence[EditedShot]) -> Self:
        """With these shots in this order. Raises InvalidRequestError for none, or too many."""
        if not shots:
            raise InvalidRequestError("no shot would be left", hint="a storyboard has at least one shot")
        if len(shots) > MAX_STORYBOARD_SHOTS:
            raise InvalidRequestError(
                f"{len(shots)} shots are more than a storyboard holds",
                hint=f"the most are {MAX_STORYBOARD_SHOTS}; drop some first",
            )
        return self.model_copy(update={"shots": tuple(shots)})

    def with_each(self, origins: Sequence[int], change: Callable[[Shot], Shot]) -> Self:
        """With the shots that had these places (from 0) changed; those that are gone stay gone."""
        return self.model_copy(
            update={
                "shots": tuple(
                    each.model_copy(update={"shot": change(each.shot)})
                    if each.shot is not None and each.origin in origins
                    else each
                    for each in self.shots
                )
            }
        )

    def place_of(self, origin: int) -> int | None:
        """Where the shot that had this place (from 0) now is."""
        return next((place for place, each in enumerate(self.shots) if each.origin == origin), None)

    def differs_from(self, other: EditedBoard) -> bool:
        """Whether anything but the notes does."""
        return (self.film, self.shots, self.film_seconds) != (other.film, other.shots, other.film_seconds)

    def is_written(self, place: int) -> bool:
        """Whether there is a shot at this place, and it has words that stand."""
        return (
            0 <= place < len(self.shots)
            and self.shots[place].shot is not None
            and not self.shots[place].scene
        )

    @property
    def unwritten(self) -> tuple[int, ...]:
        """Places of shots whose words are still to be written."""
        return tuple(place for place, each in enumerate(self.shots) if each.scene)

    def finished(self, *, writer: str = "") -> Revision:
        """The revision; `writer` is the model that wrote words of it.

        Shots that went on from one that is no longer before them begin anew, and it is said. Raises
        InvalidRequestError where it would be no storyboard.
        """
        notes = list(self.notes)
        shots: list[Shot] = []
        for place, each in enumerate(self.shots):
            assert each.shot is not None, "an unwritten shot"
            shot, origin = each.shot, each.origin
            if shot.continue_from_previous and origin is not None:
                before = self.shots[place - 1] if place else None
                if before is None or before.origin != origin - 1:
                    shot = shot.model_copy(update={"continue_from_previous": False})
                    notes.append(f"shot {place + 1} begins anew: the shot it went on from is not before it")
                elif before.shot != self.before.shots[origin - 1] and shot == self.before.shots[origin]:
                    notes.append(f"shot {place + 1} goes on from shot {place}, so it is made anew with it")
            if (
                shot.reference_image is not None
                and origin is not None
                and shot.description != self.before.shots[origin].description
            ):
                notes.append(f"shot {place + 1} keeps its reference image, whatever its words now say")
            shots.append(shot)
        changes = {"written_by": _written_by(self.before.written_by, writer)} if writer else {}
        try:
            board = Storyboard.model_validate(
                {
                    **self.film.model_dump(exclude_unset=True),
                    **changes,
                    "shots": [shot if shot in self.before.shots else _validated(shot) for shot in shots],
                }
            )
        except ValidationError as error:
            raise InvalidRequestError(
                f"the change does not fit into a storyboard: {explain(error)}",
                hint="docs/storyboard.md says what it holds",
            ) from error
        return Revision(
            storyboard=board,
            origins=tuple(each.origin for each in self.shots),
            film_seconds=self.film_seconds,
            notes=tuple(dict.fromkeys(notes)),
        )


def _validated(shot: Shot) -> Shot:
    """The shot, checked: copies that operations make are not. What was not given stays so."""
    return Shot.model_validate(shot.model_dump(exclude_unset=True))


def _written_by(before: str, writer: str) -> str:
    """ "llm:a, edited by llm:b"; a person's storyboard says so first."""
    if writer in re.split(r"[,;]\s*(?:edited by\s+)?", before):
        return before
    return f"{before or 'a person'}, edited by {writer}"[:200]
