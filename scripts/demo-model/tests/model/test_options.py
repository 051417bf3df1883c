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
from corpus.facts import FACTS
from corpus.kinds import fact_about, property_asked, which_of_these
from corpus.questions import lookups, trivia
from options import OptionReader

TOKENIZER = sentencepiece.SentencePieceProcessor(model_file=str(ROOT / "models" / "demo" / "tokenizer.model"))
END = TOKENIZER.piece_to_id("|ENDOFTEXT|")
READER = OptionReader(TOKENIZER)


def row(*texts: str) -> list[int]:
    return [token for text in texts for token in (END, *TOKENIZER.encode(text))]


def read(ids: list[int]):
    return READER.read(numpy.array([ids])).answered


def recalled(ids: list[int]) -> list[tuple[str, str, str]]:
    """Of each question the last token of it, the last before the answer, and the answer."""
    found = READER.read(numpy.array([ids])).recalled
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
        found = READER.read(numpy.array([ids])).placed
        self.assertEqual(
            [(text(ids, p.thing), text(ids, p.place)) for p in found], [("kite", "under the bed"), ("ball", "in a box")]
        )

    def test_what_is_told_before_a_question(self):
        ids = row("Question: Tom has a kite. Mia has a ball. Who has it?\nA: Mia\nB: Tom\nAnswer: B", "x\nQ: Who?\nA: Mia")
        found = READER.read(numpy.array([ids])).recalled
        self.assertEqual([text(ids, r.told) for r in found], ["", "Tom has a kite. Mia has a ball."])

    def test_a_sentence_that_answers_from_the_text_before_its_question(self):
        told = "Mia put the kite under the bed. Tom put the ball in a box. Where is the ball?"
        for reply in (f"{told} The ball is in a box. Where", f"human: {told}\n\nadept: The ball is in a box."):
            self.assertEqual(recalled(row(reply)), [("?", "is", "in a box")])
        self.assertEqual(recalled(row("Who has the kite? Tom has the kite.")), [])
        self.assertEqual(recalled(row("Tom has it. Who has it? Tom has it.")), [("?", "?", "Tom")])

    def test_options_that_are_compared(self):
        """A cow eats grass, which is never asked for."""
        ids = row("Question: Which of these animals eats fish?\nA: a cow\nB: a seal\nC: a stone\nAnswer: B")
        found = READER.read(numpy.array([ids]))
        facts = {f.subject: f for f in FACTS if (f.kind, f.attribute.name) == ("animals", "eats")}
        self.assertTrue(facts["cow"].held_out and not facts["seal"].held_out)
        self.assertEqual({text(ids, [c.position]): c.has for c in found.compared}, {"seal": "fish"})
        self.assertEqual({text(ids, [c.question[-1]]) for c in found.compared}, {"?"})
        # What is to be known is not the option but what it has.
        self.assertEqual([text(ids, a.sought) for a in found.answered], ["fish"])
        self.assertEqual(recalled(ids), [("?", ":", "fish")])

    def test_no_option_tells_a_fact_that_is_never_asked_for(self):
        for fact in FACTS:
            found = fact_about((fact.kind, fact.attribute.name), fact.with_article(fact.subject))
            self.assertIs(found, None if fact.held_out else fact)

    def test_every_question_about_what_options_have_in_common_is_understood(self):
        rng = Random(3)
        for _ in range(300):
            asked = which_of_these(rng)
            name, place = property_asked(asked.text)
            fact = fact_about(name, asked.answer)
            self.assertEqual((fact.key, asked.text[place]), (asked.key, fact.answer))

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


class Talk(unittest.TestCase):
    def replies(self, text_: str) -> list[tuple[str, str, str]]:
        return recalled(row(text_))

    def test_replies_that_tell_a_fact(self):
        self.assertEqual(
            self.replies("human: What is the capital of France?\n\nadept: The capital of France is Paris."),
            [("?", "is", "Paris")],
        )
        self.assertEqual(
            self.replies("human: Hello!\n\nadept: Hi!\n\nhuman: What does a pilot do?\n\nadept: A pilot flies planes."),
            [("?", "pilot", "flies planes")],
        )
        # Nobody asks so, or it is no fact.
        self.assertEqual(self.replies("human: Which capital has France?\n\nadept: The capital of France is Paris."), [])

    def test_replies_that_are_a_number(self):
        ids = row("human: Mia has six apples. Tom gives Mia two more. How many apples does Mia have now?\n\nadept: Mia has eight apples.")
        (found,) = READER.read(numpy.array([ids])).recalled
        self.assertEqual([text(ids, [found.position]), text(ids, found.answer)], ["has", "eight"])
        self.assertEqual([text(ids, [i]) for i in found.numbers], ["six", "two"])

    def test_a_story_is_no_answer(self):
        text_ = "human: Could you tell me a story about a fox?\n\nadept: One sunny day, Rusty went to the park. Two birds sang."
        self.assertEqual(recalled(row(text_)), [])

    def test_sums(self):
        ids = row("Nine minus five is four. Two plus ten is twelve.\nOne, two, three.")
        found = READER.read(numpy.array([ids])).recalled
        self.assertEqual([text(ids, f.answer) for f in found], ["four", "twelve"])
        self.assertEqual([text(ids, [f.position]) for f in found], ["is", "is"])
        self.assertEqual([[text(ids, [i]) for i in f.numbers] for f in found], [["Nine", "five"], ["Two", "ten"]])

    def test_numbers_belong_to_sums_only(self):
        ids = row("Question: How many legs does a cow have?\nA: two\nB: four\nAnswer: B")
        self.assertEqual([f.numbers for f in READER.read(numpy.array([ids])).recalled], [()])

    def test_stories_that_are_asked_for(self):
        wanted = {
            "a lost kite": "lost", "a kite in a tree": "kite", "the night sky": "night", "a fox": "fox",
            "a brave mouse": "mouse", "a greedy fox": "greedy", "a boy named Leo": "Leo", "an owl named Fern": "Fern",
            "snow": "snow", "learning to swim": "learning",
        }  # fmt: skip
        for topic, word in wanted.items():
            for end in (".", "", "?"):
                ids = row(f'human: Tell me a story about {topic}{end}\n\nadept: Once there was Mia. "Come!" she said. It rained')
                (found,) = READER.read(numpy.array([ids])).requested
                self.assertEqual(text(ids, found.topic), word)
                after = [text(ids, [i + 1]) for i in found.sentences]
                self.assertEqual(after[0], "Once")
                self.assertEqual(after[-1], "It")
                self.assertTrue(after[1].startswith('"') or after[1] == "", after)
        self.assertEqual(READER.read(numpy.array([row("Tell me a story about a fox.")])).requested, [])


if __name__ == "__main__":
    unittest.main()
