"""Documents that only the later phases have: lists of facts, sums in a row, short texts with their questions."""

import re
import sys
import unittest
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from corpus import EVERYTHING, FACTS_AGAIN, LOOKUPS, PRACTICE, QUESTIONS, TALK, documents
from corpus.fact_lists import COMMON, facts_document, in_common
from corpus.facts import FACTS, NEVER_ASKED
from corpus.reading import SHARE, reading_question
from corpus.short_texts import short_texts
from corpus.split import held_out
from corpus.sums import sums_document
from corpus.stories import PLOTS
from corpus.talk import talk
from corpus.words import ANIMALS

NUMBERS = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
eighteen nineteen twenty""".split()


def made(make, seed: int, count: int) -> list[str]:
    rng = Random(seed)
    return [make(rng) for _ in range(count)]


class Mixtures(unittest.TestCase):
    def test_shares_are_shares_and_every_kind_comes(self):
        for shares in (LOOKUPS, QUESTIONS, EVERYTHING, PRACTICE, FACTS_AGAIN, TALK):
            self.assertAlmostEqual(sum(shares.values()), 1)
            self.assertEqual({kind for kind, _ in documents(1, 1500, shares)}, set(shares))

    def test_no_document_asks_for_a_held_out_fact(self):
        text = "\n".join(text for shares in (LOOKUPS, QUESTIONS, EVERYTHING, PRACTICE, FACTS_AGAIN, TALK) for _, text in documents(2, 1500, shares))
        for fact in NEVER_ASKED:
            for wording in range(fact.wordings):
                self.assertNotIn(fact.question(wording, 0).text, text)


class FactLists(unittest.TestCase):
    def test_every_held_out_fact_is_told_and_none_is_asked_for(self):
        text = "\n".join(made(facts_document, 3, 1500))
        self.assertNotIn("?", text)
        self.assertFalse(set("{}[]") & set(text) or "  " in text)
        for fact in NEVER_ASKED:
            ways = fact.attribute.statements + fact.attribute.also
            self.assertTrue(any(fact.fill(way) in text for way in ways), fact.key)

    def test_what_is_listed_together_has_it_in_common(self):
        """Every line says of every name in it what a fact says."""
        known = {}
        for fact in FACTS:
            if (lead := COMMON.get((fact.kind, fact.attribute.name))) is not None:
                line = lead.format(x=fact.answer)
                known.setdefault(line[0].upper() + line[1:], set()).add(fact.subject)
        for line in "\n".join(made(in_common, 4, 100)).split("\n"):
            lead, names = line.removesuffix(".").split(": ")
            for name in names.split(", "):
                self.assertTrue({name, re.sub("^an? ", "", name)} & known[lead], line)


class Sums(unittest.TestCase):
    def test_they_are_right_and_not_held_out(self):
        text = "\n".join(made(sums_document, 5, 400))
        found = re.findall(r"([A-Z]\w+) (plus|minus) (\w+) is (\w+)\.", text)
        for first, sign, second, result in found:
            a, b, c = (NUMBERS.index(word.lower()) for word in (first, second, result))
            self.assertEqual(a + b if sign == "plus" else a - b, c)
            self.assertFalse(held_out(f"read:{sign}:{a}:{b}", SHARE), (a, sign, b))
        self.assertGreater(len(set(found)), 100)


class Careful(unittest.TestCase):
    def test_no_wrong_option_makes_a_combination_that_training_leaves_out(self):
        rng = Random(7)
        tempting = 0
        for careful in (False, True):
            for _ in range(600):
                asked = reading_question(rng, careful=careful)
                kind, said = asked.key.split(":")[1:3]
                if kind not in ("where", "color"):
                    continue
                bad = [o for o in asked.options if held_out(f"read:{kind}:{said}:{o}", SHARE)]
                tempting += bool(bad)
                self.assertFalse(careful and bad, (asked.key, bad))
        self.assertGreater(tempting, 50)


class ShortTexts(unittest.TestCase):
    PATTERNS = (
        (r"Where is the (\w+)\?\s+(?:adept: )?The \1 is ([^.]+)\.", "read:where:{0}:{1}", "put the {0} {1}"),
        (r"What color is the (\w+)\?\s+(?:adept: )?The \1 is (\w+)\.", "read:color:{0}:{1}", "{1} {0}"),
        (r"Who has the (\w+) now\?\s+(?:adept: )?(\w+) has the \1\.", "read:has:{0}:{1}", "to {1}"),
    )

    def test_answers_stand_in_the_text_and_are_not_held_out(self):
        for pattern, key, told in self.PATTERNS:
            seen = 0
            for text in made(short_texts, 6, 400):
                for match in re.finditer(pattern, text):
                    self.assertFalse(held_out(key.format(*match.groups()), SHARE), match[0])
                    self.assertIn(told.format(*match.groups()), text[: match.start()])
                    seen += 1
            self.assertGreater(seen, 100)


class Talk(unittest.TestCase):
    TURN = re.compile(r"human: (.*)\n\nadept: (.*)")

    def test_stories_are_about_what_was_asked_for(self):
        """The hero has the name or is the animal; else the topic is that of a plot."""
        topics = [re.sub(r"\\\{[^}]*\}", ".+", re.escape(plot.topic)) for plot in PLOTS]
        seen = {"named": 0, "animal": 0, "plot": 0}
        for document in made(talk, 12, 400):
            for asked, told in self.TURN.findall(document):
                if (request := re.search(r"story about ([^.?]+)", asked)) is None:
                    continue
                topic = request[1]
                if named := re.fullmatch(r"an? (\w+) named (\w+)", topic):
                    self.assertIn(named[2], told)
                    seen["named"] += 1
                elif any(re.fullmatch(t, topic) for t in topics):
                    seen["plot"] += 1
                else:
                    self.assertIn(topic.split()[-1], ANIMALS)
                    self.assertRegex(told, rf"\b{topic.split()[-1]}\b")
                    seen["animal"] += 1
        self.assertGreater(min(seen.values()), 30, seen)

    def test_facts_are_told_with_their_answer(self):
        answers = {q.text: q for f in FACTS for q in (f.question(n, 0) for n in range(f.wordings))}
        told = [(answers[asked], reply) for text in made(talk, 13, 300) for asked, reply in self.TURN.findall(text) if asked in answers]
        self.assertGreater(len(told), 200)
        for question, reply in told:
            self.assertEqual(reply, question.sentence)

    def test_some_stories_are_asked_for_with_a_question_mark(self):
        text = "\n".join(made(talk, 14, 200))
        self.assertRegex(text, r"you tell me a (short |little )?story about [^.?\n]+\?\n\nadept: [A-Z]")


if __name__ == "__main__":
    unittest.main()
