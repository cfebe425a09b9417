"""Scenes: every place, hour and size is painted; the same request gives the same frames; no edge shows."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from localvid.pipelines.animatic.brush import grey
from localvid.pipelines.animatic.direct import NEAREST, Shoot, _light, direct, without_caption
from localvid.pipelines.animatic.figures.cast import CAST, Realm
from localvid.pipelines.animatic.figures.sketch import Look
from localvid.pipelines.animatic.plate import NEVER, Flipbook, Plate
from localvid.pipelines.animatic.scene import Scene
from localvid.pipelines.animatic.scenery.light import Hour, Weather, light_of
from localvid.pipelines.animatic.script import _EXTRAS, Framing, Place, Subject, read_script
from localvid.pipelines.animatic.stage import Stage, View
from localvid.pipelines.animatic.staging import (
    _MOST_PIXELS,
    STANDARD_DEPTH,
    Setting,
    _figures,
    _picture_at,
    put_subjects,
)
from localvid.schemas import Camera, Caption

BASE = Shoot(
    description="a forest",
    style="",
    camera=Camera.STATIC,
    energy=0.5,
    width=160,
    height=90,
    seconds=4.0,
    seed=1,
)

WORDS = {
    Place.MOON: "on the moon",
    Place.PLANET: "alien world",
    Place.SKY: "above clouds",
    Place.ROOM: "living room",
}


def words_for(place: Place) -> str:
    return WORDS.get(place, place.value)


def frame_of(shoot: Shoot, *, progress: float = 0.5, seconds: float = 1.0) -> NDArray[np.uint8]:
    scene, path = direct(shoot)
    return scene.frame(path.pose(progress), seconds)


def mean_of(description: str, *, seed: int = 1, rows: slice = slice(None)) -> NDArray[np.float64]:
    """The mean colour of a frame, or of some of its rows."""
    frame = frame_of(replace(BASE, description=description, seed=seed))
    return np.asarray(frame[rows].reshape(-1, 3).mean(axis=0))


@pytest.mark.parametrize("place", list(Place))
def test_every_place_is_painted_and_is_no_flat_colour(place: Place) -> None:
    frame = frame_of(replace(BASE, description=words_for(place)))
    assert frame.shape == (90, 160, 3)
    assert frame.dtype == np.uint8
    assert frame.std() > 12
    assert len(np.unique(frame.reshape(-1, 3), axis=0)) > 500


@pytest.mark.parametrize("extra", sorted(set(_EXTRAS.values())))
def test_every_thing_that_changes_a_place_is_painted(extra: str) -> None:
    word = next(word for word, found in _EXTRAS.items() if found == extra)
    for place in ("mountains", "forest", "city"):
        frame = frame_of(replace(BASE, description=f"{place}, {word}"))
        assert len(np.unique(frame.reshape(-1, 3), axis=0)) > 500


@pytest.mark.parametrize("name", sorted(CAST))
def test_every_figure_changes_the_picture_and_stays_in_its_box(name: str) -> None:
    from localvid.pipelines.animatic.brush import Picture
    from localvid.pipelines.animatic.figures.sketch import Sketch

    actor = CAST[name]
    look = Look(light_of(Hour.DAY, Weather.CLEAR, np.random.default_rng(1), palette=0), 2.2, False)
    left, top, right, bottom = actor.box
    for draw in (actor.draw, actor.rest, actor.sit):
        for phase in (0.0, 0.3, 0.6, 0.9) if draw else ():
            picture = Picture(left - 0.2, top - 0.2, right + 0.2, bottom + 0.2, density=40)
            draw(Sketch(picture, (0.0, 0.0), 1.0), look, phase)  # type: ignore[misc] - None is not drawn
            _, mask = picture.colours_and_mask()
            assert mask.sum() > 25
            assert picture.left >= left - 0.06
            assert picture.top >= top - 0.06
            assert picture.left + picture.columns / 40 <= right + 0.06
            assert picture.top + picture.rows / 40 <= bottom + 0.06


@pytest.mark.parametrize("palette", [0, 1, 2])
@pytest.mark.parametrize("depth", [2.2, 5.0])
def test_in_a_storm_at_night_a_figure_is_brighter_than_the_air_behind_it(palette: int, depth: float) -> None:
    light = light_of(Hour.NIGHT, Weather.STORM, np.random.default_rng(1), palette=palette)
    assert grey(Look(light, depth, True).tone("#8a9098")) > 1.25 * grey(light.haze)


def test_places_have_the_colours_that_one_knows_them_by() -> None:
    sea, desert = (
        mean_of(f"{words} at noon, clear", rows=slice(60, 85)) for words in ("open sea", "desert dunes")
    )
    assert sea[2] > sea[0] + 15  # blue
    assert desert[0] > desert[2] + 25  # yellow
    meadow = mean_of("green meadow at noon, clear summer", rows=slice(60, 80))
    assert meadow[1] > meadow[0]
    assert meadow[1] > meadow[2] + 20
    snow = mean_of("snowy tundra at noon, clear", rows=slice(60, 80))
    assert snow.mean() > 170
    assert mean_of("outer space").mean() < 80


@pytest.mark.parametrize("place", ["forest", "sea", "city", "mountains", "desert", "living room", "village"])
def test_night_is_darker_than_day(place: str) -> None:
    day, night = mean_of(f"{place} at noon, clear").mean(), mean_of(f"{place} at night, clear").mean()
    assert night < 0.62 * day


@pytest.mark.parametrize("setting", ["", "in a storm", "a harbour at sunset", "in thick fog"])
def test_shots_of_a_film_have_one_light(setting: str) -> None:
    descriptions = ("A castle.", "Close-up: The castle. Behind it, a wall.", "Ein Ding", f"A thing {setting}")
    shoots = [
        replace(BASE, description=description, setting=setting, seed=seed)
        for description in descriptions
        for seed in (1, 2, 3)
    ]
    lights = [
        _light(shoot, read_script(shoot.description, "", setting), np.random.default_rng(shoot.seed))
        for shoot in shoots
    ]
    assert len({(light.hour, light.weather, light.sky) for light in lights}) == 1


def test_films_differ_in_their_palettes() -> None:
    settings = ("", "in a wood", "by a lake", "on a hill")
    rng = np.random.default_rng(1)
    assert len({_light(replace(BASE, setting=text), read_script(""), rng).sky for text in settings}) > 1


@pytest.mark.parametrize("place", ["mountains", "a ship at sea", "fields", "a desert", "a village"])
def test_fog_hides_what_is_far(place: str) -> None:
    clear, foggy = (
        frame_of(replace(BASE, description=f"{place} by day, {weather}")).astype(float)
        for weather in ("clear", "fog")
    )
    far = slice(20, 50)
    assert foggy[far].std(axis=(0, 1)).mean() < 0.75 * clear[far].std(axis=(0, 1)).mean()


SHAPES = [(160, 90), (90, 160), (96, 96)]


def seen_of(name: str, framing: Framing, size: tuple[int, int]) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of the first of these figures, as shares of the frame."""
    stage, rng = Stage(*size), np.random.default_rng(5)
    script = replace(read_script(""), framing=framing)
    with ThreadPoolExecutor(1) as pool:
        light = light_of(Hour.DAY, Weather.CLEAR, rng, palette=0)
        setting = Setting(stage, light, script, 0.5, rng, 0.5 * stage.tall, pool)
        actor = CAST[name]
        setting.slot(actor.realm, depth=STANDARD_DEPTH, foot=lambda _x: 0.6 * stage.tall)
        slot = setting.slots[actor.realm]
        (_, elements), *_ = _figures(setting, Subject(name), actor, slot, middle=0.9, near=math.inf, dye=None)
    plates = [plate for book in elements if isinstance(book, Flipbook) for plate in book.plates] or [
        element for element in elements[-1:] if isinstance(element, Plate)
    ]
    # An animation's frames differ: the figure is where all of them together are.
    left, top = min(plate.left for plate in plates), min(plate.top for plate in plates)
    right = max(plate.left + plate.width for plate in plates)
    bottom = max(plate.top + plate.height for plate in plates)
    return (left / size[0], top / size[1], right / size[0], bottom / size[1])


