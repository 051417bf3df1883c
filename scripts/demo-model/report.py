"""Measures the exported model and writes its README.md, reference.json and training.json."""

import platform
from dataclasses import asdict
from pathlib import Path

import torch

from abilities import abilities
from evaluation import held_out
from export import load_exported, write_json
from generation import continue_text
from readme import readme
from reference import write_reference
from training import Run

SAMPLE_PROMPTS = [
    "Once upon a time, there was a",
    "One rainy day,",
    "Max and Ruby were good friends.",
    "human: Tell me a story about a fox.\n\nadept:",
    "human: Please tell me a little story about a lost kite.\n\nadept:",
    "human: Can you tell me a story about a boy named Leo?\n\nadept:",
    "human: Hello!\n\nadept:",
    "human: Where does an owl live?\n\nadept:",
    'def keep_greater_than_4(values):\n    """Return the numbers in values that are greater than 4."""\n',
]
SAMPLE_SEED, TEMPERATURE = 1, 0.7


def samples(model, run: Run, tokens: int) -> list[dict]:
    """One sample a prompt, none thrown away; sample number n has the seed SAMPLE_SEED + n."""
    made = []
    for number, prompt in enumerate(SAMPLE_PROMPTS):
        seed = SAMPLE_SEED + number
        got = continue_text(model, run.data.tokenizer, prompt, run.data.end, tokens, TEMPERATURE, seed)
        made.append({"prompt": prompt, "text": got.text, "finish": got.finish, "seed": seed})
    return made


def report(run: Run, output: Path) -> None:
    s = run.settings
    model = load_exported(output)
    small = s.steps > 0
    questions = 4 if small else 200 if run.progress >= 1 else 40
    results = {
        "settings": asdict(s),
        "parameters": sum(p.numel() for p in model.parameters()),
        "file_bytes": (output / "model.safetensors").stat().st_size,
        "vocabulary": run.data.tokenizer.vocab_size(),
        "corpus": {
            "documents": s.documents,
            "bytes": run.data.train_bytes,
            "tokens": len(run.data.train),
            "bytes_per_token": run.data.train_bytes / len(run.data.train),
        },
        "training": {
            "steps": run.step,
            "rows_from_step": run.row_changes,
            "tokens": run.tokens,
            "minutes": run.seconds / 60,
            "device": run.device,
            "machine": platform.machine(),
            "torch": torch.__version__,
            "finished": run.progress >= 1,
        },
        "held_out": held_out(model, run.data, s.held_out_documents),
        "history": run.history,
        "abilities": abilities(model, run.data.tokenizer, run.data.end, questions),
        "questions": questions,
        "samples": samples(model, run, 16 if small else 260),
    }
    reference = write_reference(run, output, s.greedy_tokens)
    results["smallest_greedy_margin"] = reference["smallest_margin"]
    write_json(output / "training.json", {k: v for k, v in results.items() if k != "samples"})
    (output / "README.md").write_text(readme(results))
    print(
        f"report: held-out {results['held_out']['nats_per_byte']:.4f} nats/byte, zeros"
        f" {' '.join(f'{z:.3f}' for z in results['held_out']['zeros'])},"
        f" smallest greedy margin {reference['smallest_margin']:.4f}", flush=True,
    )  # fmt: skip
