"""A model in a process of its own, here the animatic: it needs no torch, and its clips are real.

What a real diffusion model meets is in tests/e2e/test_model_faults.py.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from faulty_child import SWELLING, VARIABLE, Fault
from processes import is_dead

from localvid import registry
from localvid.config import Settings
from localvid.errors import (
    DeviceFailedError,
    GenerationFailedError,
    ModelProcessError,
    NotAvailableError,
    WorkLostError,
    WorkspaceError,
)
from localvid.files import digest
from localvid.pipelines import hosted
from localvid.pipelines.hosted import HostedPainter, HostedVideoModel
from localvid.schemas import KeyframeRequest, ModelInfo, ModelKind, PeakMemory, Progress, VideoRequest

TESTS = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def _find_the_faulty_child(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(TESTS))


@pytest.fixture
def settings(workspace: Path) -> Settings:
    return Settings(workspace=workspace, model_stall_seconds=60)


@pytest.fixture
def info(settings: Settings) -> ModelInfo:
    return registry.get_model("local:animatic", settings, ModelKind.VIDEO)


@pytest.fixture
def clip_request(tmp_path: Path) -> VideoRequest:
    return VideoRequest(
        model_id="local:animatic",
        description="a lighthouse at night",
        width=64,
        height=64,
        num_frames=5,
        fps=7,
        seed=1,
        output=tmp_path / "clip.mp4",
    )


@pytest.fixture
def model(info: ModelInfo, settings: Settings) -> Iterator[HostedVideoModel]:
    with HostedVideoModel(info, settings) as model:
        yield model


@pytest.fixture
def break_it(
    info: ModelInfo, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., HostedVideoModel]]:
    """Opens a model whose process meets a fault."""
    models = []

    def open_model(kind: str, *, times: int = 1, **changes: float) -> HostedVideoModel:
        folder = tmp_path / "strikes"
        folder.mkdir()
        fault = Fault(kind=kind, folder=folder, step=2, times=times)
        monkeypatch.setenv(VARIABLE, fault.model_dump_json())
        models.append(
            HostedVideoModel(info, settings.model_copy(update=changes), target="faulty_child:FaultyModel")
        )
        return models[-1]

    yield open_model
    for model in models:
        model.close()


@pytest.fixture
def expected(info: ModelInfo, settings: Settings, clip_request: VideoRequest) -> str:
    """Digest of the clip as the adapter makes it in this process."""
    output = clip_request.output.with_name("expected.mp4")
    with registry.open_video_model(info, settings) as model:
        model.generate(clip_request.model_copy(update={"output": output}))
    return digest(output)


def is_gone(pid: int) -> bool:
    """No process and no zombie under this number, soon."""
    return any(not Path(f"/proc/{pid}").exists() or time.sleep(0.01) for _ in range(300))


def test_clips_come_from_one_process_that_is_gone_after_close(
    model: HostedVideoModel, clip_request: VideoRequest, expected: str
) -> None:
    pids = []
    for name in ("one.mp4", "two.mp4"):
        output = clip_request.output.with_name(name)
        result = model.generate(clip_request.model_copy(update={"output": output}))
        assert digest(output) == expected
        assert result.video.path == output
        pids.append(model.process.pid)
    assert pids[0] == pids[1] is not None
    assert pids[0] != os.getpid()
    model.close()
    assert model.process.pid is None
    assert is_gone(pids[0])


def test_loading_starts_the_process_and_is_idempotent(model: HostedVideoModel) -> None:
    seen: list[Progress] = []
    model.load(seen.append)
    pid = model.process.pid
    model.load()
    assert model.process.pid == pid is not None
    assert seen[0].message.startswith("loading ")


def test_its_errors_come_back_as_they_were_and_leave_it_well(
    break_it: Callable[..., HostedVideoModel], clip_request: VideoRequest
) -> None:
    model = break_it("fail")
    with pytest.raises(GenerationFailedError, match="no clip: injected") as caught:
        model.generate(clip_request)
    assert caught.value.hint == "try another seed"
    pid = model.process.pid
    assert not clip_request.output.exists()
    model.generate(clip_request)
    assert model.process.pid == pid is not None


@pytest.mark.parametrize(
    ("kind", "said", "changes"),
    [
        ("lose_device", "the GPU failed: injected", {}),
        ("kill", "ended by SIGKILL", {}),
        ("crash", "ended by SIGSEGV", {}),
        ("hang", "made no progress for 2 s", {"model_stall_seconds": 2.0}),
        ("freeze", "gave no sign of life for 3 s", {}),
    ],
)
def test_a_broken_process_is_replaced_and_the_shot_tried_once_more(
    break_it: Callable[..., HostedVideoModel],
    clip_request: VideoRequest,
    expected: str,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    said: str,
    changes: dict[str, float],
) -> None:
    monkeypatch.setattr(hosted, "_SILENCE_SECONDS", 3.0)
    pids: list[int | None] = []
    notices: list[str] = []

    def listen(progress: Progress) -> None:
        pids.append(model.process.pid)
        if progress.notice:
            notices.append(progress.notice)

    model = break_it(kind, **changes)
    model.generate(clip_request, listen)

    assert digest(clip_request.output) == expected
    (notice,) = notices
    assert said in notice
    assert "once more in a new process" in notice
    first, last = next(pid for pid in pids if pid), pids[-1]
    assert first != last
    assert is_gone(first)


@pytest.fixture
def late(info: ModelInfo, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Late:
    """A model whose clips are not written before the gate is there."""
    fault = Fault(kind="", folder=tmp_path)
    monkeypatch.setenv(VARIABLE, fault.model_dump_json())
    return Late(HostedVideoModel(info, settings, target="faulty_child:LateModel"), tmp_path / "gate")


class Late(NamedTuple):
    model: HostedVideoModel
    gate: Path


def test_the_next_clip_is_made_while_one_is_written(
    late: Late, clip_request: VideoRequest, expected: str
) -> None:
    other = clip_request.model_copy(update={"output": clip_request.output.with_name("other.mp4")})
    with late.model as model:
        first = model.begin(clip_request)
        second = model.begin(other)
        assert not first.is_written() and not second.is_written()
        late.gate.touch()
        for begun in (first, second):
            begun.wait()
            begun.result()
    assert digest(clip_request.output) == digest(other.output) == expected


def test_a_clip_that_its_process_did_not_write_to_the_end_is_made_once_more(
    late: Late, clip_request: VideoRequest, expected: str
) -> None:
    notices: list[str] = []
    with late.model as model:

        def listen(progress: Progress) -> None:
            notices.append(progress.notice)
            if progress.step == clip_request.num_frames and not late.gate.exists() and model.process.pid:
                late.gate.touch()
                os.kill(model.process.pid, signal.SIGKILL)

        result = model.generate(clip_request, listen)
    (notice,) = filter(None, notices)
    assert "SIGKILL" in notice and "once more" in notice
    assert result.notices == (notice,)
    assert digest(clip_request.output) == expected
    assert (late.gate.parent / "calls").read_text().count("write_clip") == 2


def test_whoever_begins_a_clip_is_told_that_it_was_lost(late: Late, clip_request: VideoRequest) -> None:
    with late.model as model:
        begun = model.begin(clip_request)
        assert model.process.pid is not None
        os.kill(model.process.pid, signal.SIGKILL)
        with pytest.raises(WorkLostError, match="SIGKILL"):
            begun.wait()
        with pytest.raises(WorkLostError):
            begun.result()
    assert list(clip_request.output.parent.glob(".*.part.mp4")) == []


def test_a_clip_that_is_given_up_while_it_is_written_leaves_nothing(
    late: Late, clip_request: VideoRequest
) -> None:
    with late.model as model:
        begun = model.begin(clip_request)
        late.gate.touch()
        begun.close()
        assert list(clip_request.output.parent.glob(".*.part.*")) == []
        model.generate(clip_request)


def test_a_full_disk_is_told_as_such(model: HostedVideoModel, clip_request: VideoRequest) -> None:
    """Which a batch waits for; another error would count as the film's."""
    nowhere = clip_request.output.with_name("missing") / "clip.mp4"
    with pytest.raises(WorkspaceError, match="No such file"):
        model.process.write("write_clip", clip_request, nowhere, lambda _progress: None)


