"""Revising a storyboard by a chat model, which answers from a list."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from localvid.errors import InvalidRequestError, StoryboardFailedError
from localvid.llm.chat import OnWait, Question
from localvid.llm.revision.prompts import KEEP, example_lines
from localvid.llm.revision.revise import revise
from localvid.schemas import Camera, Progress, Shot, Storyboard, Transition, TransitionKind

BOARD = Storyboard(
    title="A fox in a wood",
    style="ink on paper",
    characters="a red fox with a torn ear",
    setting="a pine wood in deep snow",
    written_by="llm:first",
    shots=(
        Shot(description="Wide shot: A red fox crosses a pine wood in deep snow.", camera="pan_left", seed=1),
        Shot(description="Medium shot: The red fox drinks from a frozen brook.", energy=0.3, seed=2),
        Shot(description="Close-up: The red fox sleeps between the roots of a pine.", seed=3),
    ),
)
CHANGE = "make it lonelier"
LINE = "The red fox stands alone at the frozen brook, grey light on empty snow around it."


class ScriptedChat:
    """Answers the questions of each step from its list, the last entry again and again."""

    name = "scripted"
    first_message = "reading the script"
    is_small = False
    context_tokens = 8192

    def __init__(self, **answers: Sequence[str]) -> None:
        self._answers = {
            "touched": ["keep | keep | keep"],
            "shared": [""],
            "plan": [rows("keep", "change", "keep")],
            "shot": [LINE],
            "moves": ["dolly out | still | fade to black"],
            **answers,
        }
        self.asked: list[tuple[str, Question]] = []

    def fit(self, text: str, max_tokens: int, on_wait: OnWait) -> str:
        on_wait()
        return text[: 4 * max_tokens]

    def answer(self, questions: Sequence[Question], on_wait: OnWait) -> list[str]:
        on_wait()
        return [self._answer(question) for question in questions]

    def _answer(self, question: Question) -> str:
        step = step_of(question)
        count = sum(step == other for other, _ in self.asked)
        self.asked.append((step, question))
        characters = sum(len(text) for _, text in question.dialogue)
        assert characters + 4 * question.max_tokens <= 4 * self.context_tokens
        given = self._answers[step]
        return given[min(count, len(given) - 1)]

    @property
    def steps(self) -> list[str]:
        return [step for step, _ in self.asked]


def step_of(question: Question) -> str:
    task = next(text for role, text in reversed(question.dialogue) if role == "user").rpartition("\n\n")[2]
    for step, words in (
        ("touched", "Does this change"),
        ("shared", "Write anew"),
        ("plan", "What becomes"),
        ("shot", "Write this shot"),
        ("moves", "How does the camera"),
    ):
        if task.startswith(words):
            return step
    raise AssertionError(task)


def rows(*words: str) -> str:
    return "\n".join(word if "|" in word else f"{word} | nothing" for word in words)


def test_only_what_the_plan_changes_is_written_again() -> None:
    chat = ScriptedChat()
    revision = revise(chat, BOARD, CHANGE, seed=4)
    board = revision.storyboard
    assert chat.steps == ["touched", "plan", "shot", "moves"]
    assert revision.origins == (0, 1, 2)
    assert (board.shots[0], board.shots[2]) == (BOARD.shots[0], BOARD.shots[2])
    changed = board.shots[1]
    assert changed.description == f"Medium shot: {LINE}"
    assert (changed.camera, changed.energy, changed.transition.kind, changed.seed) == (
        Camera.DOLLY_OUT,
        0.1,
        TransitionKind.FADE_BLACK,
        2,
    )
    assert (board.style, board.written_by) == (BOARD.style, "llm:first, edited by scripted")
    assert revise(ScriptedChat(), BOARD, CHANGE, seed=4) == revision


def test_what_all_shots_share_is_asked_for_only_where_it_is_touched() -> None:
    chat = ScriptedChat(
        touched=["keep | change | change"],
        shared=["A bare plain under low clouds.\nCharcoal on grey paper."],
        plan=[rows("keep", "keep", "keep")],
    )
    board = revise(chat, BOARD, CHANGE, seed=4).storyboard
    assert chat.steps == ["touched", "shared", "plan"]
    assert (board.characters, board.setting, board.style) == (
        BOARD.characters,
        "A bare plain under low clouds",
        "Charcoal on grey paper",
    )
    assert board.shots == BOARD.shots


def test_shots_are_dropped_and_new_ones_added() -> None:
    new = "A crow looks down from a bare branch at the tracks in the snow of the pine wood."
    chat = ScriptedChat(
        plan=[rows("keep | new before", "drop", "keep | new after")],
        shot=[new, "The moon stands over the empty pine wood and its deep snow."],
        moves=["tilt up | calm | cut\nstatic | still | cut"],
    )
    revision = revise(chat, BOARD, CHANGE, seed=4)
    assert revision.origins == (None, 0, 2, None)
    first, last = revision.storyboard.shots[0], revision.storyboard.shots[-1]
    assert first.description.partition(": ")[2] == new
    assert (first.energy, last.camera, last.seed) == (0.3, Camera.STATIC, None)


def test_a_move_that_cannot_be_read_costs_no_other() -> None:
    chat = ScriptedChat(
        plan=[rows("keep | new before", "keep", "keep | new after")],
        shot=[
            "A crow looks down from a bare branch at the tracks in the snow of the pine wood.",
            "The moon stands over the empty pine wood and its deep snow.",
        ],
        moves=["nonsense\nstatic | still | cut"],
    )
    first, *_, last = revise(chat, BOARD, CHANGE, seed=4).storyboard.shots
    assert (last.camera, last.energy) == (Camera.STATIC, 0.1)
    assert first.description.endswith("of the pine wood.")


def test_rules_go_first_and_the_model_reads_the_rest() -> None:
    chat = ScriptedChat()
    revision = revise(chat, BOARD, "drop shot 3, and make it lonelier. In watercolour", seed=4)
    assert revision.origins == (0, 1)
    assert revision.storyboard.style == "watercolour"
    asked = [text for _, question in chat.asked for role, text in question.dialogue if role == "user"]
    assert any("The author: make it lonelier\n" in text for text in asked)
    assert not any("drop shot 3" in text for text in asked)


def test_the_model_is_not_asked_where_rules_do() -> None:
    chat = ScriptedChat()
    revision = revise(chat, BOARD, "make it night and drop shot 2", seed=4)
    assert chat.asked == []
    assert revision.storyboard.written_by == "llm:first"


def test_a_new_shot_that_rules_ask_for_is_written_by_the_model() -> None:
    owl = "A grey owl on the highest branch of a pine, its eyes on the snow far below."
    chat = ScriptedChat(shot=[owl], moves=["zoom in | calm | cut"])
    revision = revise(chat, BOARD, "end on the owl", seed=4)
    assert chat.steps == ["shot", "moves"]
    assert revision.storyboard.shots[-1].description == f"Close-up: {owl}"
    assert revision.storyboard.shots[:3] == BOARD.shots


def test_a_person_stays_the_author() -> None:
    own = BOARD.model_copy(update={"written_by": ""})
    assert revise(ScriptedChat(), own, "drop shot 1", seed=4).storyboard.written_by == ""
    assert revise(ScriptedChat(), own, CHANGE, seed=4).storyboard.written_by == "a person, edited by scripted"
    twice = revise(
        ScriptedChat(), revise(ScriptedChat(), own, CHANGE, seed=4).storyboard, "end on the owl", seed=4
    )
    assert twice.storyboard.written_by == "a person, edited by scripted"


@pytest.mark.parametrize(
    "nonsense",
    [
        "",
        "...",
        "<think>never ends",
        "I am sorry, I cannot do that.",
        example_lines()[1],
        "森林里的一只狐狸在雪地里。",
        BOARD.shots[0].description,
    ],
)
def test_words_that_cannot_stand_leave_the_shot_as_it_was(nonsense: str) -> None:
    chat = ScriptedChat(plan=[rows("keep | new after", "change", "drop")], shot=[nonsense])
    revision = revise(chat, BOARD, CHANGE, seed=4)
    assert chat.steps.count("shot") == 6
    assert revision.storyboard.shots == BOARD.shots[:2]
    assert sum("no words that can stand" in note for note in revision.notes) == 2


def test_a_model_that_insists_on_the_words_may_change_the_rest() -> None:
    chat = ScriptedChat(shot=[BOARD.shots[1].description])
    changed = revise(chat, BOARD, CHANGE, seed=4).storyboard.shots[1]
    assert (changed.description, changed.camera) == (BOARD.shots[1].description, Camera.DOLLY_OUT)


@pytest.mark.parametrize("nonsense", ["", "I cannot do that.", "keep\nkeep\nkeep", "a | b\nc | d\ne | f"])
def test_a_plan_that_cannot_be_read_is_an_error_or_said(nonsense: str) -> None:
    with pytest.raises(StoryboardFailedError, match="make it lonelier") as caught:
        revise(ScriptedChat(plan=[nonsense]), BOARD, CHANGE, seed=4)
    assert "seed" in caught.value.hint
    revision = revise(ScriptedChat(plan=[nonsense]), BOARD, f"drop shot 2, and {CHANGE}", seed=4)
    assert revision.origins == (0, 2)
    assert "no plan that can be read" in revision.notes[0]
    assert CHANGE in revision.notes[1]


def test_an_answer_is_asked_for_again_with_another_seed() -> None:
    chat = ScriptedChat(plan=["", rows("keep", "change", "keep")], shot=["", LINE])
    assert LINE in revise(chat, BOARD, CHANGE, seed=4).storyboard.shots[1].description
    assert len({question.seed for _, question in chat.asked}) == len(chat.asked) == 6


def test_a_model_that_drops_everything_or_nothing_is_no_edit() -> None:
    for answer in (rows("drop", "drop", "drop"), rows("keep", "keep", "keep")):
        with pytest.raises(StoryboardFailedError):
            revise(ScriptedChat(plan=[answer]), BOARD, CHANGE, seed=4)


def test_motion_that_is_said_again_stays_to_the_last_decimal() -> None:
    old = BOARD.shots[1].model_copy(update={"energy": 0.27, "transition": Transition(duration_seconds=0.9)})
    board = BOARD.model_copy(update={"shots": (BOARD.shots[0], old, BOARD.shots[2])})
    for row in ("as before | as before | as before", "static | calm | cut"):
        changed = revise(ScriptedChat(moves=[row]), board, CHANGE, seed=4).storyboard.shots[1]
        assert changed == old.model_copy(update={"description": changed.description})


def test_thoughts_never_reach_a_shot() -> None:
    def thinking(text: str) -> str:
        return f"<think>Hm: lonelier?\nkeep | keep</think>\n{text}"

    chat = ScriptedChat(
        touched=[thinking("keep | keep | keep")],
        plan=[thinking(rows("keep", "change", "keep"))],
        shot=[thinking(LINE)],
        moves=[thinking("dolly out | still | fade to black")],
    )
    assert revise(chat, BOARD, CHANGE, seed=4) == revise(ScriptedChat(), BOARD, CHANGE, seed=4)


def test_a_hundred_long_shots_fit_any_context() -> None:
    full = Storyboard(
        style="ink " * 70,
        setting="wood " * 60,
        shots=tuple(
            Shot(description=f"Wide shot: The fox at tree {number} " + "of pine " * 110)
            for number in range(100)
        ),
    )
    for context_tokens in (2048, 8192):
        chat = ScriptedChat(plan=[rows(*[KEEP] * 20)])
        chat.context_tokens = context_tokens
        with pytest.raises(StoryboardFailedError):
            revise(chat, full, "lonelier " * 400, seed=4)
        plans = [question for step, question in chat.asked if step == "plan"]
        assert sum(len(question.shape.lines) for question in plans) == 100


def test_new_shots_that_no_storyboard_holds_are_said() -> None:
    shots = tuple(Shot(description=f"Wide shot: The fox at tree {number}.") for number in range(99))
    kept, last = rows(*[KEEP] * 20), rows(*[KEEP] * 18, "keep | new after")
    chat = ScriptedChat(
        plan=[rows(*["keep | new after"] * 2, *[KEEP] * 18), kept, kept, kept, last],
        shot=["A crow looks down from a bare branch at the tracks in the snow of the pine wood."],
    )
    revision = revise(chat, BOARD.model_copy(update={"shots": shots}), CHANGE, seed=4)
    assert len(revision.storyboard.shots) == 100
    assert any("2 of its new ones are left out" in note for note in revision.notes), revision.notes


def test_the_language_of_the_storyboard_is_kept() -> None:
    german = "Der rote Fuchs steht allein am Bach und blickt auf den leeren Schnee in der Ferne."
    board = Storyboard(
        shots=(Shot(description="Ein roter Fuchs läuft durch den Wald und trinkt aus dem Bach im Schnee."),)
    )
    chat = ScriptedChat(plan=[rows("change")], shot=[LINE, german])
    assert revise(chat, board, CHANGE, seed=4).storyboard.shots[0].description == german


# --- small models ------------------------------------------------------------------------------------


class SmallChat(ScriptedChat):
    is_small = True

    def _answer(self, question: Question) -> str:
        self.asked.append(("detail", question))
        return "the wind moves wet leaves over smooth stones."


def test_a_small_model_writes_the_new_shots_alone() -> None:
    chat = SmallChat()
    revision = revise(chat, BOARD, "end on the owl, and drop shot 2", seed=4)
    assert revision.storyboard.shots[:2] == (BOARD.shots[0], BOARD.shots[2])
    assert revision.storyboard.shots[2].description.startswith("Close-up: The owl. ")
    assert "wet leaves" in revision.storyboard.shots[2].description
    assert revision.storyboard.written_by == "llm:first, edited by scripted"
    assert chat.asked


def test_a_small_model_is_not_asked_what_it_cannot_read() -> None:
    chat = SmallChat()
    with pytest.raises(InvalidRequestError, match="no rule understands"):
        revise(chat, BOARD, CHANGE, seed=4)
    assert chat.asked == []


def test_progress_and_what_the_listener_raises() -> None:
    seen: list[Progress] = []
    revise(ScriptedChat(), BOARD, CHANGE, seed=4, on_progress=seen.append)
    assert seen[-1].message == "revised"

    def stop(progress: Progress) -> None:
        if progress.message.startswith("writing"):
            raise KeyError("stop")

    with pytest.raises(KeyError, match="stop"):
        revise(ScriptedChat(), BOARD, CHANGE, seed=4, on_progress=stop)