@pytest.mark.parametrize("size", SHAPES)
@pytest.mark.parametrize("name", sorted(CAST))
def test_a_close_shot_shows_its_subject_large_and_whole(name: str, size: tuple[int, int]) -> None:
    wide, *near = (seen_of(name, framing, size) for framing in Framing)
    sizes = [max(right - left, bottom - top) for left, top, right, bottom in (wide, *near)]
    assert all(larger > smaller - 0.02 for smaller, larger in pairwise(sizes))  # by a pixel
    assert sizes[2] > 0.3
    for left, top, right, _ in near:
        assert top > -0.02 or top >= wide[1]
        assert right - left > 0.9 or (left > -0.05 and right < 1.05)


@pytest.mark.parametrize("words", ["A man and a dog", "A dog meets a man"])
def test_subjects_of_a_close_shot_keep_their_proportions(words: str) -> None:
    def heights(size: str) -> dict[str, int]:
        """Of the figures, in pixels."""
        stage, rng = Stage(320, 180), np.random.default_rng(5)
        script = replace(read_script(f"{size}: {words}."), still=True)
        with ThreadPoolExecutor(1) as pool:
            light = light_of(Hour.DAY, Weather.CLEAR, rng, palette=0)
            setting = Setting(stage, light, script, 0.0, rng, 0.5 * stage.tall, pool)
            setting.slot(Realm.GROUND, depth=STANDARD_DEPTH, foot=lambda _x: 0.9 * stage.tall)
            elements = [element for element in put_subjects(setting) if isinstance(element, Plate)]
        figures = [plate.height for plate in elements if plate.height > 20]  # and no shadow
        assert len(figures) == 2
        return dict(zip(("far", "near"), sorted(figures), strict=True))

    wide, close = heights("Wide shot"), heights("Close-up")
    assert close["near"] > 1.5 * wide["near"]
    assert close["far"] / close["near"] == pytest.approx(wide["far"] / wide["near"], abs=0.08)


