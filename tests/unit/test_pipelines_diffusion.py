"""Loading foreign directories: what is whole loads, everything else is refused and runs no code."""

from __future__ import annotations

import json
import logging
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from diffusers import StableVideoDiffusionPipeline
from diffusers.utils import logging as diffusers_logging
from fixtures_tiny import svd_info
from safetensors.torch import load_file, save_file
from transformers.utils import logging as transformers_logging

from localvid.config import Settings
from localvid.errors import NotAvailableError, OutOfMemoryError
from localvid.pipelines.diffusion import choose_device, guarded, load_pipeline, quiet, use_threads

UNET = "unet/diffusion_pytorch_model.fp16.safetensors"
CLIP = "image_encoder/model.fp16.safetensors"


def load(directory: Path) -> object:
    return load_pipeline(StableVideoDiffusionPipeline, svd_info(directory), dtype=torch.float32)


def drop_weight(file: str) -> Callable[[Path], None]:
    def drop(directory: Path) -> None:
        weights = load_file(directory / file)
        del weights[sorted(weights)[len(weights) // 2]]
        save_file(weights, directory / file, metadata={"format": "pt"})

    return drop


def pickle_unet(directory: Path) -> None:
    weights = load_file(directory / UNET)
    (directory / UNET).unlink()
    torch.save(weights, directory / "unet" / "diffusion_pytorch_model.bin")


def name_component(name: str, *where: str) -> Callable[[Path], None]:
    def change(directory: Path) -> None:
        index = json.loads((directory / "model_index.json").read_text())
        index[name] = list(where)
        (directory / "model_index.json").write_text(json.dumps(index))

    return change


def bring_code(directory: Path) -> None:
    code = f"open({str(directory / 'ran')!r}, 'w').close()\nclass Network: pass\n"
    (directory / "unet" / "network.py").write_text(code)
    (directory / "network.py").write_text(code)
    name_component("unet", "network", "Network")(directory)


def bring_pipeline(directory: Path) -> None:
    bring_code(directory)
    name_component("_class_name", "network", "Network")(directory)


def truncate(directory: Path) -> None:
    (directory / UNET).write_bytes((directory / UNET).read_bytes()[:-1_000])


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (drop_weight(UNET), "unet lacks some of its weights"),
        (drop_weight(CLIP), "image_encoder lacks some of its weights"),
        (truncate, "cannot be loaded"),
        (lambda directory: (directory / UNET).write_bytes(b"\xff" * 500), "cannot be loaded"),
        (lambda directory: (directory / UNET).unlink(), "cannot be loaded"),
        (lambda directory: shutil.rmtree(directory / "vae"), "cannot be loaded"),
        (lambda directory: (directory / "model_index.json").write_text("{"), "cannot be loaded"),
        (lambda directory: (directory / "model_index.json").unlink(), "not a diffusers model"),
        (lambda directory: (directory / "unet/config.json").write_text("[]"), "cannot be loaded"),
        (pickle_unet, "weights of unet in .* are pickled"),
        (bring_code, "cannot be loaded"),
        (bring_pipeline, "cannot be loaded"),
        (name_component("unet", "subprocess", "Popen"), "cannot be loaded"),
    ],
    ids=lambda value: value if isinstance(value, str) else getattr(value, "__name__", None),
)
def test_a_directory_that_is_not_whole_is_refused(
    tmp_path: Path, tiny_svd: Path, damage: Callable[[Path], object], message: str
) -> None:
    directory = shutil.copytree(tiny_svd, tmp_path / "model")
    damage(directory)

    with quiet(), pytest.raises(NotAvailableError, match=message) as raised:
        load(directory)
    assert raised.value.hint
    assert "\n" not in raised.value.message
    assert not (directory / "ran").exists()


def test_a_pickle_beside_safetensors_is_not_opened(tmp_path: Path, tiny_svd: Path) -> None:
    directory = shutil.copytree(tiny_svd, tmp_path / "model")
    (directory / "unet" / "diffusion_pytorch_model.bin").write_bytes(b"no pickle")

    with quiet():
        load(directory)


def test_no_directory_says_what_to_do() -> None:
    info = svd_info(None).model_copy(update={"reason": "3 files are missing", "remedy": "pull it"})

    with pytest.raises(NotAvailableError, match="3 files are missing") as raised:
        load_pipeline(StableVideoDiffusionPipeline, info, dtype=torch.float32)
    assert raised.value.hint == "pull it"


def test_quiet_restores_what_it_found() -> None:
    diffusers_logging.set_verbosity(logging.INFO)
    before = (transformers_logging.get_verbosity(), transformers_logging.is_progress_bar_enabled())
    try:
        with quiet():
            warnings.warn("nobody sees this", FutureWarning, stacklevel=1)
            assert not diffusers_logging.is_progress_bar_enabled()
        assert diffusers_logging.get_verbosity() == logging.INFO
        assert diffusers_logging.is_progress_bar_enabled()
        assert (
            transformers_logging.get_verbosity(),
            transformers_logging.is_progress_bar_enabled(),
        ) == before
    finally:
        diffusers_logging.set_verbosity_warning()


@pytest.mark.parametrize(
    ("device", "has_cuda", "expected"),
    [("auto", True, "cuda"), ("cuda", True, "cuda"), ("cpu", True, "cpu"), ("auto", False, "cpu")],
)
def test_device(monkeypatch: pytest.MonkeyPatch, device: str, has_cuda: bool, expected: str) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: has_cuda)

    assert choose_device(Settings.model_validate({"device": device})).type == expected


def test_cuda_by_name_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)

    with pytest.raises(NotAvailableError, match="no CUDA GPU"):
        choose_device(Settings(device="cuda"))


def test_threads() -> None:
    before = torch.get_num_threads()
    try:
        use_threads(Settings())
        assert torch.get_num_threads() == before
        use_threads(Settings(threads=2))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_resting_follows_work_and_its_faults_are_told_too() -> None:
    order: list[str] = []
    assert (
        guarded(lambda: order.append("work"), rest=lambda: order.append("rest"), out_of_memory_hint="")
        is None
    )
    assert order == ["work", "rest"]

    def fail() -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(OutOfMemoryError):
        guarded(lambda: None, rest=fail, out_of_memory_hint="make room")


def test_python_running_out_of_memory_is_the_same_error() -> None:
    def fail() -> None:
        raise MemoryError

    with pytest.raises(OutOfMemoryError, match="MemoryError"):
        guarded(fail, out_of_memory_hint="make room")
