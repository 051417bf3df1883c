"""Where questions, their options and their answers stand in rows of token ids, in all formats of the corpus.

Multiple choice has a line for each option, `A: moo`, and then `Answer: B`. A sentence to fill in goes on with
`1 = Mia and 2 = Tom. Answer:`, a new line and `1`. Short answers follow on the next line, after `A: ` or `Answer: `.
"""

import re
from dataclasses import dataclass

import numpy
import sentencepiece

ITEM = re.compile(
    r"(?:Question: (?P<question>[^\n\0]+))?(?P<options>(?:\n[A-E]: [^\n\0]+)+)\nAnswer: (?P<label>[A-E])"
)
LINE = re.compile(r"\n(?P<label>[A-E]): (?P<option>[^\n]+)")
SHORT = re.compile(r"(?:\nQ: (?P<q>[^\n\0]+)\nA|Question: (?P<question>[^\n\0]+)\nAnswer): (?P<answer>[^\n\0]+)")
OF_THESE = re.compile("(Which|In which) of these ")  # only the options tell
PLACED = re.compile(r" put the (?P<thing>\w+) (?P<place>[^.\n\0]+)\.")
BLANK = re.compile(r"1 = (?P<one>[^\n\0]+?) and 2 = (?P<two>[^\n\0]+?)\. Answer:\n(?P<label>[12])")


@dataclass(frozen=True)
class Option:
    """Positions in a row: the letter or number, and the tokens of what it stands for."""

    label: int
    tokens: range


@dataclass(frozen=True)
class Answered:
    """A question in row `row`: the token at `position` is the last before the letter or number of the option `right`."""

    row: int
    position: int
    options: list[Option]
    right: Option


@dataclass(frozen=True)
class Recalled:
    """A question whose answer is known without its options: `question` are the tokens of the question, `position` is the
    last before the answer or its letter, `answer` the tokens of the answer, or of the option that is right."""

    row: int
    question: range
    position: int
    answer: range


@dataclass(frozen=True)
class Placed:
    """In "Mia put the kite under the bed." the tokens of the thing and of its place."""

    row: int
    thing: range
    place: range


class OptionReader:
    def __init__(self, tokenizer: sentencepiece.SentencePieceProcessor):
        self.texts = [_text(tokenizer, number) for number in range(tokenizer.vocab_size())]

    def read(self, ids: numpy.ndarray) -> tuple[list[Answered], list[Recalled], list[Placed]]:
        """All questions of the rows [rows, length] whose answer names one of their options; all but the sentences to fill in
        whose answer can be known at the end of the question; all things that are put somewhere."""
        found = [self._read_row(number, row) for number, row in enumerate(ids.tolist())]
        answered, recalled, placed = ([entry for lists in found for entry in lists[i]] for i in range(3))
        return answered, recalled, placed

    def _read_row(self, number: int, row: list[int]) -> tuple[list[Answered], list[Recalled], list[Placed]]:
        pieces = [self.texts[token] for token in row]
        text = "".join(pieces)
        token_at = numpy.repeat(numpy.arange(len(row)), [len(piece) for piece in pieces])

        def tokens(start: int, end: int) -> range:
            return range(int(token_at[start]), int(token_at[end - 1]) + 1)

        found, recalled = [], []
        for item in SHORT.finditer(text):
            if re.fullmatch("[A-E]", item["answer"]) is None:
                answer, question = tokens(*item.span("answer")), tokens(*item.span("q" if item["q"] else "question"))
                recalled.append(Recalled(number, question, answer.start - 1, answer))
        for item in ITEM.finditer(text):
            options = {
                line["label"]: Option(int(token_at[line.start("label")]), tokens(*line.span("option")))
                for line in LINE.finditer(text, *item.span("options"))
            }
            found.append((item, options))
            if item["label"] in options and item["question"] and not OF_THESE.match(item["question"]):
                label = int(token_at[item.start("label")])
                question = tokens(*item.span("question"))
                recalled.append(Recalled(number, question, label - 1, options[item["label"]].tokens))
        for item in BLANK.finditer(text):
            one, two = (Option(int(token_at[item.start(name) - 4]), tokens(*item.span(name))) for name in ("one", "two"))
            found.append((item, {"1": one, "2": two}))
        answered = [
            Answered(number, int(token_at[item.start("label")]) - 1, list(options.values()), options[item["label"]])
            for item, options in found
            if item["label"] in options
        ]
        placed = [
            Placed(number, tokens(*item.span("thing")), tokens(*item.span("place"))) for item in PLACED.finditer(text)
        ]
        return answered, recalled, placed


def _text(tokenizer: sentencepiece.SentencePieceProcessor, token: int) -> str:
    """What a token stands for; special pieces are NUL, bytes other than a newline one character that no pattern names."""
    piece = tokenizer.id_to_piece(token)
    if tokenizer.is_byte(token):
        return "\n" if piece == "<0x0A>" else "\ufffd"
    return "\0" if tokenizer.is_control(token) or piece.startswith("|") else piece.replace("▁", " ")
