"""Users' images: every mode comes out as upright RGB, everything else is one clear error."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from localvid.errors import InvalidImageError, LocalvidError
from localvid.media.images import MAX_PIXELS, fit_image, read_image


def gradient(width: int = 60, height: int = 40) -> Image.Image:
    y, x = np.mgrid[0:height, 0:width]
    pixels = np.stack([x * 255 // width, y * 255 // height, (x + y) * 2 % 256], axis=-1)
    return Image.fromarray(pixels.astype(np.uint8))


def png_header(width: int, height: int) -> bytes:
    """A PNG that says its size and holds nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b""))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp"])
def test_three_formats_are_read_whatever_their_name(tmp_path: Path, suffix: str) -> None:
    gradient().save(tmp_path / f"image.{suffix}", **({} if suffix == "png" else {"quality": 98}))
    (tmp_path / f"image.{suffix}").rename(tmp_path / "image.dat")
    image = read_image(tmp_path / "image.dat")
    assert (image.mode, image.size) == ("RGB", (60, 40))
    assert np.abs(np.asarray(image).astype(int) - np.asarray(gradient())).mean() < 6


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA", "CMYK", "I;16"])
def test_every_mode_becomes_rgb(tmp_path: Path, mode: str) -> None:
    path = tmp_path / ("image.jpg" if mode == "CMYK" else "image.png")
    gray = gradient().convert("L")
    if mode == "I;16":
        Image.fromarray(np.asarray(gray).astype(np.uint16) * 257).save(path)
    else:
        gray.convert("RGB").convert(mode).save(path)
    image = read_image(path)
    assert image.mode == "RGB"
    limit = {"1": 130, "P": 20}.get(mode, 4)  # dithered to two levels, and to the web's 216 colours
    assert np.abs(np.asarray(image.convert("L")).astype(int) - np.asarray(gray)).mean() < limit
    if mode == "I;16":
        assert np.array_equal(np.asarray(image)[..., 0], np.asarray(gray))


def test_transparency_lies_over_white(tmp_path: Path) -> None:
    image = Image.new("RGBA", (4, 2), (200, 0, 0, 0))
    image.putpixel((0, 0), (200, 0, 0, 255))
    image.putpixel((1, 0), (0, 0, 0, 128))
    image.save(tmp_path / "image.png")
    read = read_image(tmp_path / "image.png")
    assert [read.getpixel((x, 0)) for x in range(3)] == [(200, 0, 0), (127, 127, 127), (255, 255, 255)]


def test_transparent_palette(tmp_path: Path) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 0, 255, 0])
    image.putpixel((1, 0), 1)
    image.save(tmp_path / "image.png", transparency=0)
    read = read_image(tmp_path / "image.png")
    assert [read.getpixel((x, 0)) for x in range(2)] == [(255, 255, 255), (0, 255, 0)]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(tmp_path: Path, orientation: int) -> None:
    image = Image.new("RGB", (40, 20), "black")
    image.paste((255, 255, 255), (0, 0, 10, 10))
    exif = Image.Exif()
    exif[0x0112] = orientation
    image.save(tmp_path / "image.png", exif=exif)
    corners = {1: "tl", 2: "tr", 3: "br", 4: "bl", 5: "tl", 6: "tr", 7: "br", 8: "bl"}
    read = read_image(tmp_path / "image.png")
    width, height = read.size
    assert (width, height) == ((40, 20) if orientation < 5 else (20, 40))
    x = 2 if corners[orientation][1] == "l" else width - 3
    y = 2 if corners[orientation][0] == "t" else height - 3
    assert read.getpixel((x, y)) == (255, 255, 255)


def damaged(make: Callable[[Path], None], reason: str, name: str) -> object:
    return pytest.param(make, reason, id=name)


def _animated(suffix: str) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        frames = [Image.new("RGB", (8, 8), color) for color in ("red", "green", "blue")]
        frames[0].save(path, format=suffix, save_all=True, append_images=frames[1:])

    return make


