"""Latents as files: read back as written, and refused for any other request."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from fixtures_tiny import TINY_SAMPLING
from safetensors import safe_open
from safetensors.torch import save_file

from localvid.errors import InvalidRequestError
from localvid.pipelines.svd.latents import read_latents, write_latents
from localvid.schemas import VideoRequest

REQUEST = VideoRequest(
    model_id="local:svd-xt",
    description="waves",
    width=128,
    height=64,
    num_frames=3,
    fps=7,
    seed=1,
    output=Path("clip.mp4"),
)
LATENTS = torch.randn(3, 4, 8, 16, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_read_back_as_written(tmp_path: Path, dtype: torch.dtype) -> None:
    write_latents(LATENTS.to(dtype), tmp_path / "森.safetensors", REQUEST, TINY_SAMPLING)
    latents = read_latents(tmp_path / "森.safetensors", REQUEST, TINY_SAMPLING)

    assert latents.dtype == dtype
    assert torch.equal(latents, LATENTS.to(dtype))


def test_a_slice_of_a_larger_tensor_is_written_alone(tmp_path: Path) -> None:
    batch = torch.stack([LATENTS, LATENTS + 1])
    write_latents(batch.transpose(0, 1)[:, 1], tmp_path / "l.safetensors", REQUEST, TINY_SAMPLING)

    assert torch.equal(read_latents(tmp_path / "l.safetensors", REQUEST, TINY_SAMPLING), LATENTS + 1)
    assert (tmp_path / "l.safetensors").stat().st_size < LATENTS.nbytes + 1_000


def test_header_says_what_they_were_sampled_for(tmp_path: Path) -> None:
    write_latents(LATENTS, tmp_path / "l.safetensors", REQUEST, TINY_SAMPLING)
    with safe_open(tmp_path / "l.safetensors", framework="pt") as file:
        identity = json.loads(file.metadata()["localvid"])

    assert identity["model_id"] == "local:svd-xt"
    assert (identity["width"], identity["height"], identity["num_frames"], identity["seed"]) == (
        128,
        64,
        3,
        1,
    )
    assert identity["sampling"]["motion_bucket_id"] == TINY_SAMPLING.motion_bucket_id


def test_speed_place_words_and_chunks_may_change(tmp_path: Path) -> None:
    write_latents(LATENTS, tmp_path / "l.safetensors", REQUEST, TINY_SAMPLING)
    changed = REQUEST.model_copy(update={"fps": 12, "output": Path("other.mp4"), "description": "sand"})
    chunks = TINY_SAMPLING.model_copy(update={"decode_chunk_size": 1})

    assert torch.equal(read_latents(tmp_path / "l.safetensors", changed, chunks), LATENTS)


@pytest.mark.parametrize("change", [{"seed": 2}, {"width": 64}, {"num_frames": 2}, {"model_id": "local:svd"}])
def test_another_request_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    write_latents(LATENTS, tmp_path / "l.safetensors", REQUEST, TINY_SAMPLING)

    with pytest.raises(InvalidRequestError, match="another request"):
        read_latents(tmp_path / "l.safetensors", REQUEST.model_copy(update=change), TINY_SAMPLING)


def test_other_sampling_is_refused(tmp_path: Path) -> None:
    write_latents(LATENTS, tmp_path / "l.safetensors", REQUEST, TINY_SAMPLING)
    more_motion = TINY_SAMPLING.model_copy(update={"motion_bucket_id": 200})

    with pytest.raises(InvalidRequestError, match="another request"):
        read_latents(tmp_path / "l.safetensors", REQUEST, more_motion)


@pytest.mark.parametrize("content", [b"", b"\x00" * 100, b"\xff" * 100, b"a film"])
def test_damage_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "l.safetensors").write_bytes(content)

    with pytest.raises(InvalidRequestError, match="cannot be read"):
        read_latents(tmp_path / "l.safetensors", REQUEST, TINY_SAMPLING)


def test_half_a_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "l.safetensors"
    write_latents(LATENTS, path, REQUEST, TINY_SAMPLING)
    path.write_bytes(path.read_bytes()[:-100])

    with pytest.raises(InvalidRequestError, match="cannot be read"):
        read_latents(path, REQUEST, TINY_SAMPLING)


def test_missing_and_foreign_files_are_refused(tmp_path: Path) -> None:
    save_file({"weights": LATENTS}, tmp_path / "other.safetensors")

    with pytest.raises(InvalidRequestError, match="cannot be read"):
        read_latents(tmp_path / "none.safetensors", REQUEST, TINY_SAMPLING)
    with pytest.raises(InvalidRequestError, match="another request"):
        read_latents(tmp_path / "other.safetensors", REQUEST, TINY_SAMPLING)


def test_a_wrong_shape_under_the_right_header_is_refused(tmp_path: Path) -> None:
    write_latents(LATENTS[:, :3], tmp_path / "l.safetensors", REQUEST, TINY_SAMPLING)

    with pytest.raises(InvalidRequestError, match="another request"):
        read_latents(tmp_path / "l.safetensors", REQUEST, TINY_SAMPLING)
