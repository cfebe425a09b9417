"""The workspace, opened: jobs and their rows, artifacts and their files, leases, upkeep.

```
<workspace>/localvid.sqlite3   rows
            artifacts/ab/ab…   what finished steps made, under its sha256
            films/             finished films, the user's
            images/            copies of the user's images that jobs name
            tmp/<owner>/       what is being written, one folder for each process
            ballast            1 MiB, given up to record a failure when the disk is full
```
"""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from secrets import token_hex
from types import TracebackType
from typing import Self

from sqlalchemy import Connection

from localvid.errors import InvalidRequestError, JobBusyError, WorkspaceError
from localvid.files import as_workspace_error, beside, digest, writing
from localvid.schemas import (
    Activity,
    BatchSummary,
    FilmOptions,
    JobStatus,
    PaidCall,
    Stage,
    Storyboard,
    VideoJob,
)
from localvid.store import activities, owners, paid, stage_times
from localvid.store import batches as batch_rows
from localvid.store import jobs as job_rows
from localvid.store.artifacts import ArtifactFiles
from localvid.store.batch_films import BatchRows
from localvid.store.batches import NewEntry, Next
from localvid.store.database import Database
from localvid.store.filesystems import refuse_network, type_of
from localvid.store.lease import JobLease
from localvid.store.mending import Mending
from localvid.store.migrations import migrate
from localvid.store.places import ARTIFACTS, DATABASE, FILMS, IMAGES, TEMPORARIES
from localvid.store.records import Cleaned, Finding, JobStep, Usage
from localvid.store.space import Space
from localvid.store.stage_times import StageRate
from localvid.store.steps import artifact_of, forget_artifact
from localvid.store.upkeep import Upkeep


