"""Where questions, their options and their answers stand in rows of token ids, in all formats of the corpus.

Multiple choice has a line for each option, `A: moo`, and then `Answer: B`. A sentence to fill in goes on with
`1 = Mia and 2 = Tom. Answer:`, a new line and `1`. Short answers follow on the next line, after `A: ` or `Answer: `. A text
may also be followed by a question and a sentence that answers it, in the same line or as what `adept:` says.
"""

import re
from dataclasses import dataclass

import numpy
import sentencepiece

from corpus.facts import known_answer
from corpus.kinds import fact_about, property_asked
from corpus.words import ANIMALS, NUMBERS

ITEM = re.compile(
    r"(?:Question: (?P<question>[^\n\0]+))?(?P<options>(?:\n[A-E]: [^\n\0]+)+)\nAnswer: (?P<label>[A-E])"
)
LINE = re.compile(r"\n(?P<label>[A-E]): (?P<option>[^\n]+)")
SHORT = re.compile(r"(?:\nQ: (?P<q>[^\n\0]+)\nA|Question: (?P<question>[^\n\0]+)\nAnswer): (?P<answer>[^\n\0]+)")
REPLY = re.compile(r"\?(?: |\n\nadept: )(?P<answer>[^\n\0?.]+)\.")
PLACED = re.compile(r" put the (?P<thing>\w+) (?P<place>[^.\n\0]+)\.")
SUM = re.compile(r"\b(?P<question>\w+ (?:plus|minus) [\w-]+ is) (?P<answer>[\w-]+)\.")
NUMBER = re.compile(rf"\b(?:{'|'.join(sorted(NUMBERS, key=len, reverse=True))})\b", re.IGNORECASE)
REQUEST = re.compile(r"story about (?:an? |the )?(?P<topic>[^.?\n\0]+)[.?]?\n\nadept: (?P<story>[^\n\0]+)")
LAST_WORD = re.compile(rf"(?:.* named |(?!greedy)\w+ (?=(?:{'|'.join(ANIMALS)})\Z))(?P<word>\w+)\Z")
SENTENCE_END = re.compile(r"[.!?]\"?(?= )")
BLANK = re.compile(r"1 = (?P<one>[^\n\0]+?) and 2 = (?P<two>[^\n\0]+?)\. Answer:\n(?P<label>[12])")


@dataclass(frozen=True)
class Option:
    """Positions in a row: the letter or number, and the tokens of what it stands for."""

    label: int
    tokens: range


@dataclass(frozen=True)
class Answered:
    """A question in row `row`: the token at `position` is the last before the letter or number of the option `right`, which
    is found by `sought`: its own tokens, or in the question those of what it has or is."""

    row: int
    position: int
    options: list[Option]
    right: Option
    sought: range


@dataclass(frozen=True)
class Recalled:
    """A question: `question` are its tokens, `position` is the last before the answer or its letter, `answer` the tokens of
    what its end is to know: the answer, the option that is right, or of "Which of these animals eats grass?" grass. `told`
    are the tokens of the question but for its last sentence: none, or a text that tells the answer. `numbers` are the
    two that the answer is made of, or none."""

    row: int
    told: range
    question: range
    position: int
    answer: range
    numbers: tuple[int, ...] = ()


@dataclass(frozen=True)
class Placed:
    """In "Mia put the kite under the bed." the tokens of the thing and of its place."""

    row: int
    thing: range
    place: range


@dataclass(frozen=True)
class Compared:
    """An option of "Which of these animals eats grass?" whose last token is at `position`, and what that animal eats."""

    row: int
    position: int
    question: range
    has: str


@dataclass(frozen=True)
class Requested:
    """A story that was asked for: the tokens of the word that says most of its topic, and the last ones before each of its
    sentences. Of "a boy named Leo" the word is the name, of "a brave fox" the animal, else the first, as in "a lost kite",
    "sharing a kite" and "a greedy fox", which are plots."""

    row: int
    topic: range
    sentences: list[int]


@dataclass(frozen=True)
class Found:
    answered: list[Answered]
    recalled: list[Recalled]
    placed: list[Placed]
    compared: list[Compared]
    requested: list[Requested]


class OptionReader:
    def __init__(self, tokenizer: sentencepiece.SentencePieceProcessor):
        self.tokenizer = tokenizer
        self.texts = [_text(tokenizer, number) for number in range(tokenizer.vocab_size())]

    def read(self, ids: numpy.ndarray) -> Found:
        """All questions of the rows [rows, length] whose answer names one of their options; all but the sentences to fill in
        whose answer can be known at the end of the question; all things that are put somewhere; all options that are compared
        by what they have in common, but for facts that are never asked for; all stories that are asked for."""
        found = Found([], [], [], [], [])
        for number, row in enumerate(ids.tolist()):
            reader = _RowReader(number, row, [self.texts[token] for token in row], found)
            reader.read_short_answers()
            reader.read_items()
            reader.read_replies()
            reader.read_blanks()
            reader.read_placed()
            reader.read_sums()
            reader.read_requests()
        return found


