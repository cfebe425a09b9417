"""One suite for every keyframe painter: what `KeyframePainter` promises, held against real pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from fixtures_tiny import painter_info
from numpy.typing import NDArray
from PIL import Image
from reports import reports_of, stop_at_each_report

from localvid.config import Settings
from localvid.errors import InvalidImageError, InvalidRequestError
from localvid.pipelines.base import KeyframePainter
from localvid.schemas import KeyframeRequest, ModelKind


def open_tiny_painter(request: pytest.FixtureRequest) -> KeyframePainter:
    from localvid.pipelines.keyframe import DiffusersPainter

    return DiffusersPainter(painter_info(request.getfixturevalue("tiny_painter")), Settings())


def open_hosted_painter(request: pytest.FixtureRequest) -> KeyframePainter:
    from localvid.pipelines.hosted import HostedPainter

    return HostedPainter(painter_info(request.getfixturevalue("tiny_painter")), Settings())


def open_animatic_painter(_request: pytest.FixtureRequest) -> KeyframePainter:
    from localvid import registry

    settings = Settings()
    return registry.open_painter(
        registry.get_model("local:animatic-still", settings, ModelKind.KEYFRAME), settings
    )


Opener = Callable[[pytest.FixtureRequest], KeyframePainter]


@pytest.fixture(
    params=[open_tiny_painter, open_hosted_painter, open_animatic_painter],
    ids=["diffusers", "hosted", "animatic"],
    scope="module",
)
def opener(request: pytest.FixtureRequest) -> Opener:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def painter(opener: Opener, request: pytest.FixtureRequest) -> Iterator[KeyframePainter]:
    """Opened once, so that each test also meets what the ones before it left behind."""
    with opener(request) as painter:
        yield painter


@pytest.fixture
def keyframe_request(painter: KeyframePainter, tmp_path: Path) -> KeyframeRequest:
    return KeyframeRequest(
        model_id=painter.info.manifest.id,
        description="A small boat on a lake",
        style="watercolour",
        width=128,
        height=72,
        seed=5,
        output=tmp_path / "keyframe.png",
    )


def pixels_of(path: Path) -> NDArray[np.uint8]:
    with Image.open(path, formats=("PNG",)) as image:
        assert image.mode == "RGB"
        return np.asarray(image).copy()


@pytest.mark.parametrize(("width", "height"), [(128, 72), (72, 128), (64, 64), (250, 90)])
def test_picture_has_the_size_that_was_asked_for(
    painter: KeyframePainter, keyframe_request: KeyframeRequest, width: int, height: int
) -> None:
    painter.paint(keyframe_request.model_copy(update={"width": width, "height": height}))

    pixels = pixels_of(keyframe_request.output)
    assert pixels.shape == (height, width, 3)
    assert pixels.std() > 4


def test_seed_decides(painter: KeyframePainter, keyframe_request: KeyframeRequest) -> None:
    again = keyframe_request.model_copy(update={"output": keyframe_request.output.with_name("again.png")})
    other = keyframe_request.model_copy(
        update={"seed": 6, "output": keyframe_request.output.with_name("other.png")}
    )
    for request in (keyframe_request, again, other):
        painter.paint(request)

    assert np.array_equal(pixels_of(keyframe_request.output), pixels_of(again.output))
    assert not np.array_equal(pixels_of(keyframe_request.output), pixels_of(other.output))


def test_words_decide(painter: KeyframePainter, keyframe_request: KeyframeRequest) -> None:
    other = keyframe_request.model_copy(
        update={
            "description": "A city street at night in the rain",
            "output": keyframe_request.output.with_name("other.png"),
        }
    )
    for request in (keyframe_request, other):
        painter.paint(request)

    assert not np.array_equal(pixels_of(keyframe_request.output), pixels_of(other.output))


def test_progress_rises_to_the_end(painter: KeyframePainter, keyframe_request: KeyframeRequest) -> None:
    counted = [report for report in reports_of(partial(painter.paint, keyframe_request)) if report.num_steps]
    steps = [report.step for report in counted]
    assert steps == sorted(steps)
    assert steps[-1] == counted[-1].num_steps
    assert set(steps) >= set(range(1, counted[-1].num_steps + 1)), "a step was not told"


def test_stopping_at_any_report_leaves_no_file_and_a_working_painter(
    painter: KeyframePainter, keyframe_request: KeyframeRequest
) -> None:
    whole = keyframe_request.model_copy(update={"output": keyframe_request.output.with_name("whole.png")})
    painter.load()  # which has reports of its own, once
    num_steps = reports_of(partial(painter.paint, whole))[-1].num_steps
    before = sorted(whole.output.parent.iterdir())

    def check() -> None:
        assert sorted(whole.output.parent.iterdir()) == before

    assert stop_at_each_report(partial(painter.paint, keyframe_request), check) >= num_steps >= 1
    assert np.array_equal(pixels_of(keyframe_request.output), pixels_of(whole.output))


def test_reference_image_is_fitted_without_distortion(
    painter: KeyframePainter, keyframe_request: KeyframeRequest, tmp_path: Path
) -> None:
    # A circle in a square picture: the frame cuts above and below, and the circle stays round.
    rows, columns = np.mgrid[0:400, 0:400]
    circle = ((rows - 200) ** 2 + (columns - 200) ** 2 < 80**2)[..., None] * np.uint8(255)
    Image.fromarray(np.repeat(circle, 3, axis=2)).save(tmp_path / "circle.png")
    painter.paint(
        keyframe_request.model_copy(
            update={"reference_image": tmp_path / "circle.png", "width": 256, "height": 144}
        )
    )

    white = pixels_of(keyframe_request.output)[..., 0] > 127
    assert white.shape == (144, 256)
    across, down = white.any(axis=0).sum(), white.any(axis=1).sum()
    assert abs(across - down) <= 1
    assert abs(across - 160 * 256 / 400) <= 2


def test_reference_image_that_is_none(
    painter: KeyframePainter, keyframe_request: KeyframeRequest, tmp_path: Path
) -> None:
    (tmp_path / "words.png").write_text("not a picture")

    with pytest.raises(InvalidImageError):
        painter.paint(keyframe_request.model_copy(update={"reference_image": tmp_path / "words.png"}))
    assert not keyframe_request.output.exists()


def test_existing_output_is_refused_and_kept(
    painter: KeyframePainter, keyframe_request: KeyframeRequest
) -> None:
    keyframe_request.output.write_bytes(b"the user's")

    with pytest.raises(InvalidRequestError, match="exists already"):
        painter.paint(keyframe_request)
    assert keyframe_request.output.read_bytes() == b"the user's"


@pytest.mark.parametrize("words", ["森の夜明け", "غابة عند الفجر", "🌲🌅", "x", "word " * 190])
def test_words_in_any_script(painter: KeyframePainter, keyframe_request: KeyframeRequest, words: str) -> None:
    painter.paint(keyframe_request.model_copy(update={"description": words}))

    assert pixels_of(keyframe_request.output).shape == (72, 128, 3)


def test_closing_twice_and_opening_again(
    opener: Opener, request: pytest.FixtureRequest, keyframe_request: KeyframeRequest
) -> None:
    painter = opener(request)
    painter.load()
    painter.close()
    painter.close()

    painter.paint(keyframe_request)
    painter.close()
    assert keyframe_request.output.exists()
