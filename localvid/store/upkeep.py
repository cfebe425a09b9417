"""What a workspace holds, and what can go: deleting jobs, cleaning up.

Rows go first, in one transaction. Then files without a row go, looked at again under the lock that
publishing takes: a crash between the two leaves files for the next clean-up, and never a row without its
file.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import ColumnElement, Connection, delete, false, func, or_, select

from localvid.files import as_workspace_error
from localvid.schemas import EntryState, JobStatus
from localvid.store import activities, owners
from localvid.store import jobs as job_rows
from localvid.store.artifacts import ArtifactFiles
from localvid.store.database import Database
from localvid.store.records import Amount, Cleaned, Usage
from localvid.store.tables import artifacts, batch_jobs, job_steps, jobs, paid_calls, steps

FILM_KIND = "film"
_LEFT_BESIDE_A_FILM = re.compile(r"\..+\.part\.[a-z0-9]{1,16}")
"""Names under which `files.writing` writes beside its output."""
KEPT_IMAGE = re.compile(r"[0-9a-f]{64}\.[a-z]{1,8}")
_ABANDONED_AFTER_SECONDS = 24 * 3600
_FILES_A_TRANSACTION = 200
_ROWS_A_STATEMENT = 500
_other_jobs = jobs.alias()


class Upkeep:
    """The housekeeping of one workspace."""

    def __init__(
        self, database: Database, files: ArtifactFiles, *, films: Path, images: Path, temporaries: Path
    ) -> None:
        self._database = database
        self._files = files
        self._films = films
        self._images = images
        self._temporaries = temporaries

    def delete_job(self, job_id: str) -> int:
        """As `Store.delete_job`."""
        with self._database.write() as connection:
            row = job_rows.row_of(connection, job_id)
            if job_rows.is_busy(row, self._temporaries):
                raise job_rows.busy(row)
            film = self._remove_films(row.id)
            own = select(job_steps.c.key).where(job_steps.c.job_id == row.id)
            keys = connection.execute(own).scalars().all()
            connection.execute(delete(jobs).where(jobs.c.id == row.id))  # its job_steps go with it
            dropped = _drop_steps(connection, steps.c.key.in_(keys) & ~_referred_to())
        return film.bytes + self.remove_files(dropped).bytes

    def usage(self) -> Usage:
        """As `Store.usage`."""
        with self._database.read() as connection:
            num_jobs = connection.execute(select(func.count()).select_from(jobs)).scalar_one()
            kinds = _kinds(connection)
        reclaimable = self.clean(dry_run=True, older_than=None, everything_unused=False, quota_bytes=None)
        films, images, temporary, database = self._beside_artifacts()
        return Usage(
            jobs=num_jobs,
            artifacts=kinds,
            films=films,
            images=images,
            temporary=temporary,
            database=database,
            reclaimable_bytes=reclaimable.total_bytes,
        )

    def clean(
        self,
        *,
        dry_run: bool,
        older_than: timedelta | None,
        everything_unused: bool,
        quota_bytes: int | None,
    ) -> Cleaned:
        """As `Store.clean`."""
        temporary = self._sweep(dry_run=dry_run)
        beside = sum(amount.bytes for amount in self._beside_artifacts())
        beside -= temporary.bytes if dry_run else 0
        with self._database.read() if dry_run else self._database.write() as connection:
            at_work = self._at_work()
            spared = _spared(at_work, older_than, everything_unused=everything_unused)
            doomed = ~_referred_to(spared)
            dropped = (_artifacts_of_only if dry_run else _drop_steps)(connection, doomed)
            excess = 0
            if quota_bytes is not None:
                kept = _bytes_of_all(connection) - (sum(dropped.values()) if dry_run else 0)
                may_go = _artifacts_of_only(connection, ~_referred_to(at_work))
                may_go = {address: may_go[address] for address in may_go.keys() - dropped.keys()}
                least = _least_used(connection, may_go, beside + kept - quota_bytes)
                if not dry_run:
                    _forget(connection, least)
                dropped |= least
                excess = beside + kept - sum(least.values()) - quota_bytes
        with self._database.read() as connection:
            dropped |= self._without_row(connection)
        removed = _amount(dropped) if dry_run else self.remove_files(dropped)
        return Cleaned(
            artifacts=removed, temporary=temporary, over_quota_bytes=max(0, excess), dry_run=dry_run
        )

    def _at_work(self) -> ColumnElement[bool]:
        """Whether a job is under lease, or waits for its next stage in a batch that a process works on."""
        live = {activity.batch_id for activity in activities.of_the_living(self._temporaries)}
        leased = (
            select(batch_jobs.c.batch_id)
            .join(_other_jobs, _other_jobs.c.id == batch_jobs.c.job_id)
            .where(_other_jobs.c.lease_owner.is_not(None))
        )
        waiting = select(batch_jobs.c.job_id).where(
            batch_jobs.c.state == EntryState.WAITING,
            or_(batch_jobs.c.batch_id.in_(live), batch_jobs.c.batch_id.in_(leased)),
        )
        return or_(jobs.c.lease_owner.is_not(None), jobs.c.id.in_(waiting))

    def _beside_artifacts(self) -> tuple[Amount, Amount, Amount, Amount]:
        """Films, images, temporaries and the database."""
        return (
            _sum(path for path in self._films.iterdir() if not path.name.startswith(".")),
            _sum(self._images.iterdir()),
            owners.measure(self._temporaries) + _sum(left_beside_films(self._films)),
            _sum(self._database.path.parent.glob(f"{self._database.path.name}*")),
        )

    def _without_row(self, connection: Connection) -> dict[str, int]:
        """Address → bytes of the files that no row names, as a crash leaves them."""
        known = set(connection.execute(select(artifacts.c.address)).scalars())
        return {address: size for address, size in self._files.on_disk() if address not in known}

    def remove_files(self, candidates: dict[str, int]) -> Amount:
        """Remove those of the files that still have no row; a publication may have come in between."""
        addresses = sorted(candidates)
        removed = Amount()
        for start in range(0, len(addresses), _FILES_A_TRANSACTION):
            some = addresses[start : start + _FILES_A_TRANSACTION]
            with self._database.write() as connection:
                query = select(artifacts.c.address).where(artifacts.c.address.in_(some))
                published = set(connection.execute(query).scalars())
                for address in some:
                    if address not in published:
                        removed += Amount(count=1, bytes=candidates[address])
                        self._unlink(self._files.path(address))
        return removed

    def _remove_films(self, job_id: str) -> Amount:
        """Remove `films/<job id>.<suffix>`; files of the user's that begin alike stay."""
        found = [path for path in self._films.glob(f"{job_id}.*") if path.stem == job_id]
        total = _sum(found)
        for path in found:
            self._unlink(path)
        return total

    def _sweep(self, *, dry_run: bool) -> Amount:
        swept = owners.sweep(self._temporaries, dry_run=dry_run)
        abandoned = [*left_beside_films(self._films, abandoned=True)]
        abandoned += [path for path in self._unnamed_images() if _is_abandoned(path)]
        swept += _sum(abandoned)
        if not dry_run:
            for path in abandoned:
                self._unlink(path)
        return swept

    def _unnamed_images(self) -> list[Path]:
        """Images that no job names; one may be about to be named, so they go only when they are old."""
        with self._database.read() as connection:
            rows = connection.execute(select(jobs.c.options, jobs.c.storyboard))
            text = "".join(f"{row.options}{row.storyboard}" for row in rows)
        ours = (path for path in self._images.iterdir() if KEPT_IMAGE.fullmatch(path.name))
        return [path for path in ours if path.name not in text]

    def _unlink(self, path: Path) -> None:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise as_workspace_error(error, path) from error


