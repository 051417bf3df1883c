"""Story endings: the right one is the story's own next sentence, the wrong ones have the same people."""

import re
import sys
import unittest
from collections import Counter
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from corpus import words
from corpus.endings import ending, sentences
from corpus.plots import tell
from corpus.stories import PLOTS, story

NAMES = {*words.GIRLS, *words.BOYS, *words.ANIMAL_NAMES["m"], *words.ANIMAL_NAMES["f"], *dict(words.GROWN_UPS)}


def names(text: str) -> set[str]:
    return {name for name in NAMES if re.search(rf"\b{name}\b", text)}


class Sentences(unittest.TestCase):
    def test_borders(self):
        text = 'It rained. "Stop!" Anna said. "Go. Run," said Tom. "Why?" "I do not know." They ran! Who was it?'
        parts = ["It rained.", '"Stop!" Anna said.', '"Go. Run," said Tom.', '"Why?"', '"I do not know."', "They ran!"]
        self.assertEqual(sentences(text), [*parts, "Who was it?"])

    def test_nothing_is_lost_and_quotations_stay_whole(self):
        for seed in range(300):
            text = story(Random(seed)).text
            parts = sentences(text)
            self.assertEqual(" ".join(parts), text)
            self.assertGreater(len(parts), 3)
            for part in parts:
                self.assertEqual(part.count('"') % 2, 0, part)
                self.assertRegex(part, r'^["A-Z]')


class Endings(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.items = [ending(Random(seed)) for seed in range(400)]

    def test_same_seed_same_item(self):
        self.assertEqual(self.items[:40], [ending(Random(seed)) for seed in range(40)])
        self.assertGreater(len({item.ctx for item in self.items}), 390)

    def test_four_distinct_endings(self):
        for item in self.items:
            self.assertEqual(len(set(item.endings)), 4)
            self.assertIn(item.gold, range(4))
            self.assertRegex(item.key, r"^ending:\w")

    def test_text_is_whole(self):
        for item in self.items:
            self.assertGreaterEqual(len(sentences(item.ctx)), 3)
            for text in (item.ctx, *item.endings):
                self.assertNotRegex(text, r"[{}\[\]|_]|  ")
                self.assertRegex(text, r'[.!?]"?$')
                self.assertEqual(text.count('"') % 2, 0)

    def test_right_ending_follows_in_the_story(self):
        for seed in range(100):
            item, rng = ending(Random(seed)), Random(seed)
            # An item draws its story first; where that story cannot be cut well, it draws another one.
            told = story(rng, with_questions=True).text
            if told.startswith(item.ctx):
                self.assertTrue(told.startswith(f"{item.ctx} {item.endings[item.gold]}"))
            self.assertNotIn(item.endings[(item.gold + 1) % 4], told)
        firsts = [(story(Random(seed), True).text, ending(Random(seed)).ctx) for seed in range(100)]
        first = sum(text.startswith(ctx) for text, ctx in firsts)
        self.assertGreater(first, 25)

    def test_names_do_not_decide(self):
        for item in self.items:
            self.assertEqual(len({frozenset(names(text)) for text in item.endings}), 1, item)

    def test_wrong_endings_are_about_other_things(self):
        things = {*words.TOYS, *words.KEEPSAKES, *words.FOODS, *words.FRUITS, *words.PLANTS}
        for item in self.items:
            known = things & set(re.findall(r"\w+", item.ctx))
            for number, text in enumerate(item.endings):
                if number != item.gold:
                    self.assertFalse(known & set(re.findall(r"\w+", text)), item)

    def test_gold_is_spread(self):
        for gold, count in sorted(Counter(item.gold for item in self.items).items()):
            self.assertAlmostEqual(count / len(self.items), 0.25, delta=0.07, msg=gold)

    def test_length_does_not_decide(self):
        for pick in (max, min):
            hits = sum(pick(range(4), key=lambda i: len(e.endings[i])) == e.gold for e in self.items)
            self.assertLess(hits / len(self.items), 0.45)


class People(unittest.TestCase):
    def test_a_story_can_have_the_people_of_another(self):
        people = tell(Random(1), PLOTS[0]).people
        for seed in range(50):
            told = tell(Random(seed), PLOTS[0], people=people)
            self.assertEqual(told.people, people)
            self.assertLessEqual(names(told.text), {person.name for person in people})


if __name__ == "__main__":
    unittest.main()
