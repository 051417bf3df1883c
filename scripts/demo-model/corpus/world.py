"""A small world of true and simple facts, and the questions about them."""

from dataclasses import dataclass
from random import Random

from .grammar import article, capital, with_articles


@dataclass(frozen=True)
class AnimalFact:
    animal: str
    legs: int
    lives: str
    eats: str
    baby: str
    says: str = ""


@dataclass(frozen=True)
class ThingFact:
    thing: str
    use: str
    material: str


@dataclass(frozen=True)
class Question:
    """`options` are wrong answers of the same kind; `short` is the answer in one to three words."""

    text: str
    short: str
    sentence: str
    options: tuple[str, ...]


ANIMAL_FACTS = [
    AnimalFact("cow", 4, "on a farm", "grass", "calf", "moo"), AnimalFact("dog", 4, "in a house", "meat", "puppy", "woof"),
    AnimalFact("cat", 4, "in a house", "mice", "kitten", "meow"), AnimalFact("sheep", 4, "on a farm", "grass", "lamb", "baa"),
    AnimalFact("horse", 4, "in a stable", "hay", "foal", "neigh"), AnimalFact("pig", 4, "on a farm", "corn", "piglet", "oink"),
    AnimalFact("duck", 2, "by a pond", "seeds", "duckling", "quack"), AnimalFact("hen", 2, "on a farm", "seeds", "chick", "cluck"),
    AnimalFact("owl", 2, "in a tree", "mice", "owlet", "hoo"), AnimalFact("fox", 4, "in a den", "meat", "cub"),
    AnimalFact("bear", 4, "in a cave", "berries", "cub", "grr"), AnimalFact("frog", 4, "in a pond", "flies", "tadpole", "croak"),
    AnimalFact("goat", 4, "on a hill", "leaves", "kid"), AnimalFact("rabbit", 4, "in a burrow", "carrots", "bunny"),
    AnimalFact("deer", 4, "in the forest", "leaves", "fawn"), AnimalFact("swan", 2, "on a lake", "plants", "cygnet"),
    AnimalFact("kangaroo", 2, "in Australia", "grass", "joey"), AnimalFact("lion", 4, "in Africa", "meat", "cub", "roar"),
]  # fmt: skip
THING_FACTS = [
    ThingFact("knife", "cut bread", "metal"), ThingFact("key", "open a lock", "metal"), ThingFact("cup", "drink tea", "clay"),
    ThingFact("chair", "sit down", "wood"), ThingFact("table", "put plates on it", "wood"), ThingFact("window", "look outside", "glass"),
    ThingFact("book", "read a story", "paper"), ThingFact("broom", "sweep the floor", "straw"), ThingFact("spoon", "eat soup", "metal"),
    ThingFact("scarf", "keep your neck warm", "wool"), ThingFact("umbrella", "stay dry in the rain", "cloth"),
    ThingFact("ladder", "climb up", "wood"), ThingFact("hammer", "hit a nail", "metal"), ThingFact("needle", "sew a button", "metal"),
    ThingFact("bottle", "carry water", "glass"), ThingFact("letter", "send news to a friend", "paper"),
    ThingFact("boat", "cross a lake", "wood"), ThingFact("candle", "see in the dark", "wax"), ThingFact("sweater", "stay warm", "wool"),
    ThingFact("bell", "make a loud sound", "metal"), ThingFact("net", "catch fish", "rope"), ThingFact("oven", "bake bread", "metal"),
]  # fmt: skip
COLOURS = {"grass": "green", "snow": "white", "coal": "black", "the sun": "yellow", "blood": "red", "milk": "white",
           "a banana": "yellow", "a carrot": "orange", "the sky on a clear day": "blue", "a crow": "black", "a leaf": "green"}  # fmt: skip
OPPOSITES = {"hot": "cold", "big": "small", "day": "night", "up": "down", "wet": "dry", "old": "young", "fast": "slow",
             "happy": "sad", "open": "closed", "hard": "soft", "light": "dark", "full": "empty", "loud": "quiet"}  # fmt: skip
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
MONTHS = "January February March April May June July August September October November December".split()
SEASONS = ["spring", "summer", "autumn", "winter"]
WORKS = {"baker": "makes bread", "farmer": "grows food", "doctor": "helps sick people", "teacher": "teaches children",
         "cook": "makes meals", "fisher": "catches fish", "tailor": "makes clothes", "driver": "drives a bus",
         "gardener": "cares for plants", "painter": "paints pictures"}  # fmt: skip
