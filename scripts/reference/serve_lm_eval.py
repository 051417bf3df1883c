"""HellaSwag by EleutherAI's lm-eval (model type local-completions) through a server of `persimmon serve`.

    python scripts/reference/serve_lm_eval.py URL MODEL-NAME TOKENIZER-FOLDER ITEMS.jsonl

Prints a JSON list: for each item its id, the log-probabilities of its endings, and lm-eval's acc and acc_norm. Items are lines with
id, ctx, endings and gold. Needs lm-eval 0.4.13 with its extra `api`, transformers (for the tokenizer, which lm-eval has on its own
side) and jinja2; scripts/check-serve-lm-eval.mjs starts the server and compares. Nothing is asked of a hub.
"""

import importlib.util
import json
import os
import sys
from types import ModuleType

os.environ.update(HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1", TOKENIZERS_PARALLELISM="false")

# lm-eval imports these at its top for metrics and caches that this does not use. Where one is not installed, an empty module
# stands for it: any use of it fails.
for name, members in {
    "evaluate": ["load"],
    "pytablewriter": ["LatexTableWriter", "MarkdownTableWriter"],
    "rouge_score": ["rouge_scorer", "scoring"],
    "sqlitedict": ["SqliteDict"],
    "word2number": ["w2n"],
}.items():
    if importlib.util.find_spec(name) is None:
        module = ModuleType(name)
        for member in members:
            setattr(module, member, None)
        sys.modules[name] = module

import lm_eval  # noqa: E402


def main(url: str, model: str, tokenizer: str, items: str) -> None:
    task = {
        "task": "hellaswag_local",
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"validation": items}},
        "output_type": "multiple_choice",
        "validation_split": "validation",
        "doc_to_text": "{{ctx}}",
        "doc_to_target": "{{gold}}",
        "doc_to_choice": "{{endings}}",
        "metric_list": [{"metric": "acc"}, {"metric": "acc_norm"}],
    }
    arguments = {
        "model": model,
        "base_url": f"{url}/v1/completions",
        "tokenizer_backend": "huggingface",
        "tokenizer": tokenizer,
        "add_bos_token": True,
        "tokenized_requests": True,
        "num_concurrent": 8,
        "max_retries": 1,
    }
    results = lm_eval.simple_evaluate(
        model="local-completions",
        model_args=arguments,
        tasks=[task],
        num_fewshot=0,
        log_samples=True,
        bootstrap_iters=0,
    )
    (samples,) = results["samples"].values()
    print(
        json.dumps(
            [
                {
                    "id": sample["doc"]["id"],
                    # Of each request: its responses, of which there is one, (log-probability, whether it is greedy).
                    "logprobs": [float(response[0]) for response in sample["filtered_resps"]],
                    "acc": sample["acc"],
                    "acc_norm": sample["acc_norm"],
                }
                for sample in samples
            ]
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
