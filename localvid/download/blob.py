"""One file of a repository: brought here, verified, and only then given its final name."""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from localvid.download.hub import Hub, RemoteFile, TransientError
from localvid.errors import DownloadFailedError
from localvid.files import flush
from localvid.schemas import ModelFile, OnProgress, Progress

_T = TypeVar("_T")

_ATTEMPTS = 5
"""Tries without a new byte before a download is given up."""
_FIRST_WAIT_SECONDS = 1.0
_HASH_BLOCK_BYTES = 4 * 1024 * 1024


class ByteCount:
    """Progress over all files in bytes."""

    def __init__(self, total: int, on_progress: OnProgress) -> None:
        self.total = total
        self.done = 0
        """Bytes of the files that are finished."""
        self.on_progress = on_progress

    def tell(self, of_current: int, message: str) -> None:
        self.on_progress(Progress(step=self.done + of_current, num_steps=self.total, message=message))


def fetch(hub: Hub, file: RemoteFile, wanted: ModelFile, repository: Path, report: ByteCount) -> None:
    """Have the file under its final name, verified; a file that is here and is not whole is replaced."""
    blob = repository / "blobs" / file.etag
    pointer = repository / "snapshots" / file.commit / file.path
    digests = {len(file.etag): file.etag} | ({64: wanted.sha256} if wanted.sha256 else {})
    blob.parent.mkdir(parents=True, exist_ok=True)
    with _locked(repository, file.etag, report):
        if not blob.exists() and pointer.is_file() and not pointer.is_symlink():
            pointer.replace(blob)  # a cache on a file system without links
        if not (blob.is_file() and matches(blob, file.size, digests, file.path, report)):
            partial = partial_file(repository, file)
            _transfer(hub, file, partial, report)
            if not matches(partial, file.size, digests, file.path, report):
                partial.unlink()
                raise DownloadFailedError(
                    f"{file.path} arrived damaged: its digest is not the one that it must have",
                    hint="it was removed; pull again, and if it happens again, distrust the host",
                )
            flush(partial)
            partial.replace(blob)
            flush(blob.parent)
        _link(blob, pointer)
    report.done += file.size


def _transfer(hub: Hub, file: RemoteFile, partial: Path, report: ByteCount) -> None:
    """Bring `partial` to the file's size, from wherever it is."""

    def go_on() -> None:
        if size_of(partial) > file.size:
            partial.unlink()
        if not partial.exists() or size_of(partial) < file.size:
            _append(hub, file, partial, report)

    persist(go_on, report.on_progress, progress=lambda: size_of(partial))


def _append(hub: Hub, file: RemoteFile, partial: Path, report: ByteCount) -> None:
    message = f"downloading {file.path}"
    with partial.open("ab") as output, hub.read(file, output.tell()) as (start, chunks):
        output.truncate(start)
        received = start
        for chunk in chunks:
            received += len(chunk)
            if received > file.size:
                output.truncate(0)
                raise DownloadFailedError(
                    f"more bytes than {file.size:,} came for {file.path}",
                    hint="try again; if it happens again, set hub_endpoint to another host",
                )
            output.write(chunk)
            report.tell(received, message)
    if received < file.size:
        raise TransientError(
            f"the connection ended after {received:,} of {file.size:,} bytes of {file.path}",
            hint="run the command again: what has arrived is kept",
        )


def persist(action: Callable[[], _T], on_progress: OnProgress, *, progress: Callable[[], int] = int) -> _T:
    """Call `action` until it succeeds, waiting longer each time; give up after tries without `progress`."""
    failures, before = 0, progress()
    while True:
        try:
            return action()
        except TransientError as error:
            now = progress()
            failures = 1 if now > before else failures + 1
            before = now
            if failures >= _ATTEMPTS:
                raise
            seconds = error.wait_seconds or _FIRST_WAIT_SECONDS * 2 ** (failures - 1)
            message = f"{error.message}; trying again in {seconds:.0f} s"
        _wait(seconds, message, on_progress)


def _wait(seconds: float, message: str, on_progress: OnProgress) -> None:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        on_progress(Progress(step=0, num_steps=0, message=message))
        time.sleep(min(left, 0.5))


@contextmanager
def _locked(repository: Path, etag: str, report: ByteCount) -> Iterator[None]:
    """Hold the lock that huggingface_hub holds while it downloads this file; wait for whoever has it."""
    path = repository.parent / ".locks" / repository.name / f"{etag}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                report.tell(0, "waiting for another program that downloads the same file")
                time.sleep(0.2)
        yield


def _link(blob: Path, pointer: Path) -> None:
    """Let the snapshot's name lead to the blob; where the file system has no links, move it there."""
    pointer.parent.mkdir(parents=True, exist_ok=True)
    target = os.path.relpath(blob, pointer.parent)
    if pointer.is_symlink() and str(pointer.readlink()) == target:
        return
    pointer.unlink(missing_ok=True)
    try:
        pointer.symlink_to(target)
    except OSError:
        blob.replace(pointer)


def matches(path: Path, size: int, digests: dict[int, str], name: str, report: ByteCount) -> bool:
    """Whether the file has this size and these digests: sha256 under 64, git's sha1 of a blob under 40."""
    if size_of(path) != size:
        return False
    sha256 = hashlib.sha256()
    git = hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
    running = [digest for length, digest in ((64, sha256), (40, git)) if length in digests]
    done = 0
    with path.open("rb") as file:
        while block := file.read(_HASH_BLOCK_BYTES):
            for digest in running:
                digest.update(block)
            done += len(block)
            report.tell(done, f"verifying {name}")
    return all(
        len(d.hexdigest()) in digests and digests[len(d.hexdigest())] == d.hexdigest() for d in running
    )


def partial_file(repository: Path, file: RemoteFile) -> Path:
    return repository / "blobs" / f"{file.etag}.incomplete"


def size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
