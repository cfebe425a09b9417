"""Words that the writers know: times of day, people, movement, what a camera cannot see, and the details
of common scenes. English; other languages pass through untouched. This module holds words and no logic
beyond looking them up.
"""

from __future__ import annotations

import re


def word_set(text: str) -> frozenset[str]:
    """The words of a text that lists them."""
    return frozenset(text.split())


TIMES: dict[str, frozenset[str]] = {
    "dawn": word_set("dawn sunrise daybreak morning"),
    "day": word_set("noon midday afternoon daylight daytime sunny"),
    "dusk": word_set("dusk sunset twilight evening"),
    "night": word_set("night midnight moonlit moonlight nighttime starry candlelight"),
}
"""Time of day → the words of a prompt that say it."""

CONTRADICTIONS: dict[str, frozenset[str]] = {
    "dawn": word_set("night midnight moon moonlit moonlight stars starry sunset"),
    "day": frozenset(
        {"night", "midnight", "moon", "moonlit", "moonlight", "stars", "starry", "sunset", "dawn"}
    ),
    "dusk": frozenset(
        {"midnight", "moon", "moonlit", "moonlight", "stars", "noon", "sunrise", "dawn", "sunny"}
    ),
    "night": frozenset(
        {"sun", "suns", "sunlight", "sunny", "sunrise", "sunbeams", "daylight", "noon", "dawn"}
    ),
}
"""Time of day → words that a shot at that time must not say."""

OVERCAST = word_set(
    """
    storm storms stormy thunderstorm thunder tempest hurricane tornado blizzard snowstorm rain rainy raining
    rains rainstorm downpour drizzle fog foggy
    """
)
"""Weather under which the sky is hidden."""

WEATHER = OVERCAST | word_set("mist haze smog snow snowfall sleet hail wind breeze gale")
"""What a place is not yet told by: "in the rain"."""

CLEAR_SKY = word_set(
    "stars starry starlight starlit moon moonlight sun suns sunlight sunny sunshine cloudless"
)
"""What is not seen in it."""

NIGHTLY = word_set("moon stars starlight dark darkness fireflies fireworks")
"""What lets one guess that it is night, though it names no time."""

LIGHT: dict[str, str] = {
    "dawn": "the first light",
    "day": "clear daylight",
    "dusk": "warm low light",
    "night": "deep night colours",
}

CALM = word_set(
    """
    peaceful quiet calm still serene silent sleeping sleep gentle slow lonely tranquil misty meditation
    resting library candlelight frozen lullaby soft empty
    """
)
WILD = word_set(
    """
    storm stormy race racing speeding explosion exploding erupting eruption chase chasing battle fight
    fighting war hurricane tornado avalanche crash crashing riot thunder lightning gallop galloping
    dragon fire burning sprint rocket launch launching attack roaring wildfire concert rave
    """
)
LIVELY = word_set(
    """
    rain rainy wind windy walking walks running runs riding rides dancing dance flying flies swimming
    swims market busy crowd crowded festival wedding match play playing children traffic neon waves
    river waterfall snowing driving drives circling city street parade
    """
)

TRAVELLING = word_set(
    """
    walking walks runs running riding rides driving drives speeding racing sailing sails flying flies
    galloping swimming swims marching train car bus bicycle cyclist procession parade chase
    """
)
TOWERING = word_set(
    """
    mountain mountains tower towers skyscraper skyscrapers cathedral castle volcano lighthouse giant
    tree trees cliff cliffs waterfall rocket statue temple
    """
)

PEOPLE = word_set(
    """
    man woman men women boy girl child children kid kids people person figure figures couple couples
    crowd crowds someone family father mother grandmother grandfather husband wife friend friends lover
    lovers stranger king queen soldier soldiers he she him her his hers they them their himself herself
    """
)
"""Who should not walk into a scene that mentions nobody."""

PERSONS = PEOPLE - word_set(
    "he she him her his hers they them their himself herself people crowd crowds person"
)
"""Of them, those who should not walk into a scene that mentions somebody else."""

