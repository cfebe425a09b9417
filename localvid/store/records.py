"""What the store tells about itself: amounts, usage, what a clean-up freed, a job's steps."""

from __future__ import annotations

from localvid.schemas import Frozen


class Amount(Frozen):
    """A number of files and their bytes."""

    count: int = 0
    bytes: int = 0

    def __add__(self, other: Amount) -> Amount:
        return Amount(count=self.count + other.count, bytes=self.bytes + other.bytes)


class Usage(Frozen):
    """What a workspace holds."""

    jobs: int
    artifacts: dict[str, Amount]
    """By the kind of step that made them: "keyframe", "latents", "clip", "film"."""
    films: Amount
    """In `films/`, where they are the user's."""
    images: Amount
    """The user's images that jobs name."""
    temporary: Amount
    database: Amount
    reclaimable_bytes: int
    """What `Store.clean()` would free."""

    @property
    def total_bytes(self) -> int:
        parts = (self.films, self.images, self.temporary, self.database, *self.artifacts.values())
        return sum(part.bytes for part in parts)


class Cleaned(Frozen):
    """What a clean-up removed, or would remove if it was a dry run."""

    artifacts: Amount
    temporary: Amount
    dry_run: bool

    @property
    def total_bytes(self) -> int:
        return self.artifacts.bytes + self.temporary.bytes


class JobStep(Frozen):
    """One step of a job's plan."""

    key: str
    kind: str
    label: str
    done: bool
