"""Likelihoods and greedy answers of eval questions by EleutherAI's lm-eval and transformers, in float32.

    python scripts/reference/evals.py models/demo ../shared/eval-data test/evals/fixtures/likelihood_reference.json

Needs torch, transformers and lm-eval. Prompts and examples come from scripts/demo-model/accuracy, so nothing of src/ is used.
The output holds ids, token ids, hashes and numbers only: the questions are other people's.
test/evals/likelihood_reference.test.ts asks the same questions with runEval and compares.
"""

import argparse
import gzip
import hashlib
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "demo-model"))
sys.dont_write_bytecode = True

import lm_eval  # noqa: E402
import torch  # noqa: E402
import transformers  # noqa: E402
from accuracy.items import choose, item_id, options  # noqa: E402
from accuracy.prompts import prompt  # noqa: E402
from accuracy.shots import shot_picker  # noqa: E402
from accuracy.stops import dedent_stop, line_stop  # noqa: E402
from lm_eval.api.instance import Instance  # noqa: E402
from lm_eval.models.huggingface import HFLM  # noqa: E402


def code_end(text: str) -> int | None:
    """As dedent_stop, but the line break before the end is no part of the answer."""
    end = dedent_stop(text)
    return None if end is None else end - 1


# Name in an example's hash, name of the prompt, file, items, most tokens, where an answer ends, where lm-eval is to stop.
CODE_ENDS = ["\ndef", "\nclass", "\nfrom", "\nimport", "\n#"]
GENERATED = [
    ("arc-easy", "arc", "arc_easy/validation.jsonl", 60, 8, line_stop, ["\n"]),
    ("humaneval", "humaneval", "humaneval/HumanEval.jsonl.gz", 10, 128, code_end, CODE_ENDS),
]
LIKELIHOODS = ("hellaswag", "hellaswag/validation.jsonl", 100)


def read(path: Path) -> list[dict]:
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return [json.loads(line) for line in data.decode().split("\n") if line.strip()]


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def likelihoods(lm: HFLM, items: list[dict]) -> list[dict]:
    """Sum of log-probabilities of each ending after BOS and the context, as lm-eval's HellaSwag asks for it."""
    requests = [
        Instance(request_type="loglikelihood", doc={}, arguments=(item["ctx"], " " + ending), idx=number)
        for item in items
        for number, ending in enumerate(options(item))
    ]
    sums = iter(lm.loglikelihood(requests, disable_tqdm=True))
    return [{"id": item["id"], "logprobs": [round(next(sums)[0], 6) for _ in options(item)]} for item in items]


@torch.no_grad()
def answers(
    lm: HFLM, hashed: str, task: str, items: list[dict], limit: int, tokens: int,
    stop: Callable[[str], int | None], until: list[str],
) -> Iterator[dict]:  # fmt: skip
    chosen = choose(items, limit)
    pick = shot_picker(hashed, items)
    prompts = [prompt(task, pick(item), item) for item in chosen]
    arguments = {"until": until, "do_sample": False, "max_gen_toks": tokens}
    requests = [
        Instance(request_type="generate_until", doc={}, arguments=(text, dict(arguments)), idx=0) for text in prompts
    ]
    texts = lm.generate_until(requests, disable_tqdm=True)
    for item, text, harness in zip(chosen, prompts, texts):
        ids = torch.tensor([lm.tok_encode(text)])
        out = lm.model.generate(
            ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=tokens,
            output_logits=True, return_dict_in_generate=True, pad_token_id=lm.eot_token_id,
        )  # fmt: skip
        greedy = out.sequences[0, ids.shape[1] :].tolist()
        best = torch.stack(out.logits)[:, 0].topk(2).values
        without_end = [token for token in greedy if token != lm.eot_token_id]
        expected = lm.tokenizer.decode(without_end)
        ends = [at for at in (expected.find(stop) for stop in until) if at >= 0]
        if harness != expected[: min(ends, default=len(expected))]:
            sys.exit(f"{item_id(item)}: lm-eval and transformers generate different texts")
        # Decoded after the prompt, an answer keeps the space that it begins with.
        known = ids[0, 1:].tolist()
        answer = lm.tokenizer.decode(known + without_end)[len(lm.tokenizer.decode(known)) :]
        end = stop(answer)
        finish = "stop" if end is not None else "eos" if len(without_end) < len(greedy) else "length"
        yield {
            "id": item_id(item),
            "shot_id": item_id(pick(item)),
            "prompt_sha256": sha256(text.encode()),
            "prompt_tokens": ids.shape[1],
            "ids": greedy,
            "finish": finish,
            "answer_sha256": sha256(answer[:end].encode()),
            # Two correct implementations may choose differently where the two best logits are nearly the same.
            "least_margin": float(f"{(best[:, 0] - best[:, 1]).min().item():.4g}"),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description="Reference likelihoods and answers for src/evals.")
    parser.add_argument("model", type=Path)
    parser.add_argument("data", type=Path, help="folder with arc_easy, hellaswag and humaneval")
    parser.add_argument("output", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    model = transformers.AutoModelForCausalLM.from_pretrained(
        arguments.model, dtype=torch.float32, attn_implementation="eager"
    ).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(arguments.model)
    lm = HFLM(pretrained=model, tokenizer=tokenizer, batch_size=1, add_bos_token=True)
    lm.tokenizer.eos_token = lm.tokenizer.bos_token

    name, file, limit = LIKELIHOODS
    result = {
        "made_by": "scripts/reference/evals.py",
        "lm_eval": lm_eval.__version__,
        "transformers": transformers.__version__,
        "torch": torch.__version__,
        "model_sha256": sha256((arguments.model / "model.safetensors").read_bytes()),
        "likelihood": {name: likelihoods(lm, choose(read(arguments.data / file), limit))},
        "generate": {},
    }
    for hashed, task, file, limit, tokens, stop, until in GENERATED:
        items = read(arguments.data / file)
        found = list(answers(lm, hashed, task, items, limit, tokens, stop, until))
        result["generate"][hashed] = {"max_new_tokens": tokens, "items": found}
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(result, separators=(",", ":")).replace('{"id"', '\n{"id"') + "\n")


if __name__ == "__main__":
    main()
