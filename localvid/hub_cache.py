"""The Hugging Face cache on disk, which other programs share; this module asks no host.

Layout (https://huggingface.co/docs/huggingface_hub/guides/manage-cache) of a repository `owner/name`, in
`models--owner--name`: `refs/<branch>` holds a commit, `snapshots/<commit>/<path>` links to `blobs/<etag>`.
The etag of a large file is its sha256, that of a small one the sha1 of its git blob.
"""

from __future__ import annotations

import re
from pathlib import Path

from localvid.config import Settings
from localvid.schemas import Frozen, ModelFile, ModelManifest

COMMIT = re.compile(r"[0-9a-f]{40}")
ETAG = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


class Snapshot(Frozen):
    """A revision of a repository as far as it is on this disk."""

    commit: str
    folder: Path
    missing: tuple[str, ...]
    """Files of the manifest that are not here, or have another size than the manifest says."""


def cache_folder(settings: Settings) -> Path:
    """The cache's root: the setting, else what `HF_HUB_CACHE`, `HF_HOME` or the default make it."""
    if settings.hub_cache is not None:
        return settings.hub_cache
    from huggingface_hub import constants  # 50 ms: only where it is needed

    return Path(constants.HF_HUB_CACHE)


def repository_folder(manifest: ModelManifest, settings: Settings) -> Path:
    """The repository's folder in the cache, whether or not it exists; the manifest names a repository."""
    assert manifest.repo is not None
    return cache_folder(settings) / f"models--{manifest.repo.replace('/', '--')}"


def find_snapshot(manifest: ModelManifest, settings: Settings) -> Snapshot | None:
    """The manifest's revision in the cache, complete or not; None if nothing of it is here."""
    repository = repository_folder(manifest, settings)
    commit = _commit_of(repository, manifest.revision or "")
    folder = repository / "snapshots" / commit
    if not commit or not folder.is_dir():
        return None
    missing = tuple(file.path for file in manifest.files if not _is_whole(folder / file.path, file))
    return Snapshot(commit=commit, folder=folder, missing=missing)


def has_token(settings: Settings) -> bool:
    """Whether there is a hub token: in the settings, or stored by `hf auth login`. Its value is not read."""
    if settings.hf_token is not None:
        return True
    from huggingface_hub import constants

    return Path(constants.HF_TOKEN_PATH).is_file()


def _commit_of(repository: Path, revision: str) -> str:
    if COMMIT.fullmatch(revision):
        return revision
    try:
        commit = (repository / "refs" / revision).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
    return commit if COMMIT.fullmatch(commit) else ""


def _is_whole(path: Path, file: ModelFile) -> bool:
    try:
        size = path.stat().st_size
    except OSError:
        return False
    return size == file.bytes if file.bytes is not None else size > 0
