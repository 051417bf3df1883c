"""Measures kernels side by side on this machine: `python bench/kernel/compare.py --help`."""

import argparse
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

from kernels import find_kernels
from measure import measure, warm_up
from report import environment as environment_of_run
from report import report
from stopping import stopping

ALL_KERNELS = "persimmon,tslab,ipykernel"


def arguments():
    parser = argparse.ArgumentParser(
        description="Measures start, cells, completion, output, interrupt, shutdown and memory of kernels, "
        "interleaved, and prints a table in Markdown. Linux only."
    )
    parser.add_argument("--rounds", type=int, default=20, help="how often each kernel is started (20)")
    parser.add_argument("--kernels", default=ALL_KERNELS, help=f"which, with commas between ({ALL_KERNELS})")
    parser.add_argument("--prefix", help="has persimmon installed; else JUPYTER_PATH, else this checkout")
    parser.add_argument("--json", type=Path, help="writes every sample to this file")
    return parser.parse_args()


def kernel_environment(folder):
    """Histories and profiles of their own: nothing of the user's is read or written."""
    return {
        **os.environ,
        "PERSIMMON_KERNEL_HISTORY": str(folder / "history"),
        "IPYTHONDIR": str(folder / "ipython"),
        "JUPYTER_RUNTIME_DIR": str(folder),
    }


def run_rounds(kernels, count, folder, rounds):
    """Each kernel once a round, in an order that moves on by one from round to round."""
    environment = kernel_environment(folder)
    for kernel in kernels:
        print(f"warm-up: {kernel.title}", file=sys.stderr)
        warm_up(kernel, folder, environment)
    for index in range(count):
        turn = index % len(kernels)
        of_this_round = []
        for kernel in kernels[turn:] + kernels[:turn]:
            print(f"round {index + 1} of {count}: {kernel.title}", file=sys.stderr)
            of_this_round.append(measure(kernel, folder, environment, index))
        rounds.extend(of_this_round)  # whole rounds only, should the run be stopped


def main():
    options = arguments()
    stopping.install()
    folder = Path(tempfile.mkdtemp(prefix="kernel-bench-"))
    rounds = []
    stopped = False
    try:
        kernels = find_kernels(options.kernels.split(","), folder / "prefix", options.prefix)
        facts = environment_of_run()
        try:
            run_rounds(kernels, options.rounds, folder, rounds)
        except KeyboardInterrupt:
            stopped = True
        facts["load_end"] = os.getloadavg()
        if rounds:
            print(report(rounds, kernels, facts))
        if options.json:
            titles = {kernel.name: kernel.title for kernel in kernels}
            found = {**facts, "kernels": titles, "rounds": [taken.as_json() for taken in rounds]}
            options.json.write_text(json.dumps(found, indent=1) + "\n")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 130 if stopped else 0


if __name__ == "__main__":
    sys.exit(main())
