"""A film in another format."""

from __future__ import annotations

from pathlib import Path

from localvid.media.join import join_clips
from localvid.media.metadata import read_metadata
from localvid.schemas import OnProgress, VideoInfo, ignore_progress


def convert(
    source: Path, output: Path, *, on_progress: OnProgress = ignore_progress, overwrite: bool = False
) -> VideoInfo:
    """Write `source` in the format that the extension of `output` names, with the words that it carries.

    Packets are copied where both formats hold them (mp4, m4v, mov). Raises as `join_clips`.
    """
    return join_clips(
        [source], [], output, metadata=read_metadata(source), on_progress=on_progress, overwrite=overwrite
    )
