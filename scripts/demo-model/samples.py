"""The README's samples, made by this project's own command, so that anybody can make them again."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

from prompts import SAMPLED

COMMAND = Path(__file__).resolve().parents[2] / "dist" / "src" / "cli" / "main.js"
SEED, TEMPERATURE, TOKENS = 1, 0.7, 260


def check_command() -> None:
    if shutil.which("node") is None:
        sys.exit("The samples are made with `persimmon generate`, and there is no node on the PATH")
    if not COMMAND.exists():
        sys.exit("The samples are made with `persimmon generate`, which is not built: run `npm run build`")


def sample(model: Path, prompt: str, seed: int, tokens: int) -> dict:
    question = re.fullmatch(r"human: (.*)\n\nadept:", prompt, re.DOTALL)
    text = ["--chat", "--", question[1]] if question else ["--", prompt]
    options = ["--model", str(model), "--temperature", str(TEMPERATURE), "--seed", str(seed)]
    command = ["node", str(COMMAND), "generate", "--json", *options, "--max-new-tokens", str(tokens), *text]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"`persimmon generate` failed: {done.stderr}")
    made = json.loads(done.stdout)
    if made["prompt"] != prompt:
        raise RuntimeError(f"`persimmon generate` continued {made['prompt']!r} instead of {prompt!r}")
    return {"prompt": prompt, "text": made["text"], "finish": made["finish"], "seed": seed}


def samples(model: Path, prompts: int = len(SAMPLED), tokens: int = TOKENS) -> list[dict]:
    """One sample a prompt, none thrown away; sample number n has the seed SEED + n."""
    return [sample(model, prompt, SEED + number, tokens) for number, prompt in enumerate(SAMPLED[:prompts])]
