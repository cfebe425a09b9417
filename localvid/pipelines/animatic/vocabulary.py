"""Words and what they mean to the animatic: English first, then common nouns of other European languages.

Keys are in lower case and without accents; English plurals in -s and -es are found by `meaning`.
"""

from __future__ import annotations


def _table(**rows: str) -> dict[str, str]:
    """`meaning="word word two_words"` turned round; an underscore joins a phrase of two words."""
    return {word.replace("_", " "): key for key, words in rows.items() for word in words.split()}


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


def meaning(word: str, table: dict[str, str]) -> str | None:
    """What a word means; a plural means what its singular does."""
    for form in (word, word.removesuffix("s"), word.removesuffix("es"), word.removesuffix("ies") + "y"):
        if len(form) > 2 and form in table:
            return table[form]
    return None


WEAK_PLACES = _set(
    "cliff cliffs branches path trail lane road window hill hills trees clouds sky street streets "
    "building buildings garden shore sand bed sofa desk books wave waves valley stream ice snow snowy "
    "flying airborne weg himmel ciel cielo wolken coast hall island hotel cafe restaurant"
)
"""Words for a place that yield to any other: "a road through the desert", "snow on the mountains"."""

LOOSE_WORDS = _set(
    "bright golden dark darkness moon stars starry day haze hazy mist misty wind windy breeze clear cloudy "
    "clouds"
)
"""Words for an hour or a weather that also tell of a thing: "golden hair", "a dark edge"."""


PLACES = _table(
    forest=(
        "forest trunk trunks branches foliage pines wood woods woodland jungle rainforest grove trees "
        "thicket wald forst baume foret bois "
        "bosque selva foresta bosco floresta skog metsa dschungel"
    ),
    mountains=(
        "mountain mountains peak peaks summit cliff cliffs alps ridge valley highland highlands volcano "
        "canyon berg berge gipfel montagne montagnes montana montanas monte montagna montanha gory hory "
        "gora"
    ),
    sea=(
        "sea ocean waves wave harbour harbor bay meer ozean mer mar oceano mare zee morze hafen coast "
        "coastline shoreline kuste cote costa"
    ),
    beach=(
        "beach shore seaside island tropical lagoon strand plage playa spiaggia praia insel ile isla isola"
    ),
    lake="lake pond reservoir lac lago jezioro jezero sjo loch fjord teich",
    river=(
        "river stream creek brook waterfall canal swamp fluss bach riviere fleuve rio fiume rzeka reka rivier"
    ),
    desert=(
        "desert sahara dune dunes sand oasis savanna savannah wuste wueste deserto desierto woestijn "
        "pustynia poust"
    ),
    city=(
        "city town downtown skyline street streets metropolis skyscraper skyscrapers skyscraper building "
        "buildings alley rooftop rooftops avenue boulevard subway tokyo york london paris urban stadt "
        "ville ciudad citta cidade stad miasto mesto strasse rue calle straat cyberpunk"
    ),
    village="village hamlet cottage farmhouse dorf pueblo villaggio aldeia dorp wies vesnice borgo",
    fields=(
        "field fields meadow meadows grassland pasture farm prairie hill hills countryside garden park "
        "vineyard plains wiese wiesen feld felder champ champs prairie campo campos prado prato collina "
        "weide pola louka hugel colline garten jardin giardino jardim"
    ),
    road=(
        "road highway route motorway path trail lane freeway autobahn landstrasse chemin camino carretera "
        "strada estrada weg droga cesta"
    ),
    snow=(
        "snow snowy arctic glacier antarctica tundra ice iceberg icebergs polar schnee neige nieve neve "
        "sneeuw snieg snih eis glace hielo"
    ),
    sky=(
        "sky clouds heaven above_clouds himmel wolken ciel nuages cielo nubes nuvole ceu lucht niebo "
        "flying airborne"
    ),
    space=(
        "space cosmos universe galaxy galaxies nebula star_field outer_space orbit asteroid asteroids "
        "weltraum weltall espace espacio spazio espaco ruimte kosmos vesmir starship interstellar"
    ),
    moon="lunar moonbase moon_surface crater craters",
    mars="mars martian",
    planet="alien_planet alien_world exoplanet alien_landscape",
    underwater=(
        "underwater undersea seabed reef coral corals deep_sea ocean_floor sea_floor unterwasser riff "
        "recif arrecife barriera submarine aquarium"
    ),
    cave="cave cavern grotto tunnel hohle grotte cueva caverna grotta gruta grot jaskinia jeskyne",
    room=(
        "room living_room interior indoors house_interior parlour parlor lounge hall cafe restaurant "
        "classroom salon hotel apartment fireplace sofa couch armchair zimmer wohnzimmer chambre "
        "habitacion stanza quarto kamer pokoj sala salotto window"
    ),
    bedroom="bedroom bed bedside schlafzimmer dormitorio",
    kitchen="kitchen cooking stove kuche cuisine cocina cucina cozinha keuken kuchnia kuchyne",
    library="library bookshelf bookshelves bookshop books study bibliothek bibliotheque biblioteca",
    office=(
        "office desk laboratory lab workshop studio computer buro bureau oficina ufficio escritorio kantoor"
    ),
)

