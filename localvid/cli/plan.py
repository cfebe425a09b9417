"""The command that predicts what a clip takes before anything is loaded: plan."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from localvid.cli import output
from localvid.cli.options import MAX_SHOTS, Json, Workspace, duration_option, option, validated_options
from localvid.errors import CapabilityError, InvalidRequestError, NotAvailableError

if TYPE_CHECKING:
    from rich.console import Console

    from localvid.config import Settings
    from localvid.pipelines.svd.budget.planner import ClipPlan, ClipPlanner
    from localvid.pipelines.svd.budget.roofline import GpuPeaks
    from localvid.pipelines.svd.budget.search import Room
    from localvid.schemas import FilmOptions, ModelInfo

_MODEL = "local:svd-xt"
_ADAPTERS = "localvid.pipelines.svd."
_COMMON = ("RTX 4060", "RTX 4070", "RTX 4080", "RTX 4090", "A100", "H100")
_STAGES = {"clip": "image encoder", "encode": "VAE encode", "sample": "UNet", "decode": "VAE decode"}
_GIB = 2**30


def plan(
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="[STORYBOARD/PROMPT]",
            show_default=False,
            help="A storyboard file or a prompt, to plan all of its shots; not given: one clip.",
        ),
    ] = None,
    model: Annotated[
        str, option("--model", metavar="MODEL", help="A Stable Video Diffusion; local:svd-xt if not given.")
    ] = _MODEL,
    width: Annotated[int | None, option("--width", metavar="PIXELS", help="Width of the clip.")] = None,
    height: Annotated[int | None, option("--height", metavar="PIXELS", help="Height of the clip.")] = None,
    num_frames: Annotated[int | None, option("--num-frames", metavar="N", help="Frames of a clip.")] = None,
    num_inference_steps: Annotated[
        int | None, option("--num-inference-steps", metavar="N", help="Sampling steps.")
    ] = None,
    max_shots: Annotated[int | None, MAX_SHOTS] = None,
    duration: Annotated[
        float | None, duration_option("How long the film is to be, such as 20s: as many shots as that takes.")
    ] = None,
    vram: Annotated[
        float | None, option("--vram", metavar="GIB", help="Memory of the GPU; the card's own if not given.")
    ] = None,
    ram: Annotated[
        float | None,
        option("--ram", metavar="GIB", help="Memory of the machine; this machine's if not given."),
    ] = None,
    gpu: Annotated[
        str | None, option("--gpu", metavar="NAME", help="A card, such as rtx-4090; else this machine's.")
    ] = None,
    as_json: Json = False,
    workspace: Workspace = None,
) -> None:
    """Predict memory, time and settings of a clip; needs no GPU.

    Every stage is run on tensors without contents, and every byte and operation is counted. Nothing is
    loaded and nothing is downloaded.
    """
    from localvid import registry
    from localvid.config import load_settings

    if ram is not None and ram <= 0:
        raise InvalidRequestError(f"--ram: {ram:g} GiB is no memory", hint="for example --ram 16")
    settings = load_settings(workspace=workspace)
    given = {
        "width": width,
        "height": height,
        "num_frames": num_frames,
        "num_inference_steps": num_inference_steps,
        "max_shots": max_shots,
        "duration_seconds": duration,
    }
    options = validated_options({name: value for name, value in given.items() if value is not None})
    if duration is not None and num_frames is not None:
        raise InvalidRequestError("--duration and --num-frames both say how long", hint="give one of them")
    info = registry.get_model(model, settings)
    _check_model(info)
    num_shots = _num_shots(source, info, options)
    card = _card(gpu, vram)
    planner = _planner(info, settings, options)
    room = _room(settings, ram, card.vram_bytes)
    chosen = planner.plan(card.peaks, room)
    others = _on_common_cards(planner, room) if card.assumed else []
    if as_json:
        output.print_json(_document(chosen, card, num_shots, others))
        return
    _print(output.console(), chosen, card, num_shots, others)


class _Card(NamedTuple):
    peaks: GpuPeaks
    vram_bytes: int
    origin: str
    """Where it comes from, in words for the user."""
    assumed: bool = False
    """Nothing was asked for, and this machine has none."""


def _card(gpu: str | None, vram: float | None) -> _Card:
    """The card that was asked for, this machine's, or a common one."""
    from localvid.gpu import detect_cuda
    from localvid.pipelines.svd.budget.roofline import peaks_of, require_peaks

    if vram is not None and vram <= 0:
        raise InvalidRequestError(f"--vram: {vram:g} GiB is no memory", hint="for example --vram 8")
    if gpu is not None:
        peaks = require_peaks(gpu)
        return _Card(peaks, _bytes(vram or peaks.memory_gib), "as asked for")
    if vram is not None:
        peaks = _nearest(vram)
        return _Card(peaks, _bytes(vram), f"the time is that of an {peaks.name}; --gpu names another")
    cuda = detect_cuda()
    if cuda.gpus:
        own = cuda.gpus[0]
        known = peaks_of(own.name)
        origin = f"this machine's {own.name}"
        if known is None:
            known = _nearest(own.memory_gib)
            origin += f", whose peaks are not known; the time is that of an {known.name}"
        return _Card(known, _bytes(own.memory_gib), origin)
    peaks = require_peaks(_COMMON[0])
    origin = f"assumed, for {cuda.problem}: --gpu or --vram names another"
    return _Card(peaks, _bytes(peaks.memory_gib), origin, assumed=True)


