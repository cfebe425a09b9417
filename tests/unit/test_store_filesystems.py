from __future__ import annotations

from pathlib import Path

import pytest

from localvid.errors import WorkspaceError
from localvid.store import Store, filesystems

MOUNTS = """\
22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 27 0:40 / /home rw,relatime shared:9 master:2 - nfs4 server:/home rw,vers=4.2
31 30 8:1 / /home/me/local\\040disk rw - xfs /dev/sda1 rw
32 27 0:41 / /mnt/a rw - ext4 /dev/sdb rw
33 32 0:42 / /mnt/a rw - fuse.sshfs me@host:/ rw
a line that is not one
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/data/localvid", "ext4"),
        ("/home/me/.local/share/localvid", "nfs4"),
        ("/home/me/local disk/localvid", "xfs"),
        ("/homework", "ext4"),
        ("/mnt/a/work", "fuse.sshfs"),
    ],
)
def test_the_innermost_and_latest_mount_holds_a_path(path: str, kind: str) -> None:
    assert filesystems.type_of(Path(path), MOUNTS) == kind


def test_a_symbolic_link_is_followed_to_the_disk_it_leads_to(tmp_path: Path) -> None:
    target = tmp_path / "share"
    target.mkdir()
    (tmp_path / "link").symlink_to(target)
    mounts = f"1 0 0:1 / / rw - ext4 a rw\n2 1 0:2 / {target} rw - cifs b rw\n"
    assert filesystems.type_of(tmp_path / "link" / "workspace", mounts) == "cifs"


def test_this_machine_tells_the_type_of_proc() -> None:
    assert filesystems.type_of(Path("/proc/self")) == "proc"


def test_without_a_mount_table_the_type_is_unknown_and_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filesystems, "MOUNTS", tmp_path / "missing")
    assert filesystems.type_of(tmp_path) == ""
    Store(tmp_path / "workspace").close()


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "smb3", "fuse.sshfs", "lustre", "fuse.s3fs"])
def test_a_network_file_system_is_refused_before_anything_is_made(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(f"1 0 0:1 / / rw - ext4 a rw\n2 1 0:2 / {tmp_path / 'share'} rw - {kind} b rw\n")
    monkeypatch.setattr(filesystems, "MOUNTS", mounts)
    with pytest.raises(WorkspaceError, match=rf"network file system \({kind}\)") as caught:
        Store(tmp_path / "share" / "workspace")
    assert "local disk" in caught.value.hint
    assert not (tmp_path / "share").exists()
    Store(tmp_path / "here").close()


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "tmpfs", "overlay", "zfs", "9p", "virtiofs", ""])
def test_a_local_file_system_is_taken(kind: str) -> None:
    filesystems.refuse_network(Path("/w"), kind)


def test_a_folder_shared_with_a_host_shares_no_memory() -> None:
    assert not filesystems.can_share_memory("9p")
    assert not filesystems.can_share_memory("virtiofs")
    assert filesystems.can_share_memory("ext4")
    assert filesystems.can_share_memory("")
