"""The report of a batch: every film in it, nothing in it that could run, whole or not at all."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
from batches import finish, give_up, new_batch, retry_later, write_film
from PIL import Image
from sqlalchemy import update

from localvid.batch_report import BatchReport, page, read_report, write_report, writing
from localvid.batch_report.pictures import MOST_BYTES
from localvid.errors import WorkspaceError
from localvid.schemas import EntryState, PeakMemory, Stage, VideoJob
from localvid.store import BatchRows, Store
from localvid.store.tables import jobs as job_table

HOSTILE = '</title><script>alert(1)</script> & "quotes" <img src=x onerror=alert(2)>'
PEAK = PeakMemory(host_bytes=1_300_000_000, gpu_bytes=3_650_000_000)
_VOID = {"img", "meta", "br", "hr", "link", "input"}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "workspace") as opened:
        yield opened


@pytest.fixture
def batch(store: Store) -> BatchRows:
    """Five films: done with notes, failed, done and gone, to be tried again, cancelled."""
    batch, jobs = new_batch(store, [HOSTILE, "a river", "غابة هادئة", "an owl " * 100, "a canyon"])
    film = write_film(store.films / "a#1: 50%.mp4")
    finish(store, batch, jobs[0], film, title=HOSTILE, notices=(HOSTILE, "tried once more"), peak=PEAK)
    give_up(batch, jobs[1], error=f"shot 2: {HOSTILE}")
    gone = write_film(store.films / "gone.mp4")
    finish(store, batch, jobs[2], gone, peak=PeakMemory(host_bytes=300 * 2**20))
    gone.unlink()
    retry_later(batch, jobs[3])
    batch.fail(jobs[4].id, EntryState.CANCELLED, error="", hint="", attempts=0)
    return batch


class Page(HTMLParser):
    """A page's tags and words; a tag that is not closed, or closed twice, is an error."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in _VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open[-1:] != ["style"]:
            self.words += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def written(store: Store, batch: BatchRows, folder: Path) -> tuple[Page, BatchReport]:
    html, document = write_report(store, batch, folder)
    return Page(html.read_text("utf-8")), BatchReport.model_validate_json(document.read_bytes())


def picture(image: dict[str, str | None]) -> Image.Image:
    source = image["src"] or ""
    assert source.startswith("data:image/jpeg;base64,")
    content = base64.b64decode(source.partition(",")[2], validate=True)
    assert len(content) <= MOST_BYTES
    return Image.open(io.BytesIO(content)).convert("RGB")


def test_the_document_says_what_rows_and_films_say(store: Store, batch: BatchRows, tmp_path: Path) -> None:
    _page, report = written(store, batch, tmp_path / "new" / "folder")
    assert report == read_report(store, batch)
    assert (report.num_films, report.done, report.failed, report.cancelled, report.waiting) == (5, 2, 1, 1, 1)
    assert report.ended_at is None
    assert report.work_seconds == 4 + 90 + 4 + 2
    assert report.film_seconds == 1.0
    assert (report.host_bytes, report.gpu_bytes) == PEAK
    first, failed, gone, waiting, cancelled = report.films
    assert (first.host_bytes, first.gpu_bytes) == PEAK
    assert (gone.host_bytes, gone.gpu_bytes) == (300 * 2**20, None)
    assert (waiting.host_bytes, waiting.gpu_bytes) == (None, None)
    assert [film.number for film in report.films] == [1, 2, 3, 4, 5]
    assert [film.line for film in report.films] == [2, 3, 4, 5, 6]
    assert first.video is not None
    assert (first.video.width, first.video.fps, first.video.num_frames) == (64, 8, 8)
    assert first.prompt == HOSTILE
    assert first.notices == (HOSTILE, "tried once more")
    assert first.missing == ()
    assert (failed.attempts, failed.hint, failed.stage) == (3, "look at dmesg", Stage.STORYBOARD)
    assert gone.missing == (str(store.films / "gone.mp4"),)
    assert gone.video is None
    assert waiting.not_before is not None
    assert waiting.prompt == "an owl " * 100
    assert cancelled.state is EntryState.CANCELLED


def test_a_batch_that_is_over_says_when(store: Store) -> None:
    batch, jobs = new_batch(store, ["one", "two"])
    for job in jobs:
        give_up(batch, job)
    report = read_report(store, batch)
    assert report.ended_at == batch.summary().updated_at
    assert report.wall_seconds == (report.ended_at - report.created_at).total_seconds()


