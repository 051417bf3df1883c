"""Descriptions: places, animals, people and things, in three to six sentences."""

from random import Random

from . import words
from .entities import Thing
from .grammar import render
from .world import ANIMAL_FACTS, THING_FACTS

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
]
THING = [
    "[This is|Here is|I have|{A} has] {a_thing}. It is [{colour}|{colour} and {size}|very {size}].",
    "You can use a {thing} to {use}.",
    "[It is|A {thing} is] made of {material}. [{A} keeps it {inside}.|{G} gave it to {A}.|You can find one at the market.]",
    "[Be careful with it.|It is useful.|{B} wants one too.|]",
]
ANIMAL = [
    "[A|The] {animal} is an animal. It has {legs} legs[ and lives {lives}|. It lives {lives}].",
    "[A {animal}|It] eats {eats}{says}.",
    "A baby {animal} is called a {baby}. [It is small and soft.|It stays close to its mother.|]",
    "?[{A} saw a {animal} {P.at}.|{A} likes the {animal} best.] [It looked at {A.him} and ran away.|{A.He} stood very still and watched it.]",
]  # fmt: skip
LEGS = {2: "two", 4: "four", 6: "six", 8: "eight"}


def description(rng: Random) -> str:
    a = words.child(rng)
    slots = {
        "A": a, "B": words.child(rng, (a.name,)), "G": words.grown_up(rng), "P": rng.choice(words.PLACES),
        "wear": Thing(rng.choice("hat ring necklace ribbon watch".split()), rng.choice(words.LOOKS)).a, "colour": rng.choice(words.COLOURS), "food": rng.choice(words.FOODS),
        "eyes": rng.choice(["blue", "green", "brown", "dark"]), "size": rng.choice(["small", "big", "heavy", "light"]),
        "inside": rng.choice(words.INDOOR_SPOTS),
        "a_place": Thing(rng.choice("park garden forest lake village farm hill market meadow beach".split())).a,
    }  # fmt: skip
    fact, thing = rng.choice(ANIMAL_FACTS), rng.choice(THING_FACTS)
    slots |= {"animal": fact.animal, "legs": LEGS[fact.legs], "lives": fact.lives, "eats": fact.eats, "baby": fact.baby}
    says = f', and it says "{fact.says}"' if fact.says and rng.random() < 0.5 else ""
    slots |= {"says": says, "a_thing": Thing(thing.thing).a, "thing": thing.thing, "use": thing.use}
    slots["material"] = thing.material
    beats = rng.choice([PLACE, PERSON, THING, ANIMAL])
    kept = [b.lstrip("?") for b in beats if not (b.startswith("?") and rng.random() < 0.5)]
    return " ".join(s for s in (render(rng, beat, slots) for beat in kept) if s)
