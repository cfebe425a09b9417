"""Which file system a workspace lies on, and whether SQLite may keep its rows there.

SQLite's locks hold between processes of one machine; over a network they depend on the server, and a
database is lost where they do not (https://www.sqlite.org/howtocorrupt.html, section 2.1).
"""

from __future__ import annotations

import re
from pathlib import Path

from localvid.errors import WorkspaceError

MOUNTS = Path("/proc/self/mountinfo")

_NETWORK = re.compile(
    r"nfs4?|cifs|smb[23]?|smbfs|afs|beegfs|ceph|coda|davfs|fhgfs|glusterfs|gpfs|lustre|ncpfs|orangefs|panfs"
    r"|fuse\.(ceph|cephfs|davfs2?|gcsfuse|glusterfs|goofys|juicefs|mount-s3|rclone|s3fs|seaweedfs|smbnetfs|sshfs)"
)
_SHARED_WITH_THE_HOST = re.compile(r"9p|drvfs|vboxsf|virtiofs|fuse\.(grpcfuse|osxfs|vmhgfs-fuse)")


def type_of(path: Path, mounts: str | None = None) -> str:
    """The type of the file system that holds `path` ("ext4", "nfs4"), or "" where that is not known.

    `mounts` is the text of /proc/self/mountinfo (proc_pid_mountinfo(5)); None: read it. Of several mounts
    on one folder the last is in force.
    """
    if mounts is None:
        try:
            mounts = MOUNTS.read_text(encoding="utf-8", errors="surrogateescape")
        except OSError:
            return ""
    path = path.resolve()
    best, found = -1, ""
    for line in mounts.splitlines():
        fields, separator, rest = line.partition(" - ")
        if not separator or len(fields.split(" ")) < 5:
            continue
        point = Path(_unescaped(fields.split(" ")[4]))
        if path.is_relative_to(point) and len(point.parts) >= best:
            best, found = len(point.parts), rest.split(" ")[0]
    return found


def refuse_network(path: Path, kind: str) -> None:
    """Raise WorkspaceError if `kind` is a file system of the network."""
    if _NETWORK.fullmatch(kind):
        raise WorkspaceError(
            f"the workspace {path} lies on a network file system ({kind}), where SQLite can lose rows",
            hint="move the workspace to a local disk: --workspace DIR or LOCALVID_WORKSPACE; "
            "films may go anywhere with --output",
        )


def can_share_memory(kind: str) -> bool:
    """Whether a write-ahead log can be used: its index is memory shared by all who have the database open,
    which a folder that a virtual machine shares with its host does not give."""
    return not _SHARED_WITH_THE_HOST.fullmatch(kind)


def _unescaped(field: str) -> str:
    """Mount points spell space, tab, newline and backslash as octal escapes."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), field)
