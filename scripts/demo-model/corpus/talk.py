"""Conversations that keep to what was asked for: every story has a plot and is about what the request names, every fact is
told in its plainest words."""

from random import Random

from . import words
from .chat import small_talk, turn
from .entities import Thing
from .facts import question
from .grammar import choose
from .plots import Story, tell
from .reading import reading_question
from .stories import PLOTS, animal_story


ASK = [
    "[Tell me|Please tell me|Write|I would like to hear|I want to hear|Make up] a [short |little |]story about {topic}[.|]",
    "[Can|Could|Will] you tell me a [short |little |]story about {topic}?",
    "[Do you know a story|Please, a story] about {topic}?",
]


def _about_plot(rng: Random) -> tuple[str, Story]:
    told = tell(rng, rng.choice(PLOTS))
    return told.topic, told


def _about_animal(rng: Random) -> tuple[str, Story]:
    told = animal_story(rng, rng.choice(words.ANIMALS), plotted=True)
    return Thing(told.kind, rng.choice(["", told.people[0].trait])).a, told


def _about_name(rng: Random) -> tuple[str, Story]:
    told = tell(rng, rng.choice(PLOTS))
    return f"{Thing(told.kind).a} named {told.hero}", told


def story(rng: Random) -> list[str]:
    topic, told = rng.choices([_about_plot, _about_animal, _about_name], [0.6, 0.2, 0.2])[0](rng)
    return [turn(choose(rng, rng.choices(ASK, [0.6, 0.3, 0.1])[0].format(topic=topic)), told.text)]


def facts(rng: Random) -> list[str]:
    asked = [question(rng, plain=True) for _ in range(rng.randrange(2, 6))]
    return [turn(q.text, q.sentence) for q in asked]


def reading(rng: Random) -> list[str]:
    asked = [reading_question(rng) for _ in range(rng.randrange(1, 4))]
    return [turn(q.text, q.sentence) for q in asked]


def talk(rng: Random) -> str:
    """One or two of these, one after the other."""
    parts = rng.choices([story, facts, reading, small_talk], [0.55, 0.25, 0.12, 0.08], k=rng.choice([1, 1, 2]))
    return "\n\n".join(made for part in parts for made in part(rng))
