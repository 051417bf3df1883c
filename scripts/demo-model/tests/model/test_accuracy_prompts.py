"""The prompts against those that Adept released, where the evaluation data lies beside the repository."""

import gzip
import json
import re
import sys
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(HERE.parents[1]))

from accuracy.items import LETTERS, check_items, item_id  # noqa: E402
from accuracy.prompts import prompt  # noqa: E402

DATA = HERE.parents[3].parent / "shared" / "eval-data"
ABSENT = f"skipped: {DATA.parent.name}/{DATA.name} does not lie beside the repository, Adept's prompts are not compared"
FILES = {
    "arc": ["arc_easy/train.jsonl", "arc_easy/validation.jsonl"],
    "winogrande": ["winogrande/validation.jsonl"],
    "humaneval": ["humaneval/HumanEval.jsonl.gz"],
}


def rows(task: str) -> dict[str, dict]:
    """Rows of the public data sets by id."""
    found = []
    for name in FILES[task]:
        data = (DATA / name).read_bytes()
        text = (gzip.decompress(data) if name.endswith(".gz") else data).decode()
        found += [json.loads(line) for line in text.split("\n") if line]
    check_items(task, found)
    return {item_id(row): row for row in found}


def choice_item(text: str) -> dict:
    """An item back from its lines; the gold answer only where it is written."""
    question, *lines = text.split("\n")
    letter = lines.pop().removeprefix("Answer:").strip()
    item = {"question": question.removeprefix("Question: "), "choices": [line.split(": ", 1)[1] for line in lines]}
    return item | ({"gold": LETTERS.index(letter)} if letter else {})


def trivia_item(text: str) -> dict:
    question, answer = re.fullmatch(r"Q: (.*)\nA:(.*)", text).groups()
    return {"question": question, "answer": answer.strip()}


if not DATA.is_dir():
    print(ABSENT, file=sys.stderr)


@unittest.skipUnless(DATA.is_dir(), ABSENT)
class Goldens(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.goldens = json.loads((DATA / "adept_prompt_goldens.json").read_text())

    def of(self, task: str, count: int) -> list[dict]:
        found = [golden for golden in self.goldens if golden["task"] == task]
        self.assertEqual(len(found), count)
        return found

    def test_from_rows_of_the_data_sets(self):
        for task in FILES:
            items = rows(task)
            for golden in self.of(task, 2):
                made = prompt(task, items[golden["shot_id"]], items[golden["question_id"]])
                if golden["prompt"].startswith("# "):  # one of Adept's two has the instruction as a comment
                    made = "# " + made
                self.assertEqual(made, golden["prompt"])

    def test_the_others_from_items_read_back_from_their_own_text(self):
        for task, read, count in (("mmlu", choice_item, 2), ("triviaqa", trivia_item, 2)):
            for golden in self.of(task, count):
                shot, item = golden["prompt"].split("\n", 1)[1].split("\n\n")
                self.assertEqual(prompt(task, read(shot), read(item)), golden["prompt"])


class Formats(unittest.TestCase):
    """What the goldens do not show."""

    def test_as_many_letters_as_options(self):
        three = {"question": "q", "choices": ["x", "y", "z"], "gold": 2}
        five = {"question": "p", "choices": list("vwxyz"), "gold": 4}
        made = prompt("arc", five, three)
        self.assertTrue(made.endswith("D: y\nE: z\nAnswer: E\n\nQuestion: q\nA: x\nB: y\nC: z\nAnswer:"), made)

    def test_hellaswag_lists_its_endings_like_arc(self):
        item = {"ctx": "Tom sat.", "endings": ["x", "y", "z", "w"], "gold": 1}
        same = {"question": "Tom sat.", "choices": ["x", "y", "z", "w"], "gold": 1}
        self.assertEqual(prompt("hellaswag", item, item), prompt("arc", same, same))

    def test_code_keeps_the_newlines_before_the_function(self):
        item = {"prompt": "\n\ndef f():\n", "canonical_solution": "    return 1\n"}
        made = prompt("humaneval", item, item).split("\n", 1)[1]
        self.assertEqual(made, "def f():\n    return 1\n\n\ndef f():\n")


if __name__ == "__main__":
    unittest.main()
