"""The adapter under faults: of the device, of the numbers, of the image, of the files."""

from __future__ import annotations

import gc
import operator
import os
import subprocess
import sys
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import pytest
import torch
from fixtures_tiny import noise_request, svd_info
from PIL import Image

from localvid.config import Settings
from localvid.errors import (
    CapabilityError,
    DeviceFailedError,
    GenerationFailedError,
    InvalidImageError,
    InvalidRequestError,
    LocalvidError,
    NotAvailableError,
    OutOfMemoryError,
)
from localvid.pipelines.svd.adapter import StableVideoDiffusion
from localvid.schemas import Progress, VideoRequest


@pytest.fixture
def model(tiny_svd: Path) -> Iterator[StableVideoDiffusion]:
    with StableVideoDiffusion(svd_info(tiny_svd), Settings(device="cpu")) as model:
        yield model


@pytest.fixture
def clip_request(tmp_path: Path) -> VideoRequest:
    return noise_request(tmp_path)


def frames_of(path: Path) -> list[bytes]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray().tobytes() for frame in container.decode(video=0)]


def layer_of(model: StableVideoDiffusion, name: str) -> torch.nn.Module:
    """A layer by its path from the pipeline, "unet.conv_out"."""
    model.load()
    assert model._engine is not None
    return operator.attrgetter(name)(model._engine._pipeline)  # type: ignore[no-any-return]


def unet_of(model: StableVideoDiffusion) -> torch.nn.Module:
    return layer_of(model, "unet")


def exhaust_memory() -> None:
    torch.empty(2**60, dtype=torch.uint8)  # more than any machine's address space


def cuda_out_of_memory() -> None:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9.00 GiB.\nMore advice.")


def lose_gpu() -> None:
    raise torch.AcceleratorError("CUDA error: an illegal memory access was encountered\nMore advice.")


@pytest.mark.parametrize(
    ("layer", "fault", "expected"),
    [
        ("unet.conv_out", exhaust_memory, OutOfMemoryError),
        ("vae.encoder.conv_out", exhaust_memory, OutOfMemoryError),
        ("vae.decoder.conv_out", cuda_out_of_memory, OutOfMemoryError),
        ("image_encoder", cuda_out_of_memory, OutOfMemoryError),
        ("unet.conv_out", lose_gpu, DeviceFailedError),
        ("vae.decoder.conv_out", lose_gpu, DeviceFailedError),
    ],
)
def test_device_faults_are_one_line_and_a_hint(
    model: StableVideoDiffusion,
    clip_request: VideoRequest,
    monkeypatch: pytest.MonkeyPatch,
    fault: Callable[[], None],
    expected: type[LocalvidError],
    layer: str,
) -> None:
    model.generate(clip_request.model_copy(update={"output": clip_request.output.with_name("before.mp4")}))
    with monkeypatch.context() as patch:
        patch.setattr(layer_of(model, layer), "forward", lambda *_, **__: fault())
        with pytest.raises(expected) as raised:
            model.generate(clip_request)
    assert "\n" not in raised.value.message
    assert raised.value.hint
    assert not clip_request.output.exists()

    # With the fault gone the very same model works, and its frames are the same.
    model.generate(clip_request)
    assert frames_of(clip_request.output) == frames_of(clip_request.output.with_name("before.mp4"))


def test_a_lost_gpu_asks_for_a_new_process(
    model: StableVideoDiffusion, clip_request: VideoRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layer_of(model, "unet.conv_out"), "forward", lambda *_, **__: lose_gpu())

    with pytest.raises(DeviceFailedError) as raised:
        model.generate(clip_request)
    assert "start localvid again" in raised.value.hint


