"""Which batch a name means: an id, its beginning, or a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from batches import FIRST

from localvid.errors import JobNotFoundError
from localvid.schemas import FilmOptions
from localvid.store import NewEntry, Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "workspace") as opened:
        yield opened


@pytest.fixture
def begin(store: Store) -> Callable[[str], str]:
    """Record a batch of that source; its id."""

    def begin(source: str) -> str:
        job = store.create_job(prompt="a fox", options=FilmOptions(), seed=1)
        return store.create_batch(source, [NewEntry(job.id, 1)], [FIRST]).id

    return begin


def test_an_id_its_beginning_or_that_of_its_last_part(store: Store, begin: Callable[[str], str]) -> None:
    batch_id = begin("/night/films.jsonl")
    for name in (batch_id, batch_id.upper(), batch_id[:4], batch_id.split("-")[-1][:3], f" {batch_id} "):
        assert store.get_batch(name).id == batch_id


def test_the_beginning_of_several_ids_is_refused(store: Store, begin: Callable[[str], str]) -> None:
    ids = [begin("/night/films.jsonl") for _ in range(2)]
    with pytest.raises(JobNotFoundError, match="2 is the beginning of several batches") as refused:
        store.get_batch("2")
    assert all(batch_id in refused.value.message for batch_id in ids)
    for batch_id in ids:
        assert store.get_batch(batch_id).id == batch_id
    named_so = begin("2")
    assert store.get_batch("2").id == named_so


def test_a_file_by_its_path_or_its_name_alone(store: Store, begin: Callable[[str], str]) -> None:
    begin("/night/films.jsonl")
    latest = begin("/night/films.jsonl")
    begin("/night/other-films.jsonl")
    assert store.get_batch("/night/films.jsonl").id == latest
    assert store.get_batch("films.jsonl").id == latest
    with pytest.raises(JobNotFoundError, match="no batch"):
        store.get_batch("/day/films.jsonl")


def test_the_name_of_several_files_is_refused(store: Store, begin: Callable[[str], str]) -> None:
    ids = {source: begin(source) for source in ("/night/films.jsonl", "/day/films.jsonl")}
    with pytest.raises(JobNotFoundError, match=r"name of several files: .*films\.jsonl, .*films\.jsonl"):
        store.get_batch("films.jsonl")
    for source, batch_id in ids.items():
        assert store.get_batch(source).id == batch_id


@pytest.mark.parametrize("name", ["", " ", "%", "_", "nothing"])
def test_what_names_no_batch_is_refused(store: Store, begin: Callable[[str], str], name: str) -> None:
    begin("/night/films.jsonl")
    with pytest.raises(JobNotFoundError, match="no batch"):
        store.get_batch(name)
