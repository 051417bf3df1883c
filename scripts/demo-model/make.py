#!/usr/bin/env python3
"""Makes the demo model: corpus, tokenizer, training, export, evaluation items, report.

    npm run demo-model -- [--smoke] [--compare DIR] [--out DIR] [--work DIR]

which builds the project, installs requirements.txt where it is missing, and starts this file. A run that was stopped
goes on where it was when it is started again with the same --work. The number of steps is fixed, so a faster machine makes
the same model sooner. With --smoke every stage runs in well under a minute on tiny sizes.

A model that has only been through the first phase, as the one of commit e411340, goes on with --start-from DIR.

A run may be trained elsewhere, on a GPU for instance (--rows 64 and more --steps suit one): with --train-only there, and
with --export-only and the same --rows and --steps here, once tokenizer.model, corpus-N.json and run.pt lie in --work.

What the activation penalty costs, and how much two runs differ by chance, is measured by runs that the report reads:

    npm run demo-model -- --train-only --target-zeros 0 --work build/demo-model-without-penalty
    npm run demo-model -- --train-only --initial-seed 2 --work build/demo-model-again
    npm run demo-model -- --compare build/demo-model-without-penalty --compare build/demo-model-again
"""

import argparse
import ctypes
import importlib.util
import os
import re
import shutil
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
REQUIREMENTS = Path(__file__).with_name("requirements.txt")
sys.dont_write_bytecode = True

from samples import check_command  # noqa: E402

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Makes the demo model.")
    parser.add_argument("--smoke", action="store_true", help="tiny sizes, a few steps, into a temporary directory")
    parser.add_argument("--steps", type=int, help="training steps of all phases together, in their proportions")
    parser.add_argument("--rows", type=int, help="rows of a step; a GPU wants some 64")
    parser.add_argument("--initial-seed", type=int, help="of the random weights that training starts from (default: 1)")
    parser.add_argument("--target-zeros", type=float, help="share of zeros that the penalty steers to; 0: no penalty")
    parser.add_argument(
        "--start-from", type=Path, metavar="DIR", help="an exported model that has only been through the first phase"
    )
    parser.add_argument("--threads", type=int, default=0, help="CPU threads (default: torch's choice)")
    parser.add_argument("--out", type=Path, help="where the model goes (default: models/demo)")
    parser.add_argument("--items", type=Path, help="where the evaluation items go (default: notebooks/evals)")
    parser.add_argument("--work", type=Path, help="where the run's state is kept (default: build/demo-model)")
    parser.add_argument(
        "--compare", type=Path, action="append", default=[],
        help="the --work of a finished run with other settings, to report beside this one; may be repeated",
    )  # fmt: skip
    parser.add_argument("--train-only", action="store_true", help="train, write nothing into --out")
    parser.add_argument("--export-only", action="store_true", help="export the latest saved state of the run")
    return parser.parse_args()


def keep_freed_memory() -> None:
    """Lets glibc keep what is freed: a step frees 2 GB, and getting it back from the system costs 15 % of the time."""
    M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return  # not glibc
    for parameter, value in ((M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, 2**31 - 1), (M_TOP_PAD, 2**28)):
        mallopt(parameter, value)


def check_packages() -> None:
    names = [re.match(r"\w+", line).group() for line in REQUIREMENTS.read_text().splitlines() if line[:1].isalpha()]
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    if missing:
        sys.exit(f"Python packages are missing: {' '.join(missing)}. Install them: pip install -r {REQUIREMENTS}")


def main() -> None:
    options = arguments()
    check_packages()
    if not options.train_only:
        check_command()  # now, not after an hour
    keep_freed_memory()
    import torch
    import transformers

    from settings import Settings, smoke, with_steps

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    if options.threads:
        torch.set_num_threads(options.threads)
    settings = smoke() if options.smoke else Settings()
    if options.steps is not None:
        settings = with_steps(settings, options.steps)
    names = ["rows", "initial_seed", "target_zeros"]
    settings = replace(settings, **{n: getattr(options, n) for n in names if getattr(options, n) is not None})
    with tempfile.TemporaryDirectory() as temporary:
        base = Path(temporary) if options.smoke else None
        work = options.work or (base / "work" if base else ROOT / "build" / "demo-model")
        output = options.out or (base / "model" if base else ROOT / "models" / "demo")
        items = options.items or (base / "evals" if base else ROOT / "notebooks" / "evals")
        make(settings, work, output, items, options)


def make(settings, work: Path, output: Path, items: Path, options: argparse.Namespace) -> None:
    from data import prepare
    from training import Run

    start = time.monotonic()
    work.mkdir(parents=True, exist_ok=True)
    if options.start_from and not (work / "tokenizer.model").exists():
        shutil.copyfile(options.start_from / "tokenizer.model", work / "tokenizer.model")
    data = prepare(settings, work, rows_too=not options.export_only)
    print(
        f"corpus: {data.documents} documents, {data.bytes / 1e6:.1f} MB, {data.tokens / 1e6:.2f} M tokens,"
        f" {data.bytes / data.tokens:.2f} bytes per token; {time.monotonic() - start:.0f} s", flush=True,
    )  # fmt: skip
    run = Run(settings, data, work)
    if options.start_from and run.step == 0:
        run.start_from(options.start_from)
    if not options.export_only:
        run.train()
    if options.train_only:
        return

    from export import export
    from items import write_items
    from report import report

    output.mkdir(parents=True, exist_ok=True)
    write_items(items)
    export(run, output)
    report(run, output, items, [Run(settings, data, other) for other in options.compare])
    print(f"done: {output}, {(time.monotonic() - start) / 60:.1f} min in all", flush=True)


if __name__ == "__main__":
    main()