HOURS = _table(
    dawn=(
        "dawn sunrise daybreak morgendammerung sonnenaufgang aube aurore amanecer alba amanhecer "
        "zonsopgang swit usvit"
    ),
    morning="morning breakfast morgen matin manana mattina manha ochtend rano",
    day=(
        "day noon midday daytime daylight afternoon sunny bright tag mittag jour midi dia mediodia giorno "
        "mezzogiorno dag dzien"
    ),
    sunset=(
        "sunset evening golden sundown sonnenuntergang abend coucher soir atardecer tramonto sera "
        "entardecer zonsondergang avond zachod vecer golden_hour"
    ),
    dusk=(
        "dusk twilight gloaming blue_hour dammerung crepuscule crepusculo crepuscolo schemering zmierzch "
        "soumrak"
    ),
    night=(
        "night midnight nighttime moonlit moonlight starlit starry stars moon dark darkness nocturnal "
        "nacht mitternacht nuit minuit noche medianoche notte noite noc"
    ),
)

WEATHERS = _table(
    storm=(
        "storm stormy thunder thunderstorm lightning tempest hurricane typhoon sturm gewitter blitz orage "
        "tempete tormenta tempesta tempestade onweer burza bourka"
    ),
    rain="rain rainy raining drizzle downpour regen pluie lluvia pioggia chuva deszcz dest",
    snow="snow snowing snowfall blizzard snowstorm snowflakes schneefall neige nieve nevicata neve nevando",
    fog="fog foggy mist misty haze hazy smog nebel brouillard brume niebla nebbia nevoa mist mgla mlha",
    cloudy="cloudy overcast clouds bewolkt nuageux nublado nuvoloso nublado",
    wind="wind windy breeze gale gust windig vent viento vento wiatr vitr",
    clear="clear cloudless sunny klar clair despejado sereno",
)

SEASONS = _table(
    spring="spring blossom blossoms cherry_blossom fruhling printemps primavera lente wiosna jaro cherry",
    summer="summer sommer ete verano estate verao zomer lato leto",
    autumn=(
        "autumn fall_leaves autumnal herbst automne otono autunno outono herfst jesien podzim fallen_leaves"
    ),
    winter=(
        "winter frost frozen icy snowy snow christmas hiver invierno inverno zima schnee neige nieve neve"
    ),
)

STYLES = _table(
    noir=("noir monochrome greyscale grayscale black_and_white bw blackandwhite schwarzweiss expressionist"),
    sepia=(
        "sepia vintage retro antique nostalgic 1920s 1930s 1950s 1960s 1970s super8 kodachrome western aged"
    ),
    pastel="pastel dreamy kawaii storybook",
    watercolour=(
        "watercolour watercolor aquarell aquarelle acquerello acuarela painterly painting gouache "
        "impressionist"
    ),
    neon="neon cyberpunk synthwave vaporwave retrowave futuristic tron",
    sketch="sketch pencil drawing drawn charcoal ink lineart croquis skizze",
    vivid="vivid vibrant saturated colorful colourful pop technicolor cartoon anime",
    muted="muted desaturated bleak documentary gritty realistic moody dystopian",
    warm="warm cozy cosy",
    cold="cold chilly icy",
)

