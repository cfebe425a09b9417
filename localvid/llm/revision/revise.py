"""From a storyboard and an instruction to the next storyboard, by a language model, whichever it is.

Rules settle what words alone can settle (`rules.py`). What they leave a large model takes in steps
(`film.py`); a small one cannot read it, and it is said. New words that rules ask for are written as
the director writes them: by a large model from line to line, by a small one as a detail.

The same storyboard, instruction, seed and model give the same revision, as far as the model repeats itself.
"""

from __future__ import annotations

from localvid.llm.chat import ChatModel
from localvid.llm.details import write_details
from localvid.llm.film import FILM_CONTEXT_TOKENS
from localvid.llm.repair import is_duplicate
from localvid.llm.revision.board import EditedBoard
from localvid.llm.revision.by_rule import finished, without_left
from localvid.llm.revision.film import revise_film
from localvid.llm.revision.new_shots import standing_words, wanted_plan, with_new_words
from localvid.llm.revision.rules import apply_rules
from localvid.llm.session import Session
from localvid.schemas import OnProgress, Revision, Storyboard, ignore_progress


def revise(
    chat: ChatModel,
    storyboard: Storyboard,
    instruction: str,
    *,
    seed: int,
    on_progress: OnProgress = ignore_progress,
) -> Revision:
    """Change a storyboard as an instruction says; shots that it does not touch stay as they are.

    The model is not asked where rules settle all of it. Raises InvalidRequestError for an instruction that
    says nothing, too much, or nothing that can be done; StoryboardFailedError where a large model gave
    nothing usable; what the model raises; and whatever `on_progress` raises.
    """
    board, left = apply_rules(EditedBoard.of(storyboard), instruction)
    small = chat.is_small or chat.context_tokens < FILM_CONTEXT_TOKENS
    if not left and not board.unwritten:
        return finished(board, on_progress)
    session = Session(chat, seed, on_progress)
    if not small:
        session.wait()
        revised = revise_film(session, board, left, seed=seed)
        return finished(revised, on_progress, writer=chat.name if revised.differs_from(board) else "")
    board = without_left(board, left)
    if not board.unwritten:
        return finished(board, on_progress)
    session.wait()
    plan = wanted_plan(board, seed)
    standing = standing_words(board)
    descriptions = [
        None if text is None or is_duplicate(text, standing) else text
        for text in write_details(session, plan).descriptions
    ]
    writer = chat.name if any(descriptions) else ""
    return finished(with_new_words(board, plan, descriptions), on_progress, writer=writer)
