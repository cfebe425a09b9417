"""A film's copy where the user wants it: whole or not at all, and slow disks are seen to go on."""

from __future__ import annotations

import errno
import pickle
from pathlib import Path

import pytest

from localvid.delivery import deliver
from localvid.errors import DiskFullError, JobInterruptedError, WorkspaceError
from localvid.store import Store

FILM = bytes(range(256)) * 40


@pytest.fixture
def film(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of ten pieces."""
    monkeypatch.setattr("localvid.delivery._PIECE_BYTES", 1024)
    workspace.mkdir(exist_ok=True)
    path = workspace / "film.mp4"
    path.write_bytes(FILM)
    return path


def test_the_copy_is_the_film_and_each_piece_is_told(workspace: Path, film: Path, tmp_path: Path) -> None:
    pieces: list[int] = []
    output = tmp_path / "new" / "folder" / "fox.mp4"
    with Store(workspace) as store:
        deliver(store, film, output, on_piece=lambda: pieces.append(1))
        deliver(store, film, output, on_piece=lambda: None)
    assert output.read_bytes() == FILM
    assert len(pieces) == 9
    assert list(output.parent.iterdir()) == [output]


def test_a_stop_within_the_copy_leaves_what_was_there(workspace: Path, film: Path, tmp_path: Path) -> None:
    output = tmp_path / "fox.mp4"
    output.write_text("an earlier film")

    def stop() -> None:
        raise JobInterruptedError("stopped")

    with Store(workspace) as store, pytest.raises(JobInterruptedError):
        deliver(store, film, output, on_piece=stop)
    assert output.read_text() == "an earlier film"
    assert not list(tmp_path.glob(".*.part*"))


def test_a_full_disk_is_named_with_what_it_lacks(workspace: Path, film: Path, tmp_path: Path) -> None:
    def fill() -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with Store(workspace) as store, pytest.raises(DiskFullError, match=r"while writing .*fox\.mp4") as caught:
        deliver(store, film, tmp_path / "fox.mp4", on_piece=fill)
    assert (caught.value.folder, caught.value.needed_bytes) == (tmp_path, len(FILM))
    again = pickle.loads(pickle.dumps(caught.value))
    assert (again.folder, again.needed_bytes, again.hint) == (tmp_path, len(FILM), caught.value.hint)


def test_a_folder_that_cannot_be_made_is_no_full_disk(workspace: Path, film: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with Store(workspace) as store, pytest.raises(WorkspaceError, match="cannot write") as caught:
        deliver(store, film, tmp_path / "file" / "fox.mp4", on_piece=lambda: None)
    assert not isinstance(caught.value, DiskFullError)
