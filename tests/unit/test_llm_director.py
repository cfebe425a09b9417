"""The director's steps, with a chat model that answers from a list."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from localvid.llm.chat import Choice, OnWait, Question
from localvid.llm.director import direct
from localvid.llm.outline import OutlineWriter
from localvid.llm.prompts import example_texts
from localvid.schemas import Camera, Progress, TransitionKind

BIBLE = "A red fox with a torn ear.\nA pine wood at night.\nInk on grey paper."
BEATS = "The fox wakes up.\nSnow falls on its back.\nIt crosses the frozen brook."
SHOTS = (
    "A red fox opens its eyes under the roots of a pine at night.",
    "Snow settles on the red fur between dark trunks in the wood.",
    "The fox steps onto the ice of a narrow brook, moonlight around it.",
)
MOVES = "pan left | calm\norbit right | still\nzoom in | wild"
CUTS = "cut | brief\nfade to black | long\ncut | steady"


class ScriptedChat:
    """Answers the questions of each step from its list, the last entry again and again."""

    name = "scripted"
    first_message = "reading the script"
    is_small = False
    context_tokens = 8192

    def __init__(self, **answers: Sequence[str]) -> None:
        self._answers = {
            "bible": [BIBLE],
            "beats": [BEATS],
            "shots": list(SHOTS),
            "moves": [MOVES],
            "cuts": [CUTS],
            **{step: list(given) for step, given in answers.items()},
        }
        self.asked: list[tuple[str, Question]] = []
        self.calls: list[int] = []
        """How many questions each call had."""

    def fit(self, text: str, max_tokens: int, on_wait: OnWait) -> str:
        on_wait()
        return text[: 4 * max_tokens]

    def answer(self, questions: Sequence[Question], on_wait: OnWait) -> list[str]:
        on_wait()
        self.calls.append(len(questions))
        return [self._answer(question) for question in questions]

    def _answer(self, question: Question) -> str:
        step = step_of(question)
        count = sum(step == other for other, _ in self.asked)
        self.asked.append((step, question))
        given = self._answers[step]
        return given[min(count, len(given) - 1)]


def step_of(question: Question) -> str:
    role, text = question.dialogue[-1]
    if role == "assistant":
        return "shots"
    first = question.shape.lines[0]
    if isinstance(first[0], Choice):
        return "cuts" if "cut" in first[0].options else "moves"
    return "bible" if "Idea:" in text else "beats"


def board_of(chat: ScriptedChat, prompt: str = "A fox in a wood at night") -> list[str]:
    return [shot.description for shot in direct(chat, prompt, num_shots=3, seed=4).shots]


def test_the_steps_are_taken_in_their_order_and_reach_the_board() -> None:
    chat = ScriptedChat()
    board = direct(chat, "A fox in a wood at night", num_shots=3, seed=4)
    assert [step for step, _ in chat.asked] == ["bible", "beats", "shots", "shots", "shots", "moves", "cuts"]
    assert chat.calls == [1, 1, 3, 1, 1]
    assert (board.characters, board.setting, board.style) == tuple(
        line.rstrip(".") for line in BIBLE.split("\n")
    )
    assert [shot.description.partition(": ")[2] for shot in board.shots] == list(SHOTS)
    assert [shot.camera for shot in board.shots] == [Camera.PAN_LEFT, Camera.ORBIT_RIGHT, Camera.ZOOM_IN]
    assert board.shots[0].energy < board.shots[2].energy
    assert [shot.transition.kind for shot in board.shots] == [
        TransitionKind.CUT,
        TransitionKind.FADE_BLACK,
        TransitionKind.CUT,
    ]
    assert board.shots[0].duration_seconds < board.shots[1].duration_seconds
    assert board.written_by == "scripted"


def test_the_style_that_the_prompt_names_is_kept() -> None:
    assert direct(ScriptedChat(), "A fox, watercolour", num_shots=3, seed=4).style == "watercolour"


def test_a_shot_written_twice_is_asked_for_again_with_another_seed_and_sees_what_stands() -> None:
    chat = ScriptedChat(shots=(SHOTS[0], SHOTS[0].replace("opens", "closes"), SHOTS[2], SHOTS[1]))
    assert [text.partition(": ")[2] for text in board_of(chat)] == list(SHOTS)
    shots = [question for step, question in chat.asked if step == "shots"]
    assert len({question.seed for question in shots}) == len(shots) == 4
    assert [question.dialogue[-1][1] for question in shots] == [
        "1. Wide shot:",
        "2. Medium shot:",
        "3. Close-up:",
        f"1. Wide shot: {SHOTS[0]}\n2. Medium shot:",
    ]


@pytest.mark.parametrize(
    "answer", ["", "...", "<think>never ends", example_texts()[-1], "森林里的一只狐狸在雪地里。", SHOTS[0]]
)
def test_what_cannot_stand_is_outlined_and_said(answer: str) -> None:
    chat = ScriptedChat(shots=(SHOTS[0], answer))
    board = direct(chat, "A fox in a wood at night", num_shots=3, seed=4)
    outline = OutlineWriter().write("A fox in a wood at night", num_shots=3, seed=4)
    assert [shot.description for shot in board.shots[1:]] == [shot.description for shot in outline.shots[1:]]
    assert board.written_by == "scripted, outline (2 of 3 shots)"


def test_a_shot_that_drops_the_subject_is_led_by_it() -> None:
    texts = board_of(ScriptedChat(shots=(*SHOTS[:2], "Bubbles climb through dark water and burst.")))
    assert texts[2] == "Close-up: The fox at night. Bubbles climb through dark water and burst."


def test_thoughts_never_reach_a_shot() -> None:
    def thinking(text: str) -> str:
        return f"<think>Let me see: a fox?\nHm.</think>\n{text}"

    chat = ScriptedChat(
        bible=[thinking(BIBLE)],
        beats=[thinking(BEATS)],
        shots=[thinking(text) for text in SHOTS],
        moves=[thinking(MOVES)],
        cuts=[thinking(CUTS)],
    )
    assert direct(chat, "A fox", num_shots=3, seed=4) == direct(ScriptedChat(), "A fox", num_shots=3, seed=4)


@pytest.mark.parametrize("step", ["bible", "beats", "moves", "cuts"])
@pytest.mark.parametrize("nonsense", ["", "I am sorry, I cannot do that.", "{}\n[]\n{}", "a | b | c\n" * 3])
def test_a_step_that_fails_is_done_by_rule(step: str, nonsense: str) -> None:
    board = direct(ScriptedChat(**{step: [nonsense]}), "A fox in a wood at night", num_shots=3, seed=4)
    assert [shot.description.partition(": ")[2] for shot in board.shots] == list(SHOTS)
    assert board.style


def test_a_line_that_fails_costs_no_other_line() -> None:
    chat = ScriptedChat(
        moves=["pan left | calm\nfly | away\nzoom in | wild"], cuts=["cut | brief\nhm\ncut | long"]
    )
    board = direct(chat, "A fox in a wood at night", num_shots=3, seed=4)
    whole = direct(ScriptedChat(), "A fox in a wood at night", num_shots=3, seed=4)
    for index in (0, 2):
        assert board.shots[index].camera is whole.shots[index].camera
        assert board.shots[index].energy == whole.shots[index].energy
    assert board.shots[0].duration_seconds == whole.shots[0].duration_seconds
    assert board.shots[2].transition.kind is TransitionKind.CUT
    assert board.shots[1].camera not in (board.shots[0].camera, board.shots[2].camera)


def test_the_language_of_the_prompt_is_kept() -> None:
    german = (
        "Ein alter Fischer zieht im Morgengrauen sein Netz aus dem Meer.",
        "Das Netz liegt schwer und nass auf dem Rand des Bootes.",
        "Die Hand des Fischers löst einen Fisch aus dem Netz.",
    )
    english = "An old fisherman pulls his net out of the sea at the first light of day."
    chat = ScriptedChat(shots=(english, german[1], german[2], english, german[0]))
    texts = board_of(chat, "Ein alter Fischer fährt im Morgengrauen mit seinem Boot auf das Meer")
    assert [text.partition(": ")[2] for text in texts] == list(german)


def test_a_long_idea_is_cut_to_the_context_and_said() -> None:
    chat = ScriptedChat()
    chat.context_tokens = 2048
    board = direct(chat, "A fox in a wood at night. " * 100, num_shots=3, seed=4)
    assert "the model read the first" in board.written_by


def test_a_small_model_is_asked_for_details_alone() -> None:
    chat = ScriptedChat(shots=["the light of the moon falls on wet leaves and dark stones."])
    chat.is_small = True
    board = direct(chat, "A fox in a wood at night", num_shots=3, seed=4)
    assert {step for step, _ in chat.asked} == {"shots"}
    assert board.shots[0].description.startswith("Wide shot: A fox in a wood at night. ")
    assert "wet leaves" in board.shots[0].description
    assert "wet leaves" not in board.shots[1].description


def test_a_small_model_is_asked_for_all_shots_at_once_and_again_for_those_that_fail() -> None:
    good = (
        "the rough bark of an old trunk and a carpet of dry needles.",
        "a low wall of round stones is covered with moss.",
        "pale mushrooms grow out of a rotten log and yellow ferns.",
    )
    chat = ScriptedChat(shots=(good[0], "I heard a song.", good[2], "", good[1]))
    chat.is_small = True
    seen: list[Progress] = []
    board = direct(chat, "A fox in a wood at night", num_shots=3, seed=4, on_progress=seen.append)
    assert chat.calls == [3, 1, 1]
    found = [shot.description.rpartition(". ")[2] for shot in board.shots]
    for text, detail in zip(found, good, strict=True):
        assert text.endswith(detail)
    assert [
        message for message in dict.fromkeys(report.message for report in seen) if "wrote" in message
    ] == [
        "wrote shot 1",
        "wrote shot 3",
        "wrote shot 2",
    ]
    assert len({question.seed for _, question in chat.asked}) == 5
