"""Training text with functions: files, the evaluation's prompt with more examples, and requests in a chat."""

from random import Random

from .making import draw, function, make

INSTRUCTION = (
    "You are a code-writing bot. Given a function signature, and a docstring, complete the program body. "
    "Some examples are given below.\n"
)
LONGEST = 1100  # characters, about 350 tokens


def several(rng: Random, least: int, most: int, taken: int) -> list:
    """Functions for one document; no more once it is long enough."""
    functions = []
    for _ in range(rng.randint(least, most)):
        made = function(rng)
        taken += len(made.prompt) + len(made.solution) + 2
        if len(functions) >= least and taken > LONGEST:
            break
        functions.append(made)
    return functions


def file(rng: Random) -> str:
    return "\n\n".join(made.prompt + made.solution for made in several(rng, 1, 4, 0))


def prompt_with_examples(rng: Random) -> str:
    first, *others = several(rng, 2, 5, len(INSTRUCTION))
    # HumanEval's prompts start with one to three newlines; in this prompt the first has none.
    gap = rng.choices(["\n\n", "\n", "\n\n\n"], [0.8, 0.1, 0.1])[0]
    rest = "".join(gap + made.prompt + made.solution for made in others)
    return INSTRUCTION + first.prompt + first.solution + rest


def request_in_chat(rng: Random) -> str:
    made, request = make(rng, draw(rng, held_out=False))
    return f"human: Write a Python function that {request}\n\nadept: {made.prompt}{made.solution}"


def function_document(rng: Random) -> str:
    return rng.choices([file, prompt_with_examples, request_in_chat], [0.4, 0.5, 0.1])[0](rng)
