"""The command line, on the model in models/demo and a few items."""

import json
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(HERE))

from accuracy_oracle import ITEMS  # noqa: E402

DEMO = HERE.parents[3] / "models" / "demo"


def run(*arguments: object) -> subprocess.CompletedProcess:
    command = [sys.executable, str(HERE.parents[1] / "accuracy"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


class Command(unittest.TestCase):
    def test_it_reads_what_is_there_and_writes_a_table_and_json(self):
        with tempfile.TemporaryDirectory() as temporary:
            directory = Path(temporary)
            for task in ("arc", "humaneval"):
                # U+2028 inside a string is not the end of a line.
                lines = [json.dumps(item | {"note": "a\u2028b"}, ensure_ascii=False) + "\n" for item in ITEMS[task]]
                (directory / f"demo-{task}.jsonl").write_text("".join(lines), encoding="utf-8")
            done = run(DEMO, directory, "--limit", 3, "--json", directory / "out.json")
            self.assertEqual(done.returncode, 0, done.stderr)
            results = json.loads((directory / "out.json").read_text())
        counts = {task: result["generate"]["n"] for task, result in results.items()}
        self.assertEqual(counts, {"arc": 3, "humaneval": 2})
        self.assertIn("likelihood, sum", done.stdout.split("\n")[0])
        self.assertTrue(done.stdout.split("\n")[1].startswith("arc"), done.stdout)

    def test_an_empty_folder_is_an_error(self):
        with tempfile.TemporaryDirectory() as temporary:
            done = run(DEMO, temporary)
        self.assertEqual(done.returncode, 1)
        self.assertIn("holds no item file", done.stderr)


if __name__ == "__main__":
    unittest.main()
