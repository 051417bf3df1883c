"""Tells some attention heads where to look while the model is trained, and asks for the answer one layer early.

A small model that only predicts the next token finds heads that copy late or never: after 13 million tokens this one had
none, and took the letters of multiple choice by chance. Here -log of the attention that a head gives to the right positions
is added to the loss, as in Deshpande and Narasimhan, "Guiding attention for self-supervised learning with transformers"
(2020), and Mi, Wang and Ittycheriah, "Supervised attentions for neural machine translation" (2016). The heads together
form the circuit of Olsson et al., "In-context learning and induction heads" (2022), and one that finds an answer's letter.
Nothing of it is left in the exported model but its weights.
"""

from dataclasses import dataclass

import numpy
import sentencepiece
import torch

from options import Answered, Compared, OptionReader, Placed, Recalled, Requested

# (layer, head): what it looks at. A model with fewer layers or heads leaves out what it has not. The answer is looked for in
# the last layer only: a head of the layer before has to choose before it knows what the end of the question knows, and what
# it takes is in the way; without it the right one of two places arrived in 46 instead of 30 of 55 held-out questions.
HEADS = {
    (0, 0): "previous",
    (0, 1): "same",
    (1, 0): "label",
    (1, 1): "placed",
    (2, 0): "induction",
    (2, 1): "asked",
    (2, 2): "compared",
    (2, 3): "numbers",
    (3, 0): "copy",
    (3, 1): "told",
    (3, 2): "described",
    (3, 3): "topic",
    (4, 0): "copy",
    (4, 2): "question",
    (5, 0): "answer",
    (5, 1): "answer",
}
RARE = 0.002  # a token that is at most this share of the text is worth copying


@dataclass
class Pattern:
    """Where heads of one kind should look from some positions of a batch: `allowed` [n, length], true for one or more."""

    rows: torch.Tensor
    positions: torch.Tensor
    allowed: torch.Tensor

    def loss(self, probabilities: torch.Tensor, head: int) -> torch.Tensor:
        """Mean of -log(attention on what is allowed), of probabilities [rows, heads, length, length]."""
        attention = probabilities[self.rows, head, self.positions].float()
        return -torch.log((attention * self.allowed).sum(-1) + 1e-6).mean()


@dataclass
class Words:
    """What is to be known at some places of a batch: at (rows[i], positions[i]) the token words[i]."""

    rows: list[int]
    positions: list[int]
    words: torch.Tensor

    def loss(self, model, hidden: torch.Tensor) -> torch.Tensor | float:
        """Cross-entropy of the words in `hidden` [rows, length, hidden size] as the model's head reads it."""
        if len(self.words) == 0:
            return 0.0
        logits = model.lm_head(model.model.final_layernorm(hidden[self.rows, self.positions]))
        return torch.nn.functional.cross_entropy(logits.float(), self.words)


