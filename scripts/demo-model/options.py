"""Where the answer options of a question stand in rows of token ids, in both formats of the corpus.

Multiple choice has a line for each option, `A: moo`, and then `Answer: B`. A sentence to fill in goes on with
`1 = Mia and 2 = Tom. Answer:`, a new line and `1`.
"""

import re
from dataclasses import dataclass

import numpy
import sentencepiece

ITEM = re.compile(r"((?:\n[A-E]: [^\n\0]+)+)\nAnswer: (?P<label>[A-E])")
LINE = re.compile(r"\n(?P<label>[A-E]): (?P<option>[^\n]+)")
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


class OptionReader:
    def __init__(self, tokenizer: sentencepiece.SentencePieceProcessor):
        self.texts = [_text(tokenizer, number) for number in range(tokenizer.vocab_size())]

    def read(self, ids: numpy.ndarray) -> list[Answered]:
        """All questions of the rows [rows, length] whose answer names one of their options."""
        return [found for number, row in enumerate(ids.tolist()) for found in self._read_row(number, row)]

    def _read_row(self, number: int, row: list[int]) -> list[Answered]:
        pieces = [self.texts[token] for token in row]
        text = "".join(pieces)
        token_at = numpy.repeat(numpy.arange(len(row)), [len(piece) for piece in pieces])

        def tokens(start: int, end: int) -> range:
            return range(int(token_at[start]), int(token_at[end - 1]) + 1)

        found = []
        for item in ITEM.finditer(text):
            options = {
                line["label"]: Option(int(token_at[line.start("label")]), tokens(*line.span("option")))
                for line in LINE.finditer(text, item.start(1), item.end(1))
            }
            found.append((item, options))
        for item in BLANK.finditer(text):
            one, two = (Option(int(token_at[item.start(name) - 4]), tokens(*item.span(name))) for name in ("one", "two"))
            found.append((item, {"1": one, "2": two}))
        return [
            Answered(number, int(token_at[item.start("label")]) - 1, list(options.values()), options[item["label"]])
            for item, options in found
            if item["label"] in options
        ]


def _text(tokenizer: sentencepiece.SentencePieceProcessor, token: int) -> str:
    """What a token stands for; special pieces are NUL, bytes other than a newline one character that no pattern names."""
    piece = tokenizer.id_to_piece(token)
    if tokenizer.is_byte(token):
        return "\n" if piece == "<0x0A>" else "\ufffd"
    return "\0" if tokenizer.is_control(token) or piece.startswith("|") else piece.replace("▁", " ")
