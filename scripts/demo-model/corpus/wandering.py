"""Stories without a fixed plot: an opening, two to four episodes in any order, an ending."""

from random import Random

from . import words
from .episodes import EPISODES
from .grammar import render, tidy
from .plots import ENDINGS, OPENINGS, Plot, Story, cast

LINKS = ["", "", "", "Then,", "After that,", "A little later,", "Later that day,", "Soon,"]
ANY = Plot("a day {P.at}", [], lists={
    "a_picture": ["a house", "a ship", "the sun", "a horse", "a tree", "a castle"],
    "number": ["two coins", "three coins", "five coins", "ten coins"],
})  # fmt: skip


def _linked(rng: Random, sentence: str, names: tuple[str, ...]) -> str:
    """Puts a linking word in front where the sentence starts with a pronoun or a name."""
    link = rng.choice(LINKS)
    first = sentence.split()[0]
    if not link or first.strip("'s,") not in (*names, "He", "She", "They"):
        return sentence
    return f"{link} {sentence if first in names else sentence[0].lower() + sentence[1:]}"


def wandering_story(rng: Random, hero_kind: str | None = None) -> Story:
    slots = cast(rng, ANY, hero_kind)
    parts = [render(rng, rng.choice(OPENINGS), slots)]
    names = (slots["A"].name, slots["B"].name)
    for number, episode in enumerate(rng.sample(EPISODES, rng.choice([2, 3, 3, 4]))):
        slots |= {"T": words.toy(rng), "K": words.keepsake(rng)}  # a new episode has its own things
        told = render(rng, episode, slots)
        parts.append(_linked(rng, told, names) if number else told)
    parts.append(render(rng, rng.choice(ENDINGS), slots))
    topic = render(rng, ANY.topic, slots)
    return Story(tidy(" ".join(p for p in parts if p)), topic[0].lower() + topic[1:], names[0], slots["A"].kind, [])