class Guidance:
    """One batch after the other: `begin`, then the forward pass with `observe=guidance.observe`, then `loss`."""

    def __init__(self, tokenizer: sentencepiece.SentencePieceProcessor, end: int, shares: numpy.ndarray):
        """`shares` [vocabulary]: each token's share of the training text."""
        self.end, self.shares, self.reader = end, shares, OptionReader(tokenizer)
        self.newline = tokenizer.piece_to_id("<0x0A>")
        self.patterns: dict[str, Pattern] = {}
        self.losses: dict[tuple[int, int], torch.Tensor] = {}
        self.early: dict[str, torch.Tensor | float] = {}
        self.at_answer = self.at_question = self.at_options = self.at_sentences = Words([], [], torch.empty(0, dtype=torch.long))

    def begin(self, ids: numpy.ndarray, device: str) -> None:
        """`ids` [rows, length + 1], as the batch has them."""
        read = self.reader.read(ids)
        length = ids.shape[1] - 1
        asked = [self._asked(ids[r.row], r) for r in read.recalled]
        found = self._copies(ids) | _options(read.answered, read.recalled, length)
        found |= self._told(ids, read.recalled, asked, length) | {"asked": _asked(read.recalled, asked, length)}
        found |= {"placed": _placed(read.placed, length), "compared": _compared(read.compared, length)}
        found |= {"numbers": _numbers(read.recalled, length), "topic": _topics(read.requested, length)}
        self.patterns = {
            name: Pattern(*(torch.from_numpy(x).to(device) for x in (*where, allowed.astype(numpy.float32))))
            for name, (where, allowed) in found.items()
            if len(allowed) > 0
        }
        self.losses = {}
        self.at_answer = self._words([(a.row, a.position, ids[a.row, a.sought]) for a in read.answered], device)
        self.at_question = self._words([(r.row, r.question[-1], ids[r.row, r.answer]) for r in read.recalled], device)
        self.at_sentences = self._words(
            [(r.row, i, ids[r.row, r.topic]) for r in read.requested for i in r.sentences if i < length], device
        )
        self.at_options = self._words([(c.row, c.position, self._encoded(c.has)) for c in read.compared], device)

    @torch.compiler.disable
    def observe(self, layer: int, probabilities: torch.Tensor) -> None:
        for (number, head), name in HEADS.items():
            if number == layer and head < probabilities.shape[1] and name in self.patterns:
                self.losses[number, head] = self.patterns[name].loss(probabilities, head)

    def __str__(self) -> str:
        """For the progress line: the mean of -log(attention) by pattern in the latest batch, and of -log(probability) of what
        is to be known early."""
        patterns = "".join(f" {HEADS[head]} {loss.item():.2f}" for head, loss in self.losses.items())
        return f" guided{patterns} early" + "".join(f" {name} {float(loss):.2f}" for name, loss in self.early.items())

    def loss(self) -> torch.Tensor | float:
        """The sum over the heads."""
        return sum(self.losses.values())

    def early_answer_loss(self, model, inputs: list[torch.Tensor]) -> torch.Tensor | float:
        """Cross-entropy of the answer's rarest word, read from the `inputs` [rows, length, hidden size] of inner layers: from
        that of the last but one at the end of the question, where the answer can be known whatever the format; and from
        that of the last one where a letter is to be given, so that this layer only has to find the word among the options.
        A model that was not told so knew 89 % of the capitals and languages it had never been asked for as short answers,
        and 4 of 9 as multiple choice. Of "Which of these animals eats grass?" the word is grass, and from the last but one
        layer's input each option is to tell what that animal eats, so that options can be found by what they have just as
        by what they are. Where a story that was asked for begins a sentence, it is what the request names. Such a loss on an inner layer is deep supervision (Lee et al. 2015)."""
        self.early = {
            "question": self.at_question.loss(model, inputs[-2]),
            "options": self.at_options.loss(model, inputs[-2]),
            "topic": self.at_sentences.loss(model, inputs[-2]),
            "answer": self.at_answer.loss(model, inputs[-1]),
        }
        return sum(self.early.values())

    def _words(self, found: list[tuple[int, int, numpy.ndarray]], device: str) -> "Words":
        """Of rows, positions and the tokens of answers: the rarest of those."""
        rows, positions = ([entry[i] for entry in found] for i in (0, 1))
        rarest = [self._rarest(tokens) for _, _, tokens in found]
        return Words(rows, positions, torch.tensor(rarest, dtype=torch.long, device=device))

    def _rarest(self, tokens: numpy.ndarray) -> int:
        return int(tokens[numpy.argmin(self.shares[tokens])])

    def _encoded(self, words: str) -> numpy.ndarray:
        return numpy.array(self.reader.tokenizer.encode(words))

    def _asked(self, row: numpy.ndarray, recalled: Recalled) -> list[int]:
        """What a question about a text asks for: the rare tokens of its last sentence that stand in the text before it."""
        told = [int(row[i]) for i in recalled.told]
        return [i for i in recalled.question if i not in recalled.told and self.shares[row[i]] <= RARE and int(row[i]) in told]

    def _told(self, ids: numpy.ndarray, recalled: list[Recalled], asked: list[list[int]], length: int) -> dict:
        """Patterns of questions about a text that stands before them, in the same line. Their end looks at the answer's
        rarest token in that text ("told"); but where the thing that is asked for follows it, as in "a red kite", at the thing,
        since only that can know both ("described"). These are two heads, because one copies what it looks at and the other
        what stood before that."""
        told, described = [], []
        for r, things in zip(recalled, asked):
            rarest, names = self._rarest(ids[r.row, r.answer]), {int(ids[r.row, i]) for i in things}
            at = [i for i in r.told if ids[r.row, i] == rarest]
            after = [i + 1 for i in at if int(ids[r.row, i + 1]) in names]
            (described if after else told).append((r.row, r.question[-1], after or at))
        return {"told": _listed(told, length), "described": _listed(described, length)}

    def _copies(self, ids: numpy.ndarray) -> dict:
        """Patterns within a document: the token before, earlier places of the same token, what followed it there
        (induction), and earlier places of the token that comes next (copy). Where nothing matches, "same" and "induction"
        look at the beginning of the document, so that later layers can tell."""
        tokens, following = ids[:, :-1], ids[:, 1:]
        rows, length = tokens.shape
        before = numpy.concatenate([numpy.full((rows, 1), -1), tokens[:, :-1]], axis=1)
        document = numpy.cumsum(tokens == self.end, axis=1)
        within = (document[:, :, None] == document[:, None, :]) & numpy.tri(length, dtype=bool)
        earlier = within & ~numpy.eye(length, dtype=bool)
        starts = numpy.maximum.accumulate(numpy.where(tokens == self.end, numpy.arange(length), 0), axis=1)
        start = starts[:, :, None] == numpy.arange(length)
        plain = (tokens != self.end) & (tokens != self.newline)
        rare = self.shares <= RARE

        same = earlier & (tokens[:, :, None] == tokens[:, None, :])
        after_same = within & (tokens[:, :, None] == before[:, None, :])
        comes_next = within & (following[:, :, None] == tokens[:, None, :]) & rare[following][:, :, None]
        induction = comes_next & after_same & plain[:, :, None]
        nothing = plain & ~after_same.any(-1) & (numpy.arange(length) % 3 == 0)
        return {
            "previous": _where(numpy.eye(length, k=-1, dtype=bool)[None].repeat(rows, axis=0) & (numpy.arange(length) % 4 == 0)),
            "same": _where((same | start & ~same.any(-1, keepdims=True)) & rare[tokens][:, :, None]),
            "induction": _where(induction | start & nothing[:, :, None]),
            "copy": _where(comes_next),
        }