SKY = word_set("sky sun moon stars clouds cloud sunset sunrise aurora lightning")
"""What does not lie below."""

CREATURES = word_set(
    """
    creature creatures beast monster animal animals wolf wolves fox foxes lion lions tiger jaguar bear bears
    horse horses dog dogs cat cats hawk eagle eagles owl raven dragon dragons deer snake snakes monkey
    elephant whale sailboat spaceship
    """
)
"""What a small model lets loose in any scene."""

_SOMEBODY = word_set(
    """
    astronaut knight samurai dancer dancers wedding bride groom match race market street city crowd
    festival concert battle war party parade team band orchestra pirate wizard witch chef cook baker
    farmer sailor fisherman monk artist painter driver player players worker workers love portrait
    blacksmith detective robot school student teacher doctor nurse hero heroine prince princess ninja
    cowboy explorer
    """
)

UNSEEN = word_set(
    """
    sound sounds scent smell smells aroma fragrance whisper hum music taste history symbol testament
    invented echo echoes echoing clang voice voices heard word seem seems appear appears memory memories
    dream dreams reminder story tale known called means represents future past journey soul secret
    secrets mystery essence power pride sense feeling feelings hope hear hears heard roar roars melody song
    laughter joy sorrow sadness melancholy emotion emotions curiosity fear determination moment moments beauty
    luxury life lives world thousand thousands century centuries poem solitude compared performance strangers
    warning danger peace love loss age ages promise spirit spirits magic
    """
)
"""What no picture shows."""

PAST = word_set(
    "was were had been became used would could once looked sat stood came went said made gave took"
)
"""Signs that a sentence tells rather than shows."""

META = word_set(
    """
    canvas camera frame scene film movie shot shots viewer viewers screen prompt storyboard story image photo
    picture you your yours we our us i my me seen visible shown sight instructions system text describe
    description director
    """
)
"""Words about the film rather than in it, and words that address somebody."""

STOPWORDS = word_set(
    """
    a an the and or but of in on at to from by with for as into onto over under through between behind
    above below is are was were be been being it its this that these those there here very some any one
    two then than so not no up down out off again while when where who which what how all each both
    """
)

FIRST_PERSON = re.compile(r"\b(I|I'm|I'll)\b")

_FOREIGN = word_set(
    """
    un une le les des du au aux et dans sur avec sous der die das und ein eine einer im am auf mit dem
    den el los las del en con una y por il lo gli di della nel um uma da na het een van op met och ett
    det som na w z
    """
)
"""Small words of French, German, Spanish, Italian, Portuguese, Dutch, Swedish and Polish."""

TOPICS: dict[str, frozenset[str]] = {
    "forest": word_set("forest woods wood jungle trees tree pines grove rainforest"),
    "sea": word_set(
        """
        sea ocean beach waves wave coast shore island harbour harbor ship ships boat boats sail sails
        sailing vessel tide
        """
    ),
    "underwater": word_set("underwater reef coral undersea submarine seabed"),
    "city": word_set("city street town skyline downtown tokyo london paris skyscraper neon alley cyberpunk"),
    "space": word_set("space planet mars moon galaxy stars astronaut spaceship orbit nebula cosmos alien"),
    "mountains": word_set("mountain mountains peak peaks alps valley cliff canyon hill hills volcano"),
    "desert": word_set("desert dunes dune sahara sand oasis"),
    "room": word_set(
        """
        room kitchen library attic house office cabin bedroom window windowsill indoors hall cafe
        workshop forge restaurant bar museum
        """
    ),
    "storm": word_set("storm thunder lightning hurricane tornado rain rainy stormy"),
    "snow": word_set("snow snowy winter ice icy frozen blizzard arctic glacier"),
    "river": word_set("river lake stream waterfall pond creek"),
    "meadow": word_set("meadow garden field fields flowers flower grass farm spring park orchard"),
    "night": word_set("night midnight moonlight starry moonlit"),
}
"""Kind of place → the words of a prompt that name it."""

