"""What the store tells about itself: amounts, usage, what a clean-up freed, a job's steps, what is amiss."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

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
    over_quota_bytes: int = 0
    """What the workspace holds beyond the quota all the same: all that is left must stay."""
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


REPAIR = "`localvid fsck --repair`"


class Severity(StrEnum):
    NOTE = "note"
    """Nothing is wrong with the workspace."""
    WARNING = "warning"
    """Nothing is lost; something is left over, or waits for the user."""
    ERROR = "error"
    """Something is lost or damaged."""


class Fault(StrEnum):
    """What can be found to be wrong with a workspace."""

    DATABASE = "database"
    """The file itself: damaged, of another version, in a journal mode that it must not have."""
    ROW = "row"
    """It cannot be read."""
    REFERENCE = "reference"
    """A row that names another that is not there, or that nothing names."""
    LEASE = "lease"
    """A job that is running by its row, and that nobody works on."""
    MISSING = "missing"
    """An artifact whose file is not there."""
    DAMAGED = "damaged"
    """An artifact whose file has another size or other bytes."""
    UNREADABLE = "unreadable"
    """A file that the disk or its permissions do not let be read."""
    ORPHAN = "orphan"
    """An artifact that no row knows."""
    FOREIGN = "foreign"
    """Something under `artifacts/` that localvid did not put there."""
    TEMPORARY = "temporary"
    """Half-written files of a process that died."""
    FILM = "film"
    """A finished film that is no longer where it was."""
    IMAGE = "image"
    """A user's image that a job names, gone or damaged."""
    PAID_CALL = "paid_call"
    """A clip that may be paid for, and waits for the user."""


class Finding(Frozen):
    """One thing that is not as it should be, and what to do about it."""

    fault: Fault
    severity: Severity
    subject: str
    """The job's id, the artifact's address, the owner, or the row: "job_steps of 20261122-7f3kc09q"."""
    path: Path | None = None
    detail: str
    remedy: str
    mendable: bool = False
    """Whether `Store.mend` may mend it."""
    mended: str = ""
    """What `Store.mend` did."""


class Checked(Frozen):
    """What a check looked at, and what it found."""

    workspace: Path
    jobs: int
    artifacts: Amount
    read_data: bool
    """Whether every byte was read and compared with its sha256."""
    findings: tuple[Finding, ...]

    @property
    def healthy(self) -> bool:
        """Whether nothing is left to be done: notes do not count, nor what was mended."""
        return all(finding.mended or finding.severity is Severity.NOTE for finding in self.findings)
