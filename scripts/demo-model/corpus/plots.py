"""What a plot is, and the slots that every plot can use."""

from dataclasses import dataclass, field
from random import Random

from . import words
from .entities import Character, Thing
from .grammar import render, tidy


@dataclass(frozen=True)
class Plot:
    """Beats in order (a beat that starts with `?` may be left out), and questions with their answers.

    `people`: which characters fit, "child", "animal" or "any". `topic`: what a request for this story names.
    """

    topic: str
    beats: list[str]
    questions: list[tuple[str, str]] = field(default_factory=list)
    people: str = "any"
    lists: dict[str, list[str]] = field(default_factory=dict)  # further slots: one entry is picked for each


@dataclass(frozen=True)
class Story:
    text: str
    topic: str
    hero: str
    kind: str  # girl, boy or the animal
    questions: list[tuple[str, str]]
    plot: Plot | None = None  # this and the people: only for a story with a plot
    people: tuple[Character, ...] = ()  # the hero, the other one, the grown-up


OPENINGS = [
    "[Once upon a time,|Once,|Long ago,] there was {A.intro}. [{A} lived {home}.|{A.He} lived {home}.|]",
    "[One day,|One [sunny|cold|windy|warm|bright|cloudy] [day|morning|afternoon],] {A.intro} [went|walked] to {P}.",
    "{A} was {a_kind} who [lived {home}|loved {P}|had a good friend named {B}].",
    "There once was {A.intro}. {A} had a [good|best|dear] friend, {b_kind} named {B}.",
    "[On a [fine|cool|quiet|long] [day|morning],|Early one morning,|It was a new day, and] {A_the} [woke up early|felt [happy|bored|curious]|looked out at the sky].",
    "{A} and {B} were [good|best|old] friends. {A} was {a_kind}, and {B} was {b_kind}.",
    "In {a_home}, there lived {A.intro}.",
]

ENDINGS = [
    "From that day on, {A} and {B} were [the best of|very good] friends.",
    "{A} [smiled|laughed] and [went home|fell asleep] happy.",
    "It had been a [good|long|wonderful|strange] day.",
    "That [night|evening], {A} told {G} [all about it|the whole story].",
    "And they all [lived happily|ate a good dinner together|laughed for a long time].",
    "{A} never forgot that day.",
    "",
    "",
]


def cast(rng: Random, plot: Plot, hero_kind: str | None = None, people: tuple[Character, ...] = ()) -> dict:
    """Characters and slots for one telling of a plot; `people` of another story may act in this one."""
    use_animals = plot.people == "animal" or hero_kind is not None or (plot.people == "any" and rng.random() < 0.45)
    if use_animals:
        a = words.animal(rng, hero_kind)
        b = words.animal(rng, avoid=(a.name,))
        home = "in " + words.HOMES.get(a.kind, "a little house") if rng.random() < 0.6 else "near {P}"
    else:
        a = words.child(rng)
        b = words.child(rng, avoid=(a.name,))
        home = rng.choice(["in a [small|big|quiet] [town|village|house]", "near {P}", "with {A.his} family"])
    g = words.grown_up(rng)
    if people:
        a, b, g = people
        home = "near {P}"
    slots = {
        "A": a, "B": b, "G": g, "P": rng.choice(words.PLACES), "T": words.toy(rng),
        "K": words.keepsake(rng), "out": rng.choice(words.OUTDOOR_SPOTS), "inside": rng.choice(words.INDOOR_SPOTS),
        "food": Thing(rng.choice(words.FOODS)), "fruit": Thing(rng.choice(words.FRUITS)),
        "plant": Thing(rng.choice(words.PLANTS)), "colour": rng.choice(words.COLOURS),
        "A_the": f"{a} the {a.kind}" if a.is_animal else f"little {a}",
        "a_kind": Thing(a.kind, a.trait).a, "b_kind": Thing(b.kind, b.trait).a,
        "pet": Thing(rng.choice(["bird", "kitten", "puppy", "rabbit", "duck", "hedgehog"]), rng.choice(["little", "small", "tiny"])),
        "a_home": rng.choice(["a small village", "a quiet forest", "a green valley", "a house by the sea", "a town near the hills"]),
    }  # fmt: skip
    slots["home"] = render(rng, home, slots)
    slots["home"] = slots["home"][0].lower() + slots["home"][1:]
    for name, values in plot.lists.items():
        slots[name] = rng.choice(values).format(**slots)
    return slots


def tell(rng: Random, plot: Plot, hero_kind: str | None = None, people: tuple[Character, ...] = ()) -> Story:
    slots = cast(rng, plot, hero_kind, people)
    beats = [b.lstrip("?") for b in plot.beats if not (b.startswith("?") and rng.random() < 0.4)]
    sentences = [render(rng, beat, slots) for beat in [rng.choice(OPENINGS), *beats, rng.choice(ENDINGS)]]
    text = tidy(" ".join(s for s in sentences if s))
    questions = [(render(rng, q, slots), render(rng, a, slots)) for q, a in plot.questions]
    topic = render(rng, plot.topic, slots).lower()
    people = (slots["A"], slots["B"], slots["G"])
    return Story(text, topic, slots["A"].name, slots["A"].kind, questions, plot, people)
