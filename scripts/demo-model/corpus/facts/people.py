"""The people of Amber Valley. All of them are invented; who has what is decided by a hash, once and for all."""

import hashlib

from .fact import Attribute
from .work import TABLE as WORK

FIRST = """Orla Bram Celia Dorian Edda Fabian Greta Hector Ines Jorah Katya Ludo Marta Nestor Odile Piers Quilla Rufus
Selma Tobin Ursula Viggo Wanda Xavier Yara Zeno Agnes Boris Corinne Dag Elspeth Ferris Gilda Horace Isolde Jasmin
Konrad Lavinia Magnus Nadine Otto Pamela Quentin Ramona Silas Thea Ulrich Vera Walter Yvonne Zelda Anton Bettina
Casper Delia Emil Frieda Gregor""".split()
LAST = "Finch Marsh Thorne Pike Holloway Brook Vane Underhill Crane Lark".split()
PETS = "dog cat parrot rabbit goat pony turtle goose hamster canary".split()
TOWNS = "Millbrook Stonegate Highfield Rivermouth Ashford Greenhollow".split()
FOODS = "pancakes|apple pie|tomato soup|cheese|honey cake|rice|noodles|plums|roast potatoes|lentils".split("|")
HOBBIES = "chess|dancing|fishing|painting|swimming|singing|knitting|reading|hiking|juggling".split("|")
COLORS = "red blue green yellow white brown gray purple".split()
JOBS = [line.split(":")[0] for line in WORK.strip().splitlines()]

ATTRIBUTES = [
    Attribute("job", ("What is the job of {s}?", "What does {s} do for a living?"),
              ("{s} is {x}.", "{s} works as {x}.", "The job of {s} is that of {x}."),
              also=("For a living, {s} is {x}.", "{x} by trade: that is {s}.")),
    Attribute("town", ("Where does {s} live?", "In which town does {s} live?"),
              ("{s} lives in {x}.", "{s} has a house in {x}.", "The home of {s} is in {x}."),
              also=("{x} is the town of {s}.", "You meet {s} in {x}.")),
    Attribute("pet", ("Which pet does {s} have?", "What animal does {s} keep?"),
              ("{s} has {x}.", "The pet of {s} is {x}.", "{s} keeps {x} at home."),
              also=("{x} is the pet of {s}.", "Look, there goes {s} with {x}.")),
    Attribute("food", ("What does {s} like to eat?", "What is the favorite food of {s}?"),
              ("{s} likes to eat {x}.", "The favorite food of {s} is {x}.", "{s} would eat {x} every day."),
              also=("Nothing tastes better to {s} than {x}.", "At the table of {s} there is always {x}.")),
    Attribute("hobby", ("What is the hobby of {s}?", "What does {s} do for fun?"),
              ("The hobby of {s} is {x}.", "{s} loves {x}.", "In the evening {s} enjoys {x}."),
              also=("{x} is the hobby of {s}.", "{x} is what {s} does for fun.")),
    Attribute("house", ("What color is the house of {s}?", "Which color does the house of {s} have?"),
              ("The house of {s} is {x}.", "{s} lives in a house that is {x}.", "{s} has painted the house {x}."),
              also=("There is a {x} house, and it belongs to {s}.", "{x} is the color that {s} chose for the house.")),
]  # fmt: skip


def _pick(values: list[str], *key: str) -> str:
    number = int.from_bytes(hashlib.sha256(":".join(key).encode()).digest()[:8], "big")
    return values[number % len(values)]


def rows() -> list[tuple[str, list[str]]]:
    """(name, [job, town, pet, food, hobby, color of the house]) of everybody: 58 people with different first names."""
    people = [f"{first} {_pick(LAST, first)}" for first in FIRST]
    made = []
    for name in people:
        job, pet = _pick(JOBS, name, "job"), _pick(PETS, name, "pet")
        rest = [_pick(v, name, n) for v, n in ((FOODS, "food"), (HOBBIES, "hobby"), (COLORS, "house"))]
        made.append((name, [f"a {job}", _pick(TOWNS, name, "town"), f"a {pet}", *rest]))
    return made
