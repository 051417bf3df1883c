"""The fill-in-the-blank grid: well-formed, balanced, and split by combination."""

import re
import sys
import unittest
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from corpus.blank_frames import FAMILIES
from corpus.blanks import (
    BLANK,
    GRID,
    HELD_OUT_SHARE,
    PARTS,
    Blank,
    blank,
    blank_document,
    blank_text,
    filled,
    filled_document,
)
from corpus.split import held_out

SEEDS = range(4000)


def place(item: Blank, option: str) -> int:
    return re.search(rf"\b{option}\b", item.sentence).start()


def right(item: Blank) -> str:
    return (item.option1, item.option2)[int(item.answer) - 1]


class Items(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.parts = {part: [blank(Random(seed), part) for seed in SEEDS] for part in (False, True)}
        cls.items = cls.parts[False] + cls.parts[True]

    def test_same_seed_same_text(self):
        for make in (blank, blank_document, filled_document):
            self.assertEqual([make(Random(s)) for s in range(50)], [make(Random(s)) for s in range(50)])
            self.assertGreater(len({make(Random(s)) for s in range(50)}), 45)

    def test_one_blank_and_both_options_once(self):
        for item in self.items:
            with self.subTest(item.sentence):
                self.assertEqual(item.sentence.count("_"), 1)
                self.assertTrue(item.sentence.endswith("."))
                self.assertNotEqual(item.option1, item.option2)
                for option in (item.option1, item.option2):
                    self.assertEqual(len(re.findall(rf"\b{option}\b", item.sentence)), 1)
                self.assertIn(item.answer, ("1", "2"))
                self.assertNotRegex(item.sentence, r"[{}\[\]|]|  | [.,]|\ba [aeiou]")

    def test_the_reason_names_the_role(self):
        roles = {cell.key: (cell.first_mention, cell.reason) for cell in GRID}
        for item in self.items:
            first = place(item, right(item)) == min(place(item, item.option1), place(item, item.option2))
            self.assertEqual((first, True), (roles[item.key][0], item.sentence.endswith(f"_ {roles[item.key][1]}.")))

    def test_answers_are_balanced(self):
        for part, items in self.parts.items():
            with self.subTest(held_out=part):
                ones = sum(item.answer == "1" for item in items) / len(items)
                in_order = sum(place(i, i.option1) < place(i, i.option2) for i in items) / len(items)
                firsts = [place(i, right(i)) == min(place(i, i.option1), place(i, i.option2)) for i in items]
                for share in (ones, in_order, sum(firsts) / len(firsts)):
                    self.assertAlmostEqual(share, 0.5, delta=0.05)
                for order in (True, False):  # the number must not follow from where the right one stands
                    of = [item.answer == "1" for item, first in zip(items, firsts) if first == order]
                    self.assertAlmostEqual(sum(of) / len(of), 0.5, delta=0.05)

    def test_the_number_does_not_follow_from_the_role(self):
        roles = {cell.key: (cell.family.kind, cell.role) for cell in GRID}
        for role in set(roles.values()):
            ones = [item.answer == "1" for item in self.items if roles[item.key] == role]
            self.assertAlmostEqual(sum(ones) / len(ones), 0.5, delta=0.2, msg=role)

    def test_prompt(self):
        item = Blank("k", "giving", "Anna gave Tom some bread because _ was hungry.", "Tom", "Anna", "1")
        prompt = "Q: Anna gave Tom some bread because _ was hungry.. 1 = Tom and 2 = Anna. Answer:"
        self.assertEqual(blank_text(item, with_answer=False), prompt)
        self.assertEqual(blank_text(item), prompt + "\n1")
        self.assertEqual(filled(item), "Anna gave Tom some bread because Tom was hungry.")


class Grid(unittest.TestCase):
    def test_keys_name_one_combination_each(self):
        self.assertEqual(len({cell.key for cell in GRID}), len(GRID))

    def test_mentions_are_balanced(self):
        for cells in (GRID, *PARTS.values()):
            self.assertAlmostEqual(sum(cell.first_mention for cell in cells) / len(cells), 0.5, delta=0.05)

    def test_every_frame_has_twins(self):
        for family in FAMILIES:
            one, other = family.reasons.values()
            self.assertEqual(len(one), len(other), family.kind)
            self.assertFalse(set(one) & set(other), family.kind)

    def test_the_order_of_the_roles_varies_within_a_family(self):
        for family in FAMILIES:
            role = next(iter(family.reasons))
            orders = {cell.first_mention for cell in GRID if cell.family is family and cell.role == role}
            self.assertEqual(orders, {True, False}, family.kind)

    def test_split(self):
        for part, cells in PARTS.items():
            for cell in cells:
                self.assertEqual(held_out(cell.key, HELD_OUT_SHARE), part)
        self.assertAlmostEqual(len(PARTS[True]) / len(GRID), HELD_OUT_SHARE, delta=0.03)

    def test_each_half_of_a_held_out_combination_is_trained(self):
        frames = {cell.frame for cell in PARTS[False]}
        reasons = {(cell.family.kind, cell.reason) for cell in PARTS[False]}
        for cell in PARTS[True]:
            self.assertIn(cell.frame, frames)
            self.assertIn((cell.family.kind, cell.reason), reasons)


class Documents(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        # A held-out combination as a pattern of its sentence, filled or not.
        cls.left_out = []
        for cell in PARTS[True]:
            head = re.sub(r"\\\{\w+\\\}", "[a-zA-Z ]+?", re.escape(cell.family.frames[cell.frame]))
            link = re.escape(cell.family.link).replace("_", "[A-Za-z_]+")
            cls.left_out.append(re.compile(rf"(?:^|[.\n:] ){head}{link} {re.escape(cell.reason)}\."))

    def test_the_pattern_finds_a_held_out_item(self):
        for seed in range(40):
            item = blank(Random(seed), held_out=True)
            for text in (blank_text(item), f"It rained. {filled(item)}"):
                self.assertTrue(any(pattern.search(text) for pattern in self.left_out), text)

    def test_quiz_documents(self):
        counts = set()
        for seed in range(100):
            text = blank_document(Random(seed))
            self.assertTrue(text.startswith(BLANK + "Q: "))
            items = text.removeprefix(BLANK).split("\n\n")
            counts.add(len(items))
            for item in items:
                self.assertRegex(item, r"^Q: [^_\n]+_[^_\n]+\.\. 1 = \w+ and 2 = \w+\. Answer:\n[12]$")
            self.assertFalse([p.pattern for p in self.left_out if p.search(text)])
        self.assertEqual(counts, set(range(3, 10)))

    def test_filled_documents(self):
        counts = set()
        for seed in range(100):
            text = filled_document(Random(seed))
            self.assertNotRegex(text, r"[_{}\[\]|]")
            counts.add(text.count("."))
            self.assertFalse([p.pattern for p in self.left_out if p.search(text)])
        self.assertEqual(counts, set(range(4, 9)))


if __name__ == "__main__":
    unittest.main()
