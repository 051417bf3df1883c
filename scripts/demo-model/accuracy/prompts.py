"""The 1-shot prompts that Adept released with Persimmon, byte for byte. None ends with a space."""

from .items import LETTERS, options

CHOICE = (
    "You are a bot designed to answer multiple choice questions. Given a series of options, you answer by choosing "
    "A, B, C, or D. Some examples are below.\n"
)
SUBJECT = (
    "You are a bot designed to answer questions by choosing between A, B, C, and D. Only one of these answers from the "
    "provided choices is correct. Reply with the letter of the correct answer.\n"
)
BLANK = (
    "You are a bot that is responsible for answering fill-in-the-blank questions. You are provided with a sentence and "
    "two possible fill-in-the-blank options. Your task is to return 1 or 2 as the answer.\n"
)
TRIVIA = (
    "You are a trivia answering bot designed to answer questions. You are given a question and are supposed to output "
    "an answer in 1-3 words. Some examples are below.\n"
)
CODE = (
    "You are a code-writing bot. Given a function signature, and a docstring, complete the program body. Some examples "
    "are given below.\n"
)


def _choice(item: dict) -> str:
    question = item["ctx"] if "ctx" in item else item["question"]
    lines = "".join(f"{letter}: {text}\n" for letter, text in zip(LETTERS, options(item)))
    return f"Question: {question}\n{lines}Answer:"


def _blank(item: dict) -> str:
    return f"Q: {item['sentence']}. 1 = {item['option1']} and 2 = {item['option2']}. Answer:"


def _multiple_choice(instruction: str, shot: dict, item: dict) -> str:
    return f"{instruction}{_choice(shot)} {LETTERS[shot['gold']]}\n\n{_choice(item)}"


def prompt(task: str, shot: dict, item: dict) -> str:
    """HellaSwag has no format of Adept's; its endings are listed as in ARC."""
    if task in ("arc", "hellaswag"):
        return _multiple_choice(CHOICE, shot, item)
    if task == "mmlu":
        return _multiple_choice(SUBJECT, shot, item)
    if task == "winogrande":
        return f"{BLANK}{_blank(shot)}\n{shot['answer']}\n\n{_blank(item)}"
    if task == "triviaqa":
        return f"{TRIVIA}Q: {shot['question']}\nA: {shot['answer']}\n\nQ: {item['question']}\nA:"
    if task == "humaneval":
        return CODE + shot["prompt"].lstrip("\n") + shot["canonical_solution"] + item["prompt"]
    raise ValueError(f"unknown task {task}")