ACTIONS = _table(
    still=(
        "stand stands standing stood rest watch watches watching wait waits waiting look looks looking "
        "gaze gazes gazing stare stares rests resting pause pauses parked still motionless sleeping "
        "sleeps asleep steht schaut debout mira parado"
    ),
    sit="sit sits sitting sat seated perch perches perched lies lying kneels sitzt assis sentado seduto",
)

HOUSES = _table(
    house=(
        "house home cabin cottage hut barn chalet farmhouse mansion church lodge haus hutte maison cabane "
        "casa cabana huis dom chata kirche"
    )
)

SUBJECTS = _table(
    person=(
        "person people figure someone traveler traveller wanderer stranger villager crowd couple human "
        "pedestrian character hero farmer sailor walker friends family protagonist doctor mensch personne "
        "persona"
    ),
    man="man men guy gentleman father husband soldier captain mann homme hombre uomo homem",
    woman="woman women lady mother wife queen princess dancer she heroine frau femme mujer donna mulher",
    child="child children boy kid kids son toddler kinder enfant nino bambino crianca junge",
    girl="girl girls daughter madchen fille nina bambina menina",
    old="grandfather grandmother elder monk shepherd pilgrim",
    hiker="hiker hikers climber explorer adventurer backpacker mountaineer wanderin",
    knight="knight knights warrior samurai ritter chevalier caballero",
    wizard="wizard witch sorcerer mage zauberer",
    king="king emperor konig roi rey",
    detective="detective agent inspector",
    astronaut="astronaut astronauts cosmonaut spaceman astronauta",
    robot="robot robots android cyborg droid",
    dog="dog dogs puppy hound retriever corgi hund chien perro cachorro hond",
    wolf="wolf wolves coyote loup lobo lupo wilk",
    fox="fox foxes fuchs renard zorro volpe raposa",
    cat="cat cats kitten katze gato gatto kat kocka",
    horse="horse horses pony stallion rider cowboy pferd cheval caballo cavallo cavalo paard",
    unicorn="unicorn",
    deer="deer stag doe fawn elk moose reindeer antelope hirsch reh cerf ciervo cervo hert jelen",
    cow="cow cows cattle bull ox buffalo bison kuh vache vaca mucca koe krowa",
    sheep="sheep lamb lambs goat goats schaf mouton oveja pecora ovelha schaap",
    pig="pig pigs boar schwein cochon cerdo maiale",
    bear="bear bears grizzly oso orso urso",
    lion="lion lions lioness lowe leon leone leao",
    tiger="tiger tigers leopard panther cheetah jaguar tigre",
    elephant="elephant elephants mammoth elefant elefante",
    camel="camel camels caravan kamel chameau camello cammello",
    giraffe="giraffe giraffes",
    rabbit="rabbit rabbits hare bunny hase kaninchen lapin conejo coniglio coelho",
    mouse="mouse mice rat squirrel hamster maus souris raton topo",
    bird=(
        "bird birds sparrow robin pigeon dove swallow parrot songbird vogel oiseau pajaro uccello passaro "
        "ptak"
    ),
    crow="crow crows raven ravens blackbird krahe rabe corbeau cuervo corvo",
    eagle="eagle eagles hawk falcon vulture condor adler aigle aguila aquila",
    gull="gull gulls seagull seagulls mowe albatross pelican",
    goose="goose geese stork heron crane flamingo gans",
    swan="swan swans duck ducks schwan cygne cisne cigno ente",
    owl="owl owls eule hibou buho gufo coruja",
    penguin="penguin penguins pinguin",
    fish="fish fishes goldfish salmon shoal fisch poisson pez peces pesce peixe vis ryba",
    shark="shark sharks hai requin tiburon squalo",
    whale="whale whales orca wal baleine ballena balena baleia",
    dolphin="dolphin dolphins delfin dauphin delfino",
    jellyfish="jellyfish jellyfishes medusa octopus squid qualle",
    turtle="turtle turtles tortoise schildkrote tortue tortuga tartaruga",
    dragon="dragon dragons wyvern drache drago dragao smok",
    butterfly=(
        "butterfly butterflies moth dragonfly bee bees schmetterling papillon mariposa farfalla borboleta"
    ),
    car="car cars automobile vehicle sedan driver voiture coche macchina carro samochod",
    taxi="taxi cab",
    bus="bus van tram minibus camper",
    truck="truck lorry pickup tractor lastwagen camion",
    bicycle="bicycle bike cyclist fahrrad velo bicicleta bicicletta motorcycle",
    train="train trains locomotive railway tren treno trem zug pociag vlak",
    boat="boat boats sailboat yacht boot segelboot bateau voilier barco barca velero lodka",
    rowboat="rowboat canoe kayak raft dinghy gondola fishing_boat fisherman",
    ship="ship ships galleon frigate pirate pirates vessel schiff navire nave navio statek",
    steamer="steamer liner ferry freighter cruise steamship cargo",
    plane="plane airplane aeroplane aircraft airliner jet flugzeug avion aereo aviao samolot letadlo",
    helicopter="helicopter helicopters drone hubschrauber",
    balloon="balloon balloons airship zeppelin hot_air ballon globo mongolfiera",
    rocket="rocket rockets shuttle rakete fusee cohete razzo foguete",
    spaceship=(
        "spaceship spaceships starship spacecraft satellite probe raumschiff vaisseau nave_espacial astronave"
    ),
    saucer="saucer ufo alien aliens ovni",
    castle=(
        "castle castles fortress palace citadel ruins schloss burg chateau castillo castello castelo "
        "kasteel zamek hrad"
    ),
    lighthouse="lighthouse beacon leuchtturm phare faro farol vuurtoren",
    windmill="windmill mill turbine windmuhle moulin molino mulino",
    tent="tent tents campsite camping zelt tente tienda tenda",
    campfire="campfire bonfire fire flames lagerfeuer feu hoguera fuoco fogueira",
    pyramid="pyramid pyramids pyramide piramide",
    temple="temple temples shrine acropolis parthenon tempel templo tempio",
    bridge="bridge bridges brucke pont puente ponte brug",
    snowman="snowman schneemann",
    mushroom="mushroom mushrooms pilz champignon seta fungo",
)