@pytest.mark.parametrize(("kind", "error"), [("lose_device", DeviceFailedError), ("kill", ModelProcessError)])
def test_a_shot_is_not_tried_a_third_time(
    break_it: Callable[..., HostedVideoModel],
    clip_request: VideoRequest,
    expected: str,
    kind: str,
    error: type[Exception],
) -> None:
    model = break_it(kind, times=2)
    with pytest.raises(error):
        model.generate(clip_request)
    assert not clip_request.output.exists()
    assert model.process.pid is None

    model.generate(clip_request)  # the next shot finds a new process
    assert digest(clip_request.output) == expected


class StopError(Exception):
    pass


def test_a_stop_keeps_the_process(model: HostedVideoModel, clip_request: VideoRequest, expected: str) -> None:
    def stop(progress: Progress) -> None:
        if progress.step == 2:
            raise error

    error = StopError("enough")
    model.load()
    pid = model.process.pid
    before = sorted(clip_request.output.parent.iterdir())
    with pytest.raises(StopError) as caught:
        model.generate(clip_request, stop)
    assert caught.value is error
    assert model.process.pid == pid
    assert sorted(clip_request.output.parent.iterdir()) == before

    model.generate(clip_request)
    assert digest(clip_request.output) == expected


def test_a_stop_that_the_process_does_not_heed_ends_it(
    break_it: Callable[..., HostedVideoModel],
    clip_request: VideoRequest,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    def stop(_: Progress) -> None:
        if any((tmp_path / "strikes").iterdir()):  # sooner it would be heeded
            raise StopError

    monkeypatch.setattr(hosted, "_STOP_SECONDS", 0.5)
    model = break_it("hang")
    model.load()
    pid = model.process.pid
    assert pid is not None
    started = time.monotonic()
    with pytest.raises(StopError):
        model.generate(clip_request, stop)
    assert time.monotonic() - started < 10
    assert model.process.pid is None
    assert is_gone(pid)


def test_an_interrupt_ends_the_process_at_once(model: HostedVideoModel, clip_request: VideoRequest) -> None:
    def interrupt(progress: Progress) -> None:
        if progress.step == 1:
            raise KeyboardInterrupt

    model.load()
    pid = model.process.pid
    assert pid is not None
    with pytest.raises(KeyboardInterrupt):
        model.generate(clip_request, interrupt)
    assert is_gone(pid)


def test_a_package_that_is_missing_is_told_as_such(
    info: ModelInfo, settings: Settings, clip_request: VideoRequest
) -> None:
    manifest = info.manifest.model_copy(update={"adapter": "localvid.pipelines.nowhere:Model"})
    with HostedVideoModel(info.model_copy(update={"manifest": manifest}), settings) as model:
        with pytest.raises(NotAvailableError, match="local:animatic does not load") as caught:
            model.generate(clip_request)
        assert "localvid[diffusion]" in caught.value.hint
        assert model.process.pid is None


def test_a_hosted_painter_paints(settings: Settings, tmp_path: Path) -> None:
    info = registry.get_model("local:animatic-still", settings, ModelKind.KEYFRAME)
    request = KeyframeRequest(
        model_id=info.manifest.id,
        description="a lighthouse",
        width=64,
        height=64,
        seed=1,
        output=tmp_path / "hosted.png",
    )
    with HostedPainter(info, settings) as painter:
        painter.paint(request)
        pid = painter.process.pid
    with registry.open_painter(info, settings) as painter_here:
        painter_here.paint(request.model_copy(update={"output": tmp_path / "here.png"}))
    assert digest(tmp_path / "hosted.png") == digest(tmp_path / "here.png")
    assert pid is not None
    assert is_gone(pid)


def test_what_its_process_took_is_told_once(
    break_it: Callable[..., HostedVideoModel], clip_request: VideoRequest
) -> None:
    model = break_it("swell")
    model.generate(clip_request)
    high, low = model.peak_memory(), model.peak_memory()
    assert (high.gpu_bytes, low.gpu_bytes) == (3 * 2**30, 2**30)
    if high.host_bytes is None or low.host_bytes is None:
        pytest.skip("this system does not tell a process's peak, or lets nobody begin it anew")
    assert high.host_bytes - low.host_bytes == pytest.approx(SWELLING, rel=0.1)


def test_without_torch_no_gpu_is_told_of_and_none_of_a_process_that_is_gone(model: HostedVideoModel) -> None:
    assert model.peak_memory() == PeakMemory()
    assert model.process.pid is None  # none was started to be asked
    model.load()
    assert model.peak_memory().gpu_bytes is None
    pid = model.process.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    assert is_dead(pid)
    assert model.peak_memory().gpu_bytes is None
    model.load()
    assert model.process.pid not in (None, pid)


def test_tokens_and_keys_stay_here(info: ModelInfo, settings: Settings) -> None:
    secrets = dict.fromkeys(
        ("hf_token", "openai_api_key", "openai_base_url", "anthropic_api_key"), "hf_canary"
    )
    secret = Settings.model_validate({**settings.model_dump(), **secrets})
    with HostedVideoModel(info, secret) as model:
        model.load()
        command = Path(f"/proc/{model.process.pid}/cmdline").read_bytes()
        assert "hf_canary" not in str(model.process._host._arguments)
        assert b"hf_canary" not in command


SCRIPT = """
import sys, time
from localvid import registry
from localvid.config import Settings
from localvid.pipelines.hosted import HostedVideoModel
from localvid.schemas import ModelKind
settings = Settings(workspace=sys.argv[1])
model = HostedVideoModel(registry.get_model("local:animatic", settings, ModelKind.VIDEO), settings)
model.load()
print(model.process.pid, "torch" in sys.modules, flush=True)
time.sleep(60)
"""


def test_it_dies_with_its_parent(workspace: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(TESTS.parent)}
    parent = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(workspace)], stdout=subprocess.PIPE, text=True, env=environment
    )
    with parent:
        assert parent.stdout is not None
        pid, torch_here = parent.stdout.readline().split()
        assert Path(f"/proc/{pid}").exists()
        parent.send_signal(signal.SIGKILL)
    assert torch_here == "False"
    assert is_dead(int(pid))
