from __future__ import annotations

import os
from pathlib import Path

import pytest

from localvid.errors import WorkspaceError
from localvid.store import Amount, Store, owners

DEAD = "gpu01-4711-0123456789ab"


def test_an_owner_lives_from_its_first_use_to_its_close(tmp_path: Path) -> None:
    owner = owners.Owner(tmp_path)
    assert not owners.is_alive(tmp_path, owner.name)
    folder = owner.folder()
    assert folder == owner.folder() == tmp_path / owner.name
    assert owners.is_alive(tmp_path, owner.name)
    owner.close()
    owner.close()
    assert not owners.is_alive(tmp_path, owner.name)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_nobody_locks_belongs_to_the_dead(tmp_path: Path) -> None:
    (tmp_path / DEAD).mkdir()
    assert not owners.is_alive(tmp_path, DEAD)


def test_two_who_look_at_the_dead_do_not_take_each_other_for_it(tmp_path: Path) -> None:
    (tmp_path / DEAD).mkdir()
    with owners._unlocked(tmp_path / DEAD) as dead:
        assert dead
        assert not owners.is_alive(tmp_path, DEAD)


def test_a_sweep_takes_the_dead_and_leaves_the_living_and_the_users_own(tmp_path: Path) -> None:
    living = owners.Owner(tmp_path)
    (living.folder() / "a.part.mp4").write_bytes(b"work")
    (tmp_path / DEAD / "nested").mkdir(parents=True)
    (tmp_path / DEAD / "a.part.mp4").write_bytes(b"12345")
    (tmp_path / DEAD / "nested" / ".b.77.part.png").write_bytes(b"123")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "mine").write_bytes(b"mine")
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "gpu01-4711-0123456789ac").symlink_to(elsewhere)
    (tmp_path / "gpu01-4711-0123456789ad").write_text("a file")

    assert owners.measure(tmp_path).bytes == 4 + 8 + len("mine")
    assert owners.sweep(tmp_path, dry_run=True) == Amount(count=2, bytes=8)
    assert (tmp_path / DEAD).exists()
    assert owners.sweep(tmp_path) == Amount(count=2, bytes=8)
    assert not (tmp_path / DEAD).exists()
    assert (living.folder() / "a.part.mp4").read_bytes() == b"work"
    assert (elsewhere / "mine").read_bytes() == b"mine"
    assert {path.name for path in tmp_path.iterdir()} == {
        living.name,
        "elsewhere",
        "notes.txt",
        "gpu01-4711-0123456789ac",
        "gpu01-4711-0123456789ad",
    }
    living.close()


def test_a_sweep_between_making_and_locking_the_folder_is_survived(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_flock, swept = owners.fcntl.flock, []

    def flock(descriptor: int, operation: int) -> None:
        if operation == owners.fcntl.LOCK_EX and not swept:
            monkeypatch.setattr(owners.fcntl, "flock", real_flock)
            owners.sweep(tmp_path)
            swept.append(list(tmp_path.iterdir()))
        real_flock(descriptor, operation)

    owner = owners.Owner(tmp_path)
    monkeypatch.setattr(owners.fcntl, "flock", flock)
    folder = owner.folder()
    assert swept == [[]]
    assert folder.is_dir()
    assert owners.is_alive(tmp_path, owner.name)
    owner.close()


def test_owners_are_told_apart_and_described(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert owners.describe(DEAD) == "process 4711 on gpu01"
    assert owners.describe("strange") == "strange"
    monkeypatch.setattr(owners.socket, "gethostname", lambda: "my-host_1/ü")
    names = {owners.Owner(tmp_path).name for _ in range(100)}
    assert len(names) == 100
    assert {owners.describe(name) for name in names} == {f"process {os.getpid()} on my.host.1.."}


def test_opening_a_store_sweeps_and_closing_one_leaves_nothing(tmp_path: Path) -> None:
    dead = tmp_path / "tmp" / DEAD
    dead.mkdir(parents=True)
    (dead / "a.part.mp4").write_bytes(b"x")
    with Store(tmp_path) as store:
        assert not dead.exists()
        names = {store.temporary(".mp4") for _ in range(1000)}
        assert len(names) == 1000
        assert all(name.name.endswith(".part.mp4") and name.parent.is_dir() for name in names)
        next(iter(names)).write_bytes(b"x")
        with Store(tmp_path):
            pass
        assert sum(name.exists() for name in names) == 1
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(WorkspaceError, match="cannot write"):
        owners.Owner(tmp_path / "file").folder()