class _RowReader:
    def __init__(self, number: int, row: list[int], pieces: list[str], found: Found):
        self.number, self.row, self.found = number, row, found
        self.text = "".join(pieces)
        self.token_at = numpy.repeat(numpy.arange(len(row)), [len(piece) for piece in pieces])
        self.starts = numpy.cumsum([0, *(len(piece) for piece in pieces)])  # of each token in the text, and the text's end

    def tokens(self, span: tuple[int, int]) -> range:
        start, end = span
        return range(int(self.token_at[start]), int(self.token_at[end - 1]) + 1)

    def told_and_question(self, span: tuple[int, int]) -> tuple[range, range]:
        end_of_told = self.text.rfind(". ", *span) + 1
        return self.tokens((span[0], end_of_told)) if end_of_told > 0 else range(0), self.tokens(span)

    def read_short_answers(self) -> None:
        for match in SHORT.finditer(self.text):
            if re.fullmatch("[A-E]", match["answer"]) is None:
                answer = self.tokens(match.span("answer"))
                told, question = self.told_and_question(match.span("q" if match["q"] else "question"))
                self.recalled(told, question, answer.start - 1, answer, match["answer"])

    def read_items(self) -> None:
        for item in ITEM.finditer(self.text):
            lines = list(LINE.finditer(self.text, *item.span("options")))
            options = {
                line["label"]: Option(int(self.token_at[line.start("label")]), self.tokens(line.span("option")))
                for line in lines
            }
            if item["label"] not in options:
                continue
            before, right = int(self.token_at[item.start("label")]) - 1, options[item["label"]]
            sought = right.tokens
            if item["question"] is not None:
                told, question = self.told_and_question(item.span("question"))
                sought = self.read_compared(item, lines, options, question) or sought
                self.recalled(told, question, before, sought, self.text_of(right.tokens))
            self.found.answered.append(Answered(self.number, before, list(options.values()), right, sought))

    def read_compared(self, item: re.Match, lines: list[re.Match], options: dict, question: range) -> range | None:
        """What the options of "Which of these ...?" are compared by: its tokens in the question."""
        common = property_asked(item["question"])
        if common is None:
            return None
        name, place = common
        for line in lines:
            if fact := fact_about(name, line["option"]):
                last = options[line["label"]].tokens[-1]
                self.found.compared.append(Compared(self.number, last, question, fact.answer))
        start = item.start("question")
        return self.tokens((start + place.start, start + place.stop))

    def read_replies(self) -> None:
        """Questions before a sentence that names a fact, a number, or what the text before them tells and they do not name."""
        for match in REPLY.finditer(self.text):
            line = max(self.text.rfind(mark, 0, match.start()) for mark in "\n\0") + 1
            asked = self.text[line : match.start() + 1].lstrip().removeprefix("human: ")
            told, question = self.told_and_question((match.start() + 1 - len(asked), match.start() + 1))
            at = self.fact(asked, match) or self.number_named(asked, match) or self.news(told, question, match)
            if at:
                self.recalled(told, question, at[0] - 1, range(at[0], at[-1] + 1), match["answer"])

    def news(self, told: range, question: range, reply: re.Match) -> list[int]:
        named = {self.row[i] for i in question if i not in told}
        news = {self.row[i] for i in told} - named
        return [i for i in self.tokens(reply.span("answer")) if self.row[i] in news]

    def fact(self, asked: str, reply: re.Match) -> range | None:
        answer = known_answer(asked)
        at = -1 if answer is None else reply["answer"].lower().rfind(answer.lower())
        start = reply.start("answer") + at
        return self.tokens((start, start + len(answer))) if at >= 0 else None

    def number_named(self, asked: str, reply: re.Match) -> range | None:
        if re.search(r"\b[Hh]ow (?:many|much) [^.?]*\?\Z", asked) is None:
            return None
        numbers = list(NUMBER.finditer(self.text, *reply.span("answer")))
        return self.tokens(numbers[-1].span()) if numbers else None

    def read_sums(self) -> None:
        for match in SUM.finditer(self.text):
            question, answer = self.tokens(match.span("question")), self.tokens(match.span("answer"))
            self.recalled(range(0), question, question[-1], answer, match["answer"])

    def recalled(self, told: range, question: range, position: int, answer: range, text: str) -> None:
        """`text` says whether the answer is a number."""
        numbers = ()
        if NUMBER.search(text):
            start, end = (self.starts[i] for i in (question[0], question[-1] + 1))
            named = [self.tokens(n.span())[-1] for n in NUMBER.finditer(self.text, start, end)]
            numbers = tuple(named) if len(named) == 2 else ()
        self.found.recalled.append(Recalled(self.number, told, question, position, answer, numbers))

    def text_of(self, tokens: range) -> str:
        return self.text[self.starts[tokens[0]] : self.starts[tokens[-1] + 1]]

    def read_requests(self) -> None:
        for match in REQUEST.finditer(self.text):
            ends = [int(self.token_at[m.end() - 1]) for m in SENTENCE_END.finditer(self.text, *match.span("story"))]
            sentences = [int(self.token_at[match.start("story") - 1]) - 1, *ends]
            topic, start = match["topic"], match.start("topic")
            last = LAST_WORD.match(topic)
            word = last.span("word") if last else (0, len(topic.split()[0]))
            self.found.requested.append(Requested(self.number, self.tokens((start + word[0], start + word[1])), sentences))

    def read_blanks(self) -> None:
        for match in BLANK.finditer(self.text):
            one, two = (
                Option(int(self.token_at[match.start(name) - 4]), self.tokens(match.span(name))) for name in ("one", "two")
            )
            right, before = one if match["label"] == "1" else two, int(self.token_at[match.start("label")]) - 1
            self.found.answered.append(Answered(self.number, before, [one, two], right, right.tokens))

    def read_placed(self) -> None:
        for match in PLACED.finditer(self.text):
            thing, place = self.tokens(match.span("thing")), self.tokens(match.span("place"))
            self.found.placed.append(Placed(self.number, thing, place))


def _text(tokenizer: sentencepiece.SentencePieceProcessor, token: int) -> str:
    """What a token stands for; special pieces are NUL, bytes other than a newline one character that no pattern names."""
    piece = tokenizer.id_to_piece(token)
    if tokenizer.is_byte(token):
        return "\n" if piece == "<0x0A>" else "\ufffd"
    return "\0" if tokenizer.is_control(token) or piece.startswith("|") else piece.replace("▁", " ")
