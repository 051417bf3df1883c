"""Constants, parameter names and arguments that fit an idea."""

from functools import cache
from random import Random

NAMES = {
    "number": "number n x value a num".split(),
    "natural": "number n x value a num".split(),
    "small": "number n x value a num".split(),
    "second": "b y other m second".split(),
    "numbers": "numbers values xs items data nums lst".split(),
    "text": "text word s name line string".split(),
    "words": "words names strings texts lines".split(),
}
TYPES = dict.fromkeys(["number", "natural", "small", "second"], "int") | {
    "numbers": "List[int]",
    "text": "str",
    "words": "List[str]",
}
LETTERS = "aeostrnldmi"
WORDS = """apple cat sun tree ant bird moon dog fish star house rain table lemon river stone bread milk train boat
snow leaf road hill lamp book paper pencil orange salad tomato candle basket button mirror window door garden rabbit
turtle spider otter panda tiger eagle robin salmon ocean island desert cloud storm summer winter spring autumn monday
noon level radar civic stats kayak mom dad pop eye nest nut rose seed dance drum band choir piano coat cap boot scarf
blanket pillow kitchen cellar attic tower castle bridge market bakery doctor teacher
sailor painter baker driver""".split()


def constants(rng: Random) -> dict:
    low = rng.randrange(2, 10)
    middle = low + rng.randrange(1, 6)
    first, second = rng.sample(LETTERS, 2)
    small = {"s": rng.randrange(2, 5), "t": rng.randrange(2, 5), "l": rng.randrange(4, 7)}
    return {"j": low, "k": middle, "m": middle + rng.randrange(2, 20), "p": first, "q": second, **small}


def number(rng: Random, slots: dict) -> int:
    """Often near one of the constants or a multiple of one, so that conditions come out both ways and on the edge."""
    constant = slots[rng.choice("jkm")]
    near = [constant, constant + rng.randrange(-2, 3), constant * rng.randrange(0, 6)]
    return rng.choice([*near, rng.randrange(-30, 80), rng.randrange(-5, 30), rng.randrange(-30, 0)])


@cache
def words_with(letter: str) -> tuple[list[str], list[str]]:
    """Those that start or end with the letter, and those that contain it."""
    fitting = [word for word in WORDS if word.startswith(letter) or word.endswith(letter)]
    return fitting, [word for word in WORDS if letter in word]


def word(rng: Random, slots: dict) -> str:
    """Mostly one in which one of the letters plays a part."""
    return rng.choice(rng.choice([WORDS, *words_with(slots[rng.choice("pq")])]))


def text(rng: Random, slots: dict) -> str:
    """One word, or a few; sometimes with a capital letter."""
    chosen = " ".join(word(rng, slots) for _ in range(rng.choice([1, 1, 1, 2, 3])))
    return rng.choice([chosen, chosen, chosen.capitalize(), chosen.title()])


def argument(rng: Random, kind: str, slots: dict) -> int | str | list:
    if kind == "natural":
        return rng.choice([abs(number(rng, slots)), rng.randrange(1, 13)])
    if kind == "small":
        return rng.randrange(1, 10)
    if kind == "numbers":
        count = rng.randrange(3, 8)
        if rng.random() < 0.2:  # all even or all odd, which chance alone seldom gives
            start = number(rng, slots)
            return [start + 2 * rng.randrange(-6, 7) for _ in range(count)]
        return [number(rng, slots) for _ in range(count)]
    if kind == "text":
        return text(rng, slots)
    if kind == "words":
        return [word(rng, slots) for _ in range(rng.randrange(2, 6))]
    return number(rng, slots)