@pytest.mark.parametrize("seed", range(30))
def test_no_bank_of_clouds_is_looked_for_below_the_canvas(seed: int) -> None:
    words = "A plane in the sky above clouds."
    assert frame_of(replace(BASE, description=words, width=96, height=96, seed=seed)).std() > 5


def test_a_frame_without_its_caption_is_as_if_none_had_been_asked_for() -> None:
    words, setting = "Wide shot: A girl waits. Behind her, a cyberpunk noir city", "a cyberpunk noir city"
    plain = replace(BASE, description=words, setting=setting)
    told = replace(plain, caption=Caption(shot_number=1, num_shots=2))
    scene, path = direct(told)
    bare = without_caption(scene, told, painted=True)
    np.testing.assert_array_equal(bare.frame(path.pose(0.5), 1.0), frame_of(plain))


def test_no_drawing_of_a_figure_is_larger_than_memory_has_room_for() -> None:
    picture = _picture_at(Stage(3840, 2160, detail=1.2), 0.0, 0.0, 3.0, 1.2)
    assert picture._image.width * picture._image.height < 1.01 * _MOST_PIXELS
    assert _picture_at(Stage(1024, 576), 0.0, 0.0, 0.5, 0.5)._sharpness == 3


@pytest.mark.parametrize("words", ["a fox in the forest", "stormy sea with a ship", "a city street, rain"])
@pytest.mark.parametrize("camera", [Camera.TRUCK_LEFT, Camera.DOLLY_IN])
def test_the_same_shoot_gives_the_same_frames(words: str, camera: Camera) -> None:
    shoot = replace(BASE, description=words, camera=camera)
    first, second = (direct(shoot) for _ in range(2))
    for progress in (0.0, 0.4, 1.0):
        one, two = (scene.frame(path.pose(progress), progress * 4) for scene, path in (first, second))
        np.testing.assert_array_equal(one, two)
    # Nor does it matter which frames were drawn before, or in what order.
    again = first[0].frame(first[1].pose(0.4), 1.6)
    np.testing.assert_array_equal(again, second[0].frame(second[1].pose(0.4), 1.6))


def test_seeds_and_words_vary_the_composition() -> None:
    shots = [replace(BASE, description="a forest at dawn", seed=seed) for seed in (1, 2, 3)]
    shots.append(replace(BASE, description="a quiet forest at dawn", seed=1))
    frames = [frame_of(shoot).astype(float) for shoot in shots]
    for i, first in enumerate(frames):
        for second in frames[:i]:
            assert np.abs(first - second).mean() > 8


def test_energy_0_stands_still_and_energy_1_does_not() -> None:
    for words in ("a meadow with a horse, clear noon", "the sea at noon, clear", "a lake at night, clear"):
        for energy, still in ((0.0, True), (1.0, False)):
            scene, path = direct(replace(BASE, description=words, energy=energy))
            early, late = (scene.frame(path.pose(0.5), seconds).astype(int) for seconds in (0.5, 1.5))
            moved = np.abs(early - late).max(axis=2)
            if still:
                assert moved.max() == 0, words
            else:
                assert (moved > 12).mean() > 0.005, words


def test_rain_falls_even_at_energy_0() -> None:
    scene, path = direct(replace(BASE, description="a forest in the rain", energy=0.0))
    early, late = (scene.frame(path.pose(0.5), seconds).astype(int) for seconds in (0.5, 0.7))
    assert (np.abs(early - late).max(axis=2) > 8).mean() > 0.01


def test_lightning_flashes_and_passes() -> None:
    scene, path = direct(replace(BASE, description="a storm over the mountains", energy=1.0))
    levels = [scene.frame(path.pose(0.5), i / 12).mean() for i in range(48)]
    assert max(levels) > np.median(levels) + 10


