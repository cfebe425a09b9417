"""Writers on servers: what they send, what they do about faults, and that no key or time gets lost."""

from __future__ import annotations

import logging
import socket
import threading
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import chat_server
import pytest
from anthropic_server import AnthropicSpeech
from chat_server import Asked, ChatServer, Fault, answer_to, raw, redirect, serve, status
from openai_server import OpenAISpeech
from pydantic import SecretStr

from localvid.config import Settings
from localvid.errors import InvalidSettingsError, LocalvidError, ModelProcessError, NotAvailableError
from localvid.llm.chat import Question, Shape, Text
from localvid.llm.served import writer as served
from localvid.llm.served.endpoint import endpoint_of, provider_of
from localvid.llm.served.loop_thread import LoopThread
from localvid.llm.served.writer import ServedChat, ServedWriter
from localvid.registry import get_model, open_writer
from localvid.schemas import OnProgress, Progress, Storyboard, ignore_progress

KEY = "sk-canary-0123456789"
PROMPT = "A lighthouse in a storm"


@dataclass
class Case:
    """One protocol and a server that speaks it."""

    name: str
    server: ChatServer

    def settings(self, **changes: Any) -> Settings:
        base_url = self.server.address + ("/v1" if self.name == "openai" else "")
        return Settings(**{f"{self.name}_base_url": base_url, "llm_timeout_seconds": 20, **changes})

    def write(
        self, *, num_shots: int = 2, on_progress: OnProgress = ignore_progress, **changes: Any
    ) -> Storyboard:
        settings = self.settings(**changes)
        info = get_model(f"{self.name}:under-test", settings)
        with open_writer(info, settings) as writer:
            assert isinstance(writer, ServedWriter)
            return writer.write(PROMPT, num_shots=num_shots, seed=3, on_progress=on_progress)

    def failure(self, **changes: Any) -> LocalvidError:
        with pytest.raises(LocalvidError) as caught:
            self.write(**changes)
        assert "\n" not in caught.value.message
        assert caught.value.hint
        return caught.value


@pytest.fixture(params=["openai", "anthropic"])
def case(request: pytest.FixtureRequest) -> Iterator[Case]:
    speech = OpenAISpeech() if request.param == "openai" else AnthropicSpeech()
    with serve(ChatServer(speech)) as server:
        yield Case(request.param, server)


@pytest.fixture(autouse=True)
def _nothing_stays() -> Iterator[None]:
    yield
    assert [thread.name for thread in threading.enumerate() if thread.name == "localvid-server"] == []


