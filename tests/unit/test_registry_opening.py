"""Opening models by the names in their manifests."""

from __future__ import annotations

from pathlib import Path

import pytest

import localvid.pipelines
from localvid.config import Settings
from localvid.errors import NotAvailableError
from localvid.registry import get_model, open_painter, open_video_model, open_writer
from localvid.schemas import ModelInfo, ModelKind


@pytest.fixture
def settings(workspace: Path) -> Settings:
    return Settings(workspace=workspace)


@pytest.fixture
def animatic(settings: Settings) -> ModelInfo:
    return get_model("animatic", settings, ModelKind.VIDEO)


def with_adapter(info: ModelInfo, adapter: str) -> ModelInfo:
    return info.model_copy(update={"manifest": info.manifest.model_copy(update={"adapter": adapter})})


@pytest.fixture
def adapters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose modules can be imported from localvid.pipelines."""
    monkeypatch.setattr(localvid.pipelines, "__path__", [*localvid.pipelines.__path__, str(tmp_path)])
    return tmp_path


def test_the_embedded_models_open(settings: Settings, animatic: ModelInfo) -> None:
    still = get_model("animatic-still", settings, ModelKind.KEYFRAME)
    outline = get_model("outline", settings, ModelKind.STORYBOARD)
    with open_video_model(animatic, settings) as model, open_painter(still, settings) as painter:
        assert model.info is animatic
        assert painter.info is still
    with open_writer(outline, settings) as writer:
        assert len(writer.write("A forest", num_shots=2, seed=1).shots) == 2


def test_an_adapter_whose_package_is_missing_names_the_extra(
    settings: Settings, animatic: ModelInfo, adapters: Path
) -> None:
    (adapters / "needy.py").write_text("import no_such_package.inside\n")
    with pytest.raises(NotAvailableError, match="the package no_such_package is missing") as caught:
        open_video_model(with_adapter(animatic, "localvid.pipelines.needy:Model"), settings)
    assert caught.value.hint == '`pip install "localvid[diffusion]"`'


def test_an_adapter_that_does_not_exist_is_one_line(
    settings: Settings, animatic: ModelInfo, adapters: Path
) -> None:
    (adapters / "empty_adapter.py").write_text("")
    for adapter, said in (
        ("localvid.pipelines.nowhere:Model", "does not load"),
        ("localvid.pipelines.empty_adapter:Model", "has no Model"),
    ):
        with pytest.raises(NotAvailableError, match=said):
            open_video_model(with_adapter(animatic, adapter), settings)


def test_what_does_not_run_is_not_opened(settings: Settings) -> None:
    info = get_model("sd-turbo", settings, ModelKind.KEYFRAME)
    with pytest.raises(NotAvailableError, match="does not run here"):
        open_painter(info, settings)


def test_a_model_is_opened_as_what_it_is(settings: Settings, animatic: ModelInfo) -> None:
    with pytest.raises(TypeError, match="is a video model"):
        open_painter(animatic, settings)
