"""The small functions: they run, they do what they say, and training text never has a held-out combination."""

import doctest
import subprocess
import sys
import unittest
from pathlib import Path
from random import Random

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from corpus.code import Function, function, function_document, left_out  # noqa: E402
from corpus.code.catalogue import by_kind  # noqa: E402
from corpus.code.idea import request, third_person  # noqa: E402
from corpus.code.making import make  # noqa: E402
from corpus.code.steps import within  # noqa: E402
from corpus.mixture import MAKERS  # noqa: E402
from corpus.split import held_out as is_held_out  # noqa: E402

INSTRUCTION = (
    "You are a code-writing bot. Given a function signature, and a docstring, complete the program body. "
    "Some examples are given below.\n"
)


def passes(made: Function, solution: str) -> bool:
    """Whether the prompt with this body passes the function's own check, as HumanEval runs it."""
    space: dict = {}
    exec(made.prompt + solution + "\n" + made.test + f"\ncheck({made.entry_point})", space)
    return True


def failed_examples(made: Function) -> tuple[int, int]:
    """How many of the docstring's examples fail, and how many there are."""
    space: dict = {}
    exec(made.prompt + made.solution, space)
    runner = doctest.DocTestRunner(verbose=False)
    for test in doctest.DocTestFinder().find(space[made.entry_point], made.entry_point, module=False, globs=space):
        runner.run(test, out=lambda text: None)
    return runner.failures, runner.tries


