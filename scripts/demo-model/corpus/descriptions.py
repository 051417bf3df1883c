"""Descriptions: places and persons of the stories, and the facts of the world, subject by subject or mixed."""

from random import Random

from . import words
from .entities import Thing
from .facts import FACTS, Fact, statement
from .grammar import render

PLACE = [
    "[There is|I know|We like] {a_place}. [It is|The place is] [quiet|beautiful|green|old|peaceful].",
    "[In the morning|At night|In summer|When the sun shines], you can [hear the birds|smell the flowers|see the hills|feel the wind].",
    "[Near the gate|On one side|In the middle] there is [a tall tree|a small pond|an old bench|a stone wall], and [next to it|behind it] [a {colour} flower grows|a path begins|children play].",
    "[{A} and {B}|{A} and {G}|Many people] come here [every day|on Sundays|after school] to [play|rest|walk|read|talk].",
    "?[When it rains|In winter], [no one is there|it is very still|the ground is soft and wet].",
    "[It is a good place to be|Everyone likes it|{A} likes it best of all].",
]
PERSON = [
    "[{G} is|This is {G}. {G} is] [tall|old|strong|kind|funny] and has [gray|brown|black|short|long] hair[ and {eyes} eyes|].",
    "[{G.He} wears|Every day {G.he} wears] {wear} and [a coat|a long scarf|boots|a warm sweater].",
    "In the morning {G.he} [drinks tea|feeds the cat|reads the paper|walks to {P}], and in the evening {G.he} [tells stories|cooks soup|looks at the stars|plays music].",
    "?{G.He} [laughs a lot|does not talk much|knows many songs|is never angry].",
    "[{A} loves {G}|Everyone likes {G}|{A} often visits {G.him}] because {G.he} [is kind|listens well|tells the best stories|makes good {food}].",
]  # fmt: skip
_SUBJECTS: dict[tuple[str, str], list[Fact]] = {}
for _fact in FACTS:
    _SUBJECTS.setdefault((_fact.kind, _fact.subject), []).append(_fact)
SUBJECTS = [facts for facts in _SUBJECTS.values() if len(facts) > 1]


def scene(rng: Random) -> str:
    a = words.child(rng)
    slots = {
        "A": a, "B": words.child(rng, (a.name,)), "G": words.grown_up(rng), "P": rng.choice(words.PLACES),
        "wear": Thing(rng.choice("hat ring necklace ribbon watch".split()), rng.choice(words.LOOKS)).a,
        "colour": rng.choice(words.COLOURS), "food": rng.choice(words.FOODS),
        "eyes": rng.choice(["blue", "green", "brown", "dark"]),
        "a_place": Thing(rng.choice("park garden forest lake village farm hill market meadow beach".split())).a,
    }  # fmt: skip
    beats = rng.choice([PLACE, PERSON])
    kept = [b.lstrip("?") for b in beats if not (b.startswith("?") and rng.random() < 0.5)]
    return " ".join(s for s in (render(rng, beat, slots) for beat in kept) if s)


def about_subjects(rng: Random) -> str:
    """One to four subjects, a paragraph each, with all that is known of them; held-out facts too."""
    paragraphs = []
    for facts in rng.sample(SUBJECTS, rng.choice([1, 2, 3, 4])):
        paragraphs.append(" ".join(statement(rng, fact) for fact in rng.sample(facts, len(facts))))
    return "\n\n".join(paragraphs)


def mixed_facts(rng: Random) -> str:
    return " ".join(statement(rng, fact) for fact in rng.sample(FACTS, rng.randrange(5, 14)))


def description(rng: Random) -> str:
    return rng.choice([scene, about_subjects, about_subjects, about_subjects, mixed_facts, mixed_facts])(rng)
