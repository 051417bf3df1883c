"""Conversations in Adept's chat format: `human: …` and `adept: …`, a blank line between the turns."""

from random import Random

from . import words
from .entities import Thing
from .grammar import choose
from .questions import open_question
from .stories import animal_story, story

ASK_STORY = "[Tell me|Please tell me|Can you tell me|Write|I would like to hear|Make up] a [short |little |]story about {topic}[.|]"
ASK_ANIMAL = "[Tell me|Please tell me|Can you tell me|Write|I want to hear] a [short |little |nice |]story about {topic}[.|]"
SMALL_TALK = [
    ("[Hello|Hi|Hello there|Good morning|Hey]!", "[Hello! How can I help you|Hi! What would you like to do|Hello! Would you like to hear a story]?"),
    ("Who are you?", "I am a [small|little] language model. I [like to tell stories|can tell stories and answer simple questions]."),
    ("What can you do?", "I can tell [short|little] stories, answer simple questions and write small functions."),
    ("[Thank you|Thanks]!", "You are welcome! [I am glad to help|Come back soon|Is there anything else]."),
    ("How are you?", "I am fine, thank you. [How are you|What would you like to hear about]?"),
    ("[Goodbye|Bye|Good night]!", "[Goodbye|Good night]! [See you soon|It was nice to talk to you]."),
]  # fmt: skip


def turn(human: str, adept: str) -> str:
    return f"human: {human}\n\nadept: {adept}"


def story_request(rng: Random) -> str:
    if rng.random() < 0.55:
        kind = rng.choice(words.ANIMALS)
        told = animal_story(rng, kind)
        topic = Thing(kind, rng.choice(["", "", "little", "brave", "clever"])).a
        return turn(choose(rng, ASK_ANIMAL.format(topic=topic)), told.text)
    told = story(rng)
    topic = told.topic if rng.random() < 0.6 else f"{Thing(told.kind).a} named {told.hero}"
    return turn(choose(rng, ASK_STORY.format(topic=topic)), told.text)


def reading(rng: Random) -> str:
    """A story, and one to three questions about it."""
    told = story(rng, with_questions=True)
    asked = rng.sample(told.questions, rng.randrange(1, min(3, len(told.questions)) + 1))
    lead = rng.choice(["Read this story. ", "Here is a story. ", ""])
    turns = [turn(f"{lead}{told.text} {asked[0][0]}", asked[0][1])]
    turns += [turn(q, a) for q, a in asked[1:]]
    return "\n\n".join(turns)


def facts(rng: Random) -> str:
    asked = [open_question(rng) for _ in range(rng.choice([1, 1, 2, 3, 4]))]
    return "\n\n".join(turn(q.text, q.sentence) for q in asked)


def small_talk(rng: Random) -> list[str]:
    pairs = rng.sample(SMALL_TALK, rng.choice([1, 1, 2]))
    return [turn(choose(rng, h), choose(rng, a)) for h, a in pairs]


def small_talk_and_story(rng: Random) -> str:
    turns = small_talk(rng)
    if rng.random() < 0.4:
        turns.append(story_request(rng))
    return "\n\n".join(turns)


def conversation(rng: Random) -> str:
    kinds = [story_request, story_request, story_request, reading, reading, facts, facts, small_talk_and_story]
    return rng.choice(kinds)(rng)