def _nearest(memory_gib: float) -> GpuPeaks:
    """Of the cards with the nearest memory, the slowest."""
    from localvid.pipelines.svd.budget.roofline import known_gpus

    return min(known_gpus(), key=lambda gpu: (abs(gpu.memory_gib - memory_gib), gpu.half_tflops))


def _bytes(gib: float) -> int:
    return round(gib * _GIB)


def _check_model(info: ModelInfo) -> None:
    from localvid import registry

    manifest = info.manifest
    if not manifest.adapter.startswith(_ADAPTERS):
        raise CapabilityError(
            f"{manifest.id} is not planned: only the memory of Stable Video Diffusion is predicted",
            hint="--model local:svd-xt",
        )
    absent = [package for package in manifest.requires if not registry.is_installed(package)]
    if absent:
        raise NotAvailableError(
            f"predicting runs the networks' code, and {', '.join(absent)} cannot be found",
            hint=registry.install_command(*absent),
        )


def _num_shots(source: str | None, info: ModelInfo, options: FilmOptions) -> int:
    """Shots of a storyboard file, or as many as would be written for a prompt."""
    from localvid.cli.storyboards import names_storyboard, read_storyboard
    from localvid.planning import num_shots_for

    assert info.manifest.capabilities is not None  # of every such model
    if source is None:
        return 1 if options.duration_seconds is None else num_shots_for(options, info.manifest.capabilities)
    if names_storyboard(source):
        if options.duration_seconds is not None:
            raise InvalidRequestError(
                "--duration plans a film that is not written yet, and this storyboard is",
                hint="give each shot its duration in the file, or leave --duration out",
            )
        shots = len(read_storyboard(Path(source)).storyboard.shots)
        return min(shots, options.max_shots) if "max_shots" in options.model_fields_set else shots
    return num_shots_for(options, info.manifest.capabilities)


def _planner(info: ModelInfo, settings: Settings, options: FilmOptions) -> ClipPlanner:
    """The planner of one clip, with the model's own values for what was not given.

    Raises CapabilityError for what the model cannot do.
    """
    from localvid.planning import check_request
    from localvid.schemas import VideoRequest

    capabilities = info.manifest.capabilities
    assert capabilities is not None and capabilities.sampling is not None  # of every such model
    request = VideoRequest(
        model_id=info.manifest.id,
        description="",
        width=options.width or capabilities.default_width,
        height=options.height or capabilities.default_height,
        num_frames=options.num_frames or capabilities.default_num_frames or capabilities.num_frames.maximum,
        fps=capabilities.default_fps,
        seed=0,
        first_frame=Path("first.png"),
        output=Path("clip.mp4"),
    )
    check_request(request, capabilities)
    from localvid.pipelines.svd.budget.planner import ClipPlanner

    return ClipPlanner(
        info,
        width=request.width,
        height=request.height,
        num_frames=request.num_frames,
        num_inference_steps=options.num_inference_steps or capabilities.sampling.num_inference_steps,
        guided=capabilities.sampling.max_guidance_scale > 1,
        workspace=settings.workspace,
    )


def _room(settings: Settings, ram: float | None, vram_bytes: int) -> Room:
    """The card that is planned for, in a machine of so much memory, and this machine's disk."""
    from localvid import memory
    from localvid.pipelines.svd.budget.choice import free_disk_bytes, host_bytes
    from localvid.pipelines.svd.budget.search import Room

    return Room(
        vram_bytes=vram_bytes,
        host_bytes=_bytes(ram) if ram is not None else host_bytes(settings, memory.total_bytes()),
        disk_bytes=free_disk_bytes(settings.workspace),
    )


def _on_common_cards(planner: ClipPlanner, room: Room) -> list[ClipPlan]:
    from localvid.pipelines.svd.budget.roofline import require_peaks

    cards = [require_peaks(name) for name in _COMMON]
    return [planner.plan(card, room._replace(vram_bytes=_bytes(card.memory_gib))) for card in cards]


def _document(chosen: ClipPlan, card: _Card, num_shots: int, others: list[ClipPlan]) -> dict[str, Any]:
    return {
        **chosen.model_dump(mode="json"),
        "needed_bytes": chosen.needed_bytes,
        "gpu_origin": card.origin,
        "film": {
            "num_shots": num_shots,
            "flops": chosen.flops * num_shots,
            "seconds": chosen.seconds * num_shots,
        },
        "common_gpus": [
            {
                "gpu": plan.gpu,
                "vram_bytes": plan.budget_bytes,
                "peak_bytes": plan.peak_bytes,
                "seconds": plan.seconds,
                "engine": plan.engine.model_dump(mode="json"),
            }
            for plan in others
        ],
    }


