"""Words that an edit asks for: how a new or rewritten shot is laid out, and how it ends up."""

from __future__ import annotations

from collections.abc import Sequence

from localvid.llm.lexicon import GENERIC_DETAILS, is_english, time_of_day
from localvid.llm.outline_words import outline_description
from localvid.llm.plan import BoardPlan, ShotPlan, fitting_cameras, make_storyboard
from localvid.llm.repair import is_duplicate
from localvid.llm.revision.board import EditedBoard, EditedShot
from localvid.llm.revision.rewording import first_sentence, split_label, with_phrase
from localvid.llm.scenes import Size, time_phrase
from localvid.schemas import MAX_PROMPT_CHARACTERS, Camera


def wanted_plan(board: EditedBoard, seed: int) -> BoardPlan:
    """A plan of the shots whose words are wanted, and of nothing else."""
    shots = tuple(_shot_plan(board, place) for place in board.unwritten)
    words = "; ".join((*(shot.scene for shot in shots), board.film.setting, board.film.prompt))
    return BoardPlan(
        prompt=words[:MAX_PROMPT_CHARACTERS],
        title=board.film.title,
        style=board.film.style,
        style_is_asked=True,
        seed=seed,
        characters=board.film.characters,
        setting=board.film.setting,
        shortened=False,
        shots=shots,
    )


def with_new_words(board: EditedBoard, plan: BoardPlan, descriptions: Sequence[str | None]) -> EditedBoard:
    """The board with the shots of the plan written. Words that are missing are the rules' own. A shot that
    was there keeps everything but its words."""
    standing = standing_words(board)
    texts: list[str] = []
    for index, description in enumerate(descriptions):
        shot = plan.shots[index]
        start = f"{shot.size}: {shot.view}."
        generic = f"{start} {GENERIC_DETAILS[shot.size.key]}" if is_english(shot.scene) else start
        by_rule = (outline_description(plan, index), generic)
        new = next((text for text in by_rule if not is_duplicate(text, [*standing, *texts])), start)
        texts.append(description or new)
    cameras = [
        fitting_cameras(shot, 0.5, used=_cameras_around(board, place))[0]
        for place, shot in zip(board.unwritten, plan.shots, strict=True)
    ]
    made = make_storyboard(plan, texts, written_by="", cameras=cameras).shots
    shots = list(board.shots)
    for place, written in zip(board.unwritten, made, strict=True):
        old = shots[place].shot
        kept = old.model_copy(update={"description": written.description}) if old else written
        shots[place] = EditedShot(shot=kept, origin=shots[place].origin)
    return board.with_order(shots)


def standing_words(board: EditedBoard) -> list[str]:
    """The descriptions of the shots that are not to be written anew."""
    return [each.shot.description for each in board.shots if each.shot and not each.scene]


def size_of(each: EditedShot) -> Size | None:
    """The size that is asked for, or that the shot's own label names."""
    if each.size is not None or each.shot is None:
        return each.size
    label = split_label(each.shot.description)[0].strip(" :").lower()
    return next((size for size in Size if size.lower() == label), None)


def _shot_plan(board: EditedBoard, place: int) -> ShotPlan:
    """The scene that is asked for, at the film's time of day where it names none; its place reaches the
    painter by the setting."""
    each = board.shots[place]
    scene = each.scene
    shared = f"{board.film.setting}. {first_sentence(_description_near(board, place))}"
    if is_english(scene) and is_english(shared) and time_of_day(scene) is None:
        time = time_phrase(shared)
        scene = with_phrase(scene, time) if time else scene
    return ShotPlan(size=size_of(each) or Size.MEDIUM, scene=scene, view=scene, camera=None)


def _description_near(board: EditedBoard, place: int) -> str:
    """Of the nearest shot that has one: the shot itself, those before it, those after."""
    around = (place, *range(place - 1, -1, -1), *range(place + 1, len(board.shots)))
    return next((shot.description for shot in (board.shots[at].shot for at in around) if shot), "")


def _cameras_around(board: EditedBoard, place: int) -> list[Camera]:
    return [each.shot.camera for each in board.shots[max(0, place - 1) : place + 2] if each.shot]
