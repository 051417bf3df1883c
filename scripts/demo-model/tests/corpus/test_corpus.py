"""The corpus as a whole: the same for the same seed, well-formed, and silent about what it leaves out."""

import sys
import unittest
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from corpus import SHARES, documents
from corpus.facts import ASKED, FACTS, NEVER_ASKED, question
from corpus.kinds import which_of_these
from corpus.questions import choices
from corpus.reading import SHARE, reading_question
from corpus.split import held_out

COUNT = 4000


class Corpus(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.documents = list(documents(5, COUNT))

    def test_the_same_seed_gives_the_same_documents_and_another_gives_others(self):
        self.assertEqual(self.documents[:300], list(documents(5, 300)))
        self.assertNotEqual(self.documents[:300], list(documents(6, 300)))

    def test_every_kind_of_document_comes(self):
        self.assertEqual({kind for kind, _ in self.documents}, set(SHARES))
        self.assertAlmostEqual(sum(SHARES.values()), 1)

    def test_no_template_is_left_unfilled(self):
        for kind, text in self.documents:
            self.assertNotIn("|ENDOFTEXT|", text)
            if kind != "code":
                self.assertFalse(set("{}[]") & set(text) or "  " in text, (kind, text))

    def test_no_document_asks_for_a_held_out_fact(self):
        """No wording of any question about a fact of NEVER_ASKED is in any document; of other facts many are."""
        text = "\n".join(text for _, text in self.documents)
        for fact in NEVER_ASKED:
            for wording in range(fact.wordings):
                self.assertNotIn(fact.question(wording, 0).text, text)
        seen = sum(any(fact.question(w, 0).text in text for w in range(fact.wordings)) for fact in ASKED)
        self.assertGreater(seen, 0.8 * len(ASKED))

    def test_held_out_facts_are_told(self):
        text = "\n".join(text for _, text in self.documents)
        told = sum(any(fact.fill(s) in text for s in fact.attribute.statements) for fact in NEVER_ASKED)
        self.assertGreater(told, 0.9 * len(NEVER_ASKED))


class Facts(unittest.TestCase):
    def test_about_a_fifth_is_held_out(self):
        self.assertEqual(len(ASKED) + len(NEVER_ASKED), len(FACTS))
        self.assertTrue(0.15 < len(NEVER_ASKED) / len(FACTS) < 0.25)

    def test_keys_are_unique(self):
        self.assertEqual(len({fact.key for fact in FACTS}), len(FACTS))

    def test_an_answer_is_never_among_the_wrong_options(self):
        rng = Random(1)
        for make in (question, which_of_these, reading_question):
            for _ in range(1500):
                asked = make(rng)
                self.assertNotIn(asked.answer, asked.options)
                self.assertGreaterEqual(len(asked.options), 2, asked)
                options, gold = choices(rng, asked)
                self.assertEqual(options[gold], asked.answer)
                self.assertEqual(len(set(options)), len(options))

    def test_sentences_say_the_answer(self):
        rng = Random(2)
        for _ in range(1000):
            asked = question(rng)
            self.assertIn(asked.answer.lower().split()[-1], asked.sentence.lower())


class Split(unittest.TestCase):
    def test_a_key_decides_by_itself(self):
        """SHA-256("a") starts with ca978112ca1bbdca, 0.791 of the whole range."""
        self.assertTrue(held_out("a", 0.792))
        self.assertFalse(held_out("a", 0.791))

    def test_reading_questions_keep_to_their_side(self):
        rng = Random(3)
        for side in (False, True):
            for _ in range(500):
                self.assertEqual(held_out(reading_question(rng, side).key, SHARE), side)

    def test_kinds_keep_to_the_side_of_their_fact(self):
        never = {fact.key for fact in NEVER_ASKED}
        rng = Random(4)
        for side in (False, True):
            for _ in range(500):
                self.assertEqual(which_of_these(rng, side).key in never, side)


class Reading(unittest.TestCase):
    def test_counts_are_right(self):
        words = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen".split()
        words += "sixteen seventeen eighteen nineteen twenty".split()
        rng = Random(5)
        seen = 0
        for _ in range(3000):
            asked = reading_question(rng)
            if asked.kind != "counting":
                continue
            _, sign, first, second = asked.key.split(":")
            result = int(first) + int(second) if sign == "plus" else int(first) - int(second)
            self.assertEqual(asked.answer, words[result])
            seen += 1
        self.assertGreater(seen, 300)


if __name__ == "__main__":
    unittest.main()