class Functions(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        rng = Random(11)
        cls.training = [function(rng) for _ in range(5000)]
        cls.held_out = [function(rng, held_out=True) for _ in range(300)]

    def test_same_seed_same_text(self):
        first = [function(Random(seed)) for seed in range(50)]
        self.assertEqual(first, [function(Random(seed)) for seed in range(50)])
        self.assertGreater(len(set(first)), 45)
        self.assertEqual(function_document(Random(3)), function_document(Random(3)))

    def test_the_hash_seed_does_not_matter(self):
        program = "from random import Random; from corpus.code import *; rng = Random(5)\n"
        program += "print([function_document(rng) for _ in range(50)])"
        runs = [
            subprocess.run([sys.executable, "-c", program], cwd=ROOT, env={"PYTHONHASHSEED": seed},
                           capture_output=True, check=True, text=True).stdout
            for seed in "12"
        ]  # fmt: skip
        self.assertEqual(runs[0], runs[1])

    def test_every_function_passes_its_check(self):
        for made in self.training[:2700] + self.held_out:
            with self.subTest(made.key, prompt=made.prompt, solution=made.solution):
                self.assertTrue(passes(made, made.solution))
                self.assertIn(made.test.count("assert candidate("), (4, 5, 6))

    def test_every_example_holds(self):
        tried = 0
        for made in self.training[:2700] + self.held_out:
            failures, examples = failed_examples(made)
            self.assertEqual(failures, 0, made.prompt)
            self.assertEqual(examples, made.prompt.count(">>> "))
            self.assertLessEqual(examples, 3)
            tried += examples
        self.assertGreater(tried, 3000)

    def test_a_wrong_example_is_noticed(self):
        prompt = 'def f(n):\n    """Add 1.\n    >>> f(1)\n    3\n    """\n'
        made = Function("", "", prompt, "    return n + 1\n", "", "f")
        self.assertEqual(failed_examples(made), (1, 1))

    def test_shape(self):
        for made in self.training:
            self.assertTrue(made.prompt.endswith('    """\n'), made.prompt)
            self.assertTrue(made.prompt.startswith((f"def {made.entry_point}(", "from typing import List\n\n\ndef ")))
            self.assertTrue(made.solution.startswith("    ") and made.solution.endswith("\n"), made.solution)
            self.assertLessEqual(made.solution.count("\n"), 7, made.solution)
            self.assertTrue(made.test.startswith("def check(candidate):\n    assert candidate("), made.test)
            # No slot and no mark of the templates is left.
            self.assertNotRegex(made.prompt, r"\{[a-z]\}|<[a-z]|\*[a-z]")
            self.assertNotRegex(made.solution, r"\{[a-z]\}|<[a-z]+>")

    def test_an_empty_body_fails(self):
        for made in self.held_out:
            with self.assertRaises(AssertionError, msg=made.test):
                passes(made, "    pass\n")

    def test_no_constant_passes(self):
        for side in (False, True):
            for idea in (idea for ideas in by_kind(side).values() for idea in ideas):
                made, _ = make(Random(idea.key), idea)
                results = {line.split(" == ")[-1] for line in made.test.splitlines()[1:]}
                self.assertGreater(len(results), 1, made.prompt + made.test)


class Split(unittest.TestCase):
    def test_training_has_no_held_out_key(self):
        rng = Random(12)
        self.assertEqual([made.key for made in (function(rng) for _ in range(5000)) if left_out(made.key)], [])

    def test_held_out_has_only_held_out_keys(self):
        rng = Random(13)
        made = [function(rng, held_out=True) for _ in range(300)]
        self.assertEqual([one.key for one in made if not left_out(one.key)], [])
        self.assertGreater(len({one.key for one in made}), 150)

    def test_every_part_of_a_held_out_combination_is_in_training(self):
        for kind, ideas in by_kind(True).items():
            known = [set() for _ in range(4)]
            for idea in by_kind(False)[kind]:
                for place, part in enumerate(idea.key.split("|")[1:]):
                    known[place].add(part)
            for idea in ideas:
                for place, part in enumerate(idea.key.split("|")[1:]):
                    self.assertIn(part, known[place], idea.key)

    def test_keys_are_distinct(self):
        keys = [idea.key for side in (False, True) for ideas in by_kind(side).values() for idea in ideas]
        self.assertEqual(len(keys), len(set(keys)))
        for key in keys:
            self.assertEqual(left_out(key), is_held_out(key, 0.15) and not key.startswith("code:single|"), key)
        self.assertAlmostEqual(sum(map(left_out, keys)) / len(keys), 0.15, delta=0.02)


class Documents(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        rng = Random(14)
        cls.documents = [function_document(rng) for _ in range(600)]

    def test_shares_and_instruction(self):
        prompts = [text for text in self.documents if text.startswith(INSTRUCTION)]
        chats = [text for text in self.documents if text.startswith("human: Write a Python function that ")]
        self.assertAlmostEqual(len(prompts) / 600, 0.5, delta=0.07)
        self.assertAlmostEqual(len(chats) / 600, 0.1, delta=0.05)
        for text in prompts:
            self.assertRegex(text[len(INSTRUCTION) :], r"\A(def|from typing)")
            self.assertGreaterEqual(text.count("\ndef "), 2)
        for text in chats:
            self.assertRegex(text, r"\Ahuman: Write a Python function that [a-z]+s .*\.\n\nadept: (def|from typing)")
        self.assertEqual(sum("code-writing" in text for text in self.documents), len(prompts))

    def test_length(self):
        self.assertGreater(sum(len(text) <= 1100 for text in self.documents), 0.9 * 600)

    def test_every_document_with_code_compiles(self):
        for text in self.documents:
            code = text.removeprefix(INSTRUCTION)
            compile(code.split("\n\nadept: ")[1] if code.startswith("human: ") else code, "document", "exec")

    def test_the_mixture_takes_them(self):
        self.assertIs(MAKERS["code"], function_document)


class Words(unittest.TestCase):
    def test_third_person(self):
        self.assertEqual([third_person(verb) for verb in ("return", "multiply", "search", "display")],
                         ["returns", "multiplies", "searches", "displays"])  # fmt: skip
        self.assertEqual(request("*take n, *add 3 to it, then *square the result"),
                         "takes n, adds 3 to it, then squares the result.")  # fmt: skip

    def test_parentheses_where_they_are_needed(self):
        self.assertEqual(within("<it> * 3", "n + 2"), "(n + 2) * 3")
        self.assertEqual(within("abs(<it>)", "n + 2"), "abs(n + 2)")
        self.assertEqual(within("<it> + 3", "abs(a - b)"), "abs(a - b) + 3")
        self.assertEqual(within("<it> ** 2", "-n"), "(-n) ** 2")


if __name__ == "__main__":
    unittest.main()