def left_beside_films(films: Path, *, abandoned: bool = False) -> list[Path]:
    """Half-written files beside the films; only those that are `abandoned`, or all."""
    found = [path for path in films.iterdir() if _LEFT_BESIDE_A_FILM.fullmatch(path.name)]
    return [path for path in found if _is_abandoned(path)] if abandoned else found


def _spared(
    at_work: ColumnElement[bool], older_than: timedelta | None, *, everything_unused: bool
) -> ColumnElement[bool]:
    """Which jobs keep all that they refer to."""
    if older_than is None and not everything_unused:
        return ~false()
    spared = at_work
    if not everything_unused:
        spared = or_(spared, jobs.c.status != JobStatus.DONE)
    if older_than is not None:
        spared = or_(spared, jobs.c.updated_at > datetime.now(UTC) - older_than)
    return spared


def _referred_to(jobs_that_keep: ColumnElement[bool] | None = None) -> ColumnElement[bool]:
    """Whether a step is in the plan of a job; of `jobs_that_keep` unless it made a film."""
    reference = (
        select(job_steps.c.key)
        .join(jobs, jobs.c.id == job_steps.c.job_id)
        .where(job_steps.c.key == steps.c.key)
    )
    if jobs_that_keep is not None:
        reference = reference.where(or_(jobs_that_keep, steps.c.kind == FILM_KIND))
    return reference.correlate(steps).exists()


