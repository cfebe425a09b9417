"""The steps of one film in the store: found and used again, or published when they are made."""

from __future__ import annotations

from pathlib import Path

from localvid.errors import GenerationFailedError
from localvid.planning import Step
from localvid.reporting import FilmProgress
from localvid.store import JobLease, Store


class FilmSteps:
    """What one run of one job does with its steps; each that is there is reported as done."""

    def __init__(self, store: Store, lease: JobLease, bar: FilmProgress) -> None:
        self._store = store
        self._lease = lease
        self._bar = bar

    def reuse(self, step: Step) -> bool:
        """Whether the step's artifact is there; it is then counted for this job."""
        if self._store.find(step.key) is None:
            return False
        self._lease.reuse(step.key)
        self._bar.done(cached=True)
        return True

    def publish(self, step: Step, partial: Path) -> None:
        self._lease.publish(step.key, step.kind.value, partial)
        self._bar.done()

    def artifact(self, step: Step) -> Path:
        """Raises as the function `artifact`."""
        return artifact(self._store, step, self._lease.job.id)


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
