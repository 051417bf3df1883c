#!/usr/bin/env python3
"""Makes the demo model: corpus, tokenizer, training, export, report.

    python scripts/demo-model/make.py [--smoke] [--minutes N] [--out DIR] [--work DIR]

Needs torch, transformers 5, sentencepiece, tokenizers, safetensors and numpy. A run that was stopped goes on where it
was when it is started again with the same --work. With --smoke every stage runs in well under a minute on tiny sizes.
"""

import argparse
import importlib.util
import os
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ["torch", "transformers", "sentencepiece", "tokenizers", "safetensors", "numpy"]
sys.dont_write_bytecode = True
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Makes the demo model.")
    parser.add_argument("--smoke", action="store_true", help="tiny sizes, a few steps, into a temporary directory")
    parser.add_argument("--minutes", type=float, help="training time; shapes the learning-rate schedule")
    parser.add_argument("--steps", type=int, help="a fixed number of steps in place of a time")
    parser.add_argument("--rows", type=int, help="packed rows in a step; may change when a run is resumed")
    parser.add_argument("--target-zeros", type=float, help="share of zeros that the penalty steers to; 0: no penalty")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads (default: torch's choice)")
    parser.add_argument("--out", type=Path, help="where the model goes (default: models/demo)")
    parser.add_argument("--work", type=Path, help="where the run's state is kept (default: build/demo-model)")
    parser.add_argument("--export-only", action="store_true", help="export the latest saved state of the run")
    return parser.parse_args()


def main() -> None:
    options = arguments()
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        sys.exit(f"Python packages are missing: {' '.join(missing)}. Install them: pip install {' '.join(missing)}")
    import torch
    import transformers

    from settings import Settings, smoke

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    if options.threads:
        torch.set_num_threads(options.threads)
    settings = smoke() if options.smoke else Settings()
    names = ["minutes", "steps", "rows", "target_zeros"]
    settings = replace(settings, **{n: getattr(options, n) for n in names if getattr(options, n) is not None})
    with tempfile.TemporaryDirectory() as temporary:
        base = Path(temporary) if options.smoke else None
        work = options.work or (base / "work" if base else ROOT / "build" / "demo-model")
        output = options.out or (base / "model" if base else ROOT / "models" / "demo")
        for directory in (work, output):
            directory.mkdir(parents=True, exist_ok=True)
        make(settings, work, output, export_only=options.export_only)


def make(settings, work: Path, output: Path, export_only: bool) -> None:
    from data import prepare
    from training import Run

    start = time.monotonic()
    data = prepare(settings, work, output)
    print(
        f"corpus: {settings.documents} documents, {data.train_bytes / 1e6:.1f} MB,"
        f" {len(data.train) / 1e6:.2f} M tokens,"
        f" {data.train_bytes / len(data.train):.2f} bytes per token; {time.monotonic() - start:.0f} s", flush=True,
    )  # fmt: skip
    run = Run(settings, data, work)
    if not export_only:
        run.train()

    from export import export
    from report import report

    export(run, output)
    report(run, output)
    print(f"done: {output}, {(time.monotonic() - start) / 60:.1f} min in all", flush=True)


if __name__ == "__main__":
    main()
