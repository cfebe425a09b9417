"""`pull` as users meet it: killed in the middle, continued, and found by other programs without a hub."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hub_server import COMMIT, REPO, HubServer, serve

from localvid import registry
from localvid.config import Settings
from localvid.hub_cache import find_snapshot

WEIGHTS = b"GGUF" + random.Random(2).randbytes(4_000_000)
NAME = "model-Q4.gguf"
MANIFEST = f'''
id = "llm:mine"
kind = "storyboard"
title = "Mine"
adapter = "localvid.llm.llama.writer:LlamaWriter"
repo = "{REPO}"
revision = "main"
licence = "MIT"

[[files]]
path = "{NAME}"
bytes = {len(WEIGHTS)}
'''
PULL = """
import sys
from localvid import registry
from localvid.config import load_settings
from localvid.download import pull
settings = load_settings()
pull(registry.get_model("mine", settings).manifest, settings, accept_licence=True)
"""


@pytest.fixture
def hub() -> Iterator[HubServer]:
    with serve(HubServer(files={NAME: WEIGHTS}, large={NAME})) as server:
        yield server


@pytest.fixture
def settings(tmp_path: Path, hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> Settings:
    workspace = tmp_path / "workspace"
    (workspace / "models").mkdir(parents=True)
    (workspace / "models" / "mine.toml").write_text(MANIFEST, encoding="utf-8")
    values = {"workspace": workspace, "hub_cache": tmp_path / "hub", "hub_endpoint": hub.endpoint}
    for name, value in values.items():
        monkeypatch.setenv(f"LOCALVID_{name.upper()}", str(value))
    return Settings.model_validate(values)


@pytest.mark.parametrize("kill", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_pull_goes_on_where_it_was(hub: HubServer, settings: Settings, kill: signal.Signals) -> None:
    hub.hold_after = 2_500_000
    with subprocess.Popen([sys.executable, "-c", PULL], stderr=subprocess.DEVNULL) as process:
        assert hub.holding.wait(60)
        partial = _wait_for_partial(settings, process)
        process.send_signal(kill)
        process.wait(30)
    assert process.returncode != 0
    kept = partial.stat().st_size
    assert 0 < kept <= 2_500_000
    assert WEIGHTS.startswith(partial.read_bytes())
    assert not registry.get_model("mine", settings).available

    hub.hold_after = None
    hub.requests.clear()
    subprocess.run([sys.executable, "-c", PULL], check=True, timeout=60)
    assert [request.headers.get("range") for request in hub.storage_requests()] == [f"bytes={kept}-"]

    hub.requests.clear()
    info = {item.manifest.id: item for item in registry.list_models(settings)}["llm:mine"]
    assert info.available
    assert info.source is not None
    assert info.source.read_bytes() == WEIGHTS
    assert info.manifest.revision == COMMIT
    assert hub.requests == []


def test_two_pulls_at_once_download_once(hub: HubServer, settings: Settings) -> None:
    hub.hold_after = 1_000_000
    with (
        subprocess.Popen([sys.executable, "-c", PULL]) as first,
        subprocess.Popen([sys.executable, "-c", PULL]) as second,
    ):
        assert hub.holding.wait(60)
        hub.hold_after = None
        hub.let_go.set()
        assert (first.wait(60), second.wait(60)) == (0, 0)
    starts = [request.headers.get("range") for request in hub.storage_requests()]
    assert starts.count(None) == 1
    found = find_snapshot(registry.get_model("mine", settings).manifest, settings)
    assert found is not None
    assert (found.folder / NAME).read_bytes() == WEIGHTS


def test_other_programs_find_what_was_pulled(hub: HubServer, settings: Settings) -> None:
    from huggingface_hub import hf_hub_download, snapshot_download

    subprocess.run([sys.executable, "-c", PULL], check=True, timeout=60)
    hub.requests.clear()
    path = hf_hub_download(REPO, NAME, cache_dir=settings.hub_cache, local_files_only=True)
    assert Path(path).read_bytes() == WEIGHTS
    folder = snapshot_download(REPO, revision=COMMIT, cache_dir=settings.hub_cache, local_files_only=True)
    assert Path(folder) == Path(path).parent
    assert hub.requests == []


def test_what_other_programs_downloaded_is_found(hub: HubServer, settings: Settings) -> None:
    """The hub's own client also proves that the server here speaks the hub's protocol."""
    from huggingface_hub import hf_hub_download

    path = hf_hub_download(REPO, NAME, cache_dir=settings.hub_cache, endpoint=hub.endpoint)
    assert Path(path).read_bytes() == WEIGHTS
    info = registry.get_model("mine", settings)
    assert info.available
    assert info.source == Path(path)


def _wait_for_partial(settings: Settings, process: subprocess.Popen[bytes]) -> Path:
    """The partial file, once some of what the server sent is in it."""
    import time

    end = time.monotonic() + 30
    while time.monotonic() < end and process.poll() is None:
        for path in (settings.hub_cache or Path()).rglob("*.incomplete"):
            if path.stat().st_size > 0:
                return path
        time.sleep(0.02)
    raise AssertionError("no partial file appeared")
