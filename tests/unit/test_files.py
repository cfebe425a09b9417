import errno
import os
from pathlib import Path

import pytest

from localvid.errors import DiskFullError, InvalidRequestError, WorkspaceError
from localvid.files import check_output, writing


def test_the_file_appears_whole_and_nothing_else_stays(tmp_path: Path) -> None:
    output = tmp_path / "film.mp4"
    with writing(output) as partial:
        partial.write_bytes(b"half")
        assert not output.exists()
        assert partial.suffix == ".mp4"
    assert output.read_bytes() == b"half"
    assert list(tmp_path.iterdir()) == [output]


def test_a_failure_leaves_the_old_file_as_it_was(tmp_path: Path) -> None:
    output = tmp_path / "film.mp4"
    output.write_bytes(b"old")
    with pytest.raises(RuntimeError), writing(output, overwrite=True) as partial:
        partial.write_bytes(b"new")
        raise RuntimeError
    assert output.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [output]


def test_an_existing_file_is_refused_unless_asked(tmp_path: Path) -> None:
    output = tmp_path / "film.mp4"
    output.write_bytes(b"old")
    with pytest.raises(InvalidRequestError, match="exists already"), writing(output):
        pytest.fail("the block must not run")
    with writing(output, overwrite=True) as partial:
        partial.write_bytes(b"new")
    assert output.read_bytes() == b"new"


def test_bytes_are_on_disk_before_the_name_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    real_fsync, real_replace = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda fd: (calls.append("fsync"), real_fsync(fd))[1])
    monkeypatch.setattr(
        Path, "replace", lambda self, target: (calls.append("replace"), real_replace(self, target))[1]
    )
    with writing(tmp_path / "film.mp4") as partial:
        partial.write_bytes(b"whole")
    assert calls == ["fsync", "replace", "fsync"]


def test_a_name_as_long_as_the_disk_allows_can_be_written(tmp_path: Path) -> None:
    output = tmp_path / ("x" * 251 + ".mp4")
    check_output(output)
    with writing(output) as partial:
        partial.write_bytes(b"whole")
    assert output.read_bytes() == b"whole"


def test_a_longer_name_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match="too long"):
        check_output(tmp_path / ("x" * 300 + ".mp4"))


def test_a_read_only_file_is_not_replaced(tmp_path: Path) -> None:
    output = tmp_path / "film.yaml"
    output.write_text("mine")
    output.chmod(0o444)
    with pytest.raises(WorkspaceError, match="is read-only"):
        check_output(output)
    link = tmp_path / "link.yaml"
    link.symlink_to(output)
    with pytest.raises(WorkspaceError, match="is read-only"):
        check_output(link)


def test_links_that_lead_nowhere(tmp_path: Path) -> None:
    new, loop = tmp_path / "new.yaml", tmp_path / "loop.yaml"
    new.symlink_to("not-there-yet.yaml")
    loop.symlink_to("loop.yaml")
    check_output(new)
    with pytest.raises(WorkspaceError, match="symbolic links"):
        check_output(loop)


@pytest.mark.parametrize(
    ("code", "kind"),
    [(errno.ENOSPC, DiskFullError), (errno.EDQUOT, DiskFullError), (errno.EROFS, WorkspaceError)],
)
def test_errors_of_the_disk_are_one_line(tmp_path: Path, code: int, kind: type[WorkspaceError]) -> None:
    with pytest.raises(kind) as caught, writing(tmp_path / "film.mp4"):
        raise OSError(code, os.strerror(code))
    assert caught.value.hint
    assert "\n" not in caught.value.message
