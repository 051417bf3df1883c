"""The text of models/demo/README.md, with every number from the report."""

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
It writes short children's stories, answers simple questions about a very small world, and follows the chat format
`human: …\\n\\nadept:`. It is a toy: see what it cannot do, below. Licence: Apache-2.0, weights, tokenizer and text alike.
{state}
| | |
|---|---|
| parameters | {parameters:,} ({megabytes:.1f} MB in bfloat16) |
| shape | {layers} layers, hidden {hidden}, {heads} heads of 64, MLP {intermediate}, vocabulary {vocabulary} |
| tokenizer | SentencePiece unigram, byte fallback, identity normalisation, one piece a digit, {bytes_per_token:.2f} bytes a token |
| BOS and EOS | `|ENDOFTEXT|`, in front of every document in training |

## Data

All text is made by `scripts/demo-model/corpus`, written for this project, from a seed: no text was downloaded. {documents:,}
documents, {corpus_megabytes:.1f} MB, {corpus_tokens:.2f} million tokens: stories from plots and from loose episodes (42 % of
documents), chats that ask for a story, about a story or for a fact (30 %), questions in the prompt formats of Adept's evals
(12 %), small Python functions (9 %), descriptions (7 %). `held-out.txt` is text of the same generator from another seed,
with no document that the training set has; documents are separated by a line `|ENDOFTEXT|`.

## Training

`python scripts/demo-model/make.py` makes all of it. AdamW (0.9, 0.95, decay {weight_decay} on matrices), peak learning rate
{learning_rate}, warm-up over {warmup:.0%} of the time and a cosine to 2 % of the peak, gradients clipped at 1,
packed rows of {context} tokens ({row_changes}), bfloat16 autocast over float32 weights, seed {seed}.
{steps} steps, {training_tokens:.2f} million tokens, {minutes:.0f} minutes on {where}.
The time budget shapes the schedule, so a run on a faster machine sees more tokens and ends with other weights.

{penalty}

Held-out loss during training (first 120 held-out documents, end of text included):

| minutes | million tokens | nats per byte | nats per token | zeros, mean |
|---|---|---|---|---|
{curve}

The exported bfloat16 weights, computed in float32, on all {held_out_documents} held-out documents ({held_out_bytes:,} bytes):
**{nats_per_byte:.4f} nats per byte** ({bits_per_byte:.4f} bits), {nats_per_token:.3f} nats per token.
By kind: {by_kind}.
The generator itself is random (names, things, turns of phrase), so much of this loss cannot be learnt away.

## Zeros after squared ReLU

Same text, share of exact zeros among the {intermediate} activations of each MLP, and neurons that never fired on it:

| layer | zeros | never active |
|---|---|---|
{zeros}
| mean | {mean_zeros:.3f} | |

## What it can do

Greedy answers, {abilities_note}; the facts and the templates are those of the training text, the combinations and the
stories are new.

| | correct |
|---|---|
{abilities}

## Samples

Temperature {temperature}, no top-k or top-p, one sample a prompt, none left out; sample n (from 0) has seed {sample_seed} + n.

{samples}

## What it cannot do

It knows nothing but its corpus: a few hundred words of vocabulary in depth, about 25 plots, and some 100 simple facts. Other topics,
other plots, real knowledge, arithmetic beyond small sums, reasoning over more than a sentence or two, other languages,
and code outside the templates fail, mostly fluently. Names and things can change in the middle of a story. In this
version answers to multiple choice and fill-in questions are at chance, the animal that a request names is often not the hero of
the story, questions about a story are answered from it in about one case of four, and numbers in code are mixed up. It was trained on
rows of {context} tokens: longer text (the configuration allows 2048) is outside what it has seen.

## Files

`model.safetensors`, `config.json`, `generation_config.json`; `tokenizer.model`, `tokenizer.json`, `tokenizer_config.json`,
`special_tokens_map.json`; `held-out.txt`; `training.json` (settings, curve, all measurements); `reference.json` (greedy
continuations and log-probabilities by transformers in float32, smallest distance between the two best logits
{margin:.4f}).
"""



def _sample(sample: dict) -> str:
    end = "" if sample["finish"] == "eos" else " […]"
    fence = "```"
    return f"{fence}text\n{sample['prompt']}⟦{sample['text']}⟧{end}\n{fence}"


def _penalty(results: dict) -> str:
    target = results["settings"]["target_zeros"]
    if target <= 0:
        return "No activation penalty was used."
    return (
        "A light activation penalty was used: λ · mean(relu(pre-activation)) of each MLP is added to the loss, and λ (between\n"
        f"0.001 and 0.5) is steered by layer towards {target:.0%} zeros. So the sparsity below is partly asked for, not only\n"
        "what squared ReLU gives by itself; its cost in loss was not measured for this version."
    )


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


def readme(results: dict) -> str:
    s, held, train = results["settings"], results["held_out"], results["training"]
    cores = "a CUDA GPU" if train["device"] == "cuda" else f"one shared {train['machine']} CPU core"
    values = {
        **s,
        "heads": s["hidden"] // 64,
        "state": "" if train["finished"] else "\n**An early checkpoint of a training run that is still going on.**\n",
        "parameters": results["parameters"],
        "megabytes": results["file_bytes"] / 1e6,
        "vocabulary": results["vocabulary"],
        "bytes_per_token": results["corpus"]["bytes_per_token"],
        "corpus_megabytes": results["corpus"]["bytes"] / 1e6,
        "corpus_tokens": results["corpus"]["tokens"] / 1e6,
        "steps": train["steps"],
        "row_changes": ", ".join(f"{rows} a step" + (f" from step {step} on" if step else "") for step, rows in train["rows_from_step"]),
        "training_tokens": train["tokens"] / 1e6,
        "minutes": train["minutes"],
        "where": cores,
        "penalty": _penalty(results),
        "curve": "\n".join(
            f"| {h['minutes']:.1f} | {h['training_tokens'] / 1e6:.2f} | {h['nats_per_byte']:.4f} | {h['nats_per_token']:.3f}"
            f" | {mean(h['zeros']):.3f} |"
            for h in results["history"]
        ),
        "held_out_bytes": held["bytes"],
        "nats_per_byte": held["nats_per_byte"],
        "bits_per_byte": held["bits_per_byte"],
        "nats_per_token": held["nats_per_token"],
        "by_kind": ", ".join(f"{kind} {value:.3f}" for kind, value in held["nats_per_byte_by_kind"].items()),
        "zeros": "\n".join(
            f"| {i} | {z:.3f} | {n} |" for i, (z, n) in enumerate(zip(held["zeros"], held["neurons_never_active"]))
        ),
        "mean_zeros": mean(held["zeros"]),
        "abilities_note": f"{results['questions']} fresh documents each",
        "abilities": "\n".join(f"| {name} | {share:.0%} |" for name, share in results["abilities"].items()),
        "samples": "The prompt comes first, the generated text stands between ⟦ and ⟧.\n\n"
        + "\n\n".join(_sample(sample) for sample in results["samples"]),
        "temperature": 0.7,
        "sample_seed": results["samples"][0]["seed"],
        "margin": results["smallest_greedy_margin"],
    }
    return TEMPLATE.format(**values)