def test_out_of_memory_holds_nothing_of_the_failed_attempt(
    model: StableVideoDiffusion, clip_request: VideoRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[weakref.ref[torch.Tensor]] = []

    def forward(*_: object, **__: object) -> None:
        activations = torch.zeros(10)
        held.append(weakref.ref(activations))
        cycle: list[object] = [activations]  # as in a traceback: only the collector frees it
        cycle.append(cycle)
        exhaust_memory()

    monkeypatch.setattr(layer_of(model, "unet.conv_out"), "forward", forward)
    gc.disable()  # what is freed is freed by the adapter
    try:
        with pytest.raises(OutOfMemoryError) as raised:
            model.generate(clip_request)
        assert held
        assert not any(reference() is not None for reference in held)
    finally:
        gc.enable()
    assert raised.value.__cause__ is None
    assert raised.value.__context__ is None
    assert "localvid plan" in raised.value.hint


def test_a_defect_keeps_its_own_exception(
    model: StableVideoDiffusion, clip_request: VideoRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forward(*_: object, **__: object) -> None:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    monkeypatch.setattr(layer_of(model, "unet.conv_out"), "forward", forward)
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        model.generate(clip_request)


def test_decoding_that_ran_out_of_memory_goes_on_lower_and_says_so(
    model: StableVideoDiffusion, clip_request: VideoRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = clip_request.model_copy(update={"output": clip_request.output.with_name("before.mp4")})
    model.generate(whole)
    layer = layer_of(model, "vae.decoder.conv_out")
    narrow = layer.forward
    left = [0, 1]

    def exhausted_once(hidden: torch.Tensor) -> torch.Tensor:
        if left and not left.pop():
            cuda_out_of_memory()
        result: torch.Tensor = narrow(hidden)
        return result

    monkeypatch.setattr(layer, "forward", exhausted_once)
    reports: list[Progress] = []
    model.generate(clip_request, reports.append)

    notices = [report.notice for report in reports if report.notice]
    assert notices == ["memory ran out in the decoding; going on with feature maps in a temporary file"]
    steps = [report.step for report in reports if not report.notice]
    assert steps == sorted(steps)
    assert frames_of(clip_request.output) == frames_of(whole.output)


@pytest.mark.parametrize("sample_first", [False, True])
def test_latents_that_are_not_numbers_give_no_file(
    model: StableVideoDiffusion, clip_request: VideoRequest, sample_first: bool
) -> None:
    unet_of(model).conv_out.weight.data[0, 0, 0, 0] = torch.nan  # type: ignore[union-attr, index, operator]
    latents = clip_request.output.with_name("clip.safetensors")

    with pytest.raises(GenerationFailedError, match="not numbers"):
        if sample_first:
            model.sample(clip_request, latents)
        else:
            model.generate(clip_request)
    assert not latents.exists()
    assert not clip_request.output.exists()


def test_a_failed_decoding_keeps_the_latents(
    model: StableVideoDiffusion, clip_request: VideoRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    latents = clip_request.output.with_name("clip.safetensors")
    model.sample(clip_request, latents)
    decoding = clip_request.model_copy(update={"latents": latents})
    with monkeypatch.context() as patch:
        patch.setattr(layer_of(model, "vae.decoder.conv_out"), "forward", lambda *_, **__: exhaust_memory())
        with pytest.raises(OutOfMemoryError):
            model.generate(decoding)
    # No step of sampling is run again.
    monkeypatch.setattr(layer_of(model, "unet.conv_out"), "forward", lambda *_, **__: exhaust_memory())
    reports: list[Progress] = []
    model.generate(decoding, reports.append)

    assert [(report.step, report.num_steps, report.message) for report in reports] == [
        (step, 4, "decoding") for step in (1, 2, 3, 4)
    ]


def test_progress_names_loading_sampling_and_decoding(
    model: StableVideoDiffusion, clip_request: VideoRequest
) -> None:
    reports: list[Progress] = []
    model.generate(clip_request, reports.append)

    assert [(report.step, report.num_steps, report.message) for report in reports] == [
        (0, 0, "loading Tiny Stable Video Diffusion"),
        (1, 6, "sampling"),
        (2, 6, "sampling"),
        (3, 6, "decoding"),
        (4, 6, "decoding"),
        (5, 6, "decoding"),
        (6, 6, "decoding"),
    ]


def test_fps_of_playback_changes_no_frame(model: StableVideoDiffusion, clip_request: VideoRequest) -> None:
    fast = clip_request.model_copy(update={"fps": 24, "output": clip_request.output.with_name("fast.mp4")})
    latents = [clip_request.output.with_name(f"{name}.safetensors") for name in ("slow", "fast")]
    model.sample(clip_request, latents[0])
    model.sample(fast, latents[1])

    assert latents[0].read_bytes() == latents[1].read_bytes()
    assert model.generate(fast).video.fps == 24


def remove(path: Path) -> None:
    path.unlink()


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:200])


def write_words(path: Path) -> None:
    path.write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n")


def write_other_size(path: Path) -> None:
    Image.new("RGB", (128, 64)).save(path)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (remove, "cannot be read as an image"),
        (truncate, "cannot be read as an image"),
        (write_words, "cannot be read as an image"),
        (write_other_size, "is 128x64, the clip 64x64"),
    ],
)
def test_bad_first_frames_are_refused_before_loading(
    model: StableVideoDiffusion, clip_request: VideoRequest, damage: Callable[[Path], None], message: str
) -> None:
    assert clip_request.first_frame is not None
    damage(clip_request.first_frame)
    reports: list[Progress] = []

    with pytest.raises(InvalidImageError, match=message):
        model.generate(clip_request, reports.append)
    assert reports == []


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "I;16"])
def test_first_frames_of_any_mode(model: StableVideoDiffusion, clip_request: VideoRequest, mode: str) -> None:
    assert clip_request.first_frame is not None
    Image.new(mode, (64, 64), 1 if mode != "RGBA" else (200, 10, 10, 128)).save(clip_request.first_frame)

    assert model.generate(clip_request).video.num_frames == 4


