"""What is amiss with files: artifacts, what no row knows, what dead processes left."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from sqlalchemy import Connection, func, select

from localvid.schemas import OnProgress, Progress
from localvid.store import owners
from localvid.store.artifacts import ArtifactFiles, is_address
from localvid.store.checked_rows import rows_of
from localvid.store.database import Database
from localvid.store.places import FILMS, TEMPORARIES
from localvid.store.records import REPAIR, Fault, Finding, Severity
from localvid.store.tables import artifacts, job_steps, steps
from localvid.store.upkeep import FILM_KIND, left_beside_films
from localvid.store.wholeness import Blemish, exists, inode_of, look_at

_FOLDER = re.compile(r"[0-9a-f]{2}")
_SHA256_DIGITS = 64


def check_artifacts(
    database: Database, files: ArtifactFiles, *, read_data: bool, on_progress: OnProgress
) -> Iterator[Finding]:
    """The file of each artifact that has a row."""
    on_bytes = _counter(database, on_progress) if read_data else None
    for row in rows_of(database, artifacts, artifacts.c.address):
        if isinstance(row, Finding):
            yield row
        elif not is_address(row.address):
            yield Finding(
                fault=Fault.ROW,
                severity=Severity.ERROR,
                subject=row.address,
                detail="an artifact's row, and its name is no address",
                remedy="put localvid.sqlite3 back from a copy",
            )
        else:
            sha256 = row.address[:_SHA256_DIGITS] if read_data else None
            path = files.path(row.address)
            blemish = look_at(path, size=row.bytes, sha256=sha256, on_bytes=on_bytes)
            if blemish is not None:
                yield from _check_again(database, path, row.bytes, blemish)


def check_unknown_files(database: Database, files: ArtifactFiles) -> Iterator[Finding]:
    """What lies under `artifacts/` and no row knows."""
    if not files.root.is_dir():
        return
    for folder in sorted(files.root.iterdir()):
        if not _FOLDER.fullmatch(folder.name) or not folder.is_dir():
            yield _foreign(folder)
            continue
        addresses, foreign = files.names_in(folder)
        for path in foreign:
            yield _foreign(path)
        for address in _without_row(database, files, folder.name, addresses):
            yield Finding(
                fault=Fault.ORPHAN,
                severity=Severity.WARNING,
                subject=address,
                path=files.path(address),
                detail="no row knows this artifact: a crash left it",
                remedy=f"{REPAIR} removes it, and so does `localvid clean`",
                mendable=True,
            )


def check_temporaries(workspace: Path) -> Iterator[Finding]:
    """What processes that died left half-written."""
    temporaries, films = workspace / TEMPORARIES, workspace / FILMS
    left = owners.left_by_dead(temporaries) if temporaries.is_dir() else {}
    for owner, amount in left.items():
        what = f"{amount.count} half-written file{'' if amount.count == 1 else 's'}"
        detail = f"{what}, {amount.bytes:,} bytes, of {owners.describe(owner)}, which has ended"
        yield _temporary(owner, temporaries / owner, detail)
    for path in left_beside_films(films, abandoned=True) if films.is_dir() else []:
        yield _temporary(path.name, path, "half of a film that was never finished")


# --- artifacts -----------------------------------------------------------------------------------


def _counter(database: Database, on_progress: OnProgress) -> Callable[[int], None]:
    """What reports the bytes that were read, of all that the rows name."""
    with database.read() as connection:
        total = int(connection.execute(select(func.coalesce(func.sum(artifacts.c.bytes), 0))).scalar_one())
    done = 0

    def count(size: int) -> None:
        nonlocal done
        done += size
        on_progress(Progress(step=done, num_steps=max(done, total), message="reading artifacts"))

    return count


def _check_again(database: Database, path: Path, size: int, blemish: Blemish) -> Iterator[Finding]:
    address = path.name
    with database.write() as connection:
        known = select(artifacts.c.bytes).where(artifacts.c.address == address)
        if connection.execute(known).scalar() != size:
            return  # cleaned away meanwhile
        if look_at(path, size=size) is None and inode_of(path) != blemish.inode:
            return  # made again meanwhile
        kinds, users = _uses(connection, address)
    # What is left of a damaged film may be all that is left of it, and is not for a program to remove.
    is_film = FILM_KIND in kinds and blemish.fault is Fault.DAMAGED
    makes_again = f"`localvid resume {users[0] if users else 'JOB'}` makes it again where it is needed"
    if blemish.fault is Fault.UNREADABLE:
        remedy = "check the file's permissions, and the disk (dmesg)"
    elif is_film:
        remedy = f"move the file away, then {makes_again}"
    else:
        remedy = f"{REPAIR} forgets it, then {makes_again}"
    of_jobs = f"of job {', '.join(users)}" if users else "that no job refers to"
    yield Finding(
        fault=blemish.fault,
        severity=Severity.ERROR,
        subject=address,
        path=path,
        detail=f"{' and '.join(kinds) or 'artifact'} {of_jobs}: {blemish.detail}",
        remedy=remedy,
        mendable=blemish.fault is not Fault.UNREADABLE and not is_film,
    )


def _uses(connection: Connection, address: str) -> tuple[list[str], list[str]]:
    """The kinds of the steps that made an artifact, and the latest jobs that refer to it, three at most."""
    kinds = select(steps.c.kind).where(steps.c.address == address).distinct().order_by(steps.c.kind)
    users = (
        select(job_steps.c.job_id)
        .join(steps, steps.c.key == job_steps.c.key)
        .where(steps.c.address == address)
        .distinct()
        .order_by(job_steps.c.job_id.desc())
        .limit(3)
    )
    return list(connection.execute(kinds).scalars()), list(connection.execute(users).scalars())


# --- files that no row knows ---------------------------------------------------------------------


def _without_row(database: Database, files: ArtifactFiles, folder: str, addresses: list[str]) -> list[str]:
    query = select(artifacts.c.address).where(
        artifacts.c.address >= folder, artifacts.c.address < f"{folder}~"
    )
    with database.read() as connection:
        suspects = set(addresses).difference(connection.execute(query).scalars())
    if not suspects:
        return []
    with database.write() as connection:
        suspects.difference_update(connection.execute(query).scalars())
        return sorted(name for name in suspects if exists(files.path(name)))


def _foreign(path: Path) -> Finding:
    return Finding(
        fault=Fault.FOREIGN,
        severity=Severity.WARNING,
        subject=path.name,
        path=path,
        detail="localvid did not put this here, and leaves it alone",
        remedy="move it elsewhere, or remove it",
    )


def _temporary(subject: str, path: Path, detail: str) -> Finding:
    return Finding(
        fault=Fault.TEMPORARY,
        severity=Severity.WARNING,
        subject=subject,
        path=path,
        detail=detail,
        remedy=f"{REPAIR} removes it, and so does `localvid clean`",
        mendable=True,
    )