def _drop_steps(connection: Connection, doomed: ColumnElement[bool]) -> dict[str, int]:
    """Delete the rows of steps and of the artifacts that no step has any more; address → bytes of those."""
    lost = _artifacts_of_only(connection, doomed)
    connection.execute(delete(steps).where(doomed))
    unused = ~select(steps.c.key).where(steps.c.address == artifacts.c.address).correlate(artifacts).exists()
    connection.execute(delete(artifacts).where(unused))
    return lost


def _artifacts_of_only(connection: Connection, doomed: ColumnElement[bool]) -> dict[str, int]:
    """Address → bytes of the artifacts whose steps are all doomed."""
    kept = (
        select(steps.c.key)
        .where(steps.c.address == artifacts.c.address, ~doomed)
        .correlate(artifacts)
        .exists()
    )
    rows = connection.execute(select(artifacts.c.address, artifacts.c.bytes).where(~kept))
    return {row.address: row.bytes for row in rows}


def _bytes_of_all(connection: Connection) -> int:
    return int(connection.execute(select(func.coalesce(func.sum(artifacts.c.bytes), 0))).scalar_one())


def _forget(connection: Connection, addresses: Iterable[str]) -> None:
    names = list(addresses)
    for start in range(0, len(names), _ROWS_A_STATEMENT):
        some = names[start : start + _ROWS_A_STATEMENT]
        connection.execute(delete(steps).where(steps.c.address.in_(some)))
        connection.execute(delete(artifacts).where(artifacts.c.address.in_(some)))


def _least_used(connection: Connection, may_go: dict[str, int], excess: int) -> dict[str, int]:
    """Address → bytes of those that together have `excess` bytes or more, or of all that may go.

    Those used longest ago come first, and those that were paid for come last, since to make them again
    costs money.
    """
    paid = (
        select(steps.c.key)
        .join(paid_calls, paid_calls.c.step_key == steps.c.key)
        .where(steps.c.address == artifacts.c.address)
        .correlate(artifacts)
        .exists()
    )
    chosen: dict[str, int] = {}
    query = select(artifacts.c.address).order_by(paid, artifacts.c.used_at, artifacts.c.address)
    for address in connection.execute(query).scalars().all():
        if excess <= 0:
            break
        if address in may_go:
            chosen[address] = may_go[address]
            excess -= may_go[address]
    return chosen


def _kinds(connection: Connection) -> dict[str, Amount]:
    """Each artifact counted once, under one kind of the steps that made it."""
    kind_of = (
        select(steps.c.address, func.min(steps.c.kind).label("kind")).group_by(steps.c.address).subquery()
    )
    query = (
        select(kind_of.c.kind, func.count(), func.sum(artifacts.c.bytes))
        .join(artifacts, artifacts.c.address == kind_of.c.address)
        .group_by(kind_of.c.kind)
        .order_by(kind_of.c.kind)
    )
    return {kind: Amount(count=count, bytes=size) for kind, count, size in connection.execute(query)}


def _sum(paths: Iterable[Path]) -> Amount:
    total = Amount()
    for path in paths:
        try:
            total += Amount(count=1, bytes=path.stat().st_size)
        except FileNotFoundError:
            continue  # removed since it was listed
    return total


def _is_abandoned(path: Path) -> bool:
    try:
        return time.time() - path.stat().st_mtime > _ABANDONED_AFTER_SECONDS
    except FileNotFoundError:
        return False


def _amount(files: dict[str, int]) -> Amount:
    return Amount(count=len(files), bytes=sum(files.values()))
