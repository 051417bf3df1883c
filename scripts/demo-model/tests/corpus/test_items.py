"""The item files beside the notebooks: what the code writes, and nothing that the training text asks."""

import json
import sys
import unittest
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from corpus import documents
from items import ROOT, TASKS, items

FOLDER = ROOT / "notebooks" / "evals"


def read(task: str) -> list[dict]:
    with open(FOLDER / f"demo-{task}.jsonl", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


class Items(unittest.TestCase):
    def test_the_files_are_what_the_code_writes(self):
        for task in TASKS:
            self.assertEqual(read(task), items(task), task)

    def test_the_readme_has_their_numbers(self):
        readme = (FOLDER / "README.md").read_text(encoding="utf-8")
        for task in TASKS:
            self.assertIn(f"| `demo-{task}.jsonl` | {len(read(task))} |", readme)

    def test_no_training_document_has_their_questions(self):
        texts = "\n".join(text for _, text in documents(1, 4000))
        for task, asked in {"arc": "question", "mmlu": "question", "triviaqa": "question", "winogrande": "sentence",
                            "hellaswag": "ctx", "humaneval": "prompt"}.items():  # fmt: skip
            for item in read(task):
                # A kind is asked in the same words for several facts; which of them is right differs.
                if item["kind"] != "which":
                    self.assertNotIn(item[asked], texts)

    def test_the_right_answers_are_spread(self):
        for task in ("arc", "mmlu", "hellaswag"):
            golds = Counter(item["gold"] for item in read(task))
            self.assertLess(max(golds.values()) / sum(golds.values()), 0.33, task)


if __name__ == "__main__":
    unittest.main()