@pytest.fixture
def _in_no_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses between tries of a hundredth."""
    monkeypatch.setattr(served, "_PAUSES_SECONDS", (0.01, 0.01, 0.01))


# --- answers ----------------------------------------------------------------------------------------


def test_the_model_writes_every_shot(case: Case) -> None:
    board = case.write(num_shots=3)
    assert board.written_by == f"{case.name}:under-test"
    assert board.characters == "A wanderer in a red coat"
    assert [
        shot.description.startswith(f"{size}: {PROMPT}, ")
        for shot, size in zip(board.shots, ("Wide shot", "Medium shot", "Close-up"), strict=True)
    ] == [True] * 3
    assert {request.body["model"] for request in case.server.requests} == {"under-test"}


def test_the_progress_says_who_is_asked(case: Case) -> None:
    seen: list[Progress] = []
    case.write(on_progress=seen.append)
    assert seen[0].message == f"asking {case.name}:under-test"
    assert "loading the language model" not in {progress.message for progress in seen}


def test_only_what_is_needed_is_sent(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """No organisation, no header, no key out of the environment; nothing about this machine."""
    for name, value in {
        "OPENAI_API_KEY": "sk-of-another-address",
        "OPENAI_ADMIN_KEY": "sk-of-an-admin",
        "OPENAI_ORG_ID": "org-canary",
        "OPENAI_PROJECT_ID": "proj-canary",
        "OPENAI_CUSTOM_HEADERS": "X-Canary: 1\nAuthorization: Bearer sk-custom",
        "ANTHROPIC_API_KEY": "sk-of-another-address",
        "ANTHROPIC_CUSTOM_HEADERS": "X-Canary: 1\nAuthorization: Bearer sk-custom",
    }.items():
        monkeypatch.setenv(name, value)
    case.write(num_shots=1)
    allowed = {
        "accept",
        "accept-encoding",
        "connection",
        "content-length",
        "content-type",
        "host",
        "user-agent",
    }
    allowed |= {"anthropic-version", "x-stainless-raw-response"}
    for request in case.server.requests:
        assert set(request.headers) <= allowed
        assert request.headers["user-agent"].startswith("localvid/")


def test_the_key_is_sent_and_nothing_else_is_needed(case: Case) -> None:
    case.server.key = KEY
    board = case.write(num_shots=1, **{f"{case.name}_api_key": SecretStr(f" {KEY}\n")})
    assert board.written_by == f"{case.name}:under-test"


def test_a_proxy_is_not_asked_on_the_way_to_this_machine(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name)  # conftest's proxy leads nowhere
    assert case.write(num_shots=1).shots


def ask(case: Case, *numbers: int) -> list[str]:
    """The answers to independent questions, one for each number."""
    settings = case.settings()
    endpoint = endpoint_of(provider_of(f"{case.name}:x"), settings)
    shape = Shape(lines=((Text(min_characters=1, max_characters=9),),))
    questions = [
        Question(dialogue=(("user", f"number {number}"),), shape=shape, max_tokens=9, seed=number)
        for number in numbers
    ]
    with open_writer(get_model(f"{case.name}:x", settings), settings) as writer:
        assert isinstance(writer, ServedWriter)
        protocol = writer.protocol(endpoint, "x")
        with (
            LoopThread() as loop,
            ServedChat(protocol, loop, endpoint=endpoint, name="x", settings=settings) as chat,
        ):
            return chat.answer(questions, lambda: None)


def test_independent_questions_are_asked_together_and_answered_in_their_order(case: Case) -> None:
    """Not more than four at a time."""
    meeting = threading.Barrier(4)

    def number_of(asked: Asked) -> str:
        meeting.wait(10)
        return asked.turns[-1][1]

    case.server.answer = number_of
    assert ask(case, *range(8)) == [f"number {number}" for number in range(8)]
    assert case.server.most_at_once == 4


def test_what_is_refused_to_several_at_once_is_left_out_for_all(case: Case) -> None:
    meeting = threading.Barrier(4)

    def refuse(handler: chat_server.Handler) -> None:
        meeting.wait(10)
        said = "output_config: no schema" if case.name == "anthropic" else "no response_format, no max_tokens"
        handler.send_json(400, case.server.speech.error(400, said))

    case.server.faults = [refuse] * 4
    case.server.answer = lambda asked: asked.turns[-1][1]
    assert ask(case, *range(4)) == [f"number {number}" for number in range(4)]
    assert len(case.server.requests) == 8


@pytest.mark.parametrize(
    "says_again", ["2. Medium shot: ", "Medium shot: ", "1. Wide shot: old\n2. Medium shot: "]
)
def test_a_beginning_that_is_said_again_is_taken_away(says_again: str) -> None:
    start = "1. Wide shot: old\n2. Medium shot:"
    assert served._without_start(f"{says_again}A fox.", start).strip() == "A fox."
    assert served._without_start("Shotguns rust.", start) == "Shotguns rust."


# --- thoughts and limits ----------------------------------------------------------------------------


def test_a_reasoning_model_gets_room_and_its_thoughts_stay_out(case: Case) -> None:
    case.server.thought_tokens = 1000
    _thinks_in_silence(case)


def test_thoughts_between_marks_stay_out_too() -> None:
    with serve(ChatServer(OpenAISpeech(inline=True), thought_tokens=1000)) as server:
        _thinks_in_silence(Case("openai", server))


def _thinks_in_silence(case: Case) -> None:
    board = case.write(num_shots=2)
    assert board.written_by == f"{case.name}:under-test"
    assert "Let me see" not in board.model_dump_json()
    limits = [limit_of(request.body) for request in case.server.requests]
    assert limits[0] < 1000  # once cut off, then with room for each
    assert all(limit > 4000 for limit in limits[1:])


def limit_of(body: dict[str, Any]) -> int:
    return int(body.get("max_completion_tokens", body.get("max_tokens")))


def test_what_never_ends_is_not_taken_for_an_answer(case: Case) -> None:
    """Thoughts without a mark, cut off: asked once with room, then given up."""
    plain = OpenAISpeech(refused=("response_format",)) if case.name == "openai" else None
    case.server.speech = plain or AnthropicSpeech(refused=("output_config",))
    speech = case.server.speech
    case.server.always = lambda handler: handler.send_json(
        200, speech.write("Okay, the user wants a film.\nLet me think.\nHm", is_cut=True, thought="")
    )
    board = case.write(num_shots=2)
    assert "outline (2 of 2 shots)" in board.written_by
    assert "user wants" not in board.model_dump_json()
    assert sum(limit_of(request.body) > 4000 for request in case.server.requests) == 1


@pytest.mark.parametrize(
    "said",
    [
        "'max_tokens' is too large: 376. This model's maximum context length is 128 tokens.",
        "max_tokens: 376 > 128, which is the maximum allowed number of output tokens for under-test",
        "prompt is too long: 700 tokens > 512 maximum",
    ],
)
def test_no_room_in_the_context_is_an_outline(case: Case, said: str) -> None:
    case.server.always = status(400, said)
    assert "outline (2 of 2 shots)" in case.write().written_by


def test_where_there_is_no_room_for_thoughts_the_whole_lines_of_an_answer_are_kept(case: Case) -> None:
    """The server cuts every answer off in the middle of what follows its lines."""
    speech = case.server.speech

    def cut(handler: chat_server.Handler) -> None:
        request = case.server.requests[-1].body
        if limit_of(request) > 4000:
            return handler.send_json(400, speech.error(400, "max_tokens is too large"))
        text = answer_to(speech.read(request)).rstrip("}") + ', "line_8": "and th'
        return handler.send_json(200, speech.write(text, is_cut=True, thought=""))

    case.server.always = cut
    assert case.write().written_by == f"{case.name}:under-test"


# --- faults -----------------------------------------------------------------------------------------


@pytest.mark.usefixtures("_in_no_hurry")
@pytest.mark.parametrize(
    "fault",
    [status(429, Retry_After="0"), status(500), status(503), status(529, "Overloaded"), chat_server.drop],
    ids=["429", "500", "503", "529", "drop"],
)
def test_what_passes_is_asked_again(case: Case, fault: Fault) -> None:
    case.server.faults = [fault, fault]
    assert case.write(num_shots=1).written_by == f"{case.name}:under-test"


def test_the_time_that_the_server_asks_for_is_given(case: Case) -> None:
    case.server.faults = [status(429, Retry_After="1")]
    started = time.monotonic()
    case.write(num_shots=1)
    assert 1 <= time.monotonic() - started < 10


FAULTS: dict[str, tuple[Fault, type[LocalvidError], str, int]] = {
    "429 for ever": (status(429, "slow down", Retry_After="0"), ModelProcessError, "HTTP 429: slow down", 4),
    "429 for an hour": (status(429, "later", Retry_After="3600"), ModelProcessError, "HTTP 429: later", 1),
    "429 unpaid": (status(429, "insufficient_quota: pay first"), NotAvailableError, "pay first", 1),
    "500": (status(500, "it broke"), ModelProcessError, "HTTP 500: it broke", 4),
    "529": (status(529, "Overloaded"), ModelProcessError, "HTTP 529: Overloaded", 4),
    "drop": (chat_server.drop, ModelProcessError, "broke off", 4),
    "401": (status(401, "no such key"), NotAvailableError, "HTTP 401: no such key", 1),
    "403": (status(403, "not yours"), NotAvailableError, "HTTP 403: not yours", 1),
    "404": (status(404, "no such model"), NotAvailableError, "HTTP 404: no such model", 1),
    "400 at length": (status(400, "no\x1b[31m\nway " * 99), NotAvailableError, "HTTP 400: no", 1),
    "a web page": (raw(b"<html>Hi</html>", "text/html"), ModelProcessError, "does not answer as", 1),
    "no JSON": (raw(b"<html>Hi</html>"), ModelProcessError, "does not answer as", 1),
    "nothing": (raw(b""), ModelProcessError, "does not answer as", 1),
    "a list": (raw(b"[]"), ModelProcessError, "does not answer as", 1),
    "no choices": (raw(b'{"choices": [], "content": null}'), ModelProcessError, "does not answer as", 1),
    "numbers": (raw(b'{"choices": [7], "content": [7]}'), ModelProcessError, "does not answer as", 1),
    "a deep hole": (raw(b"[" * 100_000), ModelProcessError, "does not answer as", 1),
    "no UTF-8": (raw(b"\xff\xfe\x00"), ModelProcessError, "does not answer as", 1),
    "packed": (raw(b"\x1f\x8b", "application/json", "gzip"), ModelProcessError, "is packed", 1),
    "a flood": (chat_server.flood, ModelProcessError, "larger than 4 MiB", 1),
    "elsewhere": (redirect("http://127.0.0.1:9/"), NotAvailableError, "which is not followed", 1),
}
"""Name → what the server does, the error, a part of its message, and how many requests it gets."""


@pytest.mark.usefixtures("_in_no_hurry")
@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_an_error_of_its_own(case: Case, name: str) -> None:
    case.server.always, error, said, tries = FAULTS[name]
    started = time.monotonic()
    failure = case.failure()
    assert type(failure) is error
    assert said in failure.message
    assert len(failure.message) < 400
    assert len(case.server.requests) == tries
    assert time.monotonic() - started < 10


@pytest.mark.parametrize("fault", [chat_server.silence, chat_server.dribble], ids=["silence", "dribble"])
def test_the_time_limit_holds_whatever_the_server_does(case: Case, fault: Fault) -> None:
    case.server.always = fault
    started = time.monotonic()
    failure = case.failure(llm_timeout_seconds=0.6)
    assert type(failure) is ModelProcessError
    assert "did not answer within 0.6 s" in failure.message
    assert 0.6 <= time.monotonic() - started < 5


def test_the_time_limit_is_for_the_storyboard_and_not_for_an_answer(case: Case) -> None:
    def slowly(asked: Asked) -> str:
        time.sleep(0.3)
        return answer_to(asked)

    case.server.answer = slowly
    assert "did not answer within" in case.failure(num_shots=7, llm_timeout_seconds=0.8).message


def test_a_server_that_is_down_is_named_at_once(case: Case) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    started = time.monotonic()
    failure = case.failure(**{f"{case.name}_base_url": f"http://127.0.0.1:{port}/v1"})
    assert type(failure) is NotAvailableError
    assert f"http://127.0.0.1:{port}/v1 cannot be reached" in failure.message
    assert f"{case.name}_base_url" in failure.hint
    assert time.monotonic() - started < 5


def test_answers_that_say_nothing_are_an_outline(case: Case) -> None:
    case.server.answer = lambda _: ""
    board = case.write()
    assert board.written_by == f"{case.name}:under-test, outline (2 of 2 shots)"


def test_a_stop_takes_hold_while_the_server_is_silent(case: Case) -> None:
    case.server.always = chat_server.silence
    calls: list[float] = []

    def stop(_: Progress) -> None:
        calls.append(time.monotonic())
        if case.server.requests and len(calls) > 6:
            raise KeyError("stop")

    with pytest.raises(KeyError, match="stop"):
        case.write(on_progress=stop)
    assert max(later - earlier for earlier, later in pairwise(calls)) < 1


# --- keys and addresses -----------------------------------------------------------------------------


def echo(handler: chat_server.Handler) -> None:
    """A server that says the key wherever it can."""
    said = f"{handler.headers['Authorization']} is unknown"
    handler.send_json(400, handler.chat.speech.error(400, said))


SHOWING: dict[str, Fault | None] = {
    "in a 400": echo,
    "in a 401": status(401, f"Incorrect API key provided: {KEY}."),
    "in a 500": status(500, KEY),
    "as the answer": raw(KEY.encode()),
    "in the storyboard": None,
    "in other characters": None,
    "drop": chat_server.drop,
    "silence": chat_server.silence,
    "flood": chat_server.flood,
    "redirect": redirect("http://127.0.0.1:9/"),
}
"""Where a server shows the key that it was sent, and faults on the way to it."""


@pytest.mark.usefixtures("_in_no_hurry")
@pytest.mark.parametrize("where", SHOWING)
def test_the_key_is_never_shown(case: Case, where: str, caplog: pytest.LogCaptureFixture) -> None:
    """Not in errors, their causes, logs of any level, nor in what the model says."""
    case.server.always = SHOWING[where]
    spelled = KEY.replace("-", "\\u002d") if where == "in other characters" else KEY
    case.server.answer = lambda asked: answer_to(asked).replace("low clouds", f"clouds {spelled}")
    caplog.set_level(logging.DEBUG)
    shown = ""
    try:
        shown += case.write(
            num_shots=1, llm_timeout_seconds=1, **{f"{case.name}_api_key": SecretStr(KEY)}
        ).model_dump_json()
    except LocalvidError as error:
        shown += "".join(traceback.format_exception(error)) + error.hint
    assert case.server.requests[0].headers["authorization"] == f"Bearer {KEY}"
    assert caplog.records
    assert shown
    assert KEY not in shown + caplog.text


def test_a_redirect_does_not_take_the_key_along(case: Case) -> None:
    with serve(ChatServer(OpenAISpeech())) as elsewhere:
        case.server.always = redirect(f"{elsewhere.address}/v1/chat/completions")
        case.failure(**{f"{case.name}_api_key": SecretStr(KEY)})
        assert elsewhere.requests == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"base_url": "http://user:sk-canary-0123456789@example.org/v1"},
            "a user name, a password or a query",
        ),
        (
            {"base_url": "https://example.org/v1?key=sk-canary-0123456789"},
            "a user name, a password or a query",
        ),
        ({"base_url": "example.org"}, "no address of a server"),
        ({"base_url": "ftp://example.org"}, "no address of a server"),
        ({"base_url": "http://example.org:99999"}, "no address of a server"),
        ({"base_url": "http://127.0.0.1\\.example.org/"}, "no address of a server"),
        ({"api_key": SecretStr(f"{KEY}\nX-Header: 1")}, "characters that no key has"),
    ],
)
def test_addresses_and_keys_that_cannot_be_any_are_refused_unseen(
    case: Case, changes: dict[str, Any], said: str
) -> None:
    failure = case.failure(**{f"{case.name}_{name}": value for name, value in changes.items()})
    assert type(failure) is InvalidSettingsError
    assert said in failure.message
    assert KEY not in failure.message + failure.hint


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"base_url": None}, "there is no key for api."),
        ({"base_url": "https://example.org/v1", "offline": True}, "example.org is not this machine"),
        ({"base_url": "http://example.org/v1", "api_key": SecretStr(KEY)}, "in the clear"),
    ],
)
def test_nothing_is_sent_where_nothing_may_be(case: Case, changes: dict[str, Any], said: str) -> None:
    named = {name if name == "offline" else f"{case.name}_{name}": value for name, value in changes.items()}
    failure = case.failure(**named)
    assert type(failure) is NotAvailableError
    assert said in failure.message
    assert case.server.requests == []


def test_offline_does_not_mean_this_machine(case: Case) -> None:
    assert case.write(num_shots=1, offline=True).written_by == f"{case.name}:under-test"
