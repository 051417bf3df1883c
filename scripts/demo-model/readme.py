"""The text of models/demo/README.md, with every number from the report."""

from corpus.mixture import SHARES
from readme_parts import (
    accuracy_table,
    by_kind_table,
    compared_text,
    conversation_table,
    curve_table,
    guidance_text,
    phases_table,
    sample_text,
    zeros_table,
)
from samples import SEED, TEMPERATURE, TOKENS

TEMPLATE = """---
license: apache-2.0
language: en
library_name: transformers
tags: [persimmon, demo]
---

# Persimmon demo

A small Persimmon, trained from random weights with Hugging Face's `PersimmonForCausalLM`, so that everything in this
project can be tried without the 19 GB of Persimmon-8B. It has the 8B's architecture (head size 64, rotation of half of
each head with theta 25000, QK-LayerNorm, squared ReLU, untied head) and nothing of its weights.
It writes short children's stories, answers questions about a small world in the prompt formats of Adept's evals, completes
small Python functions, and follows the chat format `human: …\\n\\nadept:`. It is a toy: see what it cannot do, below.
Licence: Apache-2.0, weights, tokenizer and text alike.
{state}
| | |
|---|---|
| parameters | {parameters:,} ({megabytes:.1f} MB in bfloat16) |
| shape | {layers} layers, hidden {hidden}, {heads} heads of 64, MLP {intermediate}, vocabulary {vocabulary} |
| tokenizer | SentencePiece unigram, byte fallback, identity normalisation, one piece a digit, {bytes_per_token:.2f} bytes a token |
| BOS and EOS | `|ENDOFTEXT|`, in front of every document in training |

## Data

All text is made by `scripts/demo-model/corpus`, written for this project, from a seed: no text was downloaded. {documents:,}
documents, {corpus_megabytes:.1f} MB, {corpus_tokens:.1f} million tokens, each document read about once. Kinds, as shares of documents
in the first phase of training and in the held-out text: {shares}.

Some of it is left out on purpose, by a rule that hashes names (`corpus/split.py`), so that there is something to ask:

- **Facts never asked for.** The world has {facts:,} facts (animals, things, countries, work, 58 invented people …). {never_asked} of
  them stand in the text as statements only; no question about them, in any format, is in the training text.
- **New combinations.** {combinations}
- `held-out.txt` is text of the same generator from another seed, with no document that the training set has (documents are
  separated by a line `|ENDOFTEXT|`). The loss below is measured on such text.

## Training

`npm run demo-model` makes all of it, in phases with documents and optimizer states of their own:

{phases}

Muon for the matrices of the layers, AdamW (0.9, 0.95) for the rest, decay {weight_decay} on matrices, warm-up over {warmup:.0%} of a phase
and then linearly down, gradients clipped at 1, rows of {context} tokens packed with whole documents, {rows} a step, matrix
products in {products}{compiled}. {steps} steps, {training_tokens:.1f} million tokens, {minutes:.0f} minutes of training on {where}.

{guidance}

{penalty}
{about_the_run}
![Loss on held-out text](curve.svg)

Held-out loss during training (first 120 held-out documents, end of text included):

{curve}

The exported bfloat16 weights, computed in float32, on all {held_out_documents} held-out documents ({held_out_bytes:,} bytes):
**{nats_per_byte:.4f} nats per byte** ({bits_per_byte:.4f} bits), {nats_per_token:.3f} nats per token.
By kind: {by_kind}.
The generator itself is random (names, things, turns of phrase), so much of this loss cannot be learnt away.

## Zeros after squared ReLU

Share of exact zeros among the {intermediate} activations of each MLP on the same text, and neurons that never fired on it:

{zeros}

![Zeros by layer over training](zeros.svg)

## Accuracy on held-out items

`notebooks/evals/demo-*.jsonl` (made by `scripts/demo-model/items.py`): {items_total:,} items that ask for nothing that was asked in
training. Generated answers: greedy, one example in front, Adept's prompts. By likelihood: the option with the
highest log-probability, summed or per byte. 95 % Wilson intervals. *Constant* is the share that the best
constant answer would get.

{accuracy}

By kind, generated:

{kinds}

`python scripts/demo-model/accuracy models/demo notebooks/evals` measures it again, and so does `npx persimmon eval arc-easy --data demo`
(or another task): both ask the same prompts.

## Conversations

Whether replies keep to what was asked for. Stories are drawn with a temperature of 0.7; of which plot one is, is told by its words
(`scripts/demo-model/conversation.py`, which is right for {own_right} of {own_stories} stories of the corpus). Answers are greedy.

{conversation}

## What it cannot do

{cannot}

It knows nothing but its corpus. Other topics, other plots, real knowledge beyond the little world, reasoning over more
than two or three sentences, other languages, and code outside its grid of ideas fail, mostly fluently.
Names and things can still change in the middle of a story. It was trained on rows of {context} tokens: longer text (the
configuration allows 2048) is outside what it has seen.

## Samples

{sample_count} prompts, one sample each, none left out, made by

    npx persimmon generate "PROMPT" --temperature {temperature} --max-new-tokens {sample_tokens} --seed SEED

with seed {sample_seed} for the first prompt, {sample_seed} + n for the n-th after it, and `--chat` where the prompt has chat format (then "PROMPT" is
the question alone). The prompt comes first, the generated text stands between ⟦ and ⟧.

{samples}

## Files

`model.safetensors`, `config.json`, `generation_config.json`; `tokenizer.model`, `tokenizer.json`, `tokenizer_config.json`,
`special_tokens_map.json`; `held-out.txt`; `curve.svg`, `zeros.svg`; `training.json` (settings, curve, all measurements);
`reference.json` (50 greedy continuations and log-probabilities by transformers in float32, smallest distance between the
two best logits {margin:.4f}).
"""