def _truncated(suffix: str) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
        Image.fromarray(noise).save(path, format=suffix)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    return make


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        damaged(lambda _path: None, "does not exist", "missing"),
        damaged(lambda path: path.write_bytes(b"") and None, "empty", "empty"),
        damaged(lambda path: path.mkdir(), "folder", "folder"),
        damaged(lambda path: os.mkfifo(path), "regular file", "fifo"),
        damaged(lambda path: path.symlink_to(path), "cannot be read", "loop"),
        damaged(lambda path: path.write_text("a poem") and None, "not an image", "text"),
        damaged(lambda path: path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n") and None,
                "not an image", "eps"),
        damaged(lambda path: gradient().save(path, format="GIF"), "not an image", "gif"),
        damaged(lambda path: gradient().save(path, format="TIFF"), "not an image", "tiff"),
        damaged(lambda path: gradient().save(path, format="BMP"), "not an image", "bmp"),
        damaged(_truncated("PNG"), "damaged", "truncated png"),
        damaged(_truncated("JPEG"), "damaged", "truncated jpeg"),
        damaged(_truncated("WEBP"), "damaged|not an image", "truncated webp"),
        damaged(_animated("PNG"), "animated", "apng"),
        damaged(_animated("WEBP"), "animated", "animated webp"),
        damaged(lambda path: path.write_bytes(png_header(8000, 5001)) and None, "megapixels", "over the cap"),
        damaged(lambda path: path.write_bytes(png_header(200_000, 200_000)) and None, "megapixels", "bomb"),
        damaged(lambda path: path.write_bytes(png_header(0, 5)) and None, "damaged|not an image", "no width"),
        damaged(lambda path: path.write_bytes(png_header(50, 50)) and None, "damaged", "no pixels"),
    ],
)  # fmt: skip
def test_bad_files_are_one_clear_error(tmp_path: Path, make: Callable[[Path], None], reason: str) -> None:
    path = tmp_path / "image.png"
    make(path)
    with pytest.raises(InvalidImageError, match=reason) as caught:
        read_image(path)
    assert caught.value.hint
    assert "\n" not in caught.value.message
    assert str(path) in caught.value.message


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_unreadable_file_is_said(tmp_path: Path) -> None:
    gradient().save(tmp_path / "image.png")
    (tmp_path / "image.png").chmod(0)
    with pytest.raises(InvalidImageError, match="cannot be read"):
        read_image(tmp_path / "image.png")


def test_a_name_that_no_file_system_takes(tmp_path: Path) -> None:
    for name in ("a" * 5000, "nul\0byte"):
        with pytest.raises(InvalidImageError):
            read_image(tmp_path / name)


def test_the_cap_itself_is_allowed(tmp_path: Path) -> None:
    Image.new("L", (8000, MAX_PIXELS // 8000)).save(tmp_path / "image.png", compress_level=1)
    assert read_image(tmp_path / "image.png").size == (8000, 5000)


def test_any_bytes_give_an_image_or_an_error(tmp_path: Path) -> None:
    """Each byte of small real files changed in turn: nothing but LocalvidError comes out."""
    path = tmp_path / "image.bin"
    generator = np.random.default_rng(3)
    for kind in ("PNG", "JPEG", "WEBP"):
        gradient(16, 12).save(path, format=kind)
        whole = path.read_bytes()
        for _ in range(150):
            data = bytearray(whole)
            for at in generator.integers(0, len(data), 3):
                data[at] = int(generator.integers(0, 256))
            path.write_bytes(data)
            try:
                assert read_image(path).mode == "RGB"
            except LocalvidError as error:
                assert error.hint


@pytest.mark.parametrize(("width", "height"), [(64, 64), (120, 40), (30, 90), (60, 40)])
def test_fit_crops_and_never_stretches(tmp_path: Path, width: int, height: int) -> None:
    y, x = np.mgrid[0:200, 0:300]
    disc = ((x - 150) ** 2 + (y - 100) ** 2) < 30**2
    Image.fromarray((disc[..., None].repeat(3, -1) * 255).astype(np.uint8)).save(tmp_path / "image.png")
    fit_image(tmp_path / "image.png", tmp_path / "fitted.png", width=width, height=height)
    with Image.open(tmp_path / "fitted.png") as fitted:
        assert fitted.size == (width, height)
        lit = np.asarray(fitted)[..., 0] > 128
    rows, columns = np.flatnonzero(lit.any(1)), np.flatnonzero(lit.any(0))
    across, down = columns[-1] - columns[0] + 1, rows[-1] - rows[0] + 1
    assert abs(int(across) - int(down)) <= 1
    assert abs((columns[0] + columns[-1] + 1) / 2 - width / 2) <= 1
    assert abs(int(across) - 60 * max(width / 300, height / 200)) <= 2


def test_fitted_png_is_pixels_alone_and_always_the_same(tmp_path: Path) -> None:
    text = PngImagePlugin.PngInfo()
    text.add_text("GPS", "52.5, 13.4")
    gradient().save(tmp_path / "image.png", pnginfo=text, dpi=(300, 300), icc_profile=b"profile" * 20)
    for name in ("one.png", "two.png"):
        fit_image(tmp_path / "image.png", tmp_path / name, width=32, height=32)
    data = (tmp_path / "one.png").read_bytes()
    assert data == (tmp_path / "two.png").read_bytes()
    kinds, position = [], 8
    while position < len(data):
        (length,) = struct.unpack_from(">I", data, position)
        kinds.append(data[position + 4 : position + 8])
        position += length + 12
    assert set(kinds) == {b"IHDR", b"IDAT", b"IEND"}
