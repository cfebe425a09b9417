"""The diffusers painter: sizes, settings, words, and pictures that are none."""

from __future__ import annotations

import logging
import weakref
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from fixtures_tiny import painter_info
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from localvid.config import Settings
from localvid.errors import GenerationFailedError, InvalidSettingsError, NotAvailableError, OutOfMemoryError
from localvid.pipelines.keyframe import DiffusersPainter, native_size
from localvid.schemas import KeyframeRequest, Progress


@pytest.fixture
def painter(tiny_painter: Path) -> Iterator[DiffusersPainter]:
    with DiffusersPainter(painter_info(tiny_painter), Settings(device="cpu")) as painter:
        yield painter


@pytest.fixture
def keyframe_request(tmp_path: Path) -> KeyframeRequest:
    return KeyframeRequest(
        model_id="local:tiny-painter",
        description="A boat",
        width=128,
        height=64,
        seed=5,
        output=tmp_path / "keyframe.png",
    )


def pixels_of(path: Path) -> NDArray[np.uint8]:
    with Image.open(path) as image:
        return np.asarray(image).copy()


def painted(painter: DiffusersPainter, request: KeyframeRequest, name: str) -> NDArray[np.uint8]:
    request = request.model_copy(update={"output": request.output.with_name(name)})
    painter.paint(request)
    return pixels_of(request.output)


@given(
    width=st.integers(16, 4096),
    height=st.integers(16, 4096),
    pixels=st.sampled_from([512 * 512, 1024 * 1024]),
    multiple=st.sampled_from([8, 16, 32]),
)
def test_native_size(width: int, height: int, pixels: int, multiple: int) -> None:
    native = native_size(width, height, pixels=pixels, multiple=multiple)

    assert all(side % multiple == 0 and side > 0 for side in native)
    if max(width, height) <= 4 * min(width, height):
        assert 0.85 < native[0] * native[1] / pixels < 1.15
        assert 0.85 < native[0] / native[1] / (width / height) < 1.15


def test_native_size_of_the_usual_frame() -> None:
    assert native_size(1024, 576, pixels=1024 * 1024, multiple=16) == (1360, 768)
    assert native_size(1024, 576, pixels=512 * 512, multiple=8) == (680, 384)


def test_the_networks_see_about_their_native_pixels(
    painter: DiffusersPainter, keyframe_request: KeyframeRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    painter.load()
    sizes: list[tuple[int, ...]] = []
    whole = painter._pipeline.unet.forward

    def seen(latents: torch.Tensor, *args: object, **named: object) -> object:
        sizes.append(tuple(latents.shape))
        return whole(latents, *args, **named)

    monkeypatch.setattr(painter._pipeline.unet, "forward", seen)
    painter.paint(keyframe_request.model_copy(update={"width": 1024, "height": 512}))

    # 64 x 64 pixels as 2:1 are 96 x 48, twelve by six latents; guidance takes two of them at once.
    assert sizes == [(2, 4, 6, 12)] * 2
    assert pixels_of(keyframe_request.output).shape == (512, 1024, 3)


def test_style_joins_the_words(painter: DiffusersPainter, keyframe_request: KeyframeRequest) -> None:
    plain = painted(painter, keyframe_request, "plain.png")
    ink = painted(painter, keyframe_request.model_copy(update={"style": "ink"}), "ink.png")
    words = keyframe_request.model_copy(update={"description": "A boat, ink"})

    assert not np.array_equal(plain, ink)
    assert np.array_equal(ink, painted(painter, words, "words.png"))


def test_steps_of_the_request_come_before_the_manifest(
    painter: DiffusersPainter, keyframe_request: KeyframeRequest
) -> None:
    reports: list[Progress] = []
    painter.paint(keyframe_request.model_copy(update={"num_inference_steps": 4}), reports.append)

    assert [(report.step, report.num_steps) for report in reports] == [
        (0, 0),
        *((step, 4) for step in (1, 2, 3, 4)),
    ]


@pytest.mark.parametrize("change", [{"guidance_scale": 7.5}, {"negative_prompt": "rain"}])
def test_settings_of_the_manifest_reach_the_networks(
    painter: DiffusersPainter,
    tiny_painter: Path,
    keyframe_request: KeyframeRequest,
    change: dict[str, int | float | str | bool],
) -> None:
    before = painted(painter, keyframe_request, "before.png")
    with DiffusersPainter(painter_info(tiny_painter, **change), Settings(device="cpu")) as other:
        assert not np.array_equal(before, painted(other, keyframe_request, "after.png"))


@pytest.mark.parametrize("wrong", [{"steps": 4}, {"num_inference_steps": 0}, {"dtype": "int4"}])
def test_wrong_settings_in_a_manifest_are_named(
    tiny_painter: Path,
    keyframe_request: KeyframeRequest,
    wrong: dict[str, int | float | str | bool],
) -> None:
    with (
        DiffusersPainter(painter_info(tiny_painter, **wrong), Settings()) as painter,
        pytest.raises(InvalidSettingsError, match=next(iter(wrong))),
    ):
        painter.paint(keyframe_request)


@pytest.mark.parametrize(("bias", "message"), [(torch.nan, "not numbers"), (-100.0, "black")])
def test_pictures_that_are_none_fail(
    painter: DiffusersPainter, keyframe_request: KeyframeRequest, bias: float, message: str
) -> None:
    painter.load()
    painter._pipeline.vae.decoder.conv_out.bias.data[:] = bias

    with pytest.raises(GenerationFailedError, match=message):
        painter.paint(keyframe_request)
    assert not keyframe_request.output.exists()


def test_words_beyond_what_the_encoder_reads_are_told(
    painter: DiffusersPainter, keyframe_request: KeyframeRequest, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, logger="localvid"):
        painter.paint(keyframe_request)
        assert caplog.messages == []
        long = keyframe_request.model_copy(
            update={"description": "a" * 100, "output": keyframe_request.output.with_name("long.png")}
        )
        painter.paint(long)

    assert len(caplog.messages) == 1
    # A letter a token, one for the start and one for the end: 102, of which 77 are read.
    assert "does not read the last 25 tokens" in caplog.messages[0]


def test_out_of_memory(
    painter: DiffusersPainter, keyframe_request: KeyframeRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    painter.load()
    with monkeypatch.context() as patch:
        patch.setattr(
            painter._pipeline.unet, "forward", lambda *_, **__: torch.empty(2**60, dtype=torch.uint8)
        )
        with pytest.raises(OutOfMemoryError) as raised:
            painter.paint(keyframe_request)
    assert "--reference-image" in raised.value.hint

    painter.paint(keyframe_request)
    assert keyframe_request.output.exists()


def test_closing_frees_the_networks(painter: DiffusersPainter) -> None:
    painter.load()
    unet = weakref.ref(painter._pipeline.unet)
    painter.close()

    assert unet() is None


def test_no_weights_here(keyframe_request: KeyframeRequest) -> None:
    with DiffusersPainter(painter_info(None), Settings()) as painter, pytest.raises(NotAvailableError):
        painter.paint(keyframe_request)
