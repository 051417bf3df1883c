"""Tests of the accuracy package: prompts, shots, answers, statistics and scores. No trained model is needed."""

import sys
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[3]
sys.dont_write_bytecode = True
sys.path[:0] = [str(HERE), str(HERE.parents[1])]

import sentencepiece  # noqa: E402
import torch  # noqa: E402

from accuracy import score  # noqa: E402
from accuracy.extraction import letter, normalised, number, words  # noqa: E402
from accuracy.items import LETTERS, TASKS  # noqa: E402
from accuracy.likelihood import candidates, gold  # noqa: E402
from accuracy.prompts import prompt  # noqa: E402
from accuracy.shots import shot_picker, twins  # noqa: E402
from accuracy.stops import dedent_stop, line_stop  # noqa: E402
from accuracy.table import table  # noqa: E402
from accuracy.wilson import wilson  # noqa: E402
from accuracy_oracle import ITEMS, Oracle  # noqa: E402
from tokenizer_training import end_of_text_id  # noqa: E402

torch.set_num_threads(1)
TOKENIZER = sentencepiece.SentencePieceProcessor(model_file=str(ROOT / "models" / "demo" / "tokenizer.model"))
END = end_of_text_id(TOKENIZER)


class Shots(unittest.TestCase):
    def test_a_shot_depends_on_nothing_but_its_item(self):
        items = [{"id": f"i{n}", "question": f"q{n}"} for n in range(40)]
        first, again = shot_picker("arc", items), shot_picker("arc", items[::-1])
        shots = [first(item)["id"] for item in items]
        self.assertEqual(shots, [again(item)["id"] for item in items])
        self.assertEqual(shots[:6], ["i14", "i10", "i32", "i31", "i31", "i16"])  # SHA-256 of arc-easy: for ever
        self.assertGreater(len(set(shots)), 15)
        other = shot_picker("arc", items, seed=1)
        self.assertNotEqual(shots, [other(item)["id"] for item in items])

    def test_an_item_is_not_its_own_shot_nor_is_its_question_or_its_twin(self):
        items = [{"id": f"i{n}", "question": f"q{n % 2}"} for n in range(6)]
        pick = shot_picker("triviaqa", items)
        for item in items:
            self.assertNotEqual(pick(item)["question"], item["question"])
        first, second, third = ITEMS["winogrande"]
        self.assertTrue(twins(first, second))
        self.assertFalse(twins(first, third))
        for seed in range(8):
            self.assertEqual(shot_picker("winogrande", ITEMS["winogrande"], seed)(first)["id"], third["id"])

    def test_mmlu_stays_in_the_subject_and_a_lonely_item_is_refused(self):
        pick = shot_picker("mmlu", ITEMS["mmlu"])
        self.assertEqual([pick(item)["id"] for item in ITEMS["mmlu"]], ["m1", "m0", "m3", "m2"])
        with self.assertRaisesRegex(ValueError, "no other item can be the shot of m2"):
            shot_picker("mmlu", ITEMS["mmlu"][:3])(ITEMS["mmlu"][2])


class Answers(unittest.TestCase):
    def test_letters(self):
        cases = [
            (" B", 4, "B"), ("\n C.", 4, "C"), ("A: moo", 4, "A"), ("D)", 4, "D"), (" B, of course", 4, "B"),
            ("B\nA", 4, "B"), ("A planet", 4, None), ("E", 4, None), ("E", 5, "E"), ("D", 3, None),
            ("", 4, None), ("AB", 4, None), ("b", 4, None), ("(A)", 4, None), ("I", 4, None),
        ]  # fmt: skip
        for text, count, answer in cases:
            self.assertEqual(letter(text, count), answer, text)

    def test_numbers(self):
        for text, answer in [("\n2", "2"), (" 1.", "1"), ("12", None), ("3", None), ("", None), ("option 1", None)]:
            self.assertEqual(number(text), answer, text)

    def test_words(self):
        self.assertEqual(normalised(" The_cat’s  HAT, and an apple!"), "cat s hat and apple")
        self.assertEqual(normalised("Theo has another banana"), "theo has another banana")
        self.assertIsNone(words(" ...\n"))

    def test_a_line_stops_at_the_first_newline_after_text(self):
        self.assertIsNone(line_stop("\n  B and so on"))
        self.assertEqual("\n B\nC\n"[: line_stop("\n B\nC\n")], "\n B")

    def test_a_body_stops_before_the_first_line_that_is_not_indented(self):
        body = "x = 1\n\n    if x:\n\n        return 2\n"
        self.assertIsNone(dedent_stop(body))
        for after in ["def f():", "# note", '"""', "\n\nprint(1)"]:
            self.assertEqual((body + after)[: dedent_stop(body + after)].rstrip(), body.rstrip(), after)


