"""What the animatic understands of words."""

from __future__ import annotations

import pytest

from localvid.pipelines.animatic.figures.cast import CAST
from localvid.pipelines.animatic.places import RECIPES
from localvid.pipelines.animatic.scenery.light import Hour, Weather
from localvid.pipelines.animatic.scenery.plants import Season
from localvid.pipelines.animatic.script import _HOMES, Framing, Place, Subject, read_script
from localvid.pipelines.animatic.vocabulary import (
    HOURS,
    PLACES,
    SEASONS,
    STYLES,
    SUBJECTS,
    WEATHERS,
)


@pytest.mark.parametrize(
    ("words", "place"),
    [
        ("A peaceful forest at dawn", Place.FOREST),
        ("Waves roll over the open ocean", Place.SEA),
        ("The city skyline glitters", Place.CITY),
        ("Deep space, far from any star", Place.SPACE),
        ("High mountain peaks", Place.MOUNTAINS),
        ("Endless dunes of the Sahara", Place.DESERT),
        ("A cosy living room", Place.ROOM),
        ("a road through the desert", Place.DESERT),
        ("snow on the mountains", Place.MOUNTAINS),
        ("An astronaut walks on the moon", Place.MOON),
        ("the ocean floor", Place.UNDERWATER),
        ("Ein stiller Wald am Morgen", Place.FOREST),
        ("Une ville sous la pluie", Place.CITY),
        ("El desierto de noche", Place.DESERT),
        ("Il mare al tramonto", Place.SEA),
        ("Uma floresta tranquila", Place.FOREST),
    ],
)
def test_places(words: str, place: Place) -> None:
    assert read_script(words).place is place


@pytest.mark.parametrize(
    ("words", "place"),
    [
        ("a whale", Place.UNDERWATER),
        ("a sailboat", Place.SEA),
        ("a camel", Place.DESERT),
        ("a rocket", Place.SPACE),
    ],
)
def test_a_subject_brings_the_place_where_it_is_at_home(words: str, place: Place) -> None:
    assert read_script(words).place is place


@pytest.mark.parametrize(
    ("words", "hour", "weather", "season"),
    [
        ("at dawn in thick fog", Hour.DAWN, Weather.FOG, None),
        ("a thunderstorm at midnight", Hour.NIGHT, Weather.STORM, None),
        ("Schneefall an einem Wintermorgen, Winter, Morgen", Hour.MORNING, Weather.SNOW, Season.WINTER),
        ("autumn evening, rainy", Hour.SUNSET, Weather.RAIN, Season.AUTUMN),
        ("snow is falling", None, Weather.SNOW, Season.WINTER),
        ("no rain, a sunny day", Hour.DAY, Weather.CLEAR, None),
        ("crépuscule brumeux, brume", Hour.DUSK, Weather.FOG, None),
    ],
)
def test_hour_weather_and_season(
    words: str, hour: Hour | None, weather: Weather | None, season: Season | None
) -> None:
    script = read_script(words)
    assert (script.hour, script.weather, script.season) == (hour, weather, season)


