"""Which model serves a request: the one that was named, or for "auto" the best that runs here."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from localvid.config import Settings
from localvid.errors import InvalidRequestError, NotAvailableError
from localvid.files import expanded
from localvid.gpu import detect_cuda
from localvid.llm.served.endpoint import PROVIDERS, endpoint_of, provider_of
from localvid.registry.availability import inspect
from localvid.registry.catalogue import find_manifest, gguf_manifest, load_manifests, served_manifest
from localvid.schemas import Frozen, ModelInfo, ModelKind, is_served

AUTO = "auto"
_VIDEO_PREFERENCE = ("local:svd-xt", "local:svd-xt-1-1", "local:svd")
_REMOTE = "replicate:svd-xt"
_ANIMATIC = "local:animatic"
_STILL = "local:animatic-still"
_OUTLINE = "llm:outline"


class Choice(Frozen):
    """A model, and what the user should be told about the choice; empty where there is nothing to tell."""

    info: ModelInfo
    said: str = ""


def list_models(settings: Settings) -> list[ModelInfo]:
    """Every known model with its availability: video models first, then keyframe, then storyboard models.

    Asks no host and imports no torch. Raises InvalidSettingsError for a broken manifest.
    """
    cuda = detect_cuda()
    order = list(ModelKind)
    manifests = sorted(load_manifests(settings).values(), key=lambda m: (order.index(m.kind), m.id))
    return [inspect(manifest, settings, cuda) for manifest in manifests]


def get_model(model_id: str, settings: Settings, kind: ModelKind | None = None) -> ModelInfo:
    """One model by its id or short name ("svd-xt"); among storyboard models also by the path of a GGUF file,
    or on a server ("openai:MODEL").

    Raises InvalidRequestError with the closest names, or if the path is not a GGUF file.
    """
    if kind in (None, ModelKind.STORYBOARD) and is_served(model_id):
        return inspect(served_manifest(model_id, settings), settings, detect_cuda())
    if model_id.partition(":")[0].lower() in PROVIDERS:
        provider = model_id.partition(":")[0].lower()
        raise InvalidRequestError(
            f"{model_id[:100]!r} names no model on a server",
            hint=f"write {provider}:MODEL, with letters, digits and . _ / @ ~ + : - in the model's name",
        )
    if kind in (None, ModelKind.STORYBOARD) and ("/" in model_id or model_id.lower().endswith(".gguf")):
        path = expanded(Path(model_id)).absolute()
        manifest = gguf_manifest(path)
        info = inspect(manifest, settings, detect_cuda())
        return info.model_copy(update={"source": path})
    manifest = find_manifest(model_id, load_manifests(settings).values(), kind)
    return inspect(manifest, settings, detect_cuda())


def require(info: ModelInfo) -> None:
    """Raise NotAvailableError, with what to do, if the model does not run here."""
    if not info.available:
        raise NotAvailableError(f"{info.manifest.id} does not run here: {info.reason}", hint=info.remedy)


def choose_video_model(settings: Settings, asked: str = AUTO) -> Choice:
    """The named video model, available or not; for "auto" a Stable Video Diffusion that a GPU here can run,
    else a remote one if the user allows it, there is a token and the limits allow a clip, else the animatic,
    with the reason."""
    asked = settings.model if asked == AUTO else asked
    if asked != AUTO:
        return Choice(info=get_model(asked, settings, ModelKind.VIDEO))
    infos = _by_id(settings, ModelKind.VIDEO)
    otherwise = infos[_REMOTE] if _is_affordable(infos[_REMOTE], settings) else infos[_ANIMATIC]
    if why := _no_gpu(settings):
        return _fallback(otherwise, why)
    candidates = [infos[model_id] for model_id in _VIDEO_PREFERENCE]
    best = next((info for info in candidates if _runs_well(info)), None)
    return Choice(info=best) if best else _fallback(otherwise, _why_not(candidates[0]))


def choose_keyframe_model(settings: Settings, asked: str = AUTO) -> Choice:
    """The named keyframe model; for "auto" the largest that is downloaded and fits a GPU here, else the
    animatic's painter, with the reason."""
    asked = settings.keyframe_model if asked == AUTO else asked
    if asked != AUTO:
        return Choice(info=get_model(asked, settings, ModelKind.KEYFRAME))
    infos = _by_id(settings, ModelKind.KEYFRAME)
    if why := _no_gpu(settings):
        return _fallback(infos[_STILL], why)
    candidates = _largest_first(info for info in infos.values() if info.manifest.id != _STILL)
    best = next((info for info in candidates if _runs_well(info)), None)
    return Choice(info=best) if best else _fallback(infos[_STILL], _why_not(candidates[-1]))


def choose_writer(settings: Settings, asked: str = AUTO) -> Choice:
    """The named storyboard model, the GGUF file of that path, or the named model on a server, with a word
    about what goes there; for "auto" the largest language model that is here, else the outline, with the
    reason."""
    asked = settings.llm if asked == AUTO else asked
    if asked != AUTO:
        info = get_model(asked, settings, ModelKind.STORYBOARD)
        return Choice(info=info, said=_goes_out(info, settings))
    infos = _by_id(settings, ModelKind.STORYBOARD)
    candidates = _largest_first(info for info in infos.values() if info.manifest.id != _OUTLINE)
    best = next((info for info in candidates if info.available), None)
    return Choice(info=best) if best else _fallback(infos[_OUTLINE], _why_not(candidates[-1]))


def _goes_out(info: ModelInfo, settings: Settings) -> str:
    """What leaves this machine; empty where nothing does."""
    if not info.available or not is_served(info.manifest.id):
        return ""
    endpoint = endpoint_of(provider_of(info.manifest.id), settings)
    return "" if endpoint.is_here else f"the prompt and the storyboard's words go to {endpoint.host}"


def _by_id(settings: Settings, kind: ModelKind) -> dict[str, ModelInfo]:
    return {info.manifest.id: info for info in list_models(settings) if info.manifest.kind is kind}


def _is_affordable(remote: ModelInfo, settings: Settings) -> bool:
    """Whether a remote model is available, and a clip of it within the limits of what may be spent."""
    price = remote.manifest.price
    cost = price.usd_per_clip if price is not None else 0
    return remote.available and cost <= min(settings.max_cost_usd, settings.max_cost_usd_per_month)


def _runs_well(info: ModelInfo) -> bool:
    """Available, and nothing speaks against it."""
    return info.available and not info.reason


def _largest_first(infos: Iterable[ModelInfo]) -> list[ModelInfo]:
    return sorted(infos, key=lambda info: (info.manifest.total_bytes, info.manifest.id), reverse=True)


def _no_gpu(settings: Settings) -> str:
    """Why no diffusion model should be chosen unasked; empty if one may be."""
    if settings.device == "cpu":
        return "diffusion on the CPU, as the device is set, takes hours a clip"
    problem = detect_cuda().problem
    return f"there is no CUDA GPU to use: {problem}" if problem else ""


def _why_not(info: ModelInfo) -> str:
    return f"{info.manifest.id} does not serve: {info.reason} ({info.remedy})"


def _fallback(info: ModelInfo, why: str) -> Choice:
    return Choice(info=info, said=f"{info.manifest.id} is used, because {why}")
