"""Several questions answered at once by the real llama.cpp, with a tiny model of random numbers."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import tiny_gguf

from localvid.host import ChildHost
from localvid.llm.chat import Choice, Question, Shape, Text, Turn
from localvid.llm.llama.chat import LlamaChat
from localvid.llm.llama.formats import ChatFormat

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("llama_cpp") is None, reason="llama-cpp-python is not installed"
)

SHARED: tuple[Turn, ...] = (
    ("system", "You name animals and say what they do, as short as can be."),
    ("user", "A fox"),
    ("assistant", "A fox runs."),
)
WORD = Shape(lines=((Text(min_characters=3, max_characters=8),),))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "tiny.gguf"
    path.write_bytes(tiny_gguf.tiny_model())
    return path


def open_host(model: Path, context_tokens: int = 1024) -> ChildHost:
    return ChildHost(
        "counting_llama:CountingEngine",
        {"path": str(model), "context_tokens": context_tokens, "gpu_layers": 0, "threads": 1},
        name="the tiny model",
    )


@pytest.fixture(autouse=True)
def _tests_are_importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))


@pytest.fixture
def host(model: Path) -> Iterator[ChildHost]:
    with open_host(model) as opened:
        yield opened


def ask(host: ChildHost, questions: Sequence[Question]) -> list[str]:
    """The answers in a chat of their own."""
    return open_chat(host).answer(questions, lambda: None)


def open_chat(host: ChildHost) -> LlamaChat:
    return LlamaChat(
        host,
        name="tiny",
        is_small=True,
        context_tokens=1024,
        form=ChatFormat.CHATML,
        no_thoughts=False,
        temperature=0.8,
        limit_seconds=60,
    )


def batches(host: ChildHost) -> list[list[int]]:
    taken = host.call("take_batches", {}, timeout_seconds=60)
    assert isinstance(taken, list)
    return taken


def again(asked: Question) -> Question:
    """The same question with another beginning of its answer, and another seed."""
    dialogue = (*asked.dialogue[:-1], ("assistant", "Then it "))
    return asked.model_copy(update={"dialogue": dialogue, "seed": asked.seed + 100})


def question(
    animal: str, seed: int = 1, *, shared: Sequence[Turn] = SHARED, shape: Shape = WORD, max_tokens: int = 40
) -> Question:
    dialogue = (*shared, ("user", animal), ("assistant", f"{animal} "))
    return Question(dialogue=dialogue, shape=shape, max_tokens=max_tokens, seed=seed)


FIVE = [question(animal, seed) for seed, animal in enumerate(("An owl", "A bee", "A cat", "A dog", "A hen"))]


def test_the_same_questions_get_the_same_texts_whatever_was_asked_before(model: Path) -> None:
    with open_host(model) as host:
        first = ask(host, FIVE)
        assert all(3 <= len(text) <= 8 for text in first)
        assert len(set(first)) == 5
        assert ask(host, FIVE) == first
        ask(host, [question("A wolf", shared=SHARED[:1])])
        assert ask(host, FIVE) == first
        ask(host, [question("A fish", shared=(*SHARED, ("user", "A goat"), ("assistant", "A goat eats.")))])
        ask(host, FIVE[:2])
        assert ask(host, FIVE) == first
    with open_host(model) as host:
        ask(host, [question("A wolf", shared=())])
        assert ask(host, FIVE) == first


def test_seeds_set_answers_apart_and_each_keeps_to_its_own_shape(host: ChildHost) -> None:
    choice = Shape(lines=((Choice(options=("left", "right")), Choice(options=("slow", "fast"))),) * 2)
    texts = ask(host, [question("An owl", seed) for seed in range(3)] + [question("An owl", 0, shape=choice)])
    assert len(set(texts[:3])) == 3
    lines = [line.split(" | ") for line in texts[3].splitlines()]
    assert len(lines) == 2
    assert all(way in ("left", "right") and pace in ("slow", "fast") for way, pace in lines)


def test_what_the_questions_share_is_evaluated_once_and_kept(host: ChildHost) -> None:
    ask(host, FIVE)
    evaluated = batches(host)
    shared = [batch for batch in evaluated if set(batch) == {0}]
    assert len(shared) == len(SHARED)
    assert all(0 not in batch for batch in evaluated[len(shared) :])
    rest, *steps = evaluated[len(shared) :]
    assert set(rest) == {1, 2, 3, 4, 5}
    assert steps[0] == [1, 2, 3, 4, 5]
    assert max(map(len, steps)) == 5
    assert len(steps) < 40
    ask(host, FIVE)
    assert batches(host) == [rest, *steps]


def test_what_is_asked_again_goes_on_from_its_own_turns(host: ChildHost) -> None:
    chat = open_chat(host)
    first = chat.answer(FIVE, lambda: None)
    batches(host)
    second = chat.answer([again(FIVE[1]), again(FIVE[3])], lambda: None)
    evaluated = batches(host)
    assert set(evaluated[0]) == {2, 4}
    third = chat.answer([again(FIVE[3])], lambda: None)
    assert set(batches(host)[0]) == {4}
    ask(host, FIVE)
    assert len(batches(host)[0]) > 2 * len(evaluated[0])

    ask(host, [question("A wolf", shared=SHARED[:1])])
    chat = open_chat(host)
    assert chat.answer(FIVE, lambda: None) == first
    assert chat.answer([again(FIVE[1]), again(FIVE[3])], lambda: None) == second
    assert chat.answer([again(FIVE[3])], lambda: None) == third


def test_a_dialogue_that_grows_is_evaluated_on_from_where_it_was(host: ChildHost) -> None:
    ask(host, [question("An owl")])
    batches(host)
    longer = (*SHARED, ("user", "A goat"), ("assistant", "A goat eats."))
    ask(host, [question("A bee", shared=longer)])
    assert [set(batch) for batch in batches(host)][:4] == [{0}, {0}, {0}, {1}]


def test_an_answer_ends_with_its_last_line_and_nothing_is_evaluated_for_it(host: ChildHost) -> None:
    (text,) = ask(host, [question("An owl", shape=Shape(lines=((Choice(options=("ab",)),),)))])
    assert text == "ab"
    prompt, *steps = [batch for batch in batches(host) if 0 not in batch]
    assert len(prompt) > 1
    assert steps == [[1], [1]]


def test_more_questions_than_fit_are_answered_in_rounds(model: Path) -> None:
    many = [question(f"Animal {number}", number) for number in range(9)]
    with open_host(model) as host:
        assert all(ask(host, many))
        assert [max(batch) for batch in batches(host) if 0 not in batch and len(batch) > 30] == [7, 2]
    with open_host(model, context_tokens=256) as host:
        assert all(ask(host, many))
        rounds = [batch for batch in batches(host) if 0 not in batch and len(batch) > 30]
        assert 1 < len(rounds) <= 9


def test_a_question_without_room_gets_nothing_and_the_others_their_answers(model: Path) -> None:
    asked = [FIVE[0], question("A very long tale. " * 60), question("An owl", max_tokens=1000), FIVE[1]]
    with open_host(model, context_tokens=512) as host:
        texts = ask(host, asked)
        assert (bool(texts[0]), texts[1:3], bool(texts[3])) == (True, ["", ""], True)
        assert ask(host, []) == []


def test_a_line_that_the_limit_cuts_off_is_left_out(host: ChildHost) -> None:
    long = Shape(lines=((Text(min_characters=30, max_characters=40),),))
    assert ask(host, [question("An owl", shape=long, max_tokens=10), FIVE[1]])[0] == ""


def test_the_process_holds_no_template_engine(host: ChildHost) -> None:
    ask(host, FIVE[:1])
    modules = host.call("modules", {}, timeout_seconds=60)
    assert "llama_cpp.llama_cpp" in modules
    assert not {"jinja2", "pydantic", "numpy", "llama_cpp.llama"} & set(modules)
    assert "llama_cpp" not in sys.modules
