"""Interventions made in Hugging Face transformers with forward hooks, as references for edits of this library.

    python scripts/reference/interventions.py models/demo test/fixtures/interventions

Writes interventions.json (the cases, their prompts, directions and greedy ids) and interventions.safetensors (logits).
Needs torch, transformers and safetensors. test/research/interventions/transformers.test.ts makes the same interventions
with edits and compares.
"""

import argparse
import json
import math
from pathlib import Path

import torch
import transformers
from safetensors.torch import save_file
from transformers import AutoTokenizer, PersimmonForCausalLM

PROMPT = "Once upon a time, there was a little fox named Rusty."
OTHER = "Tom and Lily were good friends. They liked the big park."
TOKENS = 16
# Two correct implementations may choose differently where the two best logits are closer than this.
SAFE_MARGIN = 2e-3
EVERY_COLUMN = 10
UNITS = list(range(1, 1024, 3))
HEAD = 1


class Intervention:
    """Changes outputs (or, for `dense`, inputs) of modules while a text is run; positions count from its beginning."""

    def __init__(self, model):
        self.model = model
        self.start = 0
        self.handles = []

    def at(self, module, change, on_input=False):
        def on_forward(_, __, output):
            first = output[0] if isinstance(output, tuple) else output
            changed = change(first, self.positions(first))
            return (changed, *output[1:]) if isinstance(output, tuple) else changed

        def on_call(_, inputs):
            return (change(inputs[0], self.positions(inputs[0])), *inputs[1:])

        self.handles.append(
            module.register_forward_pre_hook(on_call) if on_input else module.register_forward_hook(on_forward)
        )

    def positions(self, x):
        return range(self.start, self.start + x.shape[1])

    def end(self):
        for handle in self.handles:
            handle.remove()


def capture(model, ids, module, on_input=False):
    """The output (or input) of a module in a plain run over `ids`."""
    found = []
    if on_input:
        handle = module.register_forward_pre_hook(lambda _, inputs: found.append(inputs[0].clone()))
    else:
        handle = module.register_forward_hook(
            lambda _, __, output: found.append((output[0] if isinstance(output, tuple) else output).clone())
        )
    model(torch.tensor([ids]))
    handle.remove()
    return found[0][0]


def greedy(model, intervention, ids):
    """Logits of the prompt, greedy ids with a KV cache, and the logits that the last of them was taken from."""
    intervention.start = 0
    out = model(torch.tensor([ids]), use_cache=True)
    prompt_logits, chosen, last = out.logits[0], [], None
    while len(chosen) < TOKENS:
        logits = out.logits[0, -1]
        best = torch.topk(logits, 2).values
        if float(best[0] - best[1]) < SAFE_MARGIN:
            break
        chosen.append(int(logits.argmax()))
        last = logits
        intervention.start = len(ids) + len(chosen) - 1
        out = model(torch.tensor([chosen[-1:]]), past_key_values=out.past_key_values, use_cache=True)
    return prompt_logits, chosen, last


def direction(width):
    return torch.tensor([math.sin(1 + 1.7 * i + 0.01 * i * i) for i in range(width)], dtype=torch.float64).float()


def cases(model, other_ids, prompt_length):
    layers = model.model.layers
    width, heads = model.config.hidden_size, model.config.num_attention_heads
    head_dim = width // heads
    d = direction(width)
    unit = d / d.norm()

    def rows(condition, change):
        def apply(x, positions):
            x = x.clone()
            for row, position in enumerate(positions):
                if condition(position):
                    x[0, row] = change(x[0, row], position)
            return x

        return apply

    def always(_):
        return True

    def ablated(row, _):
        row[UNITS] = 0
        return row

    other_layer = capture(model, other_ids, layers[1])
    other_heads = capture(model, other_ids, layers[2].self_attn.dense, on_input=True)
    part = slice(HEAD * head_dim, (HEAD + 1) * head_dim)

    def patched(row, position):
        row[part] = other_heads[position, part]
        return row

    def off(row, _):
        row[part] = 0
        return row

    yield "ablate neurons", lambda i: i.at(layers[1].mlp.act, rows(always, ablated))
    yield "ablate neurons in decoding", lambda i: i.at(
        layers[2].mlp.act, rows(lambda p: p >= prompt_length, ablated)
    )
    yield "steer", lambda i: i.at(layers[1], rows(lambda p: p >= 3, lambda row, _: row + 1.5 * d))
    yield "replace at a position", lambda i: i.at(layers[1], rows(lambda p: p in (5, 12), lambda _, p: other_layer[p]))
    yield "patch a head", lambda i: i.at(
        layers[2].self_attn.dense, rows(lambda p: 2 <= p <= 13, patched), on_input=True
    )

    def without_head(i):
        for layer in layers:
            i.at(layer.self_attn.dense, rows(always, off), on_input=True)

    yield "ablate a head", without_head

    def project_out(i):
        for layer in layers:
            i.at(layer, rows(always, lambda row, _: row - (row @ unit) * unit))

    yield "project out", project_out


@torch.no_grad()
def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("model", type=Path)
    arguments.add_argument("output", type=Path)
    options = arguments.parse_args()
    torch.set_num_threads(1)
    model = PersimmonForCausalLM.from_pretrained(options.model, dtype=torch.float32, attn_implementation="eager")
    model.eval()
    tokenizer = AutoTokenizer.from_pretrained(options.model)
    ids, other_ids = tokenizer(PROMPT)["input_ids"], tokenizer(OTHER)["input_ids"]
    tensors, entries = {}, []
    for name, set_up in [("nothing", lambda _: None), *cases(model, other_ids, len(ids))]:
        intervention = Intervention(model)
        set_up(intervention)
        logits, chosen, final = greedy(model, intervention, ids)
        intervention.end()
        if len(chosen) < 8:
            raise RuntimeError(f"{name}: a margin is too small after {len(chosen)} tokens; choose another case")
        key = name.replace(" ", "-")
        tensors[f"{key}.prompt"] = logits[:, ::EVERY_COLUMN].contiguous()
        tensors[f"{key}.last"] = final.contiguous().clone()
        entries.append({"name": name, "greedy_ids": chosen})
        print(f"{name}: {tokenizer.decode(chosen)!r}")
    options.output.mkdir(parents=True, exist_ok=True)
    save_file(tensors, options.output / "interventions.safetensors")
    description = {
        "made_with": f"transformers {transformers.__version__}, torch {torch.__version__}, float32",
        "prompt_ids": ids,
        "other_ids": other_ids,
        "every_column": EVERY_COLUMN,
        "units": UNITS,
        "head": HEAD,
        "direction": direction(model.config.hidden_size).tolist(),
        "cases": entries,
    }
    (options.output / "interventions.json").write_text(json.dumps(description, indent=1) + "\n")


if __name__ == "__main__":
    main()
