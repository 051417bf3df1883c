"""Question documents in the prompt formats of Adept's evals: multiple choice and trivia, one example and more."""

from random import Random

from .echo import echo_question
from .facts import NEVER_ASKED, Question, question
from .kinds import which_of_these
from .reading import reading_question

CHOICE = (
    "You are a bot designed to answer multiple choice questions. Given a series of options, you answer by choosing "
    "A, B, C, or D. Some examples are below.\n"
)
SUBJECT = (
    "You are a bot designed to answer questions by choosing between A, B, C, and D. Only one of these answers from the "
    "provided choices is correct. Reply with the letter of the correct answer.\n"
)
TRIVIA = (
    "You are a trivia answering bot designed to answer questions. You are given a question and are supposed to output "
    "an answer in 1-3 words. Some examples are below.\n"
)
LETTERS = "ABCDE"
ECHO = 0.2  # share of the items that only name an option


def any_question(rng: Random, held_out: bool = False, careful: bool = False) -> Question:
    """What multiple choice asks: facts, kinds and short texts. Held out: facts never asked for, new combinations. For
    `careful` see reading_question."""
    pick = rng.random()
    if pick < 0.4:
        return question(rng, NEVER_ASKED if held_out else None)
    if pick < 0.6:
        return which_of_these(rng, held_out)
    return reading_question(rng, held_out, careful)


def open_question(rng: Random, held_out: bool = False) -> Question:
    """What can be answered without options."""
    if rng.random() < 0.65:
        return question(rng, NEVER_ASKED if held_out else None)
    return reading_question(rng, held_out)


def choices(rng: Random, asked: Question, count: int = 4) -> tuple[list[str], int]:
    """`count` options in random order, and the place of the right one."""
    options = [asked.answer, *rng.sample(asked.options, min(count - 1, len(asked.options)))]
    rng.shuffle(options)
    return options, options.index(asked.answer)


def _choice_item(rng: Random, asked: Question) -> str:
    count = rng.choices([4, 3, 5], [0.94, 0.03, 0.03])[0]
    options, gold = choices(rng, asked, count)
    lines = "".join(f"{letter}: {option}\n" for letter, option in zip(LETTERS, options))
    return f"Question: {asked.text}\n{lines}Answer: {LETTERS[gold]}"


def lookups(rng: Random) -> str:
    """Items that only name an option."""
    return CHOICE + "\n\n".join(_choice_item(rng, echo_question(rng)) for _ in range(rng.randrange(2, 8)))


def multiple_choice(rng: Random, careful: bool = False) -> str:
    """Items of all kinds, or of one subject with the instruction for subjects."""
    count = rng.randrange(2, 8)
    items = [echo_question(rng) if rng.random() < ECHO else any_question(rng, careful=careful) for _ in range(count)]
    instruction = CHOICE
    if rng.random() < 0.25:
        instruction = SUBJECT
        items = sorted(items, key=lambda item: item.kind)
    return instruction + "\n\n".join(_choice_item(rng, item) for item in items)


def trivia(rng: Random) -> str:
    """Short answers, in Adept's format or in the plain one that likelihoods of answers are measured in."""
    asked = [open_question(rng) for _ in range(rng.randrange(2, 11))]
    if rng.random() < 0.35:
        return "\n\n".join(f"Question: {q.text}\nAnswer: {q.answer}" for q in asked)
    return TRIVIA + "\n\n".join(f"Q: {q.text}\nA: {q.answer}" for q in asked)