@pytest.mark.parametrize(
    ("words", "setting", "place", "hour", "weather"),
    [
        ("The lighthouse", "in a storm", Place.SEA, None, Weather.STORM),
        ("The dog runs", "along a river at dusk", Place.RIVER, Hour.DUSK, None),
        ("Rain", "over a neon city", Place.CITY, Hour.NIGHT, Weather.RAIN),
        ("The fox", "on a hill, in thick fog", Place.FIELDS, None, Weather.FOG),
        ("He walks", "pine forest, on a snow-covered slope", Place.FOREST, None, None),
        # What the shot is about holds, but for words that yield to any other.
        ("A beach at noon", "in a forest at night", Place.BEACH, Hour.DAY, None),
        ("Behind it, a long hall", "on a mountain", Place.MOUNTAINS, None, None),
        ("A golden retriever by the sea", "a village at noon", Place.SEA, Hour.DAY, None),
        ("A woman with clear eyes", "a forest in heavy fog", Place.FOREST, None, Weather.FOG),
        (
            "The lantern glows",
            "a lighthouse on a cliff, storm at night",
            Place.SEA,
            Hour.NIGHT,
            Weather.STORM,
        ),
        ("A dog rests", "a camel caravan at noon", Place.DESERT, Hour.DAY, None),
        ("The camera flies over a city after dark", "", Place.CITY, Hour.NIGHT, None),
        (
            "A hiker on Mt. Fuji at sunrise in the snow",
            "a city at night",
            Place.CITY,
            Hour.DAWN,
            Weather.SNOW,
        ),
        # So does the setting beside what else is told.
        ("An astronaut walks. Behind it all, an alien world at noon", "on Mars", Place.MARS, Hour.DAY, None),
        ("The dog. It snows at dusk", "a beach at noon, in rain", Place.BEACH, Hour.DAY, Weather.RAIN),
        ("The train. Behind it, snow-covered hills", "in the mountains", Place.MOUNTAINS, None, None),
        ("The castle. Behind it, a library", "", Place.MOUNTAINS, None, None),
        ("The castle. A bright edge, a dark mist, glowing lamps", "", Place.MOUNTAINS, None, None),
        # Which is read where nothing else is said.
        ("The sea lies still. Rain falls on a ship at night", "", Place.SEA, Hour.NIGHT, Weather.RAIN),
        ("A thing. Waves roll over the ocean", "", Place.SEA, None, None),
        ("A fox runs. It is golden hour. A road winds along", "", Place.FOREST, Hour.SUNSET, None),
        # A word that is another's, too.
        ("A road winds through a desert", "", Place.DESERT, None, None),
        ("Strong winds through a desert", "", Place.DESERT, None, Weather.WIND),
        ("A brown mare at the edge of a forest", "", Place.FOREST, None, None),
        ("Una barca sul mare", "", Place.SEA, None, None),
    ],
)
def test_what_a_shot_leaves_open_is_taken_from_the_film(
    words: str, setting: str, place: Place, hour: Hour | None, weather: Weather | None
) -> None:
    script = read_script(words, setting=setting)
    assert (script.place, script.hour, script.weather) == (place, hour, weather)


@pytest.mark.parametrize(
    "style",
    [
        "wood engraving, street photography",
        "in the style of a Japanese wood block print",
        "magical realism, glowing colours, northern renaissance",
        "a girl with golden hair, soft haze",
    ],
)
def test_a_style_tells_no_place_and_no_weather(style: str) -> None:
    script = read_script("A ship", style)
    assert (script.place, script.hour, script.weather, script.extras) == (Place.SEA, None, None, frozenset())
    assert read_script("A ship", f"{style}, deep night colours").hour is Hour.NIGHT


def test_the_setting_changes_a_place_and_not_how_much_of_it_is_seen() -> None:
    script = read_script("The wolf howls", setting="under an aurora, a wide valley")
    assert script.extras == {"aurora"}
    assert script.hour is Hour.NIGHT
    assert "wide" in read_script("a wide valley").extras


def test_details_turn_no_forest_into_a_road_and_no_day_into_a_night() -> None:
    script = read_script("The deer stands. Far away a road, enchanted lamps", setting="a forest at dawn")
    assert script.extras == frozenset()
    assert read_script("A meadow at night. Fireflies rise").extras == {"fireflies"}


@pytest.mark.parametrize(
    ("words", "framing"),
    [
        ("Wide shot: A dog", Framing.WIDE),
        ("A dog", Framing.WIDE),
        ("Medium shot: A dog", Framing.MEDIUM),
        ("Close-up: A dog", Framing.CLOSE),
        ("Extreme close-up: A dog", Framing.DETAIL),
        ("Close-up. A dog", Framing.CLOSE),
        ("Closeup of a dog", Framing.CLOSE),
        ("The shop closes up early", Framing.WIDE),
    ],
)
def test_the_size_of_a_shot(words: str, framing: Framing) -> None:
    assert read_script(words).framing is framing