COLOURS = {
    "red": "#c23b34",
    "scarlet": "#c9302f",
    "crimson": "#a8283a",
    "orange": "#e0802f",
    "yellow": "#e8bf3a",
    "golden": "#dca83a",
    "gold": "#dca83a",
    "green": "#4f8a4a",
    "blue": "#3f6fb0",
    "turquoise": "#3fa8a8",
    "purple": "#7a4f9c",
    "violet": "#7a4f9c",
    "pink": "#e08aa8",
    "white": "#f4f2ee",
    "black": "#26262c",
    "grey": "#85888e",
    "gray": "#85888e",
    "silver": "#b4bac2",
    "brown": "#7a5236",
    "beige": "#cdb591",
    "rot": "#c23b34",
    "rouge": "#c23b34",
    "blanc": "#f4f2ee",
    "noir": "#26262c",
    "schwarz": "#26262c",
    "weiss": "#f4f2ee",
    "rojo": "#c23b34",
    "negro": "#26262c",
    "blanco": "#f4f2ee",
}

PLURALS = _set(
    "people men women children kids crowd friends family dogs wolves foxes cats horses cows cattle "
    "lambs goats pigs bears lions tigers elephants camels caravan giraffes rabbits mice birds crows "
    "ravens eagles gulls seagulls geese swans ducks owls penguins fish fishes shoal sharks whales "
    "dolphins jellyfishes turtles dragons butterflies bees cars boats ships pirates balloons rockets "
    "tents pyramids temples mushrooms robots astronauts knights kinder oiseaux pajaros uccelli houses "
    "homes cottages huts cabins barns vogel hauser"
)
"""Words that mean several."""
