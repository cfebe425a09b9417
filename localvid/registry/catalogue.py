"""The manifests: those that localvid ships and the user's own, read and checked; nothing is looked up."""

from __future__ import annotations

import difflib
import hashlib
import re
import tomllib
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from pathlib import Path, PurePosixPath

from pydantic import ValidationError

from localvid.config import Settings
from localvid.errors import InvalidRequestError, InvalidSettingsError
from localvid.files import open_file
from localvid.llm.served.endpoint import PROVIDERS, endpoint_of, provider_of
from localvid.schemas import ModelKind, ModelManifest, explain, is_served

_LLAMA_WRITER = "localvid.llm.llama.writer:LlamaWriter"
_PICKLED = frozenset({".bin", ".ckpt", ".pkl", ".pt", ".pth"})
_EDGE_BYTES = 64 * 1024
_HINT = "models/README.md describes a manifest"


def load_manifests(settings: Settings) -> dict[str, ModelManifest]:
    """All manifests by id: the shipped ones, then `<workspace>/models/*.toml`, which may replace them.

    Raises InvalidSettingsError with the file and the key for a manifest that cannot be used, for two of the
    user's files with one id, and for a setting that names a model that is not there.
    """
    manifests = dict(_read_shipped(_shipped()))
    own: dict[str, Path] = {}
    for path in sorted((settings.workspace / "models").glob("*.toml")):
        manifest = read_manifest(path)
        if manifest.id in own:
            raise InvalidSettingsError(
                f"{path}: id: {manifest.id} is taken by {own[manifest.id]}",
                hint="give each manifest its own id",
            )
        own[manifest.id] = path
        manifests[manifest.id] = manifest
    _check_named(settings, manifests)
    return manifests


def _check_named(settings: Settings, manifests: Mapping[str, ModelManifest]) -> None:
    """The ids that the settings map to something: only here is it known which there are."""
    remote = [manifest.id for manifest in manifests.values() if manifest.is_remote]
    by_name = [*manifests, *map(short_name, manifests.values())]
    for setting, named, known in (
        ("model_paths", settings.model_paths, by_name),
        ("clip_prices_usd", settings.clip_prices_usd, remote),
    ):
        for name in named:
            if name not in known:
                close = difflib.get_close_matches(name, known, n=1)
                meant = f"; did you mean {close[0]}?" if close else ""
                own = settings.workspace / "models"
                raise InvalidSettingsError(
                    f"{setting}: there is no {'remote ' if known is remote else ''}model {name!r}{meant}",
                    hint=f"docs/models.md has the models' ids; your own have theirs in {own}",
                )


@cache
def _read_shipped(folder: Path) -> dict[str, ModelManifest]:
    """Read once in a process: a batch asks for models some ten times a row, and these files do not change."""
    return {manifest.id: manifest for manifest in map(read_manifest, sorted(folder.glob("*.toml")))}


