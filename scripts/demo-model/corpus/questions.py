"""Question documents in the prompt formats of Adept's evals: multiple choice, fill in the blank, trivia."""

from random import Random

from . import words
from .world import Question, question

CHOICE = (
    "You are a bot designed to answer multiple choice questions. Given a series of options, you answer by choosing "
    "A, B, C, or D. Some examples are below.\n"
)
BLANK = (
    "You are a bot that is responsible for answering fill-in-the-blank questions. You are provided with a sentence "
    "and two possible fill-in-the-blank options. Your task is to return 1 or 2 as the answer.\n"
)
TRIVIA = (
    "You are a trivia answering bot designed to answer questions. You are given a question and are supposed to output "
    "an answer in 1-3 words. Some examples are below.\n"
)
# Cause and effect with two things; the first of each pair is the answer.
BLANKS = [
    ("The {x} did not fit into the {y} because the _ was too big", "x", [("ball", "bag"), ("book", "box"), ("hat", "drawer"), ("lamp", "basket")]),
    ("The {x} did not fit into the {y} because the _ was too small", "y", [("ball", "bag"), ("book", "box"), ("hat", "drawer"), ("lamp", "basket")]),
    ("{A} asked {B} for help because _ was {weak}", "A", None),
    ("{A} gave {B} some bread because _ was hungry", "B", None),
    ("{A} thanked {B} because _ had helped", "B", None),
    ("{A} said sorry to {B} because _ had made a mistake", "A", None),
    ("{A} ran to {B} because _ was afraid of the dark", "A", None),
    ("{A} took a coat to {B} because _ was cold", "B", None),
    ("{A} taught {B} to swim because _ could not swim", "B", None),
    ("{A} could not lift {B} because _ was too heavy", "B", None),
]  # fmt: skip


def _choice_item(rng: Random, q: Question) -> tuple[str, str]:
    options = [q.short, *rng.sample(q.options, 3)]
    rng.shuffle(options)
    lines = "".join(f"{letter}: {option}\n" for letter, option in zip("ABCD", options))
    return f"Question: {q.text}\n{lines}Answer:", "ABCD"[options.index(q.short)]


def multiple_choice(rng: Random) -> str:
    shot, item = (_choice_item(rng, question(rng)) for _ in range(2))
    return f"{CHOICE}{shot[0]} {shot[1]}\n\n{item[0]} {item[1]}"


def _blank_item(rng: Random) -> tuple[str, str]:
    template, answer, pairs = rng.choice(BLANKS)
    if pairs is None:
        a = words.child(rng)
        x, y = a.name, words.child(rng, (a.name,)).name
        names = {"A": x, "B": y, "weak": rng.choice(["tired", "lost", "sick", "stuck"])}
    else:
        x, y = rng.choice(pairs)
        names = {"x": x, "y": y}
    options = [x, y]
    rng.shuffle(options)
    right = names[answer]
    text = f"Q: {template.format(**names)}.. 1 = {options[0]} and 2 = {options[1]}. Answer:"
    return text, str(options.index(right) + 1)


def fill_in_the_blank(rng: Random) -> str:
    shot, item = (_blank_item(rng) for _ in range(2))
    return f"{BLANK}{shot[0]}\n{shot[1]}\n\n{item[0]}\n{item[1]}"


def trivia(rng: Random) -> str:
    shot, item = (question(rng) for _ in range(2))
    return f"{TRIVIA}Q: {shot.text}\nA: {shot.short}\n\nQ: {item.text}\nA: {item.short}"


def question_document(rng: Random) -> str:
    return rng.choice([multiple_choice, multiple_choice, fill_in_the_blank, trivia])(rng)
