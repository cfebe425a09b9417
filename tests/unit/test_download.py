"""Downloads against a hub on loopback: resumed, verified, and honest about what fails."""

from __future__ import annotations

import hashlib
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hub_server import COMMIT, REPO, HubServer, serve
from pydantic import SecretStr

from localvid.config import Settings
from localvid.download import blob, licence_text, pull
from localvid.errors import (
    DiskFullError,
    DownloadFailedError,
    InvalidRequestError,
    NotAvailableError,
    WorkspaceError,
)
from localvid.hub_cache import find_snapshot
from localvid.schemas import ModelFile, ModelKind, ModelManifest, Progress

WEIGHTS = random.Random(1).randbytes(3_000_000)
CONFIG = b'{"a": 1}\n'
NAMES = ("model_index.json", "unet/weights.safetensors")


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    monkeypatch.setattr(blob, "_FIRST_WAIT_SECONDS", 0.01)
    with serve(HubServer(files=dict(zip(NAMES, (CONFIG, WEIGHTS), strict=True)), large={NAMES[1]})) as server:
        yield server


@pytest.fixture
def settings(tmp_path: Path, hub: HubServer) -> Settings:
    return Settings(workspace=tmp_path / "workspace", hub_cache=tmp_path / "hub", hub_endpoint=hub.endpoint)


def manifest(*, sha256: str | None = None, size: int | None = len(WEIGHTS), **changes: Any) -> ModelManifest:
    fields = {
        "id": "keyframe:some-model",
        "kind": ModelKind.KEYFRAME,
        "title": "Some model",
        "adapter": "localvid.pipelines.keyframe:DiffusersPainter",
        "repo": REPO,
        "revision": COMMIT,
        "licence": "MIT",
        "licence_url": "https://example.org/licence",
        "files": (ModelFile(path=NAMES[0]), ModelFile(path=NAMES[1], bytes=size, sha256=sha256)),
    }
    return ModelManifest.model_validate(fields | changes)


def fetched(settings: Settings, **options: Any) -> Path:
    return pull(options.pop("of", manifest()), settings, accept_licence=True, **options)


def partial(settings: Settings) -> Path:
    return next((settings.hub_cache or Path()).rglob("*.incomplete"))


def test_everything_arrives_and_is_found_without_asking_again(hub: HubServer, settings: Settings) -> None:
    folder = fetched(settings, of=manifest(sha256=hashlib.sha256(WEIGHTS).hexdigest()))
    assert (folder / NAMES[0]).read_bytes() == CONFIG
    assert (folder / NAMES[1]).read_bytes() == WEIGHTS
    found = find_snapshot(manifest(), settings)
    assert found is not None
    assert (found.commit, found.folder, found.missing) == (COMMIT, folder, ())
    assert not list((settings.hub_cache or Path()).rglob("*.incomplete"))
    hub.requests.clear()
    assert fetched(settings) == folder
    assert hub.requests == []


def test_progress_counts_the_bytes_of_all_files(settings: Settings) -> None:
    seen: list[Progress] = []
    fetched(settings, on_progress=seen.append)
    counted = [progress for progress in seen if progress.num_steps]
    assert {progress.num_steps for progress in counted} == {len(WEIGHTS) + len(CONFIG)}
    assert counted[-1].fraction == 1.0
    downloading = [progress.step for progress in counted if progress.message.startswith("downloading unet")]
    assert len(downloading) >= 2
    assert downloading == sorted(downloading)


def test_a_drop_in_the_middle_is_continued_in_the_same_call(hub: HubServer, settings: Settings) -> None:
    hub.drop_after = [1_200_000, 800_000]
    folder = fetched(settings)
    assert (folder / NAMES[1]).read_bytes() == WEIGHTS
    ranges = [request.headers.get("range") for request in hub.storage_requests()]
    assert ranges == [None, "bytes=1200000-", "bytes=2000000-"]


