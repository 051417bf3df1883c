"""Options and answers found in token rows: labels, tokens and the position before the answer."""

import sys
import unittest
from pathlib import Path
from random import Random

ROOT = Path(__file__).resolve().parents[4]
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy
import sentencepiece

from corpus.blanks import blank_document
from corpus.questions import lookups, trivia
from options import OptionReader

TOKENIZER = sentencepiece.SentencePieceProcessor(model_file=str(ROOT / "models" / "demo" / "tokenizer.model"))
END = TOKENIZER.piece_to_id("|ENDOFTEXT|")
READER = OptionReader(TOKENIZER)


def row(*texts: str) -> list[int]:
    return [token for text in texts for token in (END, *TOKENIZER.encode(text))]


def read(ids: list[int]):
    return READER.read(numpy.array([ids]))[0]


def recalled(ids: list[int]) -> list[tuple[str, str, str]]:
    """Of each question the last token of it, the last before the answer, and the answer."""
    found = READER.read(numpy.array([ids]))[1]
    return [tuple(text(ids, tokens) for tokens in (r.question[-1:], [r.position], r.answer)) for r in found]


def text(ids: list[int], tokens) -> str:
    return TOKENIZER.decode([ids[i] for i in tokens])


class Options(unittest.TestCase):
    def test_multiple_choice(self):
        ids = row("Question: What does a cow say?\nA: quack\nB: moo\nC: nothing at all\nAnswer: B\n\nQuestion: And")
        (found,) = read(ids)
        self.assertEqual([text(ids, o.tokens) for o in found.options], ["quack", "moo", "nothing at all"])
        self.assertEqual([text(ids, [o.label]) for o in found.options], ["A", "B", "C"])
        self.assertIs(found.right, found.options[1])
        self.assertEqual(text(ids, [found.position, found.position + 1]), ": B")

    def test_a_blank_to_fill_in(self):
        ids = row("Q: Mia thanked Mr. Hill because _ had helped.. 1 = Mr. Hill and 2 = Mia. Answer:\n2")
        (found,) = read(ids)
        self.assertEqual([text(ids, o.tokens) for o in found.options], ["Mr. Hill", "Mia"])
        self.assertEqual([text(ids, [o.label]) for o in found.options], ["1", "2"])
        self.assertIs(found.right, found.options[1])
        self.assertEqual(text(ids, [found.position, found.position + 1]), "\n2")

    def test_what_is_cut_or_names_no_option_is_left_out(self):
        for cut in ("Question: x?\nA: quack\nB: moo\nAnswer:", "Question: x?\nA: quack\nB: moo\nAnswer: C", "Answer: A"):
            self.assertEqual(read(row(cut)), [], cut)

    def test_a_question_does_not_reach_into_the_next_document(self):
        ids = row("Question: x?\nA: quack\nB: moo", "\nC: baa\nAnswer: A")
        self.assertEqual(read(ids), [])

    def test_where_a_question_ends_and_what_answers_it(self):
        ids = row("x\nQ: What does a cow say?\nA: moo\n\nQ: Where is it?\nA: in the shed", "Question: Who?\nAnswer: Tom Lark")
        self.assertEqual(recalled(ids), [("?", ":", "moo"), ("?", ":", "in the shed"), ("?", ":", "Tom Lark")])
        choice = row("Question: Who is it?\nA: moo\nB: Tom\nAnswer: B")
        self.assertEqual(recalled(choice), [("?", ":", "Tom")])

    def test_what_was_put_where(self):
        ids = row("Question: Mia put the kite under the bed. Tom put the ball in a box. Where is the kite?\nA: x")
        found = READER.read(numpy.array([ids]))[2]
        self.assertEqual(
            [(text(ids, p.thing), text(ids, p.place)) for p in found], [("kite", "under the bed"), ("ball", "in a box")]
        )

    def test_what_only_the_options_tell_is_not_recalled(self):
        for asked in ("Which of these is red?", "In which of these countries do people speak Thai?"):
            self.assertEqual(recalled(row(f"Question: {asked}\nA: moo\nB: Tom\nAnswer: B")), [], asked)

    def test_nothing_is_recalled_where_a_question_or_its_answer_is_cut(self):
        for cut in ("cow?\nA: moo", "Question: x?\nA: quack\nB: moo\nAnswer: C", "Question: x?\nAnswer: B", "Q: x?\nA:"):
            self.assertEqual(recalled(row(cut)), [], cut)

    def test_every_short_answer_of_the_corpus_is_found(self):
        rng = Random(2)
        for _ in range(40):
            document = trivia(rng)
            self.assertEqual(len(recalled(row(document))), document.count("\nA: ") + document.count("\nAnswer: "), document)

    def test_every_item_of_the_corpus_is_found(self):
        rng = Random(1)
        for make, mark in ((lookups, "\nAnswer: "), (blank_document, "Answer:\n")):
            for _ in range(40):
                document = make(rng)
                ids = row(document)
                found = read(ids)
                self.assertEqual(len(found), document.count(mark), document)
                for item in found:
                    answer = text(ids, [item.position + 1]).strip()
                    self.assertEqual(text(ids, [item.right.label]).strip(), answer, document)


if __name__ == "__main__":
    unittest.main()
