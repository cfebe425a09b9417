"""Reading users' images within limits, and fitting them to a frame.

An image is untrusted: only three formats are tried, its size is held against a cap before a pixel is
decoded, and what is written is made anew from pixels alone.
"""

from __future__ import annotations

import stat
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from localvid.errors import InvalidImageError

MAX_PIXELS = 40_000_000
MAX_BYTES = 512 * 2**20
FORMATS = ("PNG", "JPEG", "WEBP")

_USE = f"use a {', '.join(FORMATS[:-1])} or {FORMATS[-1]} image"
_SIXTEEN_BITS = ("I;16", "I;16B", "I;16L", "I;16N", "I", "F")


def read_image(path: Path) -> Image.Image:
    """Read a still PNG, JPEG or WEBP of at most 40 megapixels as RGB, upright.

    The EXIF orientation is applied, transparency laid over white, 16-bit, grey, palette and CMYK images
    converted. Raises InvalidImageError, one reason and one hint, for everything that cannot be read so.
    """
    _check_file(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the cap below is stricter
            with Image.open(path, formats=FORMATS) as image:
                _check_header(path, image)
                image.load()
                return _as_rgb(ImageOps.exif_transpose(image))
    except Image.DecompressionBombError as error:
        raise _too_large(path) from error
    except UnidentifiedImageError as error:
        raise InvalidImageError(f"{path} is not an image that is read here", hint=_USE) from error
    except MemoryError as error:
        raise InvalidImageError(f"{path} does not fit into memory", hint="use a smaller image") from error
    except (OSError, ValueError, SyntaxError, EOFError, IndexError, TypeError, OverflowError) as error:
        # Pillow's decoders raise all of these for damaged files.
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise InvalidImageError(
            f"{path} is damaged or cannot be read: {reason}", hint="save the image again, as PNG or JPEG"
        ) from error


def fit_image(source: Path, output: Path, *, width: int, height: int) -> None:
    """Write `source` as a PNG of exactly this size: cropped around its centre to the frame's shape and
    resampled (Lanczos), never stretched.

    The PNG holds pixels and nothing else; the same image gives the same bytes. Raises as `read_image`.
    """
    image = read_image(source)
    fitted = ImageOps.fit(image, (width, height), method=Image.Resampling.LANCZOS)
    Image.fromarray(np.asarray(fitted)).save(output, format="PNG")  # a new image: no profile, no text


def _check_file(path: Path) -> None:
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise InvalidImageError(f"{path} is a folder, not an image", hint="name a file inside it")
        if not stat.S_ISREG(status.st_mode):
            raise InvalidImageError(f"{path} is not a regular file", hint=_USE)
        if not status.st_size:
            raise InvalidImageError(f"{path} is empty", hint="save the image again")
        if status.st_size > MAX_BYTES:
            raise InvalidImageError(
                f"{path} has {status.st_size / 2**20:.0f} MiB, more than {MAX_BYTES // 2**20}",
                hint="use a smaller image",
            )
        with path.open("rb"):
            pass
    except FileNotFoundError as error:
        raise InvalidImageError(f"{path} does not exist", hint="check the path of the image") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InvalidImageError(
            f"{path} cannot be read: {reason}", hint="check the path and its permissions"
        ) from error


def _check_header(path: Path, image: Image.Image) -> None:
    if image.width * image.height > MAX_PIXELS:
        raise _too_large(path, f"{image.width}x{image.height} pixels")
    frames = getattr(image, "n_frames", 1)
    # A JPEG of several pictures (MPO) is a still with previews; formats= keeps it a JPEG of one.
    if frames > 1:
        raise InvalidImageError(
            f"{path} is animated ({frames} frames)", hint="save one frame of it as PNG and use that"
        )


def _too_large(path: Path, size: str = "far too many pixels") -> InvalidImageError:
    return InvalidImageError(
        f"{path} has {size}, more than {MAX_PIXELS // 1_000_000} megapixels",
        hint="scale the image down first",
    )


def _as_rgb(image: Image.Image) -> Image.Image:
    if image.mode in _SIXTEEN_BITS:
        image = _eight_bits(image)
    if image.has_transparency_data:
        with_alpha = image.convert("RGBA")
        image = Image.new("RGBA", image.size, "white")
        image.alpha_composite(with_alpha)
    return image.convert("RGB")


def _eight_bits(image: Image.Image) -> Image.Image:
    """16-bit grey → 8-bit by its high byte; Pillow's own conversion would clip at 255."""
    values = np.asarray(image).astype(np.float64)
    return Image.fromarray(np.clip(values / 257, 0, 255).round().astype(np.uint8))