class Store:
    """One workspace, open. Any number of processes may have it open at once; safe to use from threads.

    Opening makes the folder where there is none, brings the tables up to date, and removes the temporaries
    of processes that died. Raises WorkspaceError where the folder or the rows cannot be used.
    """

    def __init__(self, workspace: Path, *, min_free_bytes: int = 0) -> None:
        self.workspace = workspace.absolute()
        self.films = self.workspace / FILMS
        self._images = self.workspace / IMAGES
        self._temporaries = self.workspace / TEMPORARIES
        filesystem = type_of(self.workspace)
        refuse_network(self.workspace, filesystem)
        self._files = ArtifactFiles(self.workspace / ARTIFACTS)
        self._space = Space(self.workspace, min_free_bytes=min_free_bytes)
        self._owner = owners.Owner(self._temporaries)
        self._leased: set[str] = set()
        self._mutex = threading.Lock()
        _make_folders(self.workspace, self._files.root, self.films, self._images, self._temporaries)
        self._database = Database(self.workspace / DATABASE, filesystem=filesystem)
        self._upkeep = Upkeep(
            self._database,
            self._files,
            films=self.films,
            images=self._images,
            temporaries=self._temporaries,
        )
        try:
            self._space.spend(lambda: migrate(self._database))
            self.settle_orphans()
            owners.sweep(self._temporaries)
            self._space.set_ballast()
        except BaseException:
            self.close()
            raise

    @property
    def owner(self) -> str:
        """The name under which this store holds leases: host, process id and chance."""
        return self._owner.name

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Remove this store's temporaries and let go of the database; leases are given back before."""
        self._owner.close()
        self._database.close()

    # --- jobs ------------------------------------------------------------------------------------

    def create_job(
        self, *, prompt: str, options: FilmOptions, seed: int, storyboard: Storyboard | None = None
    ) -> VideoJob:
        """Record a pending job. Ids such as `20261122-7f3kc09q` sort by age and are safe in file names."""
        with self._database.write() as connection:
            job_id = job_rows.add(
                connection, prompt=prompt, options=options, seed=seed, storyboard=storyboard
            )
            row = job_rows.row_of(connection, job_id)
            return job_rows.read(connection, row, self.workspace)

    def get_job(self, job_id: str) -> VideoJob:
        """The job of that id, of an id that begins so, or of an id whose last part begins so.

        Raises JobNotFoundError if there is none or more than one.
        """
        self.settle_orphans()
        with self._database.read() as connection:
            row = job_rows.row_of(connection, job_id)
            return job_rows.read(connection, row, self.workspace)

    def list_jobs(
        self, *, limit: int = 50, offset: int = 0, status: JobStatus | None = None
    ) -> list[VideoJob]:
        """Jobs, newest first. A job that this version cannot read is listed with the reason as its error."""
        self.settle_orphans()
        with self._database.read() as connection:
            rows = job_rows.page(connection, limit=limit, offset=offset, status=status)
            return job_rows.read_page(connection, rows, self.workspace)

    def steps_of(self, job_id: str) -> list[JobStep]:
        """The steps of the job's plan, in order; empty until the storyboard is written."""
        with self._database.read() as connection:
            return job_rows.steps_of(connection, job_rows.resolve(connection, job_id))

    def calls_of(self, job_id: str) -> list[PaidCall]:
        """What the job asked of hosts, the oldest first."""
        with self._database.read() as connection:
            return paid.calls_of(connection, job_rows.resolve(connection, job_id))

    def has_open_call(self, step_key: str) -> bool:
        """Whether a host may be making this step, or have made it."""
        with self._database.read() as connection:
            return paid.has_open_call(connection, step_key)

    def month_usd(self) -> float:
        """What all jobs, deleted ones too, have spent and set aside in this month."""
        with self._database.read() as connection:
            return paid.month_usd(connection)

    def confirm_calls(self, job_id: str) -> int:
        """The user lets clips that may be paid for already be paid for again; how many there are."""
        with self._database.write() as connection:
            return paid.confirm(connection, job_rows.resolve(connection, job_id))

    def update_job(
        self,
        job_id: str,
        *,
        storyboard: Storyboard | None = None,
        options: FilmOptions | None = None,
        seed: int | None = None,
        notices: tuple[str, ...] | None = None,
        read_as: VideoJob | None = None,
    ) -> VideoJob:
        """Change what is not None of a job that nobody works on; it is pending then, whatever it was.

        `read_as` is the job that the change was made from. Raises JobBusyError if a live process holds the
        job, or has changed it since then.
        """
        values: dict[str, object] = {"status": JobStatus.PENDING, "error": "", "hint": ""}
        if storyboard is not None:
            values["storyboard"] = job_rows.to_json(storyboard)
        if options is not None:
            values["options"] = job_rows.to_json(options)
        if seed is not None:
            values["seed"] = seed
        if notices is not None:
            values["notices"] = json.dumps(notices, ensure_ascii=False)
        with self._database.write() as connection:
            row = job_rows.row_of(connection, job_id)
            if job_rows.is_busy(row, self._temporaries):
                raise job_rows.busy(row)
            if read_as is not None and job_rows.read(connection, row, self.workspace) != read_as:
                raise JobBusyError(
                    f"job {row.id} was changed by another process just now",
                    hint="look at it with `localvid get-job`, then try again",
                )
            job_rows.set_values(connection, row.id, **values, lease_owner=None, lease_expires_at=None)
            return job_rows.read(connection, job_rows.row_of(connection, row.id), self.workspace)

    def delete_job(self, job_id: str) -> int:
        """Remove the job, its film in `films/` and what no other job refers to; return the bytes freed.

        A film that the user had written elsewhere stays. Raises JobBusyError if a live process holds it.
        """
        return self._space.spend(lambda: self._upkeep.delete_job(job_id))

    def request_cancel(self, job_id: str) -> JobStatus:
        """Ask whoever works on the job to stop; a job that nobody works on is cancelled at once.

        Returns the status that the row has now. Raises InvalidRequestError if the job has ended.
        """
        with self._database.write() as connection:
            row = job_rows.row_of(connection, job_id)
            if row.status in (JobStatus.DONE, JobStatus.FAILED):
                raise InvalidRequestError(
                    f"job {row.id} is {row.status} already, there is nothing to cancel",
                    hint=f"remove it with: localvid delete-job {row.id}",
                )
            if job_rows.is_busy(row, self._temporaries):
                job_rows.set_values(connection, row.id, cancel_requested=True)
                return JobStatus.RUNNING
            job_rows.set_values(
                connection,
                row.id,
                status=JobStatus.CANCELLED,
                error="",
                hint=f"localvid resume {row.id}",
                lease_owner=None,
                lease_expires_at=None,
            )
            batch_rows.cancel_waiting(connection, row.id)
            return JobStatus.CANCELLED

    # --- batches ---------------------------------------------------------------------------------

    def create_batch(self, source: str, entries: Sequence[NewEntry], nexts: Sequence[Next]) -> BatchRows:
        """Record a batch, and those of its jobs that are new: all or nothing. `nexts` says what comes first
        for each."""
        with self._database.write() as connection:
            batch_id = batch_rows.add(
                connection, source=job_rows.storable(source, "the file's name"), entries=entries, nexts=nexts
            )
        return BatchRows(self._database, batch_id)

    def get_batch(self, name: str) -> BatchRows:
        """The batch of that id, the latest of the file of that path or name, or the one whose id begins so.

        Raises JobNotFoundError, also where several files are so named, or several ids begin so.
        """
        with self._database.read() as connection:
            return BatchRows(self._database, batch_rows.resolve(connection, name))

    def list_batches(self, *, limit: int = 20) -> list[BatchSummary]:
        """The newest first."""
        with self._database.read() as connection:
            return batch_rows.page(connection, limit=limit)

    def stage_rate(self, stage: Stage, model_id: str) -> StageRate | None:
        """What that stage took here lately with that model; None: it was never done."""
        with self._database.read() as connection:
            return stage_times.rate(connection, stage, model_id)

    def show_activity(self, activity: Activity) -> None:
        """Say what this process does now; whoever looks on reads it."""
        activities.show(self._owner.folder(), activity)

    def forget_activity(self) -> None:
        """This process does nothing more."""
        activities.forget(self._owner.folder())

    def activities(self) -> list[Activity]:
        """What processes do now; those that died are left out."""
        return activities.of_the_living(self._temporaries)

    # --- work ------------------------------------------------------------------------------------

    def lease(
        self,
        job_id: str,
        *,
        heartbeat_seconds: float = 10.0,
        lease_seconds: float = 60.0,
        only_if: Callable[[Connection], bool] = lambda _: True,
    ) -> JobLease:
        """Take the job for this process; it is running from now on.

        `only_if` is asked in the same transaction; where it says no, the job is left as it is and
        JobBusyError is raised.

        The lease is renewed every `heartbeat_seconds`. Another process may take the job over when the
        lease has not been renewed for `lease_seconds`, or at once when this process has died.
        Raises JobBusyError if a live process, this one included, holds the job.
        """
        self._owner.folder()  # locked before the row names this owner, or it would pass for dead
        with self._mutex, self._database.write() as connection:
            row = job_rows.row_of(connection, job_id)
            if row.id in self._leased or job_rows.is_busy(row, self._temporaries) or not only_if(connection):
                raise job_rows.busy(row)
            job_rows.set_values(
                connection,
                row.id,
                status=JobStatus.RUNNING,
                error="",
                hint="",
                lease_owner=self.owner,
                last_owner=self.owner,
                lease_expires_at=datetime.now(UTC) + timedelta(seconds=lease_seconds),
                cancel_requested=False,
            )
            job = job_rows.read(connection, job_rows.row_of(connection, row.id), self.workspace)
            self._leased.add(job.id)
        return JobLease(
            job,
            self.owner,
            database=self._database,
            files=self._files,
            space=self._space,
            workspace=self.workspace,
            temporaries=self._temporaries,
            heartbeat_seconds=heartbeat_seconds,
            lease_seconds=lease_seconds,
            on_release=lambda: self._leased.discard(job.id),
        )

    def find(self, key: str) -> Path | None:
        """The artifact of a finished step: its row and its file of the recorded size are both there.

        Where the file is gone or cut short, the step counts as not made, and its row is removed.
        """
        with self._database.read() as connection:
            made = artifact_of(connection, key)
        if made is None:
            return None
        if self._files.has(made.address, made.bytes):
            return self._files.path(made.address)
        with self._database.write() as connection:
            made = artifact_of(connection, key)
            if made is None:
                return None
            if self._files.has(made.address, made.bytes):
                return self._files.path(made.address)
            forget_artifact(connection, made.address)
        return None

    def keep_image(self, path: Path) -> Path:
        """A copy of a user's image that stays while a job names it, under the SHA-256 of its bytes.

        So a job does not depend on what becomes of the original. Raises WorkspaceError, DiskFullError.
        """
        try:
            kept = self._images / f"{digest(path)}{path.suffix.lower()}"
            if not kept.exists():
                with self.writing(kept) as partial:
                    shutil.copyfile(path, partial)
        except OSError as error:
            raise as_workspace_error(error, path) from error
        return kept

    def temporary(self, suffix: str) -> Path:
        """A new name in this process's folder of temporaries, which lies on the disk of the artifacts.

        The file is not made; what is left of it is swept when this store closes or its process dies.
        """
        return self._owner.folder() / f"{token_hex(6)}.part{suffix}"

    @contextmanager
    def writing(self, output: Path) -> Iterator[Path]:
        """As `files.writing`, over what is there; what a killed process leaves beside `output` is swept as
        its temporaries are."""
        partial = beside(output)
        with self._owner.answering_for(partial), writing(output, overwrite=True, partial=partial):
            yield partial

    def check_space(self) -> None:
        """Raise DiskFullError if less than `min_free_bytes` are free."""
        self._space.check()

    def check_unlocked(self) -> None:
        """Raise WorkspaceBusyError if another process keeps the rows from being written."""
        self._database.check_unlocked()

    # --- upkeep ----------------------------------------------------------------------------------

    def usage(self) -> Usage:
        """Files and bytes by kind, and what a clean-up would free."""
        return self._upkeep.usage()

    def clean(
        self,
        *,
        dry_run: bool = False,
        older_than: timedelta | None = None,
        everything_unused: bool = False,
        quota_bytes: int | None = None,
    ) -> Cleaned:
        """Remove artifacts that no job refers to, and temporaries of processes that died.

        With `older_than` also what films were made of whose jobs have been done for that long. With
        `everything_unused` also what any job was made of that nobody works on, done or not (with
        `older_than`: only of jobs unchanged for that long): a resumed job makes it anew. A film is never
        removed, neither in `films/` nor the artifact that it is a copy of, while its job is there.

        With `quota_bytes`, where the workspace holds more after all that, also the artifacts used longest
        ago, of any job that nobody works on, until it holds no more; `Cleaned.over_quota_bytes` says what
        it holds beyond that all the same.
        """
        self.settle_orphans()
        return self._space.spend(
            lambda: self._upkeep.clean(
                dry_run=dry_run,
                older_than=older_than,
                everything_unused=everything_unused,
                quota_bytes=quota_bytes,
            )
        )

    def mend(self, finding: Finding) -> Finding:
        """What `check_workspace` found, mended if that is safe; `Finding.mended` says what was done.

        A broken artifact is forgotten, so that it is made again, unless a job at work refers to it or it is
        a film; what was left over is removed. No finished film is touched.
        """
        mending = Mending(self._database, self._files, self._upkeep, films=self.films)
        return self._space.spend(lambda: mending.mend(finding))

    def settle_orphans(self) -> None:
        """Let the rows say it where a process died over its job; one look-up where none did."""
        with self._database.read() as connection:
            found = job_rows.orphaned(connection, self._temporaries)
        if found:
            self._space.spend(self._record_orphans)

    def _record_orphans(self) -> None:
        with self._database.write() as connection:
            for orphan in job_rows.orphaned(connection, self._temporaries):
                job_rows.settle(connection, orphan)
                if orphan.cancel_requested:
                    batch_rows.cancel_waiting(connection, orphan.id)

    # --- many at once ----------------------------------------------------------------------------

    def get_jobs(self, job_ids: Sequence[str]) -> dict[str, VideoJob]:
        """The jobs of these full ids, a few hundred at most, in a handful of queries; those that are gone
        are left out. One that this version cannot read has the reason as its error."""
        with self._database.read() as connection:
            rows = job_rows.rows_of(connection, job_ids)
            return {job.id: job for job in job_rows.read_page(connection, rows, self.workspace)}


def _make_folders(workspace: Path, *folders: Path) -> None:
    if workspace.exists() and not workspace.is_dir():
        raise WorkspaceError(
            f"the workspace {workspace} is a file",
            hint="name a folder with --workspace or LOCALVID_WORKSPACE",
        )
    for folder in (workspace, *folders):
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise as_workspace_error(error, folder) from error
