"""The words that a film carries: title and comment for every player, and the record of how it was made.

The record is a text (JSON) that this module neither reads nor understands. In mp4 it is the "synopsis"
(`ldes`) beside title and comment, in webm a tag of that name, in mov a key of its own, in gif a comment.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from localvid.errors import InvalidRequestError
from localvid.media.containers import open_input, sniff

RECORD = "record"
"""Key of the record in `join_clips(metadata=…)`, beside "title" and "comment"."""

MAX_RECORD_BYTES = 2 * 2**20

_TAGS = {"title": "title", "comment": "comment", RECORD: "synopsis"}
_QUICKTIME_TAGS = {
    "title": "com.apple.quicktime.title",
    "comment": "com.apple.quicktime.comment",
    RECORD: "localvid.record",
}
_GIF_COMMENT = b"\x21\xfe"


def as_tags(metadata: Mapping[str, str], muxer: str) -> dict[str, str]:
    """`metadata` under the names that FFmpeg's muxer of that name knows.

    Raises InvalidRequestError for keys other than "title", "comment" and "record", and for a text that is
    too long to be read back.
    """
    unknown = sorted(metadata.keys() - _TAGS.keys())
    if unknown:
        raise InvalidRequestError(f"a film carries no {', '.join(unknown)}", hint=f"use {', '.join(_TAGS)}")
    for name, text in metadata.items():
        if len(text.encode()) > MAX_RECORD_BYTES:
            raise InvalidRequestError(
                f"the film's {name} is longer than {MAX_RECORD_BYTES} bytes",
                hint="shorten it or leave it out",
            )
    tags = _QUICKTIME_TAGS if muxer == "mov" else _TAGS
    return {tags[name]: text.replace("\0", "") for name, text in metadata.items() if text}


def read_record(path: Path) -> str | None:
    """The record that the film carries, or None; nothing in it is run or fetched.

    A record larger than `MAX_RECORD_BYTES` counts as none. Raises InvalidVideoError if the file is no video.
    """
    return read_metadata(path).get(RECORD)


def read_metadata(path: Path) -> dict[str, str]:
    """Title, comment and record, as far as the film carries them."""
    if sniff(path) == "gif":
        return _read_gif(path)
    with open_input(path) as (container, _stream):
        tags = {name.lower(): text for name, text in container.metadata.items()}
    found = {}
    for name in _TAGS:
        text = tags.get(_QUICKTIME_TAGS[name]) or tags.get(_TAGS[name])
        if text and len(text) <= MAX_RECORD_BYTES:
            found[name] = text
    return found


def add_gif_comment(path: Path, metadata: Mapping[str, str]) -> None:
    """Put `metadata` into a finished gif as one comment of JSON, at its head, where readers look for it."""
    text = json.dumps(dict(metadata), ensure_ascii=False).encode()
    commented = path.with_suffix(".commented.gif")
    try:
        with path.open("rb") as source, commented.open("wb") as target:
            header = source.read(13)
            colors = 3 * 2 ** ((header[10] & 7) + 1) if header[10] & 0x80 else 0
            target.write(header + source.read(colors) + _GIF_COMMENT)
            for start in range(0, len(text), 255):
                block = text[start : start + 255]
                target.write(bytes([len(block)]) + block)
            target.write(b"\0")
            shutil.copyfileobj(source, target)
        commented.replace(path)
    finally:
        commented.unlink(missing_ok=True)


def _read_gif(path: Path) -> dict[str, str]:
    with path.open("rb") as file:
        comments = list(_gif_comments(file))
    for comment in comments:
        try:
            found = json.loads(comment)
        except ValueError:
            continue
        if isinstance(found, dict):
            return {name: text for name, text in found.items() if name in _TAGS and isinstance(text, str)}
    return {"comment": comments[0].decode("utf-8", "replace")} if comments else {}


def _gif_comments(file: BinaryIO) -> Iterator[bytes]:
    """Walk the blocks of a gif (GIF89a) and give each comment of at most `MAX_RECORD_BYTES`."""
    header = file.read(13)
    _skip_colors(file, header[10] if len(header) == 13 else 0)
    while (introducer := file.read(1)) in (b"\x21", b"\x2c"):
        if introducer == b"\x2c":
            descriptor = file.read(9)
            _skip_colors(file, descriptor[8] if len(descriptor) == 9 else 0)
            file.read(1)  # minimum code size
            _sub_blocks(file, keep=0)
        elif file.read(1) == b"\xfe":
            comment = _sub_blocks(file, keep=MAX_RECORD_BYTES + 1)
            if len(comment) <= MAX_RECORD_BYTES:
                yield comment
        else:
            _sub_blocks(file, keep=0)


def _skip_colors(file: BinaryIO, flags: int) -> None:
    if flags & 0x80:
        file.seek(3 * 2 ** ((flags & 7) + 1), 1)


def _sub_blocks(file: BinaryIO, *, keep: int) -> bytes:
    """Read past a chain of sub-blocks; give its first `keep` bytes."""
    kept = bytearray()
    while (length := file.read(1)) not in (b"", b"\0"):
        if len(kept) < keep:
            kept += file.read(length[0])
        else:
            file.seek(length[0], 1)
    return bytes(kept[:keep])
