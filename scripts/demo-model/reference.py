"""reference.json: what transformers computes with the exported model in float32, for tests of other implementations."""

from pathlib import Path

import transformers
from transformers import AutoTokenizer

from export import load_exported, write_json
from generation import continue_text, log_probabilities
from prompts import greedy_prompts
from training import Run

COUNT = 50
# A step where the two best logits are closer than this could go the other way in another correct implementation, whose
# logits differ by rounding (about 1e-4). A continuation is cut before its first such step.
SAFE_MARGIN = 2e-3
SCORED = [0, 12, 28, 40]  # prompts whose own log-probabilities are stored


def write_reference(run: Run, output: Path, tokens: int) -> dict:
    model = load_exported(output)
    tokenizer, end = run.data.tokenizer, run.data.end
    fast = AutoTokenizer.from_pretrained(output)
    entries = []
    prompts = greedy_prompts((text for _, text in run.data.held_out_texts), COUNT)
    for number, prompt in enumerate(prompts):
        ids = [end, *tokenizer.encode(prompt)]
        if fast(prompt)["input_ids"] != ids:
            raise RuntimeError(f"tokenizer.json and tokenizer.model disagree on prompt {number}")
        greedy = continue_text(model, tokenizer, prompt, end, tokens)
        close = [step for step, margin in enumerate(greedy.margins) if margin < SAFE_MARGIN]
        if close:
            greedy = continue_text(model, tokenizer, prompt, end, close[0])
        entry = {
            "prompt": prompt,
            "prompt_ids": ids,
            "generated_ids": greedy.ids,
            "generated_text": greedy.text,
            "finish": greedy.finish,
            "max_new_tokens": close[0] if close else tokens,
            "smallest_margin": min(greedy.margins, default=None),
        }
        if number in SCORED:
            entry["prompt_logprobs"] = log_probabilities(model, ids)
        entries.append(entry)
    reference = {
        "made_with": f"transformers {transformers.__version__}, PersimmonForCausalLM, eager attention, float32 on the CPU",
        "note": "prompt_ids start with |ENDOFTEXT|; generated_ids are greedy and leave out the final |ENDOFTEXT|; "
        "smallest_margin is the smallest distance between the two best logits over the steps, the end included; "
        "prompt_logprobs[i] belongs to prompt_ids[i + 1]. max_new_tokens differs by prompt: a continuation is cut before "
        f"the first step with a margin below {SAFE_MARGIN}.",
        "smallest_margin": min(e["smallest_margin"] for e in entries if e["smallest_margin"] is not None),
        "prompts": entries,
    }
    write_json(output / "reference.json", reference)
    return reference
