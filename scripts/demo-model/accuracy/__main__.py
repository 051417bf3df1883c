"""Scores an exported model on item files.

    python scripts/demo-model/accuracy MODEL_DIR ITEMS_DIR [--limit N] [--batch N] [--threads N] [--json FILE]

ITEMS_DIR holds demo-arc.jsonl, demo-mmlu.jsonl and so on; files that are not there are left out.
"""

import sys
from pathlib import Path

# Python put this folder itself in front of the path; the package lies one above, beside the other scripts.
sys.path[0] = str(Path(__file__).resolve().parents[1])
sys.dont_write_bytecode = True

import argparse  # noqa: E402
import json  # noqa: E402
import time  # noqa: E402

import sentencepiece  # noqa: E402
import torch  # noqa: E402
import transformers  # noqa: E402

from accuracy.items import read_items  # noqa: E402
from accuracy.scoring import score  # noqa: E402
from accuracy.table import table  # noqa: E402
from export import load_exported  # noqa: E402
from tokenizer_training import end_of_text_id  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(prog="accuracy", description="Scores an exported model on item files.")
    parser.add_argument("model", type=Path, help="directory of the exported model")
    parser.add_argument("items", type=Path, help="directory with demo-arc.jsonl, demo-mmlu.jsonl, ...")
    parser.add_argument("--limit", type=int, help="items of a task, spread over its file (default: all)")
    parser.add_argument("--batch", type=int, default=32, help="prompts in a batch (default: 32)")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads (default: 1)")
    parser.add_argument("--json", type=Path, help="writes the results there too")
    options = parser.parse_args()
    items = read_items(options.items)
    if not items:
        sys.exit(f"{options.items} holds no item file such as demo-arc.jsonl")
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    torch.set_num_threads(options.threads)
    tokenizer = sentencepiece.SentencePieceProcessor(model_file=str(options.model / "tokenizer.model"))
    start = time.monotonic()
    model, end = load_exported(options.model), end_of_text_id(tokenizer)
    results = score(model, tokenizer, end, items, options.batch, options.limit)
    print(table(results))
    print(f"\n{sum(r['generate']['n'] for r in results.values())} items, {time.monotonic() - start:.0f} s")
    if options.json:
        options.json.write_text(json.dumps(results, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
