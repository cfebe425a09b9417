"""A real (tiny, random) Stable Video Diffusion in its own process, under every fault that can be injected.

Each test starts real processes; `faulty_child` makes them break. What needs no diffusion model is in
tests/unit/test_pipelines_hosted.py.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from faulty_child import VARIABLE, Fault
from fixtures_tiny import noise_request, svd_info
from numpy.typing import NDArray
from processes import is_dead

from localvid import memory
from localvid.config import Settings
from localvid.errors import DeviceFailedError, GenerationFailedError
from localvid.pipelines.hosted import HostedVideoModel
from localvid.pipelines.svd.budget.choice import choose
from localvid.pipelines.svd.budget.ladder import ClipSize
from localvid.pipelines.svd.plan import Maps
from localvid.schemas import Progress, VideoRequest

TESTS = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def _find_the_faulty_child(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(TESTS))


@pytest.fixture
def settings(workspace: Path) -> Settings:
    # So much is free whatever else runs here: a plan is remembered for the memory that there was.
    return Settings(workspace=workspace, device="cpu", threads=1, ram_gib=1)


@pytest.fixture
def clip_request(tmp_path: Path) -> VideoRequest:
    return noise_request(tmp_path)


class Watched:
    """A hosted model that meets a fault, and everything that it reported."""

    def __init__(self, model: HostedVideoModel) -> None:
        self.model = model
        self.reports: list[Progress] = []
        self.pids: list[int] = []

    def listen(self, progress: Progress) -> None:
        self.reports.append(progress)
        pid = self.model.process.pid
        if pid is not None and pid not in self.pids:
            self.pids.append(pid)

    @property
    def notices(self) -> list[str]:
        return [report.notice for report in self.reports if report.notice]

    def steps(self, message: str) -> list[int]:
        """The steps that were reported, without repetitions of the last report."""
        steps = [report.step for report in self.reports if report.message == message and report.num_steps]
        return [step for index, step in enumerate(steps) if index == 0 or steps[index - 1] != step]


@pytest.fixture
def open_model(
    tiny_svd: Path, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Watched]]:
    models = []

    def open_it(kind: str, message: str, *, step: int = 1, times: int = 1) -> Watched:
        folder = tmp_path / "strikes"
        folder.mkdir()
        fault = Fault(kind=kind, folder=folder, message=message, step=step, times=times)
        monkeypatch.setenv(VARIABLE, fault.model_dump_json())
        models.append(HostedVideoModel(svd_info(tiny_svd), settings, target="faulty_child:FaultyModel"))
        return Watched(models[-1])

    yield open_it
    for model in models:
        model.close()


@pytest.fixture(scope="module")
def expected(tiny_svd: Path, tmp_path_factory: pytest.TempPathFactory) -> NDArray[np.uint8]:
    """The clip of `clip_request`, from a process that meets no fault."""
    folder = tmp_path_factory.mktemp("expected")
    request = noise_request(folder)
    settings = Settings(workspace=folder, device="cpu", threads=1)
    with HostedVideoModel(svd_info(tiny_svd), settings) as model:
        model.generate(request)
    return frames_of(request.output)


def frames_of(path: Path) -> NDArray[np.uint8]:
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def is_gone(pid: int) -> bool:
    """No process and no zombie under this number, soon."""
    return any(not Path(f"/proc/{pid}").exists() or time.sleep(0.01) for _ in range(300))


# --- processes that break ----------------------------------------------------------------------------


def test_a_poisoned_process_is_replaced(
    open_model: Callable[..., Watched], clip_request: VideoRequest, expected: NDArray[np.uint8]
) -> None:
    watched = open_model("poison", "sampling", step=2)
    watched.model.generate(clip_request, watched.listen)

    assert np.array_equal(frames_of(clip_request.output), expected)
    (notice,) = watched.notices
    assert "the GPU failed: CUDA error: an illegal memory access was encountered" in notice
    assert "once more in a new process" in notice
    first, second = watched.pids
    assert is_gone(first)
    assert watched.model.process.pid == second
    assert watched.steps("sampling") == [1, 2, 1, 2]


def test_a_process_that_dies_while_decoding_costs_no_sampling(
    open_model: Callable[..., Watched], clip_request: VideoRequest, expected: NDArray[np.uint8]
) -> None:
    watched = open_model("kill", "decoding")
    latents = clip_request.output.with_name("clip.safetensors")
    watched.model.sample(clip_request, latents, watched.listen)
    watched.model.generate(clip_request.model_copy(update={"latents": latents}), watched.listen)

    assert np.array_equal(frames_of(clip_request.output), expected)
    assert len(watched.pids) == 2
    assert watched.steps("sampling") == [1, 2]


def test_a_process_killed_for_host_memory_is_followed_by_one_that_keeps_less_there(
    open_model: Callable[..., Watched],
    clip_request: VideoRequest,
    settings: Settings,
    tiny_svd: Path,
    expected: NDArray[np.uint8],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    watched = open_model("kill", "decoding", step=3)
    kills = iter((3, 4))
    monkeypatch.setattr(memory, "oom_kills", lambda: next(kills))
    watched.model.generate(clip_request, watched.listen)

    assert np.array_equal(frames_of(clip_request.output), expected)
    again, change = watched.notices
    assert "SIGKILL, for the host's memory ran out; trying once more" in again
    assert change == "host memory ran out before; going on with feature maps in a temporary file"

    # It is remembered, whatever process comes next.
    size = ClipSize(width=64, height=64, num_frames=4)
    asked = {"num_inference_steps": 2, "guided": True, "chunk_frames": None}
    known, other = (
        choose(svd_info(tiny_svd), settings, torch.device("cpu"), each, **asked).plan  # type: ignore[arg-type]
        for each in (size, size.model_copy(update={"num_frames": 3}))
    )
    assert (known.decoder.maps, other.decoder.maps) == (Maps.DISK, Maps.HOST)


def test_a_kill_by_hand_changes_no_plan(
    open_model: Callable[..., Watched], clip_request: VideoRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = open_model("kill", "decoding", step=3)
    monkeypatch.setattr(memory, "oom_kills", lambda: 3)
    watched.model.generate(clip_request, watched.listen)

    (notice,) = watched.notices
    assert "memory ran out" not in notice


def test_poison_twice_is_an_error_and_the_next_shot_finds_a_sound_process(
    open_model: Callable[..., Watched], clip_request: VideoRequest, expected: NDArray[np.uint8]
) -> None:
    watched = open_model("poison", "sampling", times=2)
    before = sorted(clip_request.output.parent.iterdir())
    with pytest.raises(DeviceFailedError) as caught:
        watched.model.generate(clip_request, watched.listen)
    assert "\n" not in caught.value.message
    assert caught.value.hint
    assert sorted(clip_request.output.parent.iterdir()) == before
    assert watched.model.process.pid is None

    watched.model.generate(clip_request)
    assert np.array_equal(frames_of(clip_request.output), expected)


def test_memory_that_runs_out_in_a_stage_costs_a_rung_and_no_picture(
    open_model: Callable[..., Watched], clip_request: VideoRequest, expected: NDArray[np.uint8]
) -> None:
    watched = open_model("exhaust", "")
    for stage in (
        "loading",
        "reading of the first frame by CLIP",
        "encoding of the first frame",
        "sampling",
        "decoding",
    ):
        watched.reports.clear()
        result = watched.model.generate(clip_request, watched.listen)

        (notice,) = watched.notices
        assert result.notices == (notice,)
        assert notice.startswith(f"memory ran out in the {stage}; going on with ")
        steps = [report.step for report in watched.reports if report.num_steps]
        assert steps == sorted(steps)
        difference = abs(frames_of(clip_request.output).astype(int) - expected.astype(int))
        assert difference.max() <= 2  # other slices, other rounding
        clip_request.output.unlink()
    assert len(watched.pids) == 1  # running out of memory poisons nothing


# --- numbers that are none, pictures that show nothing -----------------------------------------------


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("nan_latents", "latents that are not numbers"),
        ("nan_frames", "frames that are not numbers"),
        ("black_frames", "shows nothing"),
    ],
)
def test_a_clip_that_shows_nothing_is_an_error_and_no_file(
    open_model: Callable[..., Watched], clip_request: VideoRequest, kind: str, said: str
) -> None:
    watched = open_model(kind, "sampling")
    before = sorted(clip_request.output.parent.iterdir())
    with pytest.raises(GenerationFailedError, match=said) as caught:
        watched.model.generate(clip_request, watched.listen)
    assert caught.value.hint
    assert sorted(clip_request.output.parent.iterdir()) == before
    assert len(watched.pids) == 1  # its process is well, and is kept
    assert watched.model.process.pid == watched.pids[0]


# --- stopping and ending -----------------------------------------------------------------------------


def test_a_stop_keeps_what_is_loaded(
    open_model: Callable[..., Watched], clip_request: VideoRequest, expected: NDArray[np.uint8]
) -> None:
    class StopError(Exception):
        pass

    def stop(progress: Progress) -> None:
        watched.listen(progress)
        if progress.message == "sampling" and progress.step == 1:
            raise StopError

    watched = open_model("fail", "never")
    watched.model.load()
    for name in ("one.mp4", "two.mp4"):
        started = time.monotonic()
        with pytest.raises(StopError):
            watched.model.generate(
                clip_request.model_copy(update={"output": clip_request.output.with_name(name)}), stop
            )
        assert time.monotonic() - started < 9  # a stop in time, not a kill after `_STOP_SECONDS`
    watched.model.generate(clip_request, watched.listen)

    assert np.array_equal(frames_of(clip_request.output), expected)
    assert len(watched.pids) == 1
    assert not [report for report in watched.reports if report.message.startswith("loading")]


SCRIPT = """
import sys
from localvid.config import Settings
from localvid.pipelines.hosted import HostedVideoModel
from localvid.schemas import ModelInfo, VideoRequest
info, request, workspace = sys.argv[1:]
settings = Settings(workspace=workspace, device="cpu", threads=1)
def listen(progress):
    if progress.message == "sampling":
        print(model.process.pid, "torch" in sys.modules, "diffusers" in sys.modules, flush=True)
with HostedVideoModel(ModelInfo.model_validate_json(info), settings) as model:
    model.generate(VideoRequest.model_validate_json(request), listen)
    print("done", flush=True)
"""


def test_a_parent_needs_no_torch_and_takes_its_process_with_it(
    tiny_svd: Path, clip_request: VideoRequest, workspace: Path
) -> None:
    endless = svd_info(tiny_svd).manifest.capabilities
    assert endless is not None
    assert endless.sampling is not None
    request = clip_request.model_copy(
        update={"sampling": endless.sampling.model_copy(update={"num_inference_steps": 200})}
    )
    parent = subprocess.Popen(
        [
            sys.executable,
            "-c",
            SCRIPT,
            svd_info(tiny_svd).model_dump_json(),
            request.model_dump_json(),
            str(workspace),
        ],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(TESTS.parent)},
    )
    with parent:
        assert parent.stdout is not None
        pid, *imported = parent.stdout.readline().split()
        assert imported == ["False", "False"]
        parent.send_signal(signal.SIGKILL)
    assert is_dead(int(pid))
    assert not clip_request.output.exists()
