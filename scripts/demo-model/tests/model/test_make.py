"""`make.py --smoke`: every stage of the recipe on tiny sizes, and a second run that goes on where the first ended."""

import json
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parents[2]
FILES = """config.json generation_config.json model.safetensors tokenizer.model tokenizer.json tokenizer_config.json
special_tokens_map.json held-out.txt reference.json training.json curve.svg zeros.svg README.md""".split()


def make(*options: str) -> str:
    command = [sys.executable, str(HERE / "make.py"), "--smoke", "--threads", "1", *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    if done.returncode != 0:
        raise AssertionError(done.stdout + done.stderr)
    return done.stdout


class Smoke(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        base = Path(cls.folder.name)
        cls.output, cls.items = base / "model", base / "evals"
        without = base / "without"
        make("--train-only", "--target-zeros", "0", "--work", str(without))
        cls.folders = ["--work", str(base / "work"), "--out", str(cls.output), "--items", str(cls.items)]
        cls.options = [*cls.folders, "--compare", str(without)]
        cls.printed = make(*cls.options)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def json(self, name: str) -> dict:
        return json.loads((self.output / name).read_text(encoding="utf-8"))

    def test_every_file_is_written(self):
        for name in FILES:
            self.assertGreater((self.output / name).stat().st_size, 0, name)
        self.assertEqual(len(list(self.items.glob("demo-*.jsonl"))), 6)

    def test_it_learns(self):
        """Sixteen steps bring the loss well below that of guessing among 700 pieces, 6.55 nats."""
        curve = self.json("training.json")["history"]
        self.assertLess(curve[-1]["nats_per_token"], 6.2)
        self.assertLess(curve[-1]["nats_per_token"], curve[0]["nats_per_token"])

    def test_the_report_has_all_measurements(self):
        training = self.json("training.json")
        self.assertTrue(training["training"]["finished"])
        self.assertEqual(training["training"]["steps"], 16)
        self.assertEqual(len(training["accuracy"]), 6)
        self.assertEqual([other["target_zeros"] for other in training["others"]], [0])
        self.assertIn("Without the penalty", (self.output / "README.md").read_text(encoding="utf-8"))

    def test_the_reference_has_fifty_prompts(self):
        prompts = self.json("reference.json")["prompts"]
        self.assertEqual(len(prompts), 50)
        self.assertTrue(all(score <= 0 for p in prompts for score in p.get("prompt_logprobs", [])))

    def test_it_is_exported_without_the_rows(self):
        """As after training on another machine: the rows of a long run are gigabytes."""
        before = (self.output / "model.safetensors").read_bytes()
        work = self.output.parent / "work"
        (work / "rows-64.npy").rename(work / "elsewhere.npy")
        try:
            make(*self.options, "--export-only")
        finally:
            (work / "elsewhere.npy").rename(work / "rows-64.npy")
        self.assertEqual((self.output / "model.safetensors").read_bytes(), before)

    def test_a_finished_run_is_not_trained_again(self):
        before = (self.output / "model.safetensors").read_bytes()
        self.assertIn("resumed at step 16", make(*self.options))
        self.assertEqual((self.output / "model.safetensors").read_bytes(), before)


if __name__ == "__main__":
    unittest.main()