def test_no_word_runs_and_nothing_is_loaded(store: Store, batch: BatchRows, tmp_path: Path) -> None:
    shown, _ = written(store, batch, tmp_path)
    names = {tag for tag, _ in shown.tags}
    assert not names & {"script", "link", "iframe", "object", "base", "form", "video", "input"}
    for tag, attributes in shown.tags:
        assert not [name for name in attributes if name.startswith("on") or name == "srcset"]
        assert "src" not in attributes or tag == "img"
    policy = next(meta for meta in shown.all("meta") if "http-equiv" in meta)
    assert "default-src 'none'" in (policy["content"] or "")
    assert shown.words.count(HOSTILE) >= 4  # prompt, title, notice, error: as words
    assert "غابة هادئة" in shown.words
    assert "an owl " * 40 in shown.words
    assert "an owl " * 60 not in shown.words


def test_the_page_says_what_became_of_each(store: Store, batch: BatchRows, tmp_path: Path) -> None:
    shown, _ = written(store, batch, tmp_path)
    for said in (
        "2 of 5 films done, 1 failed, 1 cancelled, 1 waiting",
        "not yet: films still wait",
        "look at dmesg",
        "failed 3 times",
        "tried again from",
        f"gone: {store.films / 'gone.mp4'}",
        "1.0 s, 64x48, 8 fps",
        "tried once more",
        "most memory1.2 GiB, GPU 3.4 GiB",
        "memory300 MiB",
    ):
        assert said in shown.words, said
    assert shown.words.count("memory") == 3  # none is said of what is not known