def test_subjects_come_in_order_with_number_and_colour() -> None:
    script = read_script("Two white horses and a girl in a red coat watch a lighthouse and a train")
    assert script.subjects == (
        Subject("horse", 2, "#f4f2ee"),
        Subject("girl", 1, "#c23b34"),
        Subject("lighthouse", 1),
    )
    assert script.still


@pytest.mark.parametrize(
    ("words", "subjects"),
    [
        ("Wide shot: Anna walks through the rain.", ["person"]),
        ("Close-up: Anna.", ["person"]),
        ("High-angle shot: Anna from above in the rain", ["person"]),
        ("Alice follows a rabbit", ["person", "rabbit"]),
        ("Mrs. Jones and Dr. Smith sit", ["woman", "person"]),
        ("Close-up: Rain.", []),
        ("Wide shot: The forest at dawn.", []),
        ("Fox walks", ["fox"]),
        ("Ein Ding", []),
        ("Nothing stands there", []),
    ],
)
def test_names_are_somebodys(words: str, subjects: list[str]) -> None:
    assert [subject.name for subject in read_script(words).subjects] == subjects


def test_what_is_told_of_later_stands_aside() -> None:
    dog, cat = read_script("Close-up: A dog sleeps. Beside the dog, a cat.").subjects
    assert (dog.name, dog.aside) == ("dog", False)
    assert (cat.name, cat.aside) == ("cat", True)
    for words in (
        "Close-up. A dog sleeps.",
        "Close-up: St. Bernard dog.",
        "… The dog",
        "... A dog. It is old.",
    ):
        (dog,) = read_script(words).subjects
        assert not dog.aside


def test_the_same_again_are_no_more() -> None:
    (children,) = read_script("Two children play. In front of the children, a wall.").subjects
    assert children.count == 2
    (wolves,) = read_script("A wolf howls. Wolves gather.").subjects
    assert wolves.count > 1


def test_plurals_mean_several() -> None:
    counts = {
        subject.name: subject.count for subject in read_script("birds over three boats and a fox").subjects
    }
    assert counts == {"bird": 5, "boat": 3, "fox": 1}


def test_the_style_gives_styles_and_not_subjects() -> None:
    script = read_script("a forest", "film noir, watercolour, like an old dog's dream")
    assert script.styles >= {"noir", "watercolour"}
    assert script.subjects == ()


@pytest.mark.parametrize("words", ["", "xyzzy plugh", "寂静的森林", "غابة", "🙂🙂", "a " * 400])
def test_any_text_gives_a_script(words: str) -> None:
    script = read_script(words)
    assert script.place is None
    assert script.subjects == ()


def test_every_word_means_something_that_exists() -> None:
    assert {Place(place) for place in PLACES.values()} == set(Place)
    assert {Hour(hour) for hour in HOURS.values()} == set(Hour)
    assert {Weather(weather) for weather in WEATHERS.values()} == set(Weather)
    assert {Season(season) for season in SEASONS.values()} == set(Season)
    assert set(SUBJECTS.values()) | {"goose"} == set(CAST)
    assert set(_HOMES) <= set(CAST)
    assert set(RECIPES) == set(Place)
    assert STYLES["noir"] == "noir"


@pytest.mark.parametrize(
    ("words", "weather"),
    [("calm after the storm", None), ("before the rain", None), ("the storm", Weather.STORM)],
)
def test_what_is_over_or_yet_to_come_is_not_now(words: str, weather: Weather | None) -> None:
    assert read_script(words).weather is weather


def test_the_old_are_old() -> None:
    assert [subject.name for subject in read_script("an old man and a woman").subjects] == ["old", "woman"]
