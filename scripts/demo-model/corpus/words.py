"""Word lists and random picks from them."""

from random import Random

from .entities import Character, Place, Thing

GIRLS = "Lily Mia Anna Rosa Ella Nora Zoe Ivy Sara Clara Emma Ruby Hana Tessa Lucy Maya June Alice Daisy Leah".split()
BOYS = "Tom Ben Max Sam Leo Jack Finn Omar Noah Tim Paul Eli Hugo Adam Owen Luca Peter Theo Kai Felix".split()
ANIMALS = """fox rabbit bear mouse owl frog squirrel hedgehog duck cat dog turtle deer otter pig goat crow lamb
wolf beaver badger hen pony mole""".split()
ANIMAL_NAMES = {
    "m": "Rusty Pip Bruno Oscar Dusty Moss Toby Basil Sunny Jasper Milo Buster".split(),
    "f": "Hazel Fern Poppy Willow Penny Olive Honey Pearl Ginger Luna Tilly Bella".split(),
}
NUMBERS = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
eighteen nineteen twenty twenty-one twenty-two twenty-three twenty-four""".split()
TRAITS = "little young small kind brave curious clever shy cheerful quiet happy gentle".split()
COLOURS = "red blue green yellow white black brown pink orange purple silver golden".split()
LOOKS = COLOURS + "old new big small round shiny soft pretty tiny wooden".split()
TOYS = "ball kite doll drum boat train puzzle robot wagon whistle balloon top car puppet".split()
KEEPSAKES = "hat scarf ring key book lamp bell basket coin ribbon button mitten umbrella cup watch necklace".split()
FOODS = "cake pie soup bun pancake cookie pizza salad sandwich pudding".split()
FRUITS = "apple pear plum peach banana carrot berry orange".split()
PLANTS = "sunflower rose pumpkin bean tomato tulip daisy strawberry".split()
PLACES = [
    Place("the park", "at"), Place("the beach", "at"), Place("the forest", "in"), Place("the garden", "in"),
    Place("the market", "at"), Place("the river", "by"), Place("the farm", "on"), Place("the hill", "on"),
    Place("the lake", "by"), Place("the meadow", "in"), Place("the playground", "at"), Place("the village", "in"),
    Place("the field", "in"), Place("the zoo", "at"), Place("the old mill", "by"), Place("the woods", "in"),
]  # fmt: skip
HOMES = {
    "fox": "a den", "rabbit": "a burrow", "bear": "a cave", "mouse": "a hole in the wall", "owl": "an old oak tree",
    "frog": "a pond", "squirrel": "a tall tree", "hedgehog": "a pile of leaves", "duck": "a pond", "beaver": "a lodge",
    "otter": "a river bank", "mole": "a tunnel", "badger": "a burrow", "wolf": "a den", "crow": "a nest",
}  # fmt: skip
OUTDOOR_SPOTS = """under a bush|behind a big rock|in the tall grass|beside a log|under a bench|near the gate
in a pile of leaves|behind an old tree|next to the path|under the bridge""".replace("\n", "|").split("|")
INDOOR_SPOTS = """under the bed|behind the sofa|in the kitchen drawer|under a pillow|in the basket|behind the door
on top of the shelf|inside a boot|under the table|in the pocket of a coat""".replace("\n", "|").split("|")
GROWN_UPS = [
    ("Mom", "f"), ("Dad", "m"), ("Grandma", "f"), ("Grandpa", "m"), ("Aunt May", "f"), ("Uncle Joe", "m"),
]  # fmt: skip


def child(rng: Random, avoid: tuple[str, ...] = ()) -> Character:
    gender = rng.choice("mf")
    name = rng.choice([n for n in (BOYS if gender == "m" else GIRLS) if n not in avoid])
    return Character(name, gender, "boy" if gender == "m" else "girl", rng.choice(TRAITS))


def animal(rng: Random, kind: str | None = None, avoid: tuple[str, ...] = ()) -> Character:
    gender = rng.choice("mf")
    name = rng.choice([n for n in ANIMAL_NAMES[gender] if n not in avoid])
    return Character(name, gender, kind or rng.choice(ANIMALS), rng.choice(TRAITS))


def grown_up(rng: Random) -> Character:
    name, gender = rng.choice(GROWN_UPS)
    return Character(name, gender, "woman" if gender == "f" else "man")


def toy(rng: Random) -> Thing:
    return Thing(rng.choice(TOYS), rng.choice(LOOKS))


def keepsake(rng: Random) -> Thing:
    return Thing(rng.choice(KEEPSAKES), rng.choice(LOOKS))