DETAILS: dict[str, dict[str, str]] = {
    "forest": {
        "wide": "Tall trunks stand row behind row, and a thin haze lies between them.",
        "full": "A narrow path leads between ferns and fallen branches.",
        "medium": "Light falls through the branches onto moss and old leaves.",
        "close": "A drop of water hangs from the tip of a fern.",
        "low": "The trunks rise side by side towards the crowns.",
        "high": "The treetops form an unbroken carpet as far as the horizon.",
        "detail": "Tiny veins run through a single leaf that trembles.",
    },
    "sea": {
        "wide": "The water reaches to the horizon under a broad sky.",
        "full": "Water and sky meet, and everything rocks gently.",
        "medium": "Waves roll in one behind the other, each with a bright edge.",
        "close": "Foam breaks into droplets and slides back over wet stones.",
        "low": "A wave rises and its crest catches the light.",
        "high": "Lines of foam draw slow curves across the dark water.",
        "detail": "Bubbles shine and burst in a film of water.",
    },
    "underwater": {
        "wide": "Rays of light reach down into the blue.",
        "full": "A whole garden of corals climbs a slope into the blue.",
        "medium": "Small fish turn all at once between the corals.",
        "close": "Soft tentacles of an anemone sway in the current.",
        "low": "The bright surface ripples far above.",
        "high": "Pale sand and dark rock form patterns on the sea floor.",
        "detail": "Silver bubbles climb past a coral branch.",
    },
    "city": {
        "wide": "Buildings stand close together, and hundreds of windows shine.",
        "full": "A street corner lies in coloured light, and cars slide past.",
        "medium": "Traffic and passers-by move between the shop fronts.",
        "close": "Lights are mirrored in a wet kerbstone.",
        "low": "The facades lean together towards a strip of sky.",
        "high": "The streets form a grid of moving lights.",
        "detail": "A sign flickers behind drops on a pane of glass.",
    },
    "space": {
        "wide": "Countless stars surround a great curved horizon.",
        "full": "The surface curves away towards a thin bright rim.",
        "medium": "Cold light falls from one side and leaves the other in black shadow.",
        "close": "Fine dust drifts past a scratched metal edge.",
        "low": "A bright disc hangs overhead among the stars.",
        "high": "Craters and ridges cast long sharp shadows.",
        "detail": "A tiny sun is mirrored in curved glass.",
    },
    "mountains": {
        "wide": "Ridge stands behind ridge, each paler than the one before.",
        "full": "A rocky slope falls away on both sides under moving clouds.",
        "medium": "Cloud shadows glide across the slopes.",
        "close": "Wind bends the grass between grey stones.",
        "low": "The peak rises steeply into the sky.",
        "high": "The valley winds far below between its walls.",
        "detail": "Lichen draws a small map on bare rock.",
    },
    "desert": {
        "wide": "Dunes follow one another to a shimmering horizon.",
        "full": "A line of footprints leads over the nearest dune.",
        "medium": "Wind carries a veil of sand over the crest of a dune.",
        "close": "Ripples in the sand shift grain by grain.",
        "low": "A dune stands like a wall against the sky.",
        "high": "Long shadows divide the dunes into light and dark.",
        "detail": "Single grains of sand glitter and roll.",
    },
    "room": {
        "wide": "Light from one side fills the room and leaves the corners dim.",
        "full": "Furniture stands around a patch of light on the floor.",
        "medium": "Worn wooden things stand where someone left them.",
        "close": "Dust floats through a narrow ray of light.",
        "low": "The ceiling beams run away into shadow.",
        "high": "The floorboards lead across the room to the window.",
        "detail": "The grain of the wood shines where hands have touched it.",
    },
    "storm": {
        "wide": "Heavy clouds roll across the whole sky.",
        "full": "Everything bends before the wind, and loose things fly.",
        "medium": "Gusts drive the rain sideways.",
        "close": "Drops burst on a dark surface and leap up again.",
        "low": "The clouds tower up and flash from within.",
        "high": "Curtains of rain sweep across the land.",
        "detail": "Water runs in crooked threads down a pane.",
    },
    "snow": {
        "wide": "A white cover smooths every shape to the horizon.",
        "full": "Deep drifts lie against dark shapes, smooth as cloth.",
        "medium": "Flakes fall slowly and settle on the branches.",
        "close": "Frost grows in fine needles along an edge.",
        "low": "Snowflakes come down out of a pale sky.",
        "high": "A single track crosses the untouched white.",
        "detail": "A snow crystal melts at its six points.",
    },
    "river": {
        "wide": "The water lies like a mirror between its banks.",
        "full": "The banks lean over the water and see themselves in it.",
        "medium": "The current bends around stones and draws bright lines.",
        "close": "Rings spread where a drop has fallen.",
        "low": "Reeds stand tall against the sky.",
        "high": "The water winds through the land in wide bends.",
        "detail": "Pebbles shimmer under a hand's breadth of clear water.",
    },
    "meadow": {
        "wide": "Grass and flowers move in long waves.",
        "full": "A path of trodden grass leads through the blossoms.",
        "medium": "Blossoms nod on thin stems in the breeze.",
        "close": "A bee climbs over the petals of a flower.",
        "low": "Stalks of grass rise against the open sky.",
        "high": "Colours lie side by side like patches of cloth.",
        "detail": "Pollen clings to the fine hairs of a petal.",
    },
    "night": {
        "wide": "Dark shapes stand out against a deep blue sky.",
        "full": "Light and shadow share the ground in long stripes.",
        "medium": "A pale light outlines every edge.",
        "close": "A small lamp glows in the dark.",
        "low": "Stars fill the sky from edge to edge.",
        "high": "Scattered lights lie in the darkness.",
        "detail": "A spark glows, fades and glows again.",
    },
}
"""Kind of place → what may be seen there in a shot of each size."""

