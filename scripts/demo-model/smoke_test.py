#!/usr/bin/env python3
"""Runs make.py --smoke and checks what it wrote; needs no test framework. Exit status 0: all is well.

Exit status 3: a Python package is missing, nothing was tried.
"""

import importlib.util
import json
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
FILES = """config.json generation_config.json model.safetensors tokenizer.model tokenizer.json tokenizer_config.json
special_tokens_map.json held-out.txt reference.json training.json README.md""".split()


def check_corpus() -> None:
    """The same seed gives the same documents, another seed gives others, and no template is left unfilled."""
    sys.path.insert(0, str(HERE))
    from corpus import SHARES, documents

    first = list(documents(5, 300))
    assert first == list(documents(5, 300)), "the corpus is not deterministic"
    assert first != list(documents(6, 300)), "the seed changes nothing"
    assert {kind for kind, _ in first} == set(SHARES), "a kind of document never comes"
    for kind, text in first:
        assert text and "|ENDOFTEXT|" not in text, (kind, text)
        if kind != "code":
            assert not set("{}[]") & set(text) and "  " not in text, (kind, text)
        else:
            compile(text, "function", "exec")


def run_make(work: Path, output: Path, *options: str) -> str:
    command = [sys.executable, str(HERE / "make.py"), "--smoke", "--threads", "1"]
    command += ["--work", str(work), "--out", str(output), *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def main() -> int:
    from make import PACKAGES

    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        print(f"skipped: Python packages are missing: {' '.join(missing)}")
        return 3
    sys.dont_write_bytecode = True
    check_corpus()
    with tempfile.TemporaryDirectory() as temporary:
        work, output = Path(temporary) / "work", Path(temporary) / "model"
        run_make(work, output)
        for name in FILES:
            assert (output / name).stat().st_size > 0, f"{name} is missing or empty"
        training = json.loads((output / "training.json").read_text())
        curve = training["history"]
        assert training["training"]["steps"] == 12 and training["training"]["finished"]
        assert curve[-1]["nats_per_token"] < 6.4, f"no learning: {curve}"  # random over 640 pieces: 6.46
        reference = json.loads((output / "reference.json").read_text())
        assert len(reference["prompts"]) >= 12
        assert all(score <= 0 for p in reference["prompts"] for score in p.get("prompt_logprobs", []))
        again = run_make(work, output)
        assert "resumed at step 12" in again, again
    print("ok: corpus, tokenizer, training, export, transformers' loading, report and resuming")
    return 0


if __name__ == "__main__":
    sys.exit(main())