def test_latents_of_another_request_are_refused(
    model: StableVideoDiffusion, clip_request: VideoRequest
) -> None:
    latents = clip_request.output.with_name("clip.safetensors")
    model.sample(clip_request, latents)

    with pytest.raises(InvalidRequestError, match="another request"):
        model.generate(clip_request.model_copy(update={"latents": latents, "seed": 2}))


def test_sampling_needs_a_first_frame_even_beside_latents(
    model: StableVideoDiffusion, clip_request: VideoRequest, tmp_path: Path
) -> None:
    request = clip_request.model_copy(update={"first_frame": None, "latents": tmp_path / "old.safetensors"})

    with pytest.raises(CapabilityError, match="first frame"):
        model.sample(request, tmp_path / "new.safetensors")


def test_sampling_settings_must_come_from_somewhere(tiny_svd: Path, clip_request: VideoRequest) -> None:
    info = svd_info(tiny_svd)
    assert info.manifest.capabilities is not None
    info = svd_info(tiny_svd, capabilities=info.manifest.capabilities.model_copy(update={"sampling": None}))

    with StableVideoDiffusion(info, Settings()) as model, pytest.raises(CapabilityError, match="sampling"):
        model.generate(clip_request)


def test_closing_frees_the_networks(model: StableVideoDiffusion, clip_request: VideoRequest) -> None:
    model.generate(clip_request)
    unet = weakref.ref(unet_of(model))
    model.close()

    assert unet() is None


def test_no_weights_here(clip_request: VideoRequest) -> None:
    with StableVideoDiffusion(svd_info(None), Settings()) as model:
        with pytest.raises(NotAvailableError) as raised:
            model.generate(clip_request)
        assert "localvid pull local:svd-xt" in raised.value.hint


def test_only_half_precision_files_and_only_full_ones_load(tmp_path: Path, tiny_svd: Path) -> None:
    from fixtures_tiny import save_svd

    full = save_svd(tmp_path / "full", variant=None)
    assert not list(full.glob("*/*.fp16*"))
    states = []
    for directory in (full, tiny_svd):
        with StableVideoDiffusion(svd_info(directory), Settings()) as model:
            states.append(unet_of(model).state_dict())

    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_nothing_is_printed(tiny_svd: Path, clip_request: VideoRequest, tmp_path: Path) -> None:
    """In a process of its own: bars, advice and deprecations appear at the first import, once."""
    script = tmp_path / "make_clip.py"
    script.write_text(
        "import sys\n"
        "from localvid.config import Settings\n"
        "from localvid.pipelines.svd.adapter import StableVideoDiffusion\n"
        "from localvid.schemas import ModelInfo, VideoRequest\n"
        "info, request = (open(name, encoding='utf-8').read() for name in sys.argv[1:])\n"
        "with StableVideoDiffusion(ModelInfo.model_validate_json(info), Settings()) as model:\n"
        "    model.generate(VideoRequest.model_validate_json(request))\n",
        encoding="utf-8",
    )
    (tmp_path / "info.json").write_text(svd_info(tiny_svd).model_dump_json(), encoding="utf-8")
    (tmp_path / "request.json").write_text(clip_request.model_dump_json(), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, script, tmp_path / "info.json", tmp_path / "request.json"],
        capture_output=True,
        text=True,
        env=dict(os.environ),
        timeout=120,
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert len(frames_of(clip_request.output)) == 4


def test_the_package_alone_imports_no_torch() -> None:
    code = (
        "import sys, localvid.pipelines.svd; print([m for m in ('torch', 'diffusers') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )

    assert done.stdout.strip() == "[]"
