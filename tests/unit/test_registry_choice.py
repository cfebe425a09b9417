"""What "auto" chooses, and what it says about it."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from localvid import gpu
from localvid.config import Settings
from localvid.errors import InvalidRequestError, NotAvailableError
from localvid.gpu import Cuda, Gpu
from localvid.planning import storyboard_step
from localvid.planning.record import film_record
from localvid.registry import (
    availability,
    choice,
    choose_keyframe_model,
    choose_video_model,
    choose_writer,
    get_model,
    require,
)
from localvid.schemas import FilmOptions, ModelKind, Shot, Storyboard

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


@pytest.mark.parametrize(
    ("leave", "expected"),
    [
        ({"allow_remote": True, "replicate_api_token": SecretStr("r8")}, "replicate:svd-xt"),
        ({"allow_remote": True}, "local:animatic"),
        ({"replicate_api_token": SecretStr("r8")}, "local:animatic"),
        (
            {"allow_remote": True, "replicate_api_token": SecretStr("r8"), "offline": True},
            "local:animatic",
        ),
    ],
    ids=["leave and token", "no token", "no leave", "offline"],
)
def test_a_host_is_chosen_after_the_gpu_and_before_the_animatic(
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    leave: dict[str, object],
    expected: str,
) -> None:
    some = settings.model_copy(update=leave)
    monkeypatch.setattr(gpu, "LIBRARY", "libcuda-of-nobody.so.1")
    without = choose_video_model(some)
    assert without.info.manifest.id == expected
    assert without.said.startswith(f"{expected} is used, because there is no CUDA GPU to use")

    monkeypatch.setattr(choice, "detect_cuda", lambda: GPU)
    monkeypatch.setattr(availability, "_torch_version", lambda: "2.13.0+cu128")
    unpulled = choose_video_model(some)
    assert unpulled.info.manifest.id == expected
    assert "`localvid pull svd-xt`" in unpulled.said
    assert choose_video_model(holding(some, tmp_path, "svd-xt")).info.manifest.id == "local:svd-xt"


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


@pytest.mark.parametrize(
    "model_id",
    [
        "openai:gpt-4.1-mini",
        "openai:qwen3:4b",
        "openai:Qwen/Qwen3-4B-Instruct-2507",
        "openai:/models/SmolLM2.gguf",
        "openai:hf.co/bartowski/Llama-3.2-3B-Instruct-GGUF:Q4_K_M",
        "anthropic:some-model@20260101",
    ],
)
def test_a_model_on_a_server_keeps_its_name(settings: Settings, model_id: str) -> None:
    some = settings.model_copy(
        update={"openai_base_url": "http://localhost:1/v1", "anthropic_base_url": "http://localhost:1"}
    )
    chosen = choose_writer(some, model_id)
    assert (chosen.info.manifest.id, chosen.info.available, chosen.said) == (model_id, True, "")
    assert chosen.info.manifest.kind is ModelKind.STORYBOARD


def test_what_leaves_the_machine_is_said(settings: Settings) -> None:
    some = settings.model_copy(
        update={"openai_api_key": SecretStr("sk-canary"), "llm": "openai:gpt-4.1-mini"}
    )
    assert choose_writer(some).said == "the prompt and the storyboard's words go to api.openai.com"


def test_auto_chooses_no_server(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even where a key is there and nothing else is."""
    some = settings.model_copy(
        update={"openai_api_key": SecretStr("sk"), "anthropic_api_key": SecretStr("sk")}
    )
    assert choose_writer(some).info.manifest.id == "llm:smollm2-135m"
    monkeypatch.setattr(availability, "is_installed", lambda package: package != "llama_cpp")
    assert choose_writer(some).info.manifest.id == "llm:outline"


@pytest.mark.parametrize(
    ("changes", "said", "remedy"),
    [
        ({}, "there is no key for api.openai.com", "OPENAI_API_KEY"),
        ({"openai_base_url": "http://10.0.0.7/v1", "offline": True}, "10.0.0.7 is not this", "offline"),
        (
            {"openai_base_url": "http://10.0.0.7/v1", "openai_api_key": SecretStr("sk")},
            "in the clear",
            "https",
        ),
    ],
)
def test_a_server_that_may_not_be_asked_says_why(
    settings: Settings, changes: dict[str, object], said: str, remedy: str
) -> None:
    info = choose_writer(settings.model_copy(update=changes), "openai:x").info
    with pytest.raises(NotAvailableError, match=said) as caught:
        require(info)
    assert remedy in caught.value.hint


def test_without_its_package_a_server_says_what_to_install(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(availability, "is_installed", lambda package: package != "anthropic")
    some = settings.model_copy(update={"anthropic_api_key": SecretStr("sk")})
    info = choose_writer(some, "anthropic:x").info
    assert info.reason == "the package anthropic cannot be found"
    assert info.remedy == '`pip install "localvid[anthropic]"`'


@pytest.mark.parametrize("name", ["openai:", "OpenAI:x", "openai:x y", "anthropic:" + "x" * 200])
def test_what_names_no_model_on_a_server_is_said(settings: Settings, name: str) -> None:
    with pytest.raises(InvalidRequestError, match="names no model on a server") as caught:
        choose_writer(settings, name)
    assert f"{name.partition(':')[0].lower()}:MODEL" in caught.value.hint


def test_another_server_is_another_step(settings: Settings) -> None:
    """And its address, which may be nobody's business, is not in the film's record."""
    keys = []
    for port in (1, 2, 1):
        some = settings.model_copy(update={"openai_base_url": f"http://localhost:{port}/v1"})
        writer = get_model("openai:x", some).manifest
        step = storyboard_step("A fox", num_shots=2, seed=1, writer=writer, context_tokens=4096)
        keys.append(step.key)
        record = film_record(
            Storyboard(shots=(Shot(description="A fox"),)),
            FilmOptions(llm="openai:some/x"),
            prompt="A fox",
            models=(writer,),
            videos=(),
            version="1",
        )
        assert record.options.llm == "openai:some/x"
        assert "localhost" not in record.model_dump_json()
    assert keys[0] == keys[2] != keys[1]


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