COMBINATIONS = (
    "Which thing is where, which two numbers are added, which cause stands with which sentence frame, which map, filter and\n"
    "  aggregate make a function: 15 % of the combinations never occur, each of their parts does."
)


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


def readme(results: dict, facts: int, never_asked: int) -> str:
    s, held, train = results["settings"], results["held_out"], results["training"]
    values = {
        **s,
        "heads": s["hidden"] // 64,
        "state": "" if train["finished"] else "\n**An early checkpoint of a training run that is still going on.**\n",
        "parameters": results["parameters"],
        "megabytes": results["file_bytes"] / 1e6,
        "vocabulary": results["vocabulary"],
        "documents": results["corpus"]["documents"],
        "bytes_per_token": results["corpus"]["bytes_per_token"],
        "corpus_megabytes": results["corpus"]["bytes"] / 1e6,
        "corpus_tokens": results["corpus"]["tokens"] / 1e6,
        "shares": ", ".join(f"{kind} {share:.0%}" for kind, share in SHARES.items()),
        "facts": facts,
        "never_asked": never_asked,
        "combinations": COMBINATIONS,
        "steps": train["steps"],
        "training_tokens": train["tokens"] / 1e6,
        "minutes": train["minutes"],
        "where": "a CUDA GPU" if train["device"] == "cuda" else f"a shared {train['machine']} CPU",
        "products": train["products"],
        "compiled": ", layers compiled by torch.compile" if s["compiled"] and train["device"] == "cpu" else "",
        "phases": phases_table(s["phases"]),
        "guidance": guidance_text(s),
        "penalty": compared_text(results),
        "curve": curve_table(results["history"]),
        "held_out_bytes": held["bytes"],
        "nats_per_byte": held["nats_per_byte"],
        "bits_per_byte": held["bits_per_byte"],
        "nats_per_token": held["nats_per_token"],
        "by_kind": ", ".join(f"{kind} {value:.3f}" for kind, value in held["nats_per_byte_by_kind"].items()),
        "zeros": zeros_table(held),
        "items_total": sum(task["generate"]["n"] for task in results["accuracy"].values()),
        "accuracy": accuracy_table(results["accuracy"]),
        "kinds": by_kind_table(results["accuracy"]),
        "own_right": results["conversation"]["corpus"]["correct"],
        "own_stories": results["conversation"]["corpus"]["n"],
        "conversation": conversation_table(results["conversation"]),
        "cannot": results["cannot"],
        "about_the_run": results["about_the_run"],
        "samples": "\n\n".join(sample_text(sample) for sample in results["samples"]),
        "sample_count": len(results["samples"]),
        "temperature": TEMPERATURE,
        "sample_tokens": TOKENS,
        "sample_seed": SEED,
        "margin": results["smallest_greedy_margin"],
    }
    return TEMPLATE.format(**values)
