"""What a check found, mended where that is safe: nothing that is whole is lost, and no film is touched.

Each finding is looked at again first: a job may have begun since it was found.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, select

from localvid.files import as_workspace_error
from localvid.store.artifacts import ArtifactFiles
from localvid.store.checked_rows import forget_references
from localvid.store.database import Database
from localvid.store.records import Fault, Finding
from localvid.store.steps import forget_artifact
from localvid.store.tables import artifacts, job_steps, jobs, steps
from localvid.store.upkeep import Upkeep, left_beside_films
from localvid.store.wholeness import look_at


class Mending:
    """Mends the findings of one open workspace."""

    def __init__(self, database: Database, files: ArtifactFiles, upkeep: Upkeep, *, films: Path) -> None:
        self._database = database
        self._files = files
        self._upkeep = upkeep
        self._films = films

    def mend(self, finding: Finding) -> Finding:
        """As `Store.mend`."""
        if not finding.mendable:
            return finding
        if finding.fault in (Fault.MISSING, Fault.DAMAGED):
            return self._forget(finding)
        mended = ""
        if finding.fault is Fault.REFERENCE:
            mended = self._drop_rows(finding.subject)
        elif finding.fault is Fault.ORPHAN:
            mended = self._remove_orphan(finding.subject)
        elif finding.fault is Fault.LEASE:
            mended = self._lease_was_settled(finding.subject)
        elif finding.fault is Fault.TEMPORARY and finding.path is not None:
            mended = self._remove_temporary(finding.path)
        elif finding.fault is Fault.DATABASE:
            mended = "the database was set right when the workspace was opened"
        return finding.model_copy(update={"mended": mended})

    def _forget(self, finding: Finding) -> Finding:
        """A step whose artifact is broken counts as not made from now on."""
        address = finding.subject
        with self._database.read() as connection:
            size = _size(connection, address)
        path = self._files.path(address)
        blemish = None if size is None else look_at(path, size=size, sha256=address[:64])
        if blemish is None:
            return finding.model_copy(update={"mended": "it was mended meanwhile"})
        with self._database.write() as connection:
            if (job_id := _at_work(connection, address)) is not None:
                wait = f"job {job_id} is being worked on; `localvid fsck --repair` again when it has ended"
                return finding.model_copy(update={"remedy": wait})
            forget_artifact(connection, address)
        if blemish.fault is not Fault.MISSING:
            self._upkeep.remove_files({address: size or 0})
        return finding.model_copy(update={"mended": "forgotten: it is made again when a job needs it"})

    def _drop_rows(self, name: str) -> str:
        with self._database.write() as connection:
            num_artifacts = forget_references(connection, name)
        if num_artifacts:
            self._upkeep.remove_files({name: 0})
        return "the row is removed"

    def _remove_orphan(self, address: str) -> str:
        removed = self._upkeep.remove_files({address: 0})
        return "removed" if removed.count else "a job has made it again meanwhile"

    def _lease_was_settled(self, job_id: str) -> str:
        """Opening the workspace has done it; another process may have taken the job since then."""
        with self._database.read() as connection:
            status = connection.execute(select(jobs.c.status).where(jobs.c.id == job_id)).scalar()
        return f"the job is {status}" if status else "the job was deleted"

    def _remove_temporary(self, path: Path) -> str:
        """Opening the workspace has swept the folders of dead processes."""
        if path in left_beside_films(self._films, abandoned=True):
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                raise as_workspace_error(error, path) from error
        return "" if path.exists() else "removed"


def _size(connection: Connection, address: str) -> int | None:
    return connection.execute(select(artifacts.c.bytes).where(artifacts.c.address == address)).scalar()


def _at_work(connection: Connection, address: str) -> str | None:
    """A job under lease that refers to the artifact."""
    query = (
        select(jobs.c.id)
        .join(job_steps, job_steps.c.job_id == jobs.c.id)
        .join(steps, steps.c.key == job_steps.c.key)
        .where(steps.c.address == address, jobs.c.lease_owner.is_not(None))
    )
    return connection.execute(query).scalar()
