"""Encoding a finished film anew as webm (VP9) or gif, one frame at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from pathlib import Path

import av
import av.video
import numpy as np
from av.video.frame import PictureType
from av.video.reformatter import ColorPrimaries, ColorRange, ColorTrc
from PIL import Image

from localvid.media.containers import local_url, muxing, open_input
from localvid.media.decode import to_rgb
from localvid.media.encode import BT709, Frame
from localvid.media.metadata import add_gif_comment, as_tags
from localvid.media.probing import probe
from localvid.schemas import OnProgress, Progress

_VP9_OPTIONS = {"crf": "24", "deadline": "realtime", "cpu-used": "5", "row-mt": "1", "tile-columns": "2"}
_VP9_THREADS = 4  # fixed, so that the same film gives the same bytes
GIF_MAX_WIDTH = 640
"""Wider films are scaled down: a gif holds 256 colours and no motion, and grows with every pixel."""
_GIF_MAX_FPS = 50
"""A gif counts in hundredths of a second, and players slow down below two of them."""
_PALETTE_FRAMES = 24
_PALETTE_WIDTH = 128


def transcode(source: Path, output: Path, *, metadata: Mapping[str, str], on_progress: OnProgress) -> None:
    """Encode the film `source` to `output`, a name that ends in .webm or .gif."""
    if output.suffix.lower() == ".webm":
        _write_webm(source, output, metadata, on_progress)
    else:
        _write_gif(source, output, metadata, on_progress)


def _write_webm(source: Path, output: Path, metadata: Mapping[str, str], on_progress: OnProgress) -> None:
    info = probe(source)
    fps = Fraction(info.fps).limit_denominator(1001)
    options = {"fflags": "+bitexact", "cues_to_front": "1"}
    with muxing(), av.open(local_url(output), "w", format="webm", options=options) as container:
        container.metadata.update(as_tags(metadata, "webm"))
        stream = container.add_stream("libvpx-vp9", rate=fps, options=dict(_VP9_OPTIONS))
        context = stream.codec_context
        context.width, context.height, context.pix_fmt = info.width, info.height, "yuv420p"
        context.time_base, context.thread_count = 1 / fps, _VP9_THREADS
        context.color_primaries, context.color_trc = int(ColorPrimaries.BT709), int(ColorTrc.BT709)
        context.colorspace, context.color_range = BT709, int(ColorRange.MPEG)
        for number, frame in enumerate(_decoded(source)):
            frame.pict_type, frame.pts, frame.time_base = int(PictureType.NONE), number, 1 / fps
            container.mux(stream.encode(frame))
            on_progress(Progress(step=number + 1, num_steps=info.num_frames, message="encoding webm"))
        container.mux(stream.encode(None))


def _write_gif(source: Path, output: Path, metadata: Mapping[str, str], on_progress: OnProgress) -> None:
    """Choose 256 colours for the whole film, then draw every frame with them, dithered."""
    info = probe(source)
    every = -(-Fraction(info.fps).limit_denominator(1001) // _GIF_MAX_FPS)
    fps = Fraction(info.fps).limit_denominator(1001) / every
    palette = _palette(source, info.num_frames)
    width = min(info.width, GIF_MAX_WIDTH)
    size = (width, round(info.height * width / info.width))
    options = {"fflags": "+bitexact"}
    with muxing(), av.open(local_url(output), "w", format="gif", options=options) as container:
        stream = container.add_stream("gif", rate=fps)
        context = stream.codec_context
        context.width, context.height, context.pix_fmt = *size, "pal8"
        context.time_base = 1 / fps
        for number, frame in enumerate(_decoded(source)):
            if number % every == 0:
                drawn = _drawn(Image.fromarray(to_rgb(frame)), size, palette)
                drawn.pts, drawn.time_base = number // every, 1 / fps
                container.mux(stream.encode(drawn))
            on_progress(Progress(step=number + 1, num_steps=info.num_frames, message="drawing gif"))
        container.mux(stream.encode(None))
    if metadata:
        add_gif_comment(output, metadata)


def _palette(source: Path, num_frames: int) -> Image.Image:
    """256 colours by median cut over frames spread evenly across the film, as an image that carries them."""
    step = -(-num_frames // _PALETTE_FRAMES)
    samples = []
    for number, frame in enumerate(_decoded(source)):
        if number % step == 0:
            image = Image.fromarray(to_rgb(frame))
            image.thumbnail((_PALETTE_WIDTH, _PALETTE_WIDTH))
            samples.append(np.asarray(image))
    return Image.fromarray(np.concatenate(samples)).quantize(256, method=Image.Quantize.MEDIANCUT)


def _drawn(image: Image.Image, size: tuple[int, int], palette: Image.Image) -> av.VideoFrame:
    if image.size != size:
        image = image.resize(size, Image.Resampling.LANCZOS)
    indexed = np.asarray(image.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG))
    frame: av.VideoFrame = av.VideoFrame.from_ndarray((indexed, _argb(palette)), format="pal8")  # type: ignore[arg-type]  # PyAV documents the pair for pal8, its stub does not know it
    return frame


def _argb(palette: Image.Image) -> Frame:
    """The palette as `(256, 4)`: opaque, red, green, blue."""
    flat = np.array(palette.getpalette("RGB") or [], dtype=np.uint8).reshape(-1, 3)
    colors = np.zeros((256, 4), dtype=np.uint8)
    colors[:, 0] = 255
    colors[: len(flat), 1:] = flat
    return colors


def _decoded(source: Path) -> Iterator[av.VideoFrame]:
    with open_input(source) as (container, stream):
        stream.thread_type = "AUTO"
        yield from container.decode(stream)
