"""Large models: an instruction in steps, each small and held by a shape.

1. Does it change what all shots share (characters, setting, style)? If so, those lines anew.
2. What becomes of each shot: kept, changed, dropped, a new one after it; some shots a question, so that any
   number of them fits the context.
3. The words of each changed or new shot, between its neighbours.
4. How the camera moves in these, how much moves, and how they give way to the next.

A step that fails leaves things as they were, and it is said.
"""

from __future__ import annotations

from collections.abc import Sequence

from localvid.errors import StoryboardFailedError
from localvid.llm.film import stands
from localvid.llm.plan import ShotPlan, fitting_cameras
from localvid.llm.prompts import ENERGY_WORDS, TRANSITION_WORDS
from localvid.llm.repair import (
    cut_to,
    is_duplicate,
    read_fields,
    read_line,
    read_lines,
    runs_in_circles,
    same_script,
    says_scene,
)
from localvid.llm.revision import prompts
from localvid.llm.revision.board import EditedBoard, EditedShot
from localvid.llm.revision.new_shots import size_of, wanted_plan, with_new_words
from localvid.llm.revision.rewording import split_label
from localvid.llm.scenes import Size
from localvid.llm.session import Session
from localvid.schemas import MAX_STORYBOARD_SHOTS, Camera, Progress, Shot, Transition

_ATTEMPTS = 3
_LINE_TOKENS = 120
_ROW_TOKENS = 16
_FRAME_TOKENS = 420
"""Instructions, worked example and task of one question; SmolLM2's tokeniser takes 204 to 394."""
_SHOTS_A_PLAN = 20
_SHOTS_A_MOVE = 8
_LISTED_CHARACTERS = 160
_SAID_CHARACTERS = 80
_SALTS = {"touched": 53, "shared": 59, "plan": 67, "moves": 79}


def revise_film(session: Session, board: EditedBoard, left: Sequence[str], *, seed: int) -> EditedBoard:
    """All steps, in their order: `left` are the parts that rules left.

    Raises StoryboardFailedError where nothing came of them and rules changed nothing either.
    """
    change, before = _fitted(session, board, ". ".join(left))
    board = before
    if change:
        session.at(Progress(step=0, num_steps=len(board.shots), message="reading the change"))
        board = _with_plan(session, _with_shared(session, board, change), change)
    board, touched = _with_words(session, board, change, seed=seed)
    places = [
        place for place, each in enumerate(board.shots) if each.origin is None or each.origin in touched
    ]
    board = _with_moves(session, board, change, places)
    return _checked(session, before, board, change)


def _checked(session: Session, before: EditedBoard, board: EditedBoard, change: str) -> EditedBoard:
    """With a note where the model changed nothing; an error where rules did not either."""
    if not change or board.differs_from(before):
        return board
    said = cut_to(change, _SAID_CHARACTERS)
    if not board.differs_from(EditedBoard.of(board.before)):
        raise StoryboardFailedError(
            f"{session.chat.name} made nothing of “{said}”",
            hint="say it in other words, try another --seed, or change the file in an editor",
        )
    return board.with_notes(f"left undone, because the model changed nothing for it: “{said}”")


