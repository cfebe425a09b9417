"""What writers send to servers that differ in what they take."""

from __future__ import annotations

from typing import Any

import pytest
from anthropic_server import AnthropicSpeech
from chat_server import ChatServer, serve, status
from openai_server import OpenAISpeech

from localvid.config import Settings
from localvid.errors import LocalvidError
from localvid.llm.chat import Question, Shape, Text
from localvid.llm.served.endpoint import endpoint_of, provider_of
from localvid.llm.served.openai_writer import ChatCompletions
from localvid.registry import get_model, open_writer
from localvid.schemas import Storyboard


def write(settings: Settings, model_id: str = "openai:qwen3:4b") -> Storyboard:
    with open_writer(get_model(model_id, settings), settings) as writer:
        return writer.write("A fox in the snow", num_shots=2, seed=2**32 - 1)


def bodies_of(server: ChatServer) -> list[dict[str, Any]]:
    return [request.body for request in server.requests]


@pytest.mark.parametrize("refused", ["response_format", "temperature", "seed", "max_tokens"])
def test_what_a_server_refuses_is_left_out_from_then_on(refused: str) -> None:
    with serve(ChatServer(OpenAISpeech(refused=(refused,)))) as server:
        board = write(Settings(openai_base_url=f"{server.address}/v1"))
    assert board.written_by == "openai:qwen3:4b"
    first, *others = bodies_of(server)
    assert refused in first
    assert others
    assert not [body for body in others if refused in body]
    assert all(("max_completion_tokens" in body) is (refused == "max_tokens") for body in others)


def test_a_server_that_ignores_the_schema_is_read_line_by_line() -> None:
    with serve(ChatServer(OpenAISpeech(ignored=("response_format",)))) as server:
        board = write(Settings(openai_base_url=f"{server.address}/v1/"))
    assert board.written_by == "openai:qwen3:4b"
    assert all("A fox in the snow" in shot.description for shot in board.shots)


def test_a_server_that_breaks_over_a_parameter_gets_it_no_more() -> None:
    """llama-cpp-python's server answers 500 to a format that it does not know."""
    with serve(ChatServer(OpenAISpeech())) as server:
        server.faults = [status(500, "body.response_format.type: Input should be 'text' or 'json_object'")]
        assert write(Settings(openai_base_url=f"{server.address}/v1")).written_by == "openai:qwen3:4b"
    assert ["response_format" in body for body in bodies_of(server)][:2] == [True, False]


def test_the_storyboards_seed_is_in_every_request() -> None:
    with serve(ChatServer(OpenAISpeech())) as server:
        write(Settings(openai_base_url=f"{server.address}/v1"))
    seeds = [body["seed"] for body in bodies_of(server)]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**32 for seed in seeds)


@pytest.mark.parametrize(
    ("base_url", "limit"), [(None, "max_completion_tokens"), ("http://127.0.0.1:9/v1", "max_tokens")]
)
def test_the_limit_is_called_as_the_server_heeds_it(base_url: str | None, limit: str) -> None:
    """OpenAI's reasoning models refuse the older name; others ignore the newer one, and with it the limit."""
    endpoint = endpoint_of(provider_of("openai:x"), Settings(openai_base_url=base_url))
    question = Question(
        dialogue=(("user", "?"),),
        shape=Shape(lines=((Text(min_characters=1, max_characters=9),),)),
        max_tokens=77,
        seed=1,
    )
    request = ChatCompletions(endpoint, "x")._request(question)
    assert {name: value for name, value in request.items() if "tokens" in name} == {limit: 77}


@pytest.mark.parametrize("code", [400, 503])
def test_a_refusal_that_names_nothing_is_an_error(code: int) -> None:
    with serve(ChatServer(OpenAISpeech())) as server:
        server.always = status(code, "no such thing here", Retry_After="0")
        with pytest.raises(LocalvidError, match="no such thing"):
            write(Settings(openai_base_url=f"{server.address}/v1"))
    assert all("response_format" in body for body in bodies_of(server))


def test_anthropic_without_structured_output_is_read_line_by_line() -> None:
    with serve(ChatServer(AnthropicSpeech(refused=("output_config",)))) as server:
        board = write(Settings(anthropic_base_url=server.address), "anthropic:some-model")
    assert board.written_by == "anthropic:some-model"
    assert ["output_config" in body for body in bodies_of(server)][:3] == [True, False, False]


def test_long_prompts_are_cut_to_the_context_of_a_server_of_ones_own() -> None:
    prompt = "A temple in the snow. " * 180
    with serve(ChatServer(OpenAISpeech())) as server:
        settings = Settings(openai_base_url=f"{server.address}/v1", llm_context_tokens=2048)
        with open_writer(get_model("openai:x", settings), settings) as writer:
            board = writer.write(prompt, num_shots=2, seed=1)
    assert "the model read the first" in board.written_by
    assert max(len(body["messages"][-1]["content"]) for body in bodies_of(server)) < len(prompt)