# --- printing ------------------------------------------------------------------------------------


def _print(console: Console, chosen: ClipPlan, card: _Card, num_shots: int, others: list[ClipPlan]) -> None:
    settings = chosen.settings
    console.print(f"{chosen.model_id} on {chosen.gpu}, {card.vram_bytes / _GIB:.1f} GiB", style="bold")
    output.print_hanging(console, f"({card.origin})", indent=2)
    margin = chosen.margin
    output.print_facts(
        console,
        {
            "clip": f"{settings.width}x{settings.height}, {settings.num_frames} frames, "
            f"{settings.num_inference_steps} steps",
            **_engine_facts(chosen),
            "memory": f"{chosen.needed_bytes / _GIB:.2f} GiB = peak {chosen.peak_bytes / _GIB:.2f} + margin "
            f"{margin.total_bytes / _GIB:.2f} (CUDA context {margin.context_bytes / _GIB:.2f}, workspaces "
            f"{margin.workspace_bytes / _GIB:.2f}, fragmentation {margin.fragmentation_bytes / _GIB:.2f})",
            "host memory": f"{chosen.host_bytes / _GIB:.1f} GiB" if chosen.host_bytes > _GIB / 20 else "",
            "time": f"{_time(chosen)} a clip, {_certainty(chosen)}",
            "film": f"{output.count(num_shots, 'shot')}, about {output.clock(chosen.seconds * num_shots)}"
            if num_shots > 1
            else "",
            "download": output.byte_size(chosen.download_bytes) if chosen.download_bytes else "nothing",
            "disk": output.byte_size(chosen.disk_bytes),
        },
    )
    console.print()
    table = output.table(console, "stage", "peak GiB", "TFLOP", "seconds", wrapped=("stage",))
    for stage in chosen.stages:
        table.add_row(
            _STAGES[stage.name],
            f"{stage.peak_bytes / _GIB:8.2f}",
            f"{stage.flops / 1e12:7,.1f}",
            f"{stage.seconds:7.1f}",
        )
    table.add_row(
        "all", f"{chosen.peak_bytes / _GIB:8.2f}", f"{chosen.flops / 1e12:7,.1f}", f"{chosen.seconds:7.1f}"
    )
    output.print_trimmed(console, table)
    if others:
        console.print()
        _print_cards(console, others)
    for note in chosen.notes:
        output.print_notice(note)


def _print_cards(console: Console, plans: list[ClipPlan]) -> None:
    words = ("weights", "UNet", "decoder")
    table = output.table(console, "card", "GiB", "peak", "time", *words, wrapped=words)
    for plan in plans:
        unet, decoder = plan.engine.unet, plan.engine.decoder
        table.add_row(
            plan.gpu,
            f"{(plan.budget_bytes or 0) / _GIB:.0f}",
            f"{plan.peak_bytes / _GIB:.2f}",
            f"{plan.seconds:.0f} s",
            plan.engine.weights.value,
            f"{_slices(unet.frames, unet.pixels)}, {unet.guidance.value}",
            f"{_slices(decoder.frames, decoder.pixels)}, {decoder.maps.value}",
        )
    output.print_trimmed(console, table)


def _engine_facts(plan: ClipPlan) -> dict[str, str]:
    engine = plan.engine
    unet, decoder = engine.unet, engine.decoder
    guidance = f", guidance {_GUIDANCE[unet.guidance.value]}" if plan.settings.guidance else ""
    chunk = f", {decoder.chunk_frames} frames a chunk" if decoder.chunk_frames else ""
    return {
        "weights": _WEIGHTS[engine.weights.value],
        "UNet": _slices(unet.frames, unet.pixels) + guidance,
        "decoder": f"{_slices(decoder.frames, decoder.pixels)}, maps on {decoder.maps.value}{chunk}",
    }


_WEIGHTS = {"resident": "all stay on the card", "model": "one network at a time", "stream": "streamed"}
_GUIDANCE = {"together": "together", "passes": "in passes"}


def _slices(frames: int, pixels: int) -> str:
    from localvid.pipelines.svd.plan import WHOLE

    if frames == pixels == WHOLE:
        return "whole"
    return f"{frames} f / {pixels:,} px"


def _time(plan: ClipPlan) -> str:
    return f"{plan.seconds:.0f} s ({plan.seconds_low:.0f} to {plan.seconds_high:.0f})"


def _certainty(plan: ClipPlan) -> str:
    measured = plan.calibration
    if not measured.num_clips:
        return "estimated from times of other cards"
    size = "of this size" if measured.same_size else "of other sizes"
    return f"by {output.count(measured.num_clips, 'clip')} {size} measured here"