def _fitted(session: Session, board: EditedBoard, change: str) -> tuple[str, EditedBoard]:
    """As much of the instruction as a quarter of the context holds."""
    fitted = session.fit(change, session.chat.context_tokens // 4) if change else ""
    if len(fitted) < len(change):
        board = board.with_notes(f"the model read the first {len(fitted)} of {len(change)} characters")
    return fitted, board


def _film(session: Session, board: EditedBoard, change: str) -> prompts.Film:
    room = session.chat.context_tokens // 16
    characters, setting, style = (session.fit(getattr(board.film, name), room) for name in prompts.SHARED)
    return prompts.Film(characters, setting, style, change)


# --- what all shots share ----------------------------------------------------------------------------


def _with_shared(session: Session, board: EditedBoard, change: str) -> EditedBoard:
    """With new lines for what the change touches; a line that is unusable stays what it was."""
    film = _film(session, board, change)
    raw = session.ask(
        prompts.touched_dialogue(film),
        prompts.TOUCHED_SHAPE,
        max_tokens=_ROW_TOKENS,
        salt=_SALTS["touched"],
    )
    row = (read_fields(raw, 1) or [[]])[0]
    names = [name for name, word in zip(prompts.SHARED, row, strict=False) if word == prompts.CHANGE]
    if len(row) != len(prompts.SHARED) or not names:
        return board
    raw = session.ask(
        prompts.shared_dialogue(film, names),
        prompts.shared_shape(len(names)),
        max_tokens=len(names) * _LINE_TOKENS,
        salt=_SALTS["shared"],
    )
    told = " ".join((*(shot.description for shot in board.before.shots[:3]), board.film.setting))
    lines = {
        name: line.rstrip(".。")[:300]
        for name, line in zip(names, read_lines(raw, len(names)) or [], strict=False)
        if same_script(line, told)
        and not is_duplicate(line, prompts.example_lines())
        and not runs_in_circles(line)
    }
    return board.with_film(**lines)


# --- what becomes of each shot -----------------------------------------------------------------------


def _with_plan(session: Session, board: EditedBoard, change: str) -> EditedBoard:
    """With shots dropped, and others marked to be written; as it was where the model gave no plan."""
    rows: list[list[str]] = []
    listed = [f"{number}. {_listed(each)}" for number, each in enumerate(board.shots, start=1)]
    film = _film(session, board, change)
    while len(rows) < len(listed):
        window = _window(session, film, listed[len(rows) :])
        answered = _plan_rows(session, film, window, first=len(rows), of=len(listed))
        if answered is None:
            return board.with_notes("the model gave no plan that can be read: no shot was changed by it")
        rows += answered
    if all(what == prompts.DROP for what, _ in rows):
        return board.with_notes("the model would have dropped every shot; they are all kept")
    shots: list[EditedShot] = []
    room = MAX_STORYBOARD_SHOTS - sum(what != prompts.DROP for what, _ in rows)
    left_out = sum(added != prompts.NOTHING for _, added in rows) - room
    new = EditedShot(shot=None, origin=None, scene=change)
    for each, (what, added) in zip(board.shots, rows, strict=True):
        is_new = added != prompts.NOTHING and room > 0
        room -= is_new
        if is_new and added == prompts.NEW_BEFORE:
            shots.append(new)
        if what == prompts.CHANGE and not each.scene:
            each = each.model_copy(update={"scene": change})
        if what != prompts.DROP:
            shots.append(each)
        if is_new and added == prompts.NEW_AFTER:
            shots.append(new)
    if left_out > 0:
        board = board.with_notes(
            f"the model wanted more shots than a storyboard holds: {left_out} of its new ones are left out"
        )
    return board.with_order(shots)


def _listed(each: EditedShot) -> str:
    return cut_to(each.description, _LISTED_CHARACTERS)


def _window(session: Session, film: prompts.Film, listed: Sequence[str]) -> Sequence[str]:
    """As many of the next shots as one question holds."""
    window = listed[:_SHOTS_A_PLAN]
    said = " ".join(film)
    while len(window) > 1:
        room = session.chat.context_tokens - _FRAME_TOKENS - _ROW_TOKENS * len(window)
        text = "\n".join((said, *window))
        if len(session.fit(text, max(1, room))) == len(text):
            break
        window = window[: len(window) // 2]
    return window


def _plan_rows(
    session: Session, film: prompts.Film, window: Sequence[str], *, first: int, of: int
) -> list[list[str]] | None:
    """What becomes of each shot, and what comes beside it; None where no answer says that."""
    for attempt in range(_ATTEMPTS):
        raw = session.ask(
            prompts.plan_dialogue(film, window, of=of),
            prompts.plan_shape(len(window), from_the_first=first == 0),
            max_tokens=_ROW_TOKENS * len(window),
            salt=_SALTS["plan"] + 1009 * first + attempt,
        )
        rows = read_fields(raw, len(window)) or []
        if rows and all(
            len(row) == 2
            and row[0] in (prompts.KEEP, prompts.CHANGE, prompts.DROP)
            and row[1] in (prompts.NOTHING, prompts.NEW_AFTER, prompts.NEW_BEFORE)
            for row in rows
        ):
            return rows
    return None


# --- words -------------------------------------------------------------------------------------------


def _with_words(
    session: Session, board: EditedBoard, change: str, *, seed: int
) -> tuple[EditedBoard, set[int | None]]:
    """With every shot written, and where the shots that the model wanted changed came from.

    Where no words can stand, rules write what the author named; what the model itself wanted changed stays as
    it was, and what it wanted added is left out.
    """
    touched: set[int | None] = set()
    shots: list[EditedShot] = []
    texts: list[str | None] = []
    notes: list[str] = []
    count = len(board.unwritten)
    for place, each in enumerate(board.shots):
        if not each.scene:
            shots.append(each)
            continue
        session.at(Progress(step=len(texts), num_steps=count, message=f"writing shot {place + 1}"))
        text = _words(session, board, place, change, [text for text in texts if text])
        if text is None and each.scene == change:
            notes.append(f"shot {place + 1}: the model gave no words that can stand")
            if each.shot is not None:
                shots.append(EditedShot(shot=each.shot, origin=each.origin))
            continue
        if each.scene == change:
            touched.add(each.origin)
        shots.append(each)
        texts.append(text)
    board = board.with_order(shots).with_notes(*notes)
    return with_new_words(board, wanted_plan(board, seed), texts) if texts else board, touched


def _words(
    session: Session, board: EditedBoard, place: int, change: str, written: Sequence[str]
) -> str | None:
    """The description of one shot, with its label; None where the model gave none that can stand. Where it
    insists on the words that are there, something else of the shot may be to change."""
    each = board.shots[place]
    now = each.shot.description if each.shot else ""
    label = _label(board, place)
    room = session.chat.context_tokens // 8
    film = _film(session, board, change if each.scene == change else session.fit(each.scene, room))
    before, after = (
        _listed(board.shots[at]) if board.is_written(at) else "" for at in (place - 1, place + 1)
    )
    dialogue = prompts.shot_dialogue(
        film, before=before, now=session.fit(now, room), after=after, label=label
    )
    standing = [
        shot.description for shot in (other.shot for other in board.shots if other is not each) if shot
    ]
    others = [*written, *prompts.example_lines(), *standing]
    # A shot that was as like another as this before the edit may stay so.
    others = [text for text in (split_label(other)[1] for other in others) if not is_duplicate(text, [now])]
    told = f"{now} {film.characters} {film.setting} {each.scene}"
    idea = now or next(iter(standing), each.scene)
    for attempt in range(_ATTEMPTS):
        raw = session.ask(
            dialogue, prompts.SHOT_SHAPE, max_tokens=_LINE_TOKENS, salt=211 * (place + 1) + attempt
        )
        text = read_line(raw, limit=300)
        if stands(text, idea, others) and says_scene(text, told) and not runs_in_circles(text):
            return f"{label} {text}".strip() if text != split_label(now)[1] else now
    return None


def _label(board: EditedBoard, place: int) -> str:
    """The size that is asked for, or the label that the shot has; for a new shot a size that the shots beside
    it have not."""
    each = board.shots[place]
    if each.size is None and each.shot is not None:
        return split_label(each.shot.description)[0].strip()
    return f"{each.size or _size_beside(board, place)}:"


def _size_beside(board: EditedBoard, place: int) -> Size:
    beside = {size_of(each) for each in board.shots[max(0, place - 1) : place + 2]}
    return next(size for size in (Size.MEDIUM, Size.CLOSE, Size.WIDE, Size.FULL) if size not in beside)


# --- motion ------------------------------------------------------------------------------------------


def _with_moves(session: Session, board: EditedBoard, change: str, places: Sequence[int]) -> EditedBoard:
    """With the camera, the energy and the transition of these shots, some a question; as they are where the
    model gives something else."""
    shots = list(board.shots)
    for start in range(0, len(places), _SHOTS_A_MOVE):
        window = places[start : start + _SHOTS_A_MOVE]
        for place, shot in zip(window, _moved(session, board, change, window), strict=True):
            shots[place] = shots[place].model_copy(update={"shot": shot})
    return board.with_order(shots)


def _moved(session: Session, board: EditedBoard, change: str, places: Sequence[int]) -> list[Shot]:
    shots = [(board.shots[place], board.shots[place].shot) for place in places]
    old = [(each, shot) for each, shot in shots if shot is not None]
    fitting = [
        (
            fitting_cameras(
                ShotPlan(
                    size=size_of(each) or Size.MEDIUM,
                    scene=shot.description,
                    view=shot.description,
                    camera=None,
                ),
                0.5,
                used=(),
            ),
            each.origin is not None,
        )
        for each, shot in old
    ]
    listed = [
        f"{place + 1}. {_motion(each, shot)} {_listed(each)}"
        for place, (each, shot) in zip(places, old, strict=True)
    ]
    raw = session.ask(
        prompts.moves_dialogue(_film(session, board, change or "-"), listed),
        prompts.moves_shape(fitting),
        max_tokens=_ROW_TOKENS * len(old),
        salt=_SALTS["moves"] + 1013 * places[0],
    )
    rows = read_fields(raw, len(old)) or []
    if len(rows) != len(old):
        return [shot for _, shot in old]
    return [_with_move(shot, row) for (_, shot), row in zip(old, rows, strict=True)]


def _motion(each: EditedShot, shot: Shot) -> str:
    if each.origin is None:
        return "(new)"
    way = next(word for word, kind in TRANSITION_WORDS.items() if kind is shot.transition.kind)
    return f"({shot.camera.replace('_', ' ')}, {_energy_word(shot)}, {way})"


def _energy_word(shot: Shot) -> str:
    """The nearest."""
    return min(ENERGY_WORDS, key=lambda word: abs(ENERGY_WORDS[word] - shot.energy))


def _with_move(shot: Shot, row: Sequence[str]) -> Shot:
    """With those of its three words that are known and say something else than it does; "as before" is none
    of them. A row of another form changes nothing."""
    if len(row) != 3:
        return shot
    camera, energy, way = row
    changes: dict[str, object] = {}
    if (name := camera.replace(" ", "_")) in set(Camera):
        changes["camera"] = Camera(name)
    if energy in ENERGY_WORDS and energy != _energy_word(shot):
        changes["energy"] = ENERGY_WORDS[energy]
    if way in TRANSITION_WORDS and TRANSITION_WORDS[way] is not shot.transition.kind:
        changes["transition"] = Transition(kind=TRANSITION_WORDS[way])
    return shot.model_copy(update=changes)
