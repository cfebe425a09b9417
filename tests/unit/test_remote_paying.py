"""Another host than the one that localvid knows: one class with its words, and all else is there already.

It is a host in memory, with an API unlike Replicate's: numbers in place of names, and nothing that goes on
by itself.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from paid_calls import CallList
from PIL import Image
from replicate_server import moving

from localvid import registry
from localvid.config import Settings
from localvid.errors import JobCancelledError, NeedsConfirmationError
from localvid.media import probe
from localvid.pipelines.remote import RemoteVideoModel
from localvid.remote import paying
from localvid.remote.answers import NotCreatedError, UnknownOutcomeError
from localvid.remote.hosts import Host, Matches, RemoteRun, RunState
from localvid.schemas import (
    CallState,
    ClipOrder,
    ModelKind,
    OnProgress,
    PaidCall,
    Progress,
    SamplingSettings,
    VideoRequest,
    ignore_progress,
)


class StopError(Exception):
    pass


class Elsewhere:
    """A host that works each time it is asked."""

    name = "Elsewhere"
    outputs_kept = timedelta(minutes=10)

    def __init__(self) -> None:
        self.pictures: list[bytes] = []
        self.orders: list[tuple[datetime, dict[str, Any]]] = []
        self.looks: dict[str, int] = {}
        self.cancelled: list[str] = []
        self.faults: list[Exception] = []
        self.loses_answers = False
        self.num_looks = 2
        """Until a run is done."""

    def upload(self, image: bytes, _on_progress: OnProgress) -> str:
        self.pictures.append(image)
        return f"picture:{len(self.pictures) - 1}"

    def create(self, inputs: Mapping[str, Any]) -> RemoteRun:
        if self.faults:
            raise self.faults.pop()
        self.orders.append((datetime.now(UTC), dict(inputs)))
        if self.loses_answers:
            raise UnknownOutcomeError("no answer came")
        return self._run(len(self.orders) - 1)

    def get(self, run_id: str, _on_progress: OnProgress) -> RemoteRun | None:
        self.looks[run_id] = self.looks.get(run_id, 0) + 1
        return self._run(int(run_id))

    def created_since(self, moment: datetime, inputs: Mapping[str, Any], _on_progress: OnProgress) -> Matches:
        found = [n for n, (made, of) in enumerate(self.orders) if made >= moment and of == inputs]
        return Matches(certain=tuple(map(self._run, found)))

    def cancel(self, run_id: str) -> RemoteRun | None:
        self.cancelled.append(run_id)
        return RemoteRun(id=run_id, state=RunState.NEVER_STARTED)

    def download(self, url: str, output: Path, _on_progress: OnProgress) -> bool:
        order = self.orders[int(url)][1]
        picture = np.asarray(Image.open(io.BytesIO(self.pictures[int(order["picture"].partition(":")[2])])))
        with av.open(str(output), "w", format="mp4") as container:
            stream = container.add_stream("libx264", rate=7)
            stream.height, stream.width = picture.shape[:2]
            stream.pix_fmt = "yuv420p"
            for _, frame in zip(range(25), moving(picture, order["seed"]), strict=False):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
            container.mux(stream.encode(None))
        return True

    def forget(self, inputs: Mapping[str, Any]) -> None:
        """It keeps nothing."""

    def _run(self, number: int) -> RemoteRun:
        done = self.looks.get(str(number), 0) >= self.num_looks
        return RemoteRun(
            id=str(number),
            state=RunState.SUCCEEDED if done else RunState.RUNNING,
            output=str(number) if done else None,
        )


class ElsewhereVideo(RemoteVideoModel):
    """All that an adapter must say."""

    elsewhere: Elsewhere

    def _open_host(self) -> Host:
        return self.elsewhere

    def _inputs(self, request: VideoRequest, sampling: SamplingSettings) -> dict[str, Any]:
        return {"seed": request.seed, "movement": sampling.motion_bucket_id}

    def _with_image(self, inputs: dict[str, Any], address: str) -> dict[str, Any]:
        return {**inputs, "picture": address}


@pytest.fixture
def host() -> Elsewhere:
    return Elsewhere()


@pytest.fixture
def calls() -> CallList:
    return CallList()


@pytest.fixture
def model(host: Elsewhere, calls: CallList) -> Iterator[ElsewhereVideo]:
    settings = Settings(remote_poll_seconds=0.01, remote_grace_seconds=0.05, remote_timeout_seconds=0.4)
    known = registry.get_model("replicate:svd-xt", settings, ModelKind.VIDEO)
    manifest = known.manifest.model_copy(update={"id": "elsewhere:svd-xt", "settings": {}})
    with ElsewhereVideo(known.model_copy(update={"manifest": manifest}), settings, calls) as model:
        model.elsewhere = host
        yield model


@pytest.fixture
def clip_request(tmp_path: Path) -> VideoRequest:
    pixels = np.random.default_rng(3).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "first.png")
    return VideoRequest(
        model_id="elsewhere:svd-xt",
        description="x",
        width=64,
        height=64,
        num_frames=4,
        fps=7,
        seed=11,
        first_frame=tmp_path / "first.png",
        output=tmp_path / "clip.mp4",
    )


def test_another_host_makes_a_clip(
    model: ElsewhereVideo, host: Elsewhere, calls: CallList, clip_request: VideoRequest
) -> None:
    model.generate(clip_request)
    assert probe(clip_request.output).num_frames == 4
    assert [order for _, order in host.orders] == [{"seed": 11, "movement": 127, "picture": "picture:0"}]
    assert calls.states == [CallState.MADE]
    assert [(call.host, call.run_id) for call in calls.calls] == [("elsewhere", "0")]


def test_a_run_is_looked_at_less_and_less_often(
    model: ElsewhereVideo, host: Elsewhere, clip_request: VideoRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.num_looks = 30
    pauses: list[float] = []
    monkeypatch.setattr(paying, "wait", lambda seconds, *_: pauses.append(seconds))
    model.settings = model.settings.model_copy(update={"remote_poll_seconds": 1.0})
    model.generate(clip_request)
    assert pauses[0] == 1.0
    assert len(pauses) == 30
    assert pauses == sorted(pauses)
    assert pauses[8] > 2 and pauses[-1] == 5.0


@pytest.mark.parametrize("lost", [True, False], ids=["its answer", "the request"])
def test_what_was_lost_on_its_way_is_paid_for_once(
    model: ElsewhereVideo, host: Elsewhere, calls: CallList, clip_request: VideoRequest, lost: bool
) -> None:
    host.loses_answers = lost
    host.faults = [] if lost else [UnknownOutcomeError("no answer came")]
    model.generate(clip_request)
    assert len(host.orders) == 1
    assert calls.states == ([CallState.MADE] if lost else [CallState.NOT_CREATED, CallState.MADE])


def test_a_host_that_says_no_is_not_asked_again(
    model: ElsewhereVideo, host: Elsewhere, calls: CallList, clip_request: VideoRequest
) -> None:
    host.faults = [NotCreatedError("not today")]
    with pytest.raises(NotCreatedError, match="not today"):
        model.generate(clip_request)
    assert calls.states == [CallState.NOT_CREATED]


@pytest.mark.parametrize("minutes", [9, 11])
def test_a_call_is_parked_when_this_host_keeps_it_no_longer(
    model: ElsewhereVideo, host: Elsewhere, calls: CallList, clip_request: VideoRequest, minutes: int
) -> None:
    host.loses_answers = True

    def stop(progress: Progress) -> None:
        if progress.message == "looking for the shot at Elsewhere":
            raise StopError

    with pytest.raises(StopError):
        model.generate(clip_request, stop)
    earlier = datetime.now(UTC) - timedelta(minutes=minutes)
    calls.calls = [call.model_copy(update={"created_at": earlier}) for call in calls.calls]
    if minutes < 10:
        model.generate(clip_request)
    else:
        with pytest.raises(NeedsConfirmationError, match="too long ago to find"):
            model.generate(clip_request)
    assert len(host.orders) == 1


def test_cancelling_is_passed_on_to_this_host(
    model: ElsewhereVideo, host: Elsewhere, calls: CallList, clip_request: VideoRequest
) -> None:
    def cancel(progress: Progress) -> None:
        if progress.message == "rendering at Elsewhere":
            raise JobCancelledError("cancelled")

    with pytest.raises(JobCancelledError):
        model.generate(clip_request, cancel)
    assert host.cancelled == ["0"]
    assert calls.states == [CallState.CANCELED]
    assert calls.calls[0].cost_usd == 0.0


@pytest.fixture
def sent_by_another(host: Elsewhere, calls: CallList, clip_request: VideoRequest) -> PaidCall:
    """Another process has an open call for this clip, and has not been told its id yet."""
    inputs = {"seed": 11, "movement": 127, "picture": host.upload(_bytes(clip_request), ignore_progress)}
    host.create(inputs)
    price = registry.get_model("replicate:svd-xt", Settings(), ModelKind.VIDEO).manifest.price
    assert price is not None
    order = ClipOrder(host="elsewhere", model="elsewhere:svd-xt", version="1", price=price)
    call = calls.begin(order, inputs).model_copy(update={"held_elsewhere": True})
    calls.calls = [call]
    return call


def _bytes(request: VideoRequest) -> bytes:
    assert request.first_frame is not None
    return request.first_frame.read_bytes()


def test_what_another_process_sends_is_waited_for_and_taken_up(
    model: ElsewhereVideo,
    host: Elsewhere,
    calls: CallList,
    clip_request: VideoRequest,
    sent_by_another: PaidCall,
) -> None:
    said: list[str] = []

    def listen(progress: Progress) -> None:
        said.append(progress.message)
        if said.count("another process sends this shot") == 3:
            calls.calls = [sent_by_another.model_copy(update={"run_id": "0", "state": CallState.RUNNING})]

    model.generate(clip_request, listen)
    assert said.count("another process sends this shot") >= 3
    assert len(host.orders) == 1
    assert calls.written.count(CallState.INTENT) == 1
    assert probe(clip_request.output).num_frames == 4


def test_cancelling_leaves_what_another_job_waits_for(
    model: ElsewhereVideo,
    host: Elsewhere,
    calls: CallList,
    clip_request: VideoRequest,
    sent_by_another: PaidCall,
) -> None:
    calls.calls = [sent_by_another.model_copy(update={"run_id": "0", "state": CallState.RUNNING})]

    def cancel(progress: Progress) -> None:
        if progress.message == "rendering at Elsewhere":
            raise JobCancelledError("cancelled")

    with pytest.raises(JobCancelledError):
        model.generate(clip_request, cancel)
    assert host.cancelled == []
    assert calls.states == [CallState.RUNNING]
