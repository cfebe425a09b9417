"""Every fault of a host, and what it leads to: requests counted by the server, rows, clips."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest
from paid_calls import CallList
from PIL import Image
from pydantic import SecretStr
from replicate_server import MODEL, SCRIPT, TOKEN, VERSION, Prediction, ReplicateServer, Stage, serve

from localvid import registry
from localvid.config import Settings
from localvid.errors import (
    CapabilityError,
    GenerationFailedError,
    HostFailedError,
    InvalidImageError,
    JobCancelledError,
    LocalvidError,
    NeedsConfirmationError,
    NotAvailableError,
)
from localvid.media import probe
from localvid.pipelines.base import VideoModel
from localvid.pipelines.replicate import Replicate
from localvid.remote import addresses, download
from localvid.remote.http import HostClient, HostSettings
from localvid.remote.paying import obtain
from localvid.schemas import (
    CallState,
    ClipOrder,
    ModelKind,
    Progress,
    SamplingSettings,
    VideoRequest,
    ignore_progress,
)

INTENT, RUNNING, MADE, NOT_CREATED = (
    CallState.INTENT,
    CallState.RUNNING,
    CallState.MADE,
    CallState.NOT_CREATED,
)


@pytest.fixture
def server() -> Iterator[ReplicateServer]:
    with serve(ReplicateServer()) as server:
        yield server
    assert server.violations == []


@pytest.fixture
def calls() -> CallList:
    return CallList()


@pytest.fixture
def model(server: ReplicateServer, calls: CallList) -> Iterator[VideoModel]:
    with opened(server, calls) as model:
        yield model


def opened(server: ReplicateServer, calls: CallList, **changes: object) -> VideoModel:
    settings = Settings(
        allow_remote=True,
        replicate_api_token=SecretStr(TOKEN),
        replicate_base_url=server.base,
        remote_poll_seconds=0.01,
        remote_grace_seconds=0.3,
        remote_timeout_seconds=0.4,
    ).model_copy(update=changes)
    info = registry.get_model("replicate:svd-xt", settings, ModelKind.VIDEO)
    return registry.open_remote_model(info, settings, calls)


@pytest.fixture
def clip_request(tmp_path: Path) -> VideoRequest:
    rows, columns = np.mgrid[0:64, 0:64]
    picture = np.stack([rows * 4, columns * 4, (rows + columns) * 2], axis=-1).astype(np.uint8)
    Image.fromarray(picture).save(tmp_path / "first.png")
    return VideoRequest(
        model_id="replicate:svd-xt",
        description="x",
        width=64,
        height=64,
        num_frames=4,
        fps=7,
        seed=11,
        first_frame=tmp_path / "first.png",
        output=tmp_path / "clip.mp4",
    )


# --- creating ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("faults", "rows", "posts"),
    [
        ([], [MADE], 1),
        (["429"], [NOT_CREATED, MADE], 2),  # it does not say when
        (["429 after 1"], [NOT_CREATED, MADE], 2),
        (["429 after date"], [NOT_CREATED, MADE], 2),
        (["429 words"], [NOT_CREATED, MADE], 2),
        (["500"], [NOT_CREATED, MADE], 2),
        (["503"], [NOT_CREATED, MADE], 2),
        (["500 created"], [MADE], 1),
        (["drop"], [NOT_CREATED, MADE], 2),
        (["drop created"], [MADE], 1),
        (["hang"], [NOT_CREATED, MADE], 2),
        (["hang created"], [MADE], 1),
        (["garbage created"], [MADE], 1),
        (["500", "drop created"], [NOT_CREATED, MADE], 2),
    ],
    ids=str,
)
def test_a_fault_while_creating_never_makes_two(
    model: VideoModel,
    server: ReplicateServer,
    calls: CallList,
    clip_request: VideoRequest,
    faults: list[str],
    rows: list[CallState],
    posts: int,
) -> None:
    server.create_faults = list(faults)
    started = time.monotonic()
    model.generate(clip_request)

    assert time.monotonic() - started >= {"429 after 1": 1, "429 words": 1}.get("".join(faults), 0)
    assert len(server.predictions) == 1
    assert calls.states == rows
    # Each intent is written down before its one request.
    assert len(server.creations()) == posts == calls.written.count(INTENT)
    assert [call.cost_usd for call in calls.calls[:-1]] == [0.0] * (posts - 1)
    assert probe(clip_request.output).num_frames == 4


def test_no_connection_is_no_prediction(
    server: ReplicateServer, calls: CallList, clip_request: VideoRequest
) -> None:
    with serve(ReplicateServer()) as other:
        gone = other.base
    model = opened(server, calls, replicate_base_url=gone, remote_timeout_seconds=0.1)
    with model, pytest.raises(HostFailedError, match="cannot be reached"):
        model.generate(clip_request)
    assert calls.calls == []  # it did not come so far: the upload failed


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("400", HostFailedError),
        ("401", NotAvailableError),
        ("402", NotAvailableError),
        ("403", NotAvailableError),
        ("404", HostFailedError),
        ("422", HostFailedError),
    ],
)
def test_a_refusal_is_final_and_costs_nothing(
    model: VideoModel,
    server: ReplicateServer,
    calls: CallList,
    clip_request: VideoRequest,
    status: str,
    kind: type[LocalvidError],
) -> None:
    server.create_faults = [status]
    with pytest.raises(kind, match=f"HTTP {status}") as caught:
        model.generate(clip_request)
    assert caught.value.hint
    assert calls.states == [NOT_CREATED]
    assert len(server.creations()) == 1


def test_a_request_that_cannot_have_left_costs_nothing(calls: CallList) -> None:
    """The upload went well, and then nobody listens any more."""
    with serve(ReplicateServer()) as other:
        gone = other.base
    settings = HostSettings(poll_seconds=0.01, grace_seconds=0.3, timeout_seconds=0.05)
    info = registry.get_model("replicate:svd-xt", Settings(), ModelKind.VIDEO)
    price = info.manifest.price
    assert price is not None
    order = ClipOrder(host="replicate", model=info.manifest.id, version=VERSION, price=price)
    with HostClient("Replicate", gone, TOKEN, settings) as client:
        host = Replicate(client, model=MODEL, version=VERSION)
        with pytest.raises(HostFailedError, match="cannot be reached"):
            obtain(host, calls, order, lambda: {"input_image": "x", "seed": 1}, ignore_progress, settings)
    assert calls.states == [NOT_CREATED]
    assert calls.calls[0].cost_usd == 0.0


def test_a_host_that_fails_for_good_is_given_up(
    model: VideoModel, server: ReplicateServer, calls: CallList, clip_request: VideoRequest
) -> None:
    server.create_faults = ["500"] * 9
    with pytest.raises(HostFailedError, match="3 times"):
        model.generate(clip_request)
    assert calls.states == [NOT_CREATED] * 3
    assert not server.predictions


def test_of_two_that_turn_up_one_is_taken_and_the_other_cancelled(
    model: VideoModel, server: ReplicateServer, calls: CallList, clip_request: VideoRequest
) -> None:
    """The answer was lost, and a proxy sent the request twice."""
    server.create_faults = ["drop created"]
    twin = threading.Thread(target=_double, args=(server,))
    twin.start()
    model.generate(clip_request)
    twin.join()
    assert len(server.creations()) == 1
    assert [prediction.ended for prediction in server.predictions.values()].count("canceled") == 1
    assert calls.states == [MADE]


def _double(server: ReplicateServer) -> None:
    with server.mutex:
        pass
    while True:
        with server.mutex:
            if server.predictions:
                first = next(iter(server.predictions.values()))
                server.predictions["twin"] = Prediction(
                    "twin", first.input, first.created, first.cancel_after
                )
                return
        time.sleep(0.0005)


# --- taking up ---------------------------------------------------------------------------------------


def interrupted(model: VideoModel, request: VideoRequest, message: str) -> None:
    class StopError(Exception):
        pass

    def stop(progress: Progress) -> None:
        if progress.message == message:
            raise StopError

    with pytest.raises(StopError):
        model.generate(request, stop)


@pytest.mark.parametrize("message", ["waiting for Replicate", "rendering at Replicate", "writing the clip"])
def test_what_was_sent_is_taken_up(
    model: VideoModel, server: ReplicateServer, calls: CallList, clip_request: VideoRequest, message: str
) -> None:
    interrupted(model, clip_request, message)
    model.generate(clip_request)
    assert len(server.creations()) == len(server.predictions) == 1
    assert calls.states == [MADE]


def test_an_intent_that_was_sent_is_found_over_several_pages(
    model: VideoModel, server: ReplicateServer, calls: CallList, clip_request: VideoRequest
) -> None:
    interrupted(model, clip_request, "waiting for Replicate")
    server.page_size = 2
    (own,) = server.predictions.values()
    for number in range(5):
        server.predictions[f"other{number}"] = Prediction(
            f"other{number}", {**own.input, "seed": number}, own.created, own.cancel_after
        )
    calls.calls = [call.model_copy(update={"run_id": None, "state": INTENT}) for call in calls.calls]
    model.generate(clip_request)
    assert len(server.creations()) == 1
    assert [call.run_id for call in calls.calls] == [own.id]


@pytest.mark.parametrize("hours", [-3, 3])
def test_clocks_that_disagree_hide_nothing(
    model: VideoModel, server: ReplicateServer, clip_request: VideoRequest, hours: int
) -> None:
    server.clock_ahead = timedelta(hours=hours)
    server.create_faults = ["drop created"]
    model.generate(clip_request)
    assert len(server.creations()) == 1


def test_an_intent_that_never_left_is_sent_after_the_grace_period(
    model: VideoModel, server: ReplicateServer, calls: CallList, clip_request: VideoRequest
) -> None:
    interrupted(model, clip_request, "waiting for Replicate")
    server.predictions.clear()
    calls.calls = [call.model_copy(update={"run_id": None, "state": INTENT}) for call in calls.calls]
    model.generate(clip_request)
    assert len(server.predictions) == 1
    assert calls.states == [NOT_CREATED, MADE]


def parked(calls: CallList) -> bool:
    return calls.states == [CallState.NEEDS_CONFIRMATION]


def test_an_intent_that_is_too_old_is_parked(
    model: VideoModel, server: ReplicateServer, calls: CallList, clip_request: VideoRequest
) -> None:
    interrupted(model, clip_request, "waiting for Replicate")
    old = {"run_id": None, "state": INTENT, "created_at": datetime.now(UTC) - timedelta(minutes=61)}
    calls.calls = [call.model_copy(update=old) for call in calls.calls]
    for _ in range(2):
        with pytest.raises(NeedsConfirmationError, match="too long ago to find"):
            model.generate(clip_request)
    assert parked(calls)
    assert len(server.creations()) == 1


@pytest.mark.parametrize("how", ["hides_inputs", "outputs_kept"])
def test_an_intent_that_cannot_be_recognised_is_parked(
    model: VideoModel, server: ReplicateServer, calls: CallList, clip_request: VideoRequest, how: str
) -> None:
    server.create_faults = ["drop created"]
    setattr(server, how, how == "hides_inputs")
    with pytest.raises(NeedsConfirmationError, match="may be it, or may not"):
        model.generate(clip_request)
    assert parked(calls)
    assert len(server.creations()) == 1


@pytest.mark.parametrize("lost", ["prediction", "result", "404", "410"])
def test_what_is_gone_is_parked(
    model: VideoModel, server: ReplicateServer, calls: CallList, clip_request: VideoRequest, lost: str
) -> None:
    interrupted(model, clip_request, "writing the clip")
    if lost == "prediction":
        server.predictions.clear()
    elif lost == "result":
        server.outputs_kept = False
    else:
        server.output_faults = [lost]
    with pytest.raises(NeedsConfirmationError, match=r"deleted|does not know"):
        model.generate(clip_request)
    assert parked(calls)
    assert len(server.creations()) == 1


# --- following ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("at_once", [False, True])
@pytest.mark.parametrize(
    ("status", "kind", "state", "cost"),
    [
        ("failed", GenerationFailedError, CallState.FAILED, 40 * 0.0014),
        ("canceled", HostFailedError, CallState.CANCELED, 40 * 0.0014),
        ("aborted", HostFailedError, CallState.CANCELED, 0.0),
    ],
)
def test_each_bad_end(
    model: VideoModel,
    server: ReplicateServer,
    calls: CallList,
    clip_request: VideoRequest,
    status: str,
    kind: type[LocalvidError],
    state: CallState,
    cost: float,
    at_once: bool,
) -> None:
    server.script = (Stage(status),) if at_once else (Stage("starting"), Stage(status))
    with pytest.raises(kind) as caught:
        model.generate(clip_request)
    assert ("CUDA out of memory" in caught.value.message) == (status == "failed")
    assert calls.states == [state]
    assert calls.calls[0].cost_usd == pytest.approx(cost)
    assert not clip_request.output.exists()

    server.script = SCRIPT
    model.generate(clip_request)
    assert calls.states == [state, MADE]
    assert len(server.creations()) == 2


@pytest.mark.parametrize("first", ["starting", "processing", "succeeded"])
def test_each_state_that_a_new_prediction_may_have(
    model: VideoModel, server: ReplicateServer, clip_request: VideoRequest, first: str
) -> None:
    server.script = (Stage(first), Stage("succeeded"))
    model.generate(clip_request)
    assert probe(clip_request.output).num_frames == 4


@pytest.mark.parametrize("fault", ["429", "429 after 0", "500", "drop", "hang"])
@pytest.mark.parametrize("kind", ["get_faults", "upload_faults", "list_faults"])
def test_what_makes_nothing_is_asked_again(
    model: VideoModel,
    server: ReplicateServer,
    calls: CallList,
    clip_request: VideoRequest,
    fault: str,
    kind: str,
) -> None:
    setattr(server, kind, [fault])
    server.create_faults = ["drop created"] if kind == "list_faults" else []
    model.generate(clip_request)
    assert len(server.creations()) == len(server.predictions) == 1
    assert calls.states == [MADE]


def test_a_host_that_stops_answering_leaves_the_call_open(
    server: ReplicateServer, calls: CallList, clip_request: VideoRequest
) -> None:
    server.get_faults = ["500"] * 99
    with opened(server, calls, remote_timeout_seconds=0.05) as model:
        with pytest.raises(HostFailedError, match="HTTP 500"):
            model.generate(clip_request)
        assert calls.states == [RUNNING]
        server.get_faults.clear()
        model.generate(clip_request)
    assert len(server.creations()) == 1


def test_progress_is_the_state_and_what_the_logs_say(
    model: VideoModel, server: ReplicateServer, clip_request: VideoRequest
) -> None:
    server.script = (Stage("starting"), Stage("processing"), *SCRIPT[1:])
    said: list[tuple[str, int]] = []

    def listen(progress: Progress) -> None:
        if "Replicate" in progress.message and (progress.message, progress.step) not in said:
            said.append((progress.message, progress.step))

    model.generate(clip_request, listen)
    assert said == [
        ("sending the shot to Replicate", 0),
        ("waiting for Replicate", 0),
        ("rendering at Replicate", 0),  # it is at work, and its logs are empty
        ("rendering at Replicate", 50),
        ("fetching the clip from Replicate", 0),
    ]


def test_a_state_that_is_not_known_leaves_the_call_open(
    model: VideoModel, server: ReplicateServer, calls: CallList, clip_request: VideoRequest
) -> None:
    interrupted(model, clip_request, "waiting for Replicate")
    (prediction,) = server.predictions.values()
    prediction.ended = "dreaming"
    with pytest.raises(HostFailedError, match="in a way that is not known") as caught:
        model.generate(clip_request)
    assert caught.value.hint
    assert calls.states == [RUNNING]
    assert server.violations.pop().startswith("the answer to GET")  # that was the test's own
    server.violations.clear()


def test_other_predictions_of_the_account_need_not_be_understood(
    model: VideoModel, server: ReplicateServer, clip_request: VideoRequest
) -> None:
    server.create_faults = ["drop created"]
    server.others = [{"id": "", "version": None, "status": "dreaming"}]
    model.generate(clip_request)
    assert len(server.creations()) == 1
    assert server.violations
    server.violations.clear()  # those of the other


def test_cancelling_a_job_cancels_the_prediction(
    model: VideoModel, server: ReplicateServer, calls: CallList, clip_request: VideoRequest
) -> None:
    def cancel(progress: Progress) -> None:
        if progress.message == "waiting for Replicate":
            raise JobCancelledError("cancelled")

    with pytest.raises(JobCancelledError):
        model.generate(clip_request, cancel)
    assert [prediction.ended for prediction in server.predictions.values()] == ["canceled"]
    assert calls.states == [CallState.CANCELED]


# --- fetching ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["500", "drop", "truncated"])
def test_a_result_that_breaks_off_is_fetched_again(
    model: VideoModel, server: ReplicateServer, clip_request: VideoRequest, fault: str
) -> None:
    server.output_faults = [fault]
    model.generate(clip_request)
    assert probe(clip_request.output).num_frames == 4
    assert len(server.creations()) == 1


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("huge", "more than 256 MiB"),
        ("endless", "more than 1 MiB"),
        ("html", "text/html, not a video"),
        ("damaged", "no whole video"),
        ("redirect http://169.254.169.254/latest/meta-data", "not asked over https"),
        ("redirect https://169.254.169.254/latest/meta-data", "none of its own addresses"),
        ("redirect https://[::ffff:10.0.0.1]/x.mp4", "none of its own addresses"),
        ("redirect https://replicate.delivery.example.org/x.mp4", "none of its own addresses"),
        ("redirect https://inside.replicate.delivery/x.mp4", "no public address"),
        ("redirect file:///etc/passwd", "not asked over https"),
        (f"redirect https://{TOKEN}.example.org/x.mp4", r"\*\*\*.example.org is none of"),
    ],
)
def test_a_result_that_is_refused_is_not_paid_for_again(
    model: VideoModel,
    server: ReplicateServer,
    calls: CallList,
    clip_request: VideoRequest,
    monkeypatch: pytest.MonkeyPatch,
    fault: str,
    reason: str,
) -> None:
    inside = [(2, 1, 6, "", ("10.0.0.7", 443))]
    resolve = _answering(socket.getaddrinfo, {"inside.replicate.delivery": inside})
    monkeypatch.setattr(addresses.socket, "getaddrinfo", resolve)
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name)
    if fault == "endless":
        monkeypatch.setattr(download.fetch, "__kwdefaults__", {"max_bytes": 2**20})
    server.output_faults = [fault]
    with pytest.raises((HostFailedError, GenerationFailedError), match=reason):
        model.generate(clip_request)
    assert calls.states == [MADE]
    assert sorted(path.name for path in clip_request.output.parent.iterdir()) == ["first.png"]

    model.generate(clip_request)
    assert len(server.creations()) == 1


def _answering(resolve, known):  # type: ignore[no-untyped-def]
    return lambda host, *rest, **named: known.get(host) or resolve(host, *rest, **named)


def test_a_redirect_to_another_port_of_this_machine_is_refused_unasked(
    model: VideoModel, server: ReplicateServer, clip_request: VideoRequest
) -> None:
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(str(self.headers))

    with HTTPServer(("127.0.0.1", 0), Handler) as other:
        server.output_faults = [f"redirect http://127.0.0.1:{other.server_port}/x.mp4"]
        with pytest.raises(HostFailedError, match="is not fetched"):
            model.generate(clip_request)
    assert asked == []


def test_a_redirect_on_the_same_host_is_followed(
    model: VideoModel, server: ReplicateServer, clip_request: VideoRequest
) -> None:
    server.output_faults = ["redirect ?again"] * 4
    with pytest.raises(HostFailedError, match="redirects without end"):
        model.generate(clip_request)
    server.output_faults = ["redirect ?again"]
    model.generate(clip_request)
    assert probe(clip_request.output).num_frames == 4
    assert len(server.creations()) == 1


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"num_frames": 3}, "3 frames came in place of 4"),
        ({"frame_size": (64, 48)}, "64x48 came in place of 64x64"),
    ],
)
def test_a_clip_of_another_kind_fails(
    model: VideoModel,
    server: ReplicateServer,
    clip_request: VideoRequest,
    changes: dict[str, object],
    reason: str,
) -> None:
    for name, value in changes.items():
        setattr(server, name, value)
    with pytest.raises(GenerationFailedError, match=reason):
        model.generate(clip_request)
    assert not clip_request.output.exists()


def test_a_larger_clip_of_the_same_shape_is_resampled(
    model: VideoModel, server: ReplicateServer, clip_request: VideoRequest
) -> None:
    server.frame_size = (128, 128)
    assert model.generate(clip_request).video.width == 64


def test_a_picture_that_stands_still_is_said(
    model: VideoModel, server: ReplicateServer, clip_request: VideoRequest
) -> None:
    server.still = True
    assert "stands still" in "".join(model.generate(clip_request).notices)


# --- before anything is sent -------------------------------------------------------------------------


def test_a_base_address_that_may_not_see_the_token_is_refused(
    server: ReplicateServer, calls: CallList, clip_request: VideoRequest
) -> None:
    model = opened(server, calls, replicate_base_url="http://replicate.example.org/v1")
    with pytest.raises(NotAvailableError, match="it is not https"):
        model.generate(clip_request)


def test_a_frame_of_another_size_and_a_speed_that_cannot_be_told_are_refused(
    model: VideoModel, server: ReplicateServer, clip_request: VideoRequest
) -> None:
    with pytest.raises(InvalidImageError, match="64x64, the clip 128x64"):
        model.generate(clip_request.model_copy(update={"width": 128}))
    capabilities = model.capabilities.sampling
    assert isinstance(capabilities, SamplingSettings)
    slow = capabilities.model_copy(update={"conditioning_fps": 5})
    with pytest.raises(CapabilityError, match="conditioning_fps 5 is outside 6 to 31"):
        model.generate(clip_request.model_copy(update={"sampling": slow}))
    assert server.requests == []


def test_no_other_module_speaks_this_hosts_words() -> None:
    """Another host is one file, because this one's words are in one file."""
    package = Path(registry.__file__).parents[1]
    words = re.compile(r"\"predictions|replicate\.delivery|input_image|cond_aug|video_length|Cancel-After")
    speaking = {path.name for path in package.rglob("*.py") if words.search(path.read_text(encoding="utf-8"))}
    assert speaking == {"replicate.py"}


def test_what_holds_for_every_host_names_none() -> None:
    package = Path(registry.__file__).parents[1]
    of_every_host = [package / name for name in ("sending.py", "clips.py", "stages.py", "reporting.py")]
    of_every_host += [package / "pipelines" / "remote.py", package / "media" / "fit.py"]
    for folder in ("remote", "store", "planning"):
        of_every_host += (package / folder).glob("*.py")
    assert len(of_every_host) > 20
    naming = [path.name for path in of_every_host if "replicate" in path.read_text(encoding="utf-8").lower()]
    assert naming == []


def test_a_remote_model_cannot_be_opened_without_rows() -> None:
    info = registry.get_model("replicate:svd", Settings(), ModelKind.VIDEO)
    with pytest.raises(TypeError, match="remote"):
        registry.open_video_model(info, Settings())
