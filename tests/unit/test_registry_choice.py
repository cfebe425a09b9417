"""What "auto" chooses, and what it says about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from localvid import gpu
from localvid.config import Settings
from localvid.errors import InvalidRequestError, NotAvailableError
from localvid.gpu import Cuda, Gpu
from localvid.registry import (
    availability,
    choice,
    choose_keyframe_model,
    choose_video_model,
    choose_writer,
    get_model,
    require,
)
from localvid.schemas import ModelKind

GPU = Cuda(driver="12.8", gpus=(Gpu(name="A GPU", memory_gib=13),))


@pytest.fixture
def with_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "detect_cuda", lambda: GPU)
    monkeypatch.setattr(availability, "_torch_version", lambda: "2.13.0+cu128")


@pytest.fixture
def without_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "LIBRARY", "libcuda-of-nobody.so.1")


@pytest.fixture
def settings(workspace: Path, tmp_path: Path) -> Settings:
    return Settings(workspace=workspace, hub_cache=tmp_path / "hub")


def holding(settings: Settings, tmp_path: Path, *names: str) -> Settings:
    """The settings with the weights of these models on disk."""
    for name in names:
        (tmp_path / name).mkdir()
        (tmp_path / name / "model_index.json").write_text("{}")
    return settings.model_copy(update={"model_paths": {name: tmp_path / name for name in names}})


@pytest.mark.usefixtures("without_gpu")
def test_without_a_gpu_the_animatic_serves_and_says_why(settings: Settings, tmp_path: Path) -> None:
    for some in (settings, holding(settings, tmp_path, "svd-xt", "sd-turbo")):
        for chosen, model_id in (
            (choose_video_model(some), "local:animatic"),
            (choose_keyframe_model(some), "local:animatic-still"),
        ):
            assert chosen.info.manifest.id == model_id
            assert chosen.said == (
                f"{model_id} is used, because there is no CUDA GPU to use: no NVIDIA driver is installed"
            )


@pytest.mark.usefixtures("with_gpu")
def test_with_a_gpu_and_no_weights_it_says_what_to_pull(settings: Settings) -> None:
    video, painter = choose_video_model(settings), choose_keyframe_model(settings)
    assert video.info.manifest.id == "local:animatic"
    assert "`localvid pull svd-xt` (4.5 GB)" in video.said
    assert painter.info.manifest.id == "local:animatic-still"
    assert "`localvid pull sd-turbo`" in painter.said


@pytest.mark.usefixtures("with_gpu")
def test_with_a_gpu_and_weights_diffusion_serves(settings: Settings, tmp_path: Path) -> None:
    some = holding(settings, tmp_path, "svd", "svd-xt", "sd-turbo", "sdxl-turbo", "z-image-turbo")
    video, painter = choose_video_model(some), choose_keyframe_model(some)
    assert (video.info.manifest.id, video.said) == ("local:svd-xt", "")
    # z-image-turbo is larger, and needs more than the 13 GiB of this GPU.
    assert (painter.info.manifest.id, painter.said) == ("keyframe:sdxl-turbo", "")


@pytest.mark.usefixtures("with_gpu")
def test_another_svd_serves_where_xt_is_not_here(settings: Settings, tmp_path: Path) -> None:
    assert choose_video_model(holding(settings, tmp_path, "svd")).info.manifest.id == "local:svd"


@pytest.mark.usefixtures("with_gpu")
def test_the_cpu_is_never_chosen_for_diffusion_unasked(settings: Settings, tmp_path: Path) -> None:
    some = holding(settings, tmp_path, "svd-xt").model_copy(update={"device": "cpu"})
    assert choose_video_model(some).info.manifest.id == "local:animatic"
    assert "hours" in choose_video_model(some).said
    assert choose_video_model(some, "svd-xt").info.available


def test_the_embedded_language_model_writes(settings: Settings) -> None:
    chosen = choose_writer(settings)
    assert (chosen.info.manifest.id, chosen.said) == ("llm:smollm2-135m", "")


def test_a_larger_language_model_is_preferred_once_it_is_here(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "gemma.gguf"
    path.write_bytes(b"GGUF")
    some = settings.model_copy(update={"model_paths": {"gemma-3-4b-it": path}})
    assert choose_writer(some).info.manifest.id == "llm:gemma-3-4b-it"


def test_without_llama_the_outline_writes_and_says_why(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(availability, "is_installed", lambda package: package != "llama_cpp")
    chosen = choose_writer(settings)
    assert chosen.info.manifest.id == "llm:outline"
    assert "the package llama_cpp cannot be found" in chosen.said
    assert '`pip install "localvid[llm]"`' in chosen.said


def test_the_settings_name_a_model_for_auto(settings: Settings) -> None:
    some = settings.model_copy(update={"llm": "outline", "model": "animatic", "keyframe_model": "sd-turbo"})
    assert choose_writer(some).info.manifest.id == "llm:outline"
    assert choose_video_model(some).info.manifest.id == "local:animatic"
    assert choose_keyframe_model(some).info.manifest.id == "keyframe:sd-turbo"


@pytest.mark.usefixtures("without_gpu")
def test_a_named_model_is_never_swapped(settings: Settings) -> None:
    chosen = choose_video_model(settings, "svd-xt")
    assert chosen.info.manifest.id == "local:svd-xt"
    with pytest.raises(
        NotAvailableError, match="local:svd-xt does not run here: it needs a CUDA GPU"
    ) as caught:
        require(chosen.info)
    assert "LOCALVID_DEVICE=cpu" in caught.value.hint
    with pytest.raises(InvalidRequestError):
        choose_video_model(settings, "sd-turbo")


def test_what_runs_is_required_in_silence(settings: Settings) -> None:
    require(get_model("animatic", settings, ModelKind.VIDEO))