NUMBERS = "zero one two three four five six seven eight nine ten eleven twelve".split()
ORDER = [(DAYS, "day"), (MONTHS, "month"), (SEASONS, "season")]


def _ask(text: str, short: str, sentence: str, values) -> Question:
    """`values` are answers to questions of the same kind; those that differ from `short` become wrong options."""
    options = tuple(dict.fromkeys(v for v in values if v != short))
    return Question(text, short, with_articles(capital(sentence)), options)


def _animal(rng: Random) -> Question:
    f = rng.choice(ANIMAL_FACTS)
    of = article(f.animal)
    ask = rng.choice(["eats", "lives", "baby", "legs", "says" if f.says else "baby"])
    if ask == "eats":
        return _ask(f"What does {of} eat?", f.eats, f"A {f.animal} eats {f.eats}.", [g.eats for g in ANIMAL_FACTS])
    if ask == "lives":
        return _ask(f"Where does {of} live?", f.lives, f"A {f.animal} lives {f.lives}.", [g.lives for g in ANIMAL_FACTS])
    if ask == "says":
        sounds = [g.says for g in ANIMAL_FACTS if g.says]
        return _ask(f"What does {of} say?", f.says, f"A {f.animal} says {f.says}.", sounds)
    if ask == "legs":
        legs = NUMBERS[f.legs]
        numbers = ["two", "four", "six", "eight", "ten"]
        return _ask(f"How many legs does {of} have?", legs, f"A {f.animal} has {legs} legs.", numbers)
    babies = [article(g.baby) for g in ANIMAL_FACTS]
    baby = article(f.baby)
    return _ask(f"What is a baby {f.animal} called?", baby, f"A baby {f.animal} is called {baby}.", babies)


def _thing(rng: Random) -> Question:
    f = rng.choice(THING_FACTS)
    of = article(f.thing)
    if rng.random() < 0.4:
        materials = [g.material for g in THING_FACTS]
        return _ask(f"What is {of} made of?", f.material, f"{of} is made of {f.material}.", materials)
    sentence = f"You can use {of} to {f.use}."
    if rng.random() < 0.5:
        things = [article(g.thing) for g in THING_FACTS]
        return _ask(f"What can you use to {f.use}?", of, sentence, things)
    return _ask(f"What can you do with {of}?", f.use, sentence, [g.use for g in THING_FACTS])


def _word(rng: Random) -> Question:
    pick = rng.random()
    if pick < 0.3:
        thing, colour = rng.choice(list(COLOURS.items()))
        colours = [*COLOURS.values(), "pink", "purple"]
        return _ask(f"What color is {thing}?", colour, f"{thing} is {colour}.", colours)
    if pick < 0.6:
        pair = rng.choice(list(OPPOSITES.items()))
        word, other = pair if rng.random() < 0.5 else pair[::-1]
        words = [*OPPOSITES, *OPPOSITES.values()]
        return _ask(f"What is the opposite of {word}?", other, f"The opposite of {word} is {other}.", words)
    work, does = rng.choice(list(WORKS.items()))
    return _ask(f"Who {does}?", article(work), f"{article(work)} {does}.", [article(w) for w in WORKS])


def _order(rng: Random) -> Question:
    values, name = rng.choice(ORDER)
    i = rng.randrange(len(values))
    after = rng.random() < 0.6
    answer = values[(i + 1) % len(values)] if after else values[i - 1]
    where = "after" if after else "before"
    return _ask(f"Which {name} comes {where} {values[i]}?", answer, f"{answer} comes {where} {values[i]}.", values)


def _sum(rng: Random) -> Question:
    a, b = rng.randrange(1, 7), rng.randrange(1, 6)
    question_text, answer = f"How much is {NUMBERS[a]} plus {NUMBERS[b]}?", NUMBERS[a + b]
    return _ask(question_text, answer, f"{NUMBERS[a]} plus {NUMBERS[b]} is {answer}.", NUMBERS)


def question(rng: Random) -> Question:
    return rng.choice([_animal, _animal, _thing, _word, _order, _sum])(rng)
