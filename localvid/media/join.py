"""Joining clips to a film without encoding anew what need not be.

Between clips of localvid's own encoding a cut copies packets. A transition decodes and encodes only the
groups of pictures that it touches; since every clip shares its parameter sets, the new packets stand among
the copied ones and one decoder plays them all. Clips of another encoding, size or frame rate are fitted to
the first clip's. One frame at a time is held, so memory does not grow with the film.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import av.container
import numpy as np

from localvid.errors import InvalidRequestError, WorkspaceError
from localvid.files import writing
from localvid.media.containers import Format, local_url, muxing, output_format
from localvid.media.encode import Encoder, Frame, mp4_options, new_encoder
from localvid.media.metadata import as_tags
from localvid.media.probing import probe
from localvid.media.sources import CopyableClip, Encoding, Source, Template, choose_encoding, opened
from localvid.media.timeline import FULL, Part, Stretch, Timeline, lay_out, stretches
from localvid.schemas import OnProgress, Progress, Transition, TransitionKind, VideoInfo, ignore_progress

_REPORT_FRAMES = 12
_BLACK_LUMA, _BLACK_CHROMA = 16, 128


def join_clips(
    clips: Sequence[Path],
    transitions: Sequence[Transition],
    output: Path,
    *,
    metadata: Mapping[str, str] | None = None,
    on_progress: OnProgress = ignore_progress,
    overwrite: bool = False,
) -> VideoInfo:
    """Join `clips` with `transitions[i]` between clip i and clip i + 1; describe the film that was written.

    The extension of `output` names the format: mp4, m4v and mov copy packets and play while they load;
    webm (VP9) and gif are encoded from such a film. Size and frame rate are the first clip's; every frame
    comes exactly when its number says. Frames outside of transitions' groups of pictures are bit for bit
    the clips' own. `metadata` takes "title", "comment" and "record" (see `localvid.media.metadata`).

    `output` exists only when it is complete. `on_progress` counts frames; what it raises stops the join.

    Raises InvalidRequestError for an unknown extension, an `output` that exists (unless `overwrite`), or a
    transition longer than its shots; InvalidVideoError naming the clip; DiskFullError; WorkspaceError.
    """
    if not clips or len(transitions) != len(clips) - 1:
        raise InvalidRequestError(
            f"{len(transitions)} transitions for {len(clips)} clips", hint="give one between each two clips"
        )
    chosen = output_format(output)
    tags = as_tags(metadata or {}, chosen.muxer)
    film = _plan(clips, transitions)
    with writing(output, overwrite=overwrite) as partial:
        if chosen.copies_h264:
            _write(film, partial, chosen, tags, on_progress)
        else:
            _write_converted(film, partial, metadata or {}, on_progress)
        info = probe(partial)
        if chosen.copies_h264 and info.num_frames != film.timeline.num_frames:
            raise WorkspaceError(
                f"{output} came out with {info.num_frames} of {film.timeline.num_frames} frames",
                hint="check the disk, then join again",
            )
    return info.model_copy(update={"path": output})


@dataclass(frozen=True)
class _Film:
    """A join that is decided and not yet written."""

    encoding: Encoding
    template: Template
    sources: list[Source]
    timeline: Timeline
    stretches: list[Stretch]


def _plan(clips: Sequence[Path], transitions: Sequence[Transition]) -> _Film:
    only_cuts = all(transition.kind is TransitionKind.CUT for transition in transitions)
    encoding, template, sources = choose_encoding(clips, only_cuts=only_cuts)
    timeline = lay_out([source.num_frames for source in sources], transitions, encoding.fps)
    divided = stretches(timeline, [source.groups() for source in sources])
    return _Film(encoding, template, sources, timeline, divided)


def _write(
    film: _Film, output: Path, chosen: Format, tags: Mapping[str, str], on_progress: OnProgress
) -> None:
    total = film.timeline.num_frames
    options = mp4_options(film.encoding.fps) | {"moov_size": str(_index_bytes(film, tags))}
    if chosen.muxer == "mov":
        options["movflags"] = "+use_metadata_tags"
    with (
        muxing(),
        opened(film.template) as template,
        av.open(local_url(output), "w", format=chosen.muxer, options=options) as container,
    ):
        container.metadata.update(tags)
        stream = container.add_stream_from_template(template)
        for count, packet in enumerate(_packets(film), start=1):
            packet.stream = stream
            packet.time_base, packet.duration = 1 / film.encoding.fps, 1
            container.mux_one(packet)
            if count % _REPORT_FRAMES == 0 or count == total:
                on_progress(Progress(step=count, num_steps=total, message="joining"))


def _write_converted(film: _Film, output: Path, metadata: Mapping[str, str], on_progress: OnProgress) -> None:
    """Join to a temporary mp4 beside `output`, then encode that anew; each counts as half of the way."""
    from localvid.media.transcode import transcode  # Pillow is loaded only where a gif may be drawn

    joined = output.with_suffix(".mp4")

    def report(half: int) -> OnProgress:
        return lambda progress: on_progress(
            Progress(
                step=half * progress.num_steps + progress.step,
                num_steps=2 * progress.num_steps,
                message=progress.message,
            )
        )

    try:
        _write(film, joined, output_format(joined), {}, report(0))
        transcode(joined, output, metadata=metadata, on_progress=report(1))
    finally:
        joined.unlink(missing_ok=True)


def _index_bytes(film: _Film, tags: Mapping[str, str]) -> int:
    """Room for the index at the head of the file, so that the film is written once and not moved after.

    At most 4 bytes a frame for its size, 8 for its time where there are B-frames and 12 for its share of
    key frames and chunks; 4 KiB for what does not grow.
    """
    words = sum(len(text.encode()) + 64 for text in tags.values())
    return 4096 + words + 24 * film.timeline.num_frames


def _packets(film: _Film) -> Iterator[av.Packet[Any]]:
    """All packets of the film in decoding order, numbered in frames."""
    delay = max((source.delay for source in film.sources if isinstance(source, CopyableClip)), default=0)
    for stretch in film.stretches:
        yield from _encoded(film, stretch) if stretch.shot is None else _copied(film, stretch, delay)


def _copied(film: _Film, stretch: Stretch, delay: int) -> Iterator[av.Packet[Any]]:
    assert stretch.shot is not None
    source, offset = film.sources[stretch.shot], film.timeline.shots[stretch.shot].start
    assert isinstance(source, CopyableClip)  # no other has groups to copy
    for packet, decoded, shown in source.packets(stretch.start - offset, stretch.stop - offset):
        packet.dts, packet.pts = offset + decoded - delay, offset + shown
        yield packet


def _encoded(film: _Film, stretch: Stretch) -> Iterator[av.Packet[Any]]:
    encoding = film.encoding
    encoder = new_encoder(encoding.width, encoding.height, encoding.fps)
    for packet in _encode_all(encoder, _frames(film, stretch)):
        fresh = av.Packet(_length_prefixed(bytes(packet)))
        fresh.is_keyframe = packet.is_keyframe
        assert packet.pts is not None  # the encoder numbers every packet
        fresh.pts = fresh.dts = stretch.start + packet.pts
        yield fresh


def _encode_all(encoder: Encoder, frames: Iterator[av.VideoFrame]) -> Iterator[av.Packet[Any]]:
    for frame in frames:
        yield from encoder.encode(frame)
    yield from encoder.finish()


def _frames(film: _Film, stretch: Stretch) -> Iterator[av.VideoFrame]:
    """The film's frames of a stretch, mixed from the one or two shots that show in each."""
    open_shots: dict[int, Iterator[av.VideoFrame]] = {}
    for number in range(stretch.start, stretch.stop):
        showing = [k for k, shot in enumerate(film.timeline.shots) if shot.start <= number < shot.stop]
        for shot in open_shots.keys() - set(showing):
            del open_shots[shot]
        for shot in showing:
            if shot not in open_shots:
                placed = film.timeline.shots[shot]
                last = min(placed.stop, stretch.stop) - placed.start
                open_shots[shot] = film.sources[shot].frames(number - placed.start, last)
        parts = film.timeline.parts(number, showing)
        yield _mixed(parts, [next(open_shots[part.shot]) for part in parts])


def _mixed(parts: list[Part], frames: list[av.VideoFrame]) -> av.VideoFrame:
    """The weighted sum of frames, what lacks being black; on YUV values, as a mixer in a studio does it."""
    if len(parts) == 1 and parts[0].weight == FULL:
        return frames[0]
    total = np.full(frames[0].to_ndarray().shape, FULL // 2, dtype=np.uint16)  # to round, not cut off
    black = FULL - sum(part.weight for part in parts)
    luma_rows = frames[0].height
    total[:luma_rows] += np.uint16(black * _BLACK_LUMA)
    total[luma_rows:] += np.uint16(black * _BLACK_CHROMA)
    for part, frame in zip(parts, frames, strict=True):
        total += frame.to_ndarray().astype(np.uint16) * np.uint16(part.weight)
    mixed: Frame = (total >> 8).astype(np.uint8)
    return av.VideoFrame.from_ndarray(mixed, format="yuv420p")


def _length_prefixed(annex_b: bytes) -> bytes:
    """NAL units between start codes → NAL units after their lengths (ISO/IEC 14496-15)."""
    units = annex_b.replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1")[1:]
    return b"".join(len(unit).to_bytes(4, "big") + unit for unit in units)