def read_manifest(path: Path) -> ModelManifest:
    """One manifest from its file; raises InvalidSettingsError with the file and the key."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InvalidSettingsError(f"{path} cannot be read: {error.strerror}", hint=_HINT) from error
    return _parsed(path, content)


@lru_cache(maxsize=256)
def _parsed(path: Path, content: bytes) -> ModelManifest:
    """Remembered, as every stage of every film asks for models, and reading TOML takes milliseconds."""
    try:
        manifest = ModelManifest.model_validate(tomllib.loads(content.decode("utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidSettingsError(f"{path} is not valid TOML: {error}", hint=_HINT) from error
    except ValidationError as error:
        raise InvalidSettingsError(f"{path}: {explain(error)}", hint=_HINT) from error
    if is_served(manifest.id) or manifest.adapter in {one.adapter for one in PROVIDERS.values()}:
        raise InvalidSettingsError(
            f"{path}: id, adapter: a model on a server needs no manifest",
            hint="name it with --llm openai:MODEL or --llm anthropic:MODEL; the settings say where it is",
        )
    for index, file in enumerate(manifest.files):
        if PurePosixPath(file.path).suffix in _PICKLED:
            raise InvalidSettingsError(
                f"{path}: files.{index}.path: {file.path} may be pickled, which runs code when it is loaded",
                hint="name safetensors or GGUF files, as models/README.md says",
            )
    return manifest


def find_manifest(
    name: str, manifests: Iterable[ModelManifest], kind: ModelKind | None = None
) -> ModelManifest:
    """The manifest with this id, or with this short name ("svd-xt"), among those of `kind`.

    A remote model has no short name: what costs money is named in full. Raises InvalidRequestError with the
    closest names.
    """
    candidates = [manifest for manifest in manifests if kind in (None, manifest.kind)]
    for manifest in candidates:
        if name == manifest.id:
            return manifest
    wanted = name.lower()
    here = [manifest for manifest in candidates if not manifest.is_remote]
    matches = [manifest for manifest in candidates if wanted == manifest.id]
    matches += [manifest for manifest in here if manifest not in matches and wanted == short_name(manifest)]
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise InvalidRequestError(
            f"{name} is the short name of several models", hint="use " + " or ".join(m.id for m in matches)
        )
    raise InvalidRequestError(
        f"there is no {kind.value + ' ' if kind else ''}model {name!r}", hint=_suggestion(wanted, candidates)
    )


def short_name(manifest: ModelManifest) -> str:
    """The part of the id after its colon."""
    return manifest.id.partition(":")[2]


def gguf_manifest(path: Path) -> ModelManifest:
    """A manifest made for a user's own GGUF file; its revision stands for the file's contents.

    Raises InvalidRequestError if there is no such file or it is not GGUF.
    """
    check_gguf(path)
    stem = re.sub(r"[^a-z0-9.-]+", "-", path.stem.lower()).strip("-.") or "model"
    return ModelManifest(
        id=f"llm:{stem}",
        kind=ModelKind.STORYBOARD,
        title=path.name,
        adapter=_LLAMA_WRITER,
        requires=("llama_cpp",),
        revision=fingerprint(path),
        licence="not known: a file of the user's",
    )


def served_manifest(model_id: str, settings: Settings) -> ModelManifest:
    """A manifest made for a model on a server; its address is among its settings, and so part of step keys.

    Raises InvalidSettingsError for an address or a key that cannot be one.
    """
    provider = provider_of(model_id)
    return ModelManifest(
        id=model_id,
        kind=ModelKind.STORYBOARD,
        title=f"{model_id.partition(':')[2]}, by {provider.title}'s protocol",
        adapter=provider.adapter,
        requires=(provider.package,),
        licence="not known: the terms of whoever serves it",
        settings={"base_url": endpoint_of(provider, settings).base_url},
    )


def check_gguf(path: Path) -> None:
    """Raise InvalidRequestError unless `path` is a file that starts as GGUF files do."""
    try:
        with open_file(path) as file:
            magic = file.read(4)
    except OSError as error:
        raise InvalidRequestError(
            f"{path} cannot be read: {error.strerror}",
            hint="name a GGUF file, or a model of `localvid list-models`",
        ) from error
    if magic != b"GGUF":
        raise InvalidRequestError(
            f"{path} is not a GGUF file", hint="name a GGUF file: other formats are not read"
        )


def fingerprint(path: Path) -> str:
    """What tells one file or directory of weights from another, for the keys of steps: "local-1f0c…".

    It covers names, sizes and both ends of every file, not all bytes, which would take minutes; so it is not
    the place to detect tampering. A copy elsewhere has the same fingerprint.
    """
    digest = hashlib.sha256()
    files = sorted(item for item in path.rglob("*") if item.is_file()) if path.is_dir() else [path]
    for item in files:
        size = item.stat().st_size
        digest.update(f"{item.relative_to(path).as_posix() if item != path else ''}\0{size}\0".encode())
        with item.open("rb") as file:
            digest.update(file.read(_EDGE_BYTES))
            file.seek(max(0, size - _EDGE_BYTES))
            digest.update(file.read(_EDGE_BYTES))
    return f"local-{digest.hexdigest()[:24]}"


def _shipped() -> Path:
    """Beside the package in a checkout, inside it in an installed wheel."""
    package = Path(__file__).parents[1]
    installed = package / "models"
    return installed if installed.is_dir() else package.parent / "models"


def _suggestion(name: str, candidates: list[ModelManifest]) -> str:
    by_name = {short_name(manifest): manifest.id for manifest in candidates if not manifest.is_remote}
    by_name.update({manifest.id: manifest.id for manifest in candidates})
    close = dict.fromkeys(by_name[match] for match in difflib.get_close_matches(name, by_name, n=3))
    meant = f"did you mean {' or '.join(close)}? " if close else ""
    return f"{meant}`localvid list-models` shows all"