SIDEWAYS, STANDING = (160, 90), (90, 160)
MOVES = (Camera.TRUCK_LEFT, Camera.PEDESTAL_UP, Camera.PEDESTAL_DOWN, Camera.ORBIT_LEFT, Camera.DOLLY_OUT)
EDGES = [
    *((words, camera, SIDEWAYS) for camera in Camera for words in ("sea", "living room")),
    *((words, camera, STANDING) for camera in MOVES for words in ("living room", "lake")),
    *((words, camera, SIDEWAYS) for camera in MOVES for words in ("forest", "city street", "road", "cave")),
]


@pytest.mark.parametrize(("words", "camera", "size"), EDGES)
def test_no_edge_shows_at_any_place_of_any_move(words: str, camera: Camera, size: tuple[int, int]) -> None:
    shoot = replace(BASE, description=words, camera=camera, width=size[0], height=size[1])
    scene, path = direct(shoot)
    for progress in (0.0, 0.25, 0.5, 0.75, 1.0):
        pose = path.pose(progress)
        for seconds in (0.0, 1.7, 3.9):
            canvas = scene._compose(pose, seconds)
            assert canvas.getchannel("a").getextrema()[0] == 255, "the canvas shows through"
            density = scene.stage.unit if pose.forward else scene.stage.density
            view = View(scene.stage, pose, seconds, density, scene.focus)
            for plate in scene.elements:
                if isinstance(plate, Plate) and plate.solid_from < NEVER:
                    scale, x, y = plate._placed(view)
                    width = plate.width
                    assert x <= 0.13
                    assert x + width * scale >= canvas.width - 0.13
                    assert y + plate.height * scale >= canvas.height - 0.13


@pytest.mark.parametrize("place", list(Place))
def test_nothing_stands_nearer_than_the_overscan_allows(place: Place) -> None:
    scene, _ = direct(replace(BASE, description=words_for(place)))
    depths = [depth for element in scene.elements if (depth := getattr(element, "depth", math.inf))]
    assert min(depths) >= NEAREST


@pytest.mark.parametrize("camera", [Camera.TRUCK_RIGHT, Camera.DOLLY_IN, Camera.PEDESTAL_UP])
@pytest.mark.parametrize("words", ["forest", "sea", "lake", "room"])
def test_leaving_out_what_is_hidden_changes_nothing(
    camera: Camera, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene, path = direct(replace(BASE, description=words, camera=camera))
    quick = scene.frame(path.pose(0.8), 1.3)
    monkeypatch.setattr(Scene, "_hidden", lambda self, _view, height: [height] * len(self.elements))
    whole = scene.frame(path.pose(0.8), 1.3)
    assert np.abs(quick.astype(int) - whole.astype(int)).max() <= 3  # alpha is rounded at an edge


@pytest.mark.parametrize("size", [(64, 64), (64, 128), (130, 66), (96, 256), (640, 64)])
@pytest.mark.parametrize("words", ["forest", "city street", "bedroom"])
def test_every_size_is_painted(size: tuple[int, int], words: str) -> None:
    shoot = replace(BASE, description=words, width=size[0], height=size[1], camera=Camera.ORBIT_LEFT)
    frame = frame_of(shoot)
    assert frame.shape == (size[1], size[0], 3)
    assert frame.std() > 5


@pytest.mark.parametrize("style", ["film noir", "vintage sepia", "black and white"])
def test_a_style_without_colour_has_no_colour_but_its_own(style: str) -> None:
    frame = frame_of(replace(BASE, description="a meadow with flowers at noon", style=style)).astype(int)
    chroma = (frame.max(axis=2) - frame.min(axis=2)).mean()
    if "noir" in style or "white" in style:
        assert chroma < 4
    else:
        assert frame[..., 0].mean() > frame[..., 2].mean() + 8


@pytest.mark.parametrize(
    "style", ["watercolour", "pastel", "pencil sketch", "neon cyberpunk", "vivid", "muted"]
)
def test_every_style_changes_the_picture(style: str) -> None:
    scene, path = direct(replace(BASE, description="a village at noon", style=style))
    from localvid.pipelines.animatic.finish import grade_of
    from localvid.pipelines.animatic.script import read_script

    ramp = np.random.default_rng(5).random((100, 3), dtype=np.float32)
    graded = grade_of(read_script("", style).styles)(ramp)
    assert np.abs(graded - ramp).max() > 0.03
    assert graded.min() >= -1e-6
    assert graded.max() <= 1 + 1e-6
    assert scene.frame(path.pose(0.0), 0.0).std() > 5
