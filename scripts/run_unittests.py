"""Runs the Python tests of a folder: `python run_unittests.py FOLDER [--json FILE] [NAME ...]`.

A NAME is part of a test's name. The conformance tests find the kernel through Jupyter's own search path; KERNEL_NAME
names another than `persimmon`.
"""

import argparse
import json
import sys
import time
import unittest
from pathlib import Path


class Result(unittest.TextTestResult):
    """Remembers every outcome, one line each, for the summary of all checks."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.outcomes = []

    def _record(self, test, passed, message="", skipped=False):
        outcome = {"name": test.id(), "passed": passed}
        if message:
            outcome["message"] = message
        if skipped:
            outcome["skipped"] = True
        self.outcomes.append(outcome)

    def addSuccess(self, test):
        super().addSuccess(test)
        self._record(test, True)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._record(test, False, str(err[1]))

    def addError(self, test, err):
        super().addError(test, err)
        self._record(test, False, f"{err[0].__name__}: {err[1]}")

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self._record(test, True, reason, skipped=True)

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self._record(subtest, False, str(err[1]))


def all_tests(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from all_tests(test)
        else:
            yield test


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", help="run only tests whose name contains one of these")
    parser.add_argument("--json", type=Path, help="write the outcomes to this file")
    # Names may stand behind the options: parse_args() takes no more of them there before Python 3.13.
    options = parser.parse_intermixed_args()
    folder = options.folder.resolve()
    sys.dont_write_bytecode = True
    found = unittest.defaultTestLoader.discover(str(folder), pattern="test_*.py", top_level_dir=str(folder))
    suite = unittest.TestSuite(
        test
        for test in all_tests(found)
        if not options.names or any(name in test.id() for name in options.names)
    )
    started = time.monotonic()
    result = unittest.TextTestRunner(resultclass=Result, verbosity=2, stream=sys.stdout).run(suite)
    failed = sum(1 for outcome in result.outcomes if not outcome["passed"])
    skipped = sum(1 for outcome in result.outcomes if outcome.get("skipped"))
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(result.outcomes, indent=1))
    passed = len(result.outcomes) - failed - skipped
    print(f"{passed} passed, {failed} failed, {skipped} skipped in {time.monotonic() - started:.0f} s")
    return 1 if failed or result.errors else 0


if __name__ == "__main__":
    sys.exit(main())
