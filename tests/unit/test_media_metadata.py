"""The words that a film carries."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from localvid.errors import InvalidRequestError
from localvid.media.encode import ClipWriter
from localvid.media.join import join_clips
from localvid.media.metadata import MAX_RECORD_BYTES, read_metadata, read_record


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    with ClipWriter(tmp_path / "clip.mp4", width=64, height=64, fps=24) as writer:
        writer.write(np.full((64, 64, 3), 90, np.uint8))
    return tmp_path / "clip.mp4"


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".webm", ".gif"])
def test_a_large_record_in_any_script_comes_back_unchanged(tmp_path: Path, clip: Path, suffix: str) -> None:
    record = '{"prompt": "Лес на рассвете, 夜明けの森, غابة, 🎬\\n\\"=;#\\\\ "}' * 4000
    assert len(record.encode()) > 200_000
    join_clips([clip], [], tmp_path / f"film{suffix}", metadata={"record": record})
    assert read_record(tmp_path / f"film{suffix}") == record


def test_players_see_title_and_comment(tmp_path: Path, clip: Path) -> None:
    words = {"title": "Dawn", "comment": "by localvid", "record": "{}"}
    join_clips([clip], [], tmp_path / "film.mp4", metadata=words)
    with av.open(str(tmp_path / "film.mp4")) as container:
        assert (container.metadata["title"], container.metadata["comment"]) == ("Dawn", "by localvid")


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".webm", ".gif"])
def test_no_metadata_leaves_no_words(tmp_path: Path, clip: Path, suffix: str) -> None:
    film = tmp_path / f"film{suffix}"
    join_clips([clip], [], film)
    assert read_record(film) is None
    assert read_metadata(film) == {}


def test_unknown_keys_and_endless_texts_are_refused(tmp_path: Path, clip: Path) -> None:
    with pytest.raises(InvalidRequestError, match="author"):
        join_clips([clip], [], tmp_path / "film.mp4", metadata={"author": "me"})
    with pytest.raises(InvalidRequestError, match="longer"):
        join_clips([clip], [], tmp_path / "film.mp4", metadata={"record": "x" * (MAX_RECORD_BYTES + 1)})
    assert not (tmp_path / "film.mp4").exists()


def test_words_that_are_not_ours(tmp_path: Path, clip: Path) -> None:
    """Tags of other programs, in no known encoding, are no record and no error."""
    join_clips([clip], [], tmp_path / "film.mp4", metadata={"title": "abcdefgh"})
    data = (tmp_path / "film.mp4").read_bytes().replace(b"abcdefgh", b"ab\xff\xfe\x80efg")
    (tmp_path / "film.mp4").write_bytes(data)
    assert read_record(tmp_path / "film.mp4") is None


def test_gif_comments_of_other_programs(tmp_path: Path, clip: Path) -> None:
    join_clips([clip], [], tmp_path / "film.gif")
    data = (tmp_path / "film.gif").read_bytes()
    for comment, expected in ((b"hello", {"comment": "hello"}), (b"[1]", {"comment": "[1]"}), (b"{}", {})):
        block = b"\x21\xfe" + bytes([len(comment)]) + comment + b"\0"
        (tmp_path / "other.gif").write_bytes(data[:-1] + block + data[-1:])
        assert read_metadata(tmp_path / "other.gif") == expected
        assert read_record(tmp_path / "other.gif") is None