def test_a_stopped_download_goes_on_in_the_next_call(hub: HubServer, settings: Settings) -> None:
    class StopError(Exception):
        pass

    def stop(progress: Progress) -> None:
        if progress.message.startswith("downloading unet") and progress.step > 1_500_000:
            raise StopError

    with pytest.raises(StopError):
        fetched(settings, on_progress=stop)
    kept = partial(settings).stat().st_size
    assert 1_500_000 < kept < len(WEIGHTS)
    assert WEIGHTS.startswith(partial(settings).read_bytes())
    hub.requests.clear()
    assert (fetched(settings) / NAMES[1]).read_bytes() == WEIGHTS
    assert [request.headers.get("range") for request in hub.storage_requests()] == [f"bytes={kept}-"]


def test_a_host_that_ignores_ranges_starts_over(hub: HubServer, settings: Settings) -> None:
    hub.drop_after, hub.ignores_range = [1_000_000], True
    assert (fetched(settings) / NAMES[1]).read_bytes() == WEIGHTS


def test_damaged_bytes_are_removed_and_named(hub: HubServer, settings: Settings) -> None:
    hub.corrupt = True
    with pytest.raises(DownloadFailedError, match=r"weights.safetensors arrived damaged"):
        fetched(settings)
    blobs = [path for path in (settings.hub_cache or Path()).rglob("blobs/*") if path.stat().st_size > 100]
    assert blobs == []
    hub.corrupt = False
    assert (fetched(settings) / NAMES[1]).read_bytes() == WEIGHTS


def test_damage_on_this_disk_is_found_and_mended(settings: Settings) -> None:
    folder = fetched(settings)
    (folder / NAMES[1]).resolve().write_bytes(WEIGHTS[:-1] + b"x")
    assert (fetched(settings) / NAMES[1]).read_bytes() == WEIGHTS


@pytest.mark.parametrize(
    "changes", [{"size": len(WEIGHTS) + 1}, {"sha256": "0" * 64}, {"sha256": "0" * 64, "size": None}]
)
def test_another_file_than_the_manifest_pins_is_refused_before_it_is_downloaded(
    hub: HubServer, settings: Settings, changes: dict[str, Any]
) -> None:
    with pytest.raises(DownloadFailedError, match="not the one that the manifest pins"):
        fetched(settings, of=manifest(**changes))
    assert hub.storage_requests() == []


def test_a_small_file_is_held_to_its_pinned_digest_too(settings: Settings) -> None:
    wrong = manifest(files=(ModelFile(path=NAMES[0], sha256="0" * 64),))
    with pytest.raises(DownloadFailedError, match=r"model_index.json arrived damaged"):
        fetched(settings, of=wrong)


def test_a_host_without_digests_is_refused(hub: HubServer, settings: Settings) -> None:
    hub.digests = False
    with pytest.raises(DownloadFailedError, match="gives no commit, digest or size"):
        fetched(settings)


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_a_busy_hub_is_asked_again(hub: HubServer, settings: Settings, status: int) -> None:
    hub.busy = [status, status]
    assert (fetched(settings) / NAMES[1]).read_bytes() == WEIGHTS


