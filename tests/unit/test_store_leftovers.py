"""What a killed process leaves outside its folder of temporaries: beside a film, and among the rows."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from localvid.schemas import Activity, Stage
from localvid.store import Store

DEAD = "gpu01-4711-0123456789ab"
PARTIAL = ".0123456789ab.part.mp4"


def test_what_is_written_beside_a_film_is_named_in_the_owners_folder(workspace: Path, tmp_path: Path) -> None:
    output = tmp_path / "film.mp4"
    output.write_bytes(b"old")
    with Store(workspace) as store:
        with store.writing(output) as partial:
            partial.write_bytes(b"new")
            assert partial.parent == tmp_path
            (link,) = (workspace / "tmp" / store.owner).iterdir()
            assert link.readlink() == partial
        assert output.read_bytes() == b"new"
        assert list((workspace / "tmp" / store.owner).iterdir()) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["film.mp4", "workspace"]


def test_what_a_dead_process_wrote_beside_a_film_goes_and_nothing_else(
    workspace: Path, tmp_path: Path
) -> None:
    left, film = tmp_path / PARTIAL, tmp_path / "film.mp4"
    left.write_bytes(b"half")
    film.write_bytes(b"whole")
    with Store(workspace):
        pass
    folder = workspace / "tmp" / DEAD
    folder.mkdir()
    (folder / "a").symlink_to(left)
    (folder / "b").symlink_to(film)  # its name is no temporary's
    (folder / "c").symlink_to(tmp_path / "gone" / PARTIAL)
    with Store(workspace):
        pass
    assert not left.exists()
    assert film.read_bytes() == b"whole"
    assert not folder.exists()


def test_what_a_dead_process_said_of_its_work_is_forgotten(workspace: Path) -> None:
    def activity(owner: str) -> Activity:
        return Activity(
            owner=owner,
            batch_id="b",
            job_id="j",
            number=1,
            device="",
            stage=Stage.CLIPS,
            message="drawing frames",
            shot=1,
            num_shots=1,
            overall=0.5,
            loads=1,
            seen_at=datetime.now(UTC),
        )

    with Store(workspace) as living:
        living.show_activity(activity(living.owner))
        folder = workspace / "tmp" / DEAD
        folder.mkdir()
        (folder / "activity.json").write_text(activity(DEAD).model_dump_json())
        assert [one.owner for one in living.activities()] == [living.owner]
        with Store(workspace):
            assert not folder.exists()
        (workspace / "tmp" / living.owner / "activity.json").write_text("{}")  # another version's
        assert living.activities() == []
