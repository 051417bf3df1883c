"""Programs that pass, and all the ways in which they should not."""

import sys
import time
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path[:0] = [str(HERE), str(HERE.parents[1])]

from accuracy.execution import program, verdict  # noqa: E402
from accuracy_oracle import ITEMS  # noqa: E402

ITEM = ITEMS["humaneval"][0]


def run(body: str, cpu: int = 4, wall: float = 20.0) -> str:
    return verdict(program(ITEM, body), cpu, wall)


class Execution(unittest.TestCase):
    def test_canonical_solutions_pass(self):
        for item in ITEMS["humaneval"]:
            self.assertEqual(verdict(program(item, item["canonical_solution"])), "passed")

    def test_wrong_and_broken_bodies_do_not(self):
        for body in ["    pass\n", "    return x\n", "    raise KeyError\n"]:
            self.assertEqual(run(body), "failed", body)
        for body in ["    return (\n", "  \0", "return 6\n"]:
            self.assertEqual(run(body), "syntax", body)

    def test_ending_the_process_is_not_passing(self):
        self.assertEqual(run("    import sys; sys.exit(0)\n"), "failed")
        self.assertEqual(run("    import os; os._exit(0)\n"), "crashed")
        self.assertEqual(run("    import os; os.abort()\n"), "crashed")

    def test_a_forged_verdict_is_not_believed(self):
        write = "        try: os.write(fd, b'passed\\n')\n        except OSError: pass\n"
        forged = f"    import os\n    for fd in range(9):\n{write}    os._exit(0)\n"
        self.assertEqual(run(forged), "crashed")

    def test_endless_programs_are_stopped(self):
        start = time.monotonic()
        self.assertEqual(run("    while True: pass\n", cpu=1), "timeout")
        self.assertEqual(run("    import time; time.sleep(60)\n", wall=1.0), "timeout")
        left_behind = "    import os, time\n    if os.fork() == 0: time.sleep(60)\n    return 6\n"
        self.assertEqual(run(left_behind, wall=2.0), "timeout")
        self.assertLess(time.monotonic() - start, 20)

    def test_memory_is_limited(self):
        self.assertEqual(run("    return len(bytearray(2 << 30)) and 6\n"), "failed")
        self.assertEqual(run("    return len(bytearray(1 << 20)) and 6\n"), "passed")

    def test_nothing_of_the_environment_is_seen(self):
        self.assertEqual(run("    import os; return 6 if not set(os.environ) - {'LC_CTYPE'} else 0\n"), "passed")


if __name__ == "__main__":
    unittest.main()