GENERIC_DETAILS: dict[str, str] = {
    "wide": "The ground lies open around it, and the light falls from one side.",
    "full": "Its whole outline stands clear against the ground behind.",
    "medium": "Light from one side draws a bright edge along it.",
    "close": "Fine lines and textures stand out in soft light.",
    "low": "It stands tall against the light above.",
    "high": "Its shadow draws a long shape on the ground.",
    "detail": "One small thing is sharp, all else melts into soft colours.",
}


def words_of(text: str) -> list[str]:
    """Lower-case words in any script; an apostrophe ends a word, so that "fox's" counts as "fox"."""
    return [word for word in re.findall(r"[^\W_]+", text.lower().replace("\u2019", "'")) if word != "s"]


def time_of_day(text: str) -> str | None:
    """The time of day that the text names: "dawn", "day", "dusk" or "night"."""
    words = set(words_of(text))
    return next((time for time, names in TIMES.items() if words & names), None)


def mentions_somebody(text: str) -> bool:
    return bool(set(words_of(text)) & (PEOPLE | _SOMEBODY))


def topics_of(text: str) -> list[str]:
    """The kinds of place that the text names, in the order of their first mention."""
    words = words_of(text)
    found = [next((topic for topic, names in TOPICS.items() if word in names), None) for word in words]
    topics = list(dict.fromkeys(topic for topic in found if topic is not None))
    if "underwater" in topics and "sea" in topics:
        topics.remove("sea")  # its details lie above the water
    return topics


def is_english(text: str) -> bool:
    """Whether English words may stand beside it: Latin letters, and at most as many foreign small words."""
    letters = [char for char in text if char.isalpha()]
    words = words_of(text)
    foreign = sum(word in _FOREIGN for word in words)
    return sum(char.isascii() for char in letters) > len(letters) // 2 and foreign <= sum(
        word in STOPWORDS for word in words
    )