def test_the_wait_that_the_hub_asks_for_is_kept(
    hub: HubServer, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr(blob, "_wait", lambda seconds, *_: waits.append(seconds))
    hub.busy, hub.retry_after = [429], "7"
    fetched(settings)
    assert waits == [7.0]


def test_a_hub_that_stays_busy_is_given_up(hub: HubServer, settings: Settings) -> None:
    hub.busy = [503] * 100
    with pytest.raises(DownloadFailedError, match=r"busy or failing .HTTP 503") as caught:
        fetched(settings)
    assert caught.value.retryable
    assert len(hub.requests) == 5


def test_a_hub_that_is_gone_is_named(settings: Settings) -> None:
    gone = settings.model_copy(update={"hub_endpoint": "http://127.0.0.1:9"})
    with pytest.raises(DownloadFailedError, match=r"127.0.0.1 does not answer") as caught:
        fetched(gone)
    assert "network" in caught.value.hint


def test_a_gated_model_needs_a_token_and_storage_never_sees_it(hub: HubServer, settings: Settings) -> None:
    hub.token = "hf_secret"
    with pytest.raises(NotAvailableError, match="accepted its licence") as caught:
        fetched(settings)
    assert f"https://huggingface.co/{REPO}" in caught.value.hint
    with_token = settings.model_copy(update={"hf_token": SecretStr("hf_secret")})
    assert (fetched(with_token) / NAMES[1]).read_bytes() == WEIGHTS
    assert hub.storage_requests()
    assert all("authorization" not in request.headers for request in hub.storage_requests())


def test_a_gated_model_without_a_token_is_refused_before_the_hub_is_asked(settings: Settings) -> None:
    of_the_hub = settings.model_copy(update={"hub_endpoint": None})
    with pytest.raises(NotAvailableError, match="accepted its licence"):
        fetched(of_the_hub, of=manifest(gated=True))


def test_what_the_hub_does_not_have_is_said(settings: Settings) -> None:
    with pytest.raises(NotAvailableError, match=r"has no other.json .*EntryNotFound"):
        fetched(settings, of=manifest(files=(ModelFile(path="other.json"),)))
    with pytest.raises(NotAvailableError, match="RevisionNotFound"):
        fetched(settings, of=manifest(revision="f" * 40))
    with pytest.raises(NotAvailableError, match="RepoNotFound"):
        fetched(settings, of=manifest(repo="someone/else"))


def test_another_commit_than_was_asked_for_is_refused(hub: HubServer, settings: Settings) -> None:
    hub.also_answers = "f" * 40
    with pytest.raises(DownloadFailedError, match="answers commit 0123456789ab"):
        fetched(settings, of=manifest(revision="f" * 40))
    assert hub.storage_requests() == []


def test_nothing_is_asked_before_the_licence_is_accepted_or_when_offline(
    hub: HubServer, settings: Settings
) -> None:
    with pytest.raises(InvalidRequestError, match="licence of Some model") as caught:
        pull(manifest(), settings, accept_licence=False)
    assert "https://example.org/licence" in caught.value.hint
    with pytest.raises(NotAvailableError, match="offline"):
        fetched(settings.model_copy(update={"offline": True}))
    assert hub.requests == []


def test_offline_still_finds_what_is_here(settings: Settings) -> None:
    folder = fetched(settings)
    assert pull(manifest(), settings.model_copy(update={"offline": True}), accept_licence=False) == folder


def test_a_branch_is_recorded_as_the_commit_that_it_stood_for(settings: Settings) -> None:
    of_branch = manifest(revision="main")
    folder = fetched(settings, of=of_branch)
    assert folder.name == COMMIT
    found = find_snapshot(of_branch, settings)
    assert found is not None
    assert found.commit == COMMIT


def test_too_small_a_disk_is_said_before_the_first_byte(
    hub: HubServer, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1_000_000))
    with pytest.raises(DiskFullError, match="to download") as caught:
        fetched(settings)
    assert "hub_cache" in caught.value.hint
    assert hub.storage_requests() == []


def test_a_folder_that_cannot_be_written_is_one_line(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkspaceError, match="cannot write"):
        fetched(settings.model_copy(update={"hub_cache": tmp_path / "file"}))


def test_a_file_system_without_links_gets_the_file_itself(
    hub: HubServer, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "symlink_to", refuse)
    path = fetched(settings) / NAMES[1]
    assert not path.is_symlink()
    assert path.read_bytes() == WEIGHTS
    hub.requests.clear()
    assert (fetched(settings) / NAMES[1]).read_bytes() == WEIGHTS
    assert hub.storage_requests() == []


def test_a_model_without_a_repository_has_nothing_to_download(settings: Settings) -> None:
    with pytest.raises(InvalidRequestError, match="nothing to download"):
        fetched(settings, of=manifest(repo=None, revision=None, files=()))


def test_a_token_is_not_sent_over_http_to_another_machine() -> None:
    from localvid.download.hub import Hub

    token = SecretStr("hf_secret")
    for endpoint, sent in (
        ("http://mirror.example.org", False),
        ("http://192.0.2.1", False),
        ("https://mirror.example.org", True),
        ("http://127.0.0.1:8", True),
    ):
        with Hub(Settings(hub_endpoint=endpoint, hf_token=token)) as hub:
            assert ("Authorization" in hub._client.headers) is sent


def test_the_licence_is_shown_with_its_address() -> None:
    text = licence_text(manifest(licence_notes="Be kind."))
    assert text.splitlines()[:3] == [
        "Some model is licensed under: MIT",
        "Be kind.",
        "https://example.org/licence",
    ]