class Wilson(unittest.TestCase):
    def test_published_intervals(self):
        cases = [(103, 299, 29.3, 40.0), (31, 164, 13.6, 25.6), (34, 164, 15.2, 27.6), (274, 570, 44.0, 52.2)]
        for correct, n, low, high in cases:
            self.assertEqual([round(100 * x, 1) for x in wilson(correct, n)], [low, high], (correct, n))

    def test_the_ends(self):
        self.assertEqual(wilson(0, 0), (0.0, 1.0))
        self.assertEqual(wilson(0, 10)[0], 0.0)
        self.assertAlmostEqual(wilson(10, 10)[1], 1.0)


def _answer(task: str, item: dict) -> str:
    if task == "humaneval":
        return item["canonical_solution"] + "\n\ndef other():\n    pass\n"
    return {"winogrande": "\n{answer}", "triviaqa": " {answer}\nQ:"}.get(task, " {letter}").format(
        letter=LETTERS[item.get("gold", 0)], answer=item.get("answer")
    )


def _document(text: str, more: str) -> list[int]:
    """|ENDOFTEXT| at both ends; the ids of `text` alone come first, as they do when it is a prompt."""
    start, whole = TOKENIZER.encode(text), TOKENIZER.encode(text + more)
    assert whole[: len(start)] == start, text
    return [END, *whole, END]


def _oracle(answer) -> Oracle:
    """Gives answer(task, item) to each prompt, and finds the right candidate certain."""
    documents = []
    for task, items in ITEMS.items():
        pick = shot_picker(task, items)
        for item in items:
            documents.append(_document(prompt(task, pick(item), item), answer(task, item)))
            if (texts := candidates(task, item)) is not None:
                right = texts[gold(task, item)]
                documents.append([END, *TOKENIZER.encode(right.context + right.text)])
    return Oracle(TOKENIZER.vocab_size(), documents)


class Scores(unittest.TestCase):
    def test_who_knows_everything_gets_everything(self):
        results = score(_oracle(_answer), TOKENIZER, END, ITEMS, batch=3)
        self.assertEqual(list(results), TASKS)
        for task, result in results.items():
            self.assertEqual((result["generate"]["accuracy"], result["generate"]["unparsed"]), (1.0, 0), task)
            if task in ("triviaqa", "humaneval"):
                self.assertIsNone(result["likelihood"])
            else:
                self.assertEqual([result["likelihood"][x]["accuracy"] for x in ("sum", "per_byte")], [1, 1], task)
        self.assertEqual(results["humaneval"]["by_kind"]["number"]["n"], 1)
        self.assertIn("arc         5  100.0 (56.6-100.0)  0", table(results))

    def test_always_the_same_letter_gets_its_share(self):
        model = _oracle(lambda task, item: "    pass\n" if task == "humaneval" else " A")
        results = score(model, TOKENIZER, END, ITEMS)
        arc = results["arc"]
        self.assertEqual((arc["generate"]["correct"], arc["constant"]), (2, 0.4))
        self.assertEqual({k: v["correct"] for k, v in arc["by_kind"].items()}, {"color": 1, "sound": 1})
        self.assertEqual(results["winogrande"]["generate"]["unparsed"], 3)
        self.assertEqual(results["humaneval"]["generate"]["correct"], 0)
        self.assertIsNone(results["triviaqa"]["constant"])

    def test_what_cannot_be_read_is_counted_and_broken_code_apart(self):
        broken = _oracle(lambda task, item: "    return (\n" if task == "humaneval" else " maybe this one or that")
        results = score(broken, TOKENIZER, END, ITEMS)
        self.assertEqual([results[t]["generate"]["unparsed"] for t in TASKS], [5, 4, 3, 0, 2, 0])
        self.assertEqual([results[t]["generate"]["correct"] for t in TASKS], [0] * 6)
        self.assertEqual(results["humaneval"]["generate"]["syntax"], 2)
        self.assertIn("arc: 5 of 5 answers could not be read", table(results))

    def test_a_limit_leaves_the_shots_as_they_are(self):
        results = score(_oracle(_answer), TOKENIZER, END, ITEMS, limit=2)
        self.assertEqual([(r["generate"]["n"], r["generate"]["correct"]) for r in results.values()], [(2, 2)] * 6)

    def test_items_that_contradict_themselves_are_refused(self):
        arc = ITEMS["arc"]
        for bad, message in [([*arc, arc[0]], "comes twice"), ([arc[1], {**arc[0], "answer": "B"}], "gold 0 is A")]:
            with self.assertRaisesRegex(ValueError, message):
                score(None, TOKENIZER, END, {"arc": bad})


if __name__ == "__main__":
    unittest.main()
