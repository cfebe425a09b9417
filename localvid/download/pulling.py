"""Bringing all of a model's files here, of one commit, into the cache that other programs share."""

from __future__ import annotations

import os
import shutil
from functools import partial as bound
from pathlib import Path

from localvid.config import Settings
from localvid.download.blob import ByteCount, fetch, matches, partial_file, persist, size_of
from localvid.download.hub import Hub, RemoteFile
from localvid.errors import DiskFullError, DownloadFailedError, InvalidRequestError, NotAvailableError
from localvid.files import as_workspace_error
from localvid.hub_cache import COMMIT, ETAG, Snapshot, find_snapshot, has_token, repository_folder
from localvid.schemas import ModelFile, ModelManifest, OnProgress, Progress, ignore_progress

_MARGIN_BYTES = 64 * 1024 * 1024


def licence_text(manifest: ModelManifest) -> str:
    """What a user reads before the first download: the licence, what it asks, where it stands."""
    lines = [f"{manifest.title} is licensed under: {manifest.licence}"]
    lines += [line for line in (manifest.licence_notes, manifest.licence_url) if line]
    if manifest.repo:
        lines.append(f"From https://huggingface.co/{manifest.repo}, revision {manifest.revision}.")
    return "\n".join(lines)


def pull(
    manifest: ModelManifest,
    settings: Settings,
    *,
    accept_licence: bool,
    on_progress: OnProgress = ignore_progress,
) -> Path:
    """Bring the model's files here, and return the snapshot's folder.

    Every file is read in full and held to the sha256 of the manifest, or where it has none to the digest that
    the hub gives; what is here already is verified in the same way, without asking any host if it is whole.
    A file stands under its final name only when it is verified. A download that is stopped or fails goes on
    from where it was when it is called again. `on_progress` counts bytes; whatever it raises stops the work.

    Raises InvalidRequestError if there is nothing to download or the licence was not accepted,
    NotAvailableError if offline, refused or gated, DiskFullError before the first byte if the disk is too
    small, DownloadFailedError for a network that fails and for files that are not what they must be.
    """
    if manifest.repo is None:
        raise InvalidRequestError(
            f"{manifest.id} has nothing to download", hint="`localvid list-models` says what it needs"
        )
    repository = repository_folder(manifest, settings)
    try:
        here = find_snapshot(manifest, settings)
        if here is not None and _is_verified(manifest, here, on_progress):
            return here.folder
        _check_leave(manifest, settings, accept_licence=accept_licence)
        with Hub(settings) as hub:
            files = _describe(hub, manifest, on_progress)
            _check_space(repository, files)
            report = ByteCount(sum(file.size for file in files), on_progress)
            for file, wanted in zip(files, manifest.files, strict=True):
                fetch(hub, file, wanted, repository, report)
        commit = files[0].commit
        if manifest.revision != commit:
            _write_ref(repository, manifest.revision or "", commit)
    except OSError as error:
        raise as_workspace_error(error, repository) from error
    return repository / "snapshots" / commit


# --- before the first byte -------------------------------------------------------------------------


def _check_leave(manifest: ModelManifest, settings: Settings, *, accept_licence: bool) -> None:
    from huggingface_hub import constants

    if settings.offline or constants.HF_HUB_OFFLINE:
        raise NotAvailableError(
            f"{manifest.id} is not here, and localvid is set to be offline",
            hint="unset offline (LOCALVID_OFFLINE, HF_HUB_OFFLINE), then pull again",
        )
    if not accept_licence:
        raise InvalidRequestError(
            f"the licence of {manifest.title} was not accepted",
            hint=f"read it ({manifest.licence_url or manifest.licence}), then pull with --accept-licence",
        )
    if manifest.gated and not has_token(settings) and settings.hub_endpoint is None:
        raise NotAvailableError(
            f"the hub gives {manifest.repo} only to accounts that accepted its licence",
            hint=f"accept it at https://huggingface.co/{manifest.repo}, set HF_TOKEN, pull again",
        )


def _describe(hub: Hub, manifest: ModelManifest, on_progress: OnProgress) -> list[RemoteFile]:
    """Every file as the hub has it, all of one commit; raises if the hub's files are not the manifest's."""
    revision = manifest.revision or ""
    files: list[RemoteFile] = []
    for number, wanted in enumerate(manifest.files, start=1):
        message = f"asking for file {number} of {len(manifest.files)}"
        on_progress(Progress(step=0, num_steps=0, message=message))
        file = persist(bound(hub.describe, manifest.repo or "", revision, wanted.path), on_progress)
        if COMMIT.fullmatch(revision) and file.commit != revision:
            raise DownloadFailedError(
                f"the hub answers commit {file.commit[:12]} when it is asked for {revision[:12]}",
                hint="check hub_endpoint: the host does not answer as the Hugging Face hub does",
            )
        _check_is_wanted(file, wanted, manifest)
        # A branch may move between two requests: after the first, all are asked of its commit.
        revision = file.commit
        files.append(file)
    return files


def _check_is_wanted(file: RemoteFile, wanted: ModelFile, manifest: ModelManifest) -> None:
    other_size = wanted.bytes is not None and wanted.bytes != file.size
    other_digest = wanted.sha256 is not None and len(file.etag) == 64 and wanted.sha256 != file.etag
    if other_size or other_digest:
        what = f"{file.size:,} bytes in place of {wanted.bytes:,}" if other_size else "another sha256"
        raise DownloadFailedError(
            f"the hub's {file.path} of {manifest.repo} is not the one that the manifest pins ({what})",
            hint="do not use it before you know why; a newer manifest may come with a newer localvid",
        )


def _check_space(repository: Path, files: list[RemoteFile]) -> None:
    repository.mkdir(parents=True, exist_ok=True)
    here = sum(
        size_of(repository / "blobs" / file.etag) + size_of(partial_file(repository, file)) for file in files
    )
    needed = sum(file.size for file in files) - here
    free = shutil.disk_usage(repository).free
    if needed > 0 and needed + _MARGIN_BYTES > free:
        raise DiskFullError(
            f"{needed / 1e9:.1f} GB to download, {free / 1e9:.1f} GB free in {repository.parent}",
            hint="free some space, or set hub_cache to a folder on another disk",
        )


# --- after the last byte ----------------------------------------------------------------------------


def _is_verified(manifest: ModelManifest, here: Snapshot, on_progress: OnProgress) -> bool:
    """Whether all files are here and have their digests; without a known digest of one, False."""
    if here.missing:
        return False
    paths = [here.folder / file.path for file in manifest.files]
    report = ByteCount(sum(size_of(path) for path in paths), on_progress)
    for path, file in zip(paths, manifest.files, strict=True):
        name = path.resolve().name
        digests = {len(name): name} if path.is_symlink() and ETAG.fullmatch(name) else {}
        digests |= {64: file.sha256} if file.sha256 else {}
        if not digests or not matches(path, size_of(path), digests, file.path, report):
            return False
        report.done += size_of(path)
    return True


def _write_ref(repository: Path, revision: str, commit: str) -> None:
    path = repository / "refs" / revision
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    partial.write_text(commit, encoding="ascii")
    partial.replace(path)