def test_it_can_be_read_aloud(store: Store, batch: BatchRows, tmp_path: Path) -> None:
    shown, _ = written(store, batch, tmp_path)
    levels = [int(tag[1]) for tag, _ in shown.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert shown.all("html")[0]["lang"] == "en"
    assert all(header.get("scope") in ("col", "row") for header in shown.all("th"))
    assert all(image["alt"] for image in shown.all("img"))
    ids = [attributes["id"] for _, attributes in shown.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    used = [named for _, attributes in shown.tags if (named := attributes.get("aria-labelledby"))]
    used += [(link["href"] or "")[1:] for link in shown.all("a") if (link["href"] or "").startswith("#")]
    assert set(used) <= set(ids)
    assert "film-2" in used


def test_pictures_are_the_films_own_frames(store: Store, batch: BatchRows, tmp_path: Path) -> None:
    shown, _ = written(store, batch, tmp_path)
    images = shown.all("img")
    assert [image["alt"] for image in images] == [
        f"Frame of film 1 at {seconds} s" for seconds in ("0.1", "0.4", "0.6", "0.9")
    ]
    reds = [np.asarray(picture(image))[..., 0].mean() for image in images]
    assert reds == pytest.approx([16 + 24 * number for number in (1, 3, 5, 7)], abs=6)


def test_links_lead_to_the_films_from_where_the_page_lies(
    store: Store, batch: BatchRows, tmp_path: Path
) -> None:
    shown, _ = written(store, batch, tmp_path / "a" / "b")
    hrefs = [href for link in shown.all("a") if not (href := link["href"] or "").startswith("#")]
    assert len(hrefs) == 1
    assert ":" not in hrefs[0]
    assert (tmp_path / "a" / "b" / unquote(hrefs[0])).resolve() == store.films / "a#1: 50%.mp4"


def _with_plan(store: Store, job: VideoJob) -> None:
    """A keyframe is painted, its clip is not."""
    keyframe = store.temporary(".png")
    Image.new("RGB", (64, 48), (200, 30, 10)).save(keyframe)
    with store.lease(job.id) as lease:
        lease.set_plan(
            [("a" * 64, "keyframe", "painting the keyframe"), ("b" * 64, "clip", "rendering shot 1")]
        )
        lease.publish("a" * 64, "keyframe", keyframe)


def test_of_a_film_that_failed_what_is_made_is_shown_and_what_is_not_is_named(
    store: Store, tmp_path: Path
) -> None:
    batch, jobs = new_batch(store, ["a river"])
    _with_plan(store, jobs[0])
    give_up(batch, jobs[0])
    shown, report = written(store, batch, tmp_path)
    assert report.films[0].missing == ("rendering shot 1",)
    (image,) = shown.all("img")
    assert image["alt"] == "Keyframe 1 that was made for film 1"
    assert np.asarray(picture(image)).mean(axis=(0, 1)) == pytest.approx((200, 30, 10), abs=6)


def test_a_picture_of_noise_is_small_too(store: Store, tmp_path: Path) -> None:
    batch, jobs = new_batch(store, ["noise"])
    keyframe = store.temporary(".png")
    noise = np.random.default_rng(1).integers(0, 256, (512, 512, 3), dtype=np.uint8)
    Image.fromarray(noise).save(keyframe)
    with store.lease(jobs[0].id) as lease:
        lease.set_plan([("a" * 64, "keyframe", "painting the keyframe")])
        lease.publish("a" * 64, "keyframe", keyframe)
    shown, _ = written(store, batch, tmp_path)
    assert picture(shown.all("img")[0]).width >= 120


def test_of_many_films_some_have_pictures_and_all_are_there(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "ALL_SHOWN", 4)
    batch, jobs = new_batch(store, [f"film about {number}" for number in range(9)])
    film = write_film(store.films / "film.mp4")
    for number, job in enumerate(jobs):
        if number in (1, 5, 6):
            give_up(batch, job)
        else:
            finish(store, batch, job, film, peak=PEAK)
    shown, report = written(store, batch, tmp_path)
    assert shown.words.count("1.2 GiB, GPU 3.4 GiB") == 1 + 6  # cards and rows of the table alike
    assert {image["alt"].split(" at")[0] for image in shown.all("img") if image["alt"]} == {
        "Frame of film 1",
        "Frame of film 3",
    }
    assert [item["id"] for item in shown.all("li") if "id" in item] == [
        "film-1",
        "film-2",
        "film-3",
        "film-6",
    ]
    assert "Pictures are shown of 4 of 9 films" in shown.words
    times = [shown.words.count(f"film about {number}") for number in range(9)]
    assert times == [1, 2, 1, 1, 1, 2, 1, 1, 1]  # failed ones with pictures are in two places
    assert len(report.films) == 9


def test_more_films_than_are_read_at_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("localvid.batch_report.document._PAGE", 3)
    batch, jobs = new_batch(store, [str(number) for number in range(8)])
    assert [film.job_id for film in read_report(store, batch).films] == [job.id for job in jobs]


def test_a_job_of_another_version_does_not_stop_the_report(store: Store, batch: BatchRows) -> None:
    last = batch.entries()[4].job_id
    with store._database.write() as connection:
        connection.execute(update(job_table).where(job_table.c.id == last).values(options='{"new": 1}'))
    films = read_report(store, batch).films
    assert len(films) == 5
    assert films[0].video is not None
    assert "another version of localvid" in films[4].error


def test_a_film_that_is_cut_short_has_no_pictures(store: Store, tmp_path: Path) -> None:
    batch, jobs = new_batch(store, ["a river"])
    film = write_film(store.films / "film.mp4")
    finish(store, batch, jobs[0], film)
    film.write_bytes(film.read_bytes()[:-900])
    shown, report = written(store, batch, tmp_path)
    assert shown.all("img") == []
    assert report.films[0].missing == (str(film),)


def test_earlier_files_stay_where_a_report_cannot_be_finished(
    store: Store, batch: BatchRows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    html, document = write_report(store, batch, tmp_path / "report")
    before = html.read_bytes(), document.read_bytes()

    def full(*_: object, **__: object) -> Iterator[str]:
        yield "<!doctype html>"
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writing, "page_of", full)
    monkeypatch.setattr(writing, "_json_of", full)
    with pytest.raises(WorkspaceError, match="no space left"):
        write_report(store, batch, tmp_path / "report")
    assert (html.read_bytes(), document.read_bytes()) == before
    assert sorted(path.name for path in html.parent.iterdir()) == ["report.html", "report.json"]


def test_a_folder_that_is_a_file_is_refused(store: Store, batch: BatchRows, tmp_path: Path) -> None:
    (tmp_path / "report").write_text("mine")
    with pytest.raises(WorkspaceError, match="report"):
        write_report(store, batch, tmp_path / "report")
    assert (tmp_path / "report").read_text() == "mine"


def test_the_json_is_indented_and_whole(store: Store, batch: BatchRows, tmp_path: Path) -> None:
    text = write_report(store, batch, tmp_path)[1].read_text("utf-8")
    assert json.loads(text)["films"][2]["prompt"] == "غابة هادئة"
    assert "غابة هادئة" in text
    batch, _ = new_batch(store, ["only one"])
    assert len(written(store, batch, tmp_path)[1].films) == 1