def _where(allowed: numpy.ndarray) -> tuple[tuple[numpy.ndarray, numpy.ndarray], numpy.ndarray]:
    """Of [rows, length, length]: the positions from which something is allowed, and what."""
    rows, positions = numpy.nonzero(allowed.any(-1))
    return (rows, positions), allowed[rows, positions]


def _options(answered: list[Answered], recalled: list[Recalled], length: int) -> dict:
    """Patterns of questions: every token of an option looks at its letter; the last token before the answer at the right
    option, letter included, and at the end of the question."""
    labels = [(a.row, i, [o.label]) for a in answered for o in a.options for i in o.tokens]
    answers = [(a.row, a.position, [a.right.label, *a.right.tokens]) for a in answered]
    questions = [(r.row, r.position, [r.question[-1]]) for r in recalled if r.position > r.question[-1]]
    named = (("label", labels), ("answer", answers), ("question", questions))
    return {name: _listed(entries, length) for name, entries in named}


def _asked(recalled: list[Recalled], asked: list[list[int]], length: int):
    """Pattern of questions about a text: their end looks at what they ask for. Without it the end does not know which of two
    things that the text tells of is meant, and the answer is that of either, by chance."""
    return _listed([(r.row, r.question[-1], things) for r, things in zip(recalled, asked)], length)


def _compared(compared: list[Compared], length: int):
    """Pattern of options that are compared: they look at the end of the question, which knows by what."""
    return _listed([(c.row, c.position, [c.question[-1]]) for c in compared], length)


def _topics(requested: list[Requested], length: int):
    """Pattern of stories that were asked for: the end of each sentence, after which the story could go anywhere, looks at
    what the request names."""
    return _listed([(r.row, i, list(r.topic)) for r in requested for i in r.sentences if i < length], length)


def _numbers(recalled: list[Recalled], length: int):
    """Pattern of sums and differences: the end of the question looks at both numbers, half at each: every one counts as a
    position of its own."""
    return _listed([(r.row, r.question[-1], [i]) for r in recalled for i in r.numbers], length)


def _placed(placed: list[Placed], length: int):
    """Pattern of places, as in "put the kite under the bed": all of their tokens look at the thing, so that a question
    about the thing finds them. Without it a model took one of the two places that a text tells, by chance."""
    return _listed([(p.row, i, list(p.thing)) for p in placed for i in p.place if i < length], length)


def _listed(entries: list[tuple[int, int, list[int]]], length: int):
    """Of rows, positions and what these look at; one that has nothing to look at is left out."""
    entries = [entry for entry in entries if entry[2]]
    allowed = numpy.zeros((len(entries), length), dtype=bool)
    for number, (_, _, targets) in enumerate(entries):
        allowed[number, targets] = True
    rows, positions = (numpy.array([entry[i] for entry in entries], dtype=int) for i in (0, 1))
    return (rows, positions), allowed
