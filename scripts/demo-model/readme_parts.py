"""Tables and paragraphs of the model's README."""

from corpus import SHARES
from guidance import HEADS
from sparsity import ZeroPenalty

PATTERNS = {
    "previous": "the token before", "same": "earlier places of the same token, else the beginning",
    "label": "from an option to its letter", "induction": "what followed the same token before, where that comes again",
    "copy": "earlier places of the token that comes next", "answer": "the right option",
    "placed": "from a place to the thing that was put there",
    "asked": "from the end of a question about a text to what it asks for",
    "told": "and to the answer in that text",
    "described": "or to the thing that stands behind the answer, as in *a red kite*",
    "compared": "from an option of *Which of these …?* to the end of that question",
    "numbers": "from the end of a sum to both numbers, half each",
    "topic": "from the end of each sentence of a story that was asked for to the word that says what it is about",
    "question": "from the place of the answer to the end of the question",
}  # fmt: skip


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def _share(tally: dict | None) -> str:
    if tally is None:
        return ""
    return f"{tally['accuracy']:.1%} ({tally['low']:.1%}–{tally['high']:.1%})"


def curve_table(history: list[dict]) -> str:
    rows = ["| step | million tokens | nats per byte | nats per token | zeros, mean |", "|---|---|---|---|---|"]
    for h in history:
        rows.append(
            f"| {h['step']} | {h['training_tokens'] / 1e6:.1f} | {h['nats_per_byte']:.4f} | {h['nats_per_token']:.3f}"
            f" | {_mean(h['zeros']):.3f} |"
        )
    return "\n".join(rows)


def zeros_table(held: dict) -> str:
    rows = ["| layer | zeros | never active |", "|---|---|---|"]
    rows += [f"| {i} | {z:.3f} | {n} |" for i, (z, n) in enumerate(zip(held["zeros"], held["neurons_never_active"]))]
    return "\n".join([*rows, f"| mean | {_mean(held['zeros']):.3f} | |"])


NAMES = {
    "arc": "multiple choice (ARC's format)", "mmlu": "multiple choice by subject (MMLU's)",
    "winogrande": "fill in the blank (Winogrande's)", "triviaqa": "short answers (TriviaQA's), exact words",
    "hellaswag": "how a story goes on (HellaSwag's)", "humaneval": "Python functions (HumanEval's), pass@1",
}  # fmt: skip


def accuracy_table(accuracy: dict) -> str:
    rows = ["| | n | generated | unparsed | likelihood, sum | per byte | constant |", "|---|---|---|---|---|---|---|"]
    for task, result in accuracy.items():
        made, likely = result["generate"], result["likelihood"] or {"sum": None, "per_byte": None}
        constant = "" if result["constant"] is None else f"{result['constant']:.1%}"
        rows.append(
            f"| {NAMES[task]} | {made['n']} | **{_share(made)}** | {made['unparsed']} | {_share(likely['sum'])}"
            f" | {_share(likely['per_byte'])} | {constant} |"
        )
    return "\n".join(rows)


def by_kind_table(accuracy: dict) -> str:
    rows = ["| | kind: correct of n |", "|---|---|"]
    for task, result in accuracy.items():
        kinds = ", ".join(f"{kind} {t['correct']}/{t['n']}" for kind, t in result["by_kind"].items())
        rows.append(f"| {task} | {kinds} |")
    return "\n".join(rows)


CONVERSATION = {
    "plot": "*Tell me a story about a race.*: has that plot", "animal": "*… about a fox.*: has a fox in it",
    "name": "*… about a boy named Leo.*: has the name in it",
    "asked": "facts that were asked for in training: the reply has the answer",
    "never_asked": "facts that were only told",
}  # fmt: skip


def conversation_table(conversation: dict) -> str:
    rows = ["| | n | |", "|---|---|---|"]
    rows += [f"| {text} | {conversation[key]['n']} | {_share(conversation[key])} |" for key, text in CONVERSATION.items()]
    return "\n".join(rows)


def phases_table(phases: list[dict]) -> str:
    rows = [
        "| phase | steps | documents | learning rate | weight of the letter after `Answer:` | of the guidance |",
        "|---|---|---|---|---|---|",
    ]
    for p in phases:
        documents = "as above" if p["shares"] == SHARES else ", ".join(f"{kind} {x:.0%}" for kind, x in p["shares"].items())
        last = p["learning_rate"] * p["last_rate"]
        rows.append(
            f"| {p['name']} | {p['steps']} | {documents} | {p['learning_rate']:g} to {last:g}"
            f" | {p['answer_weight']:g} | {p['guidance']:g} |"
        )
    return "\n".join(rows)


def guidance_text(settings: dict) -> str:
    if all(phase["guidance"] <= 0 for phase in settings["phases"]):
        return "No attention was guided."
    heads: dict[str, list[str]] = {}
    for (layer, head), name in HEADS.items():
        if layer < settings["layers"] and head < settings["hidden"] // 64:
            heads.setdefault(name, []).append(f"{layer}.{head}")
    looked_at = "; ".join(f"{PATTERNS[name]} ({', '.join(places)})" for name, places in heads.items())
    return (
        "*Guidance*: some heads were told where to look (`scripts/demo-model/guidance.py`): −log of their attention on the right\n"
        f"positions was added to the loss. By layer.head: {looked_at}.\n"
        "The input of the last layer but one also had to predict the answer's rarest word at the end of a question, and that of the\n"
        "last layer where a letter is asked for; of *Which of these animals eats grass?* the word is *grass*, and each option's end had\n"
        "to predict what that animal eats, but for facts that are never asked for; before each sentence of a story that was asked for\n"
        "the word is what the story is about. So these heads were not found by the training alone: they are good to look at, and\n"
        "no evidence of what training finds."
    )


def compared_text(results: dict) -> str:
    """What the penalty is, and what it costs as far as it was measured."""
    target = results["settings"]["target_zeros"]
    if target <= 0:
        return "No activation penalty was used."
    low = min(phase["least_penalty"] for phase in results["settings"]["phases"])
    raised = "".join(
        f", from {phase['least_penalty']:g} on in the phase {phase['name']!r}"
        for phase in results["settings"]["phases"]
        if phase["least_penalty"] > low
    )
    text = (
        "A light activation penalty was used: λ · mean(relu(pre-activation)) of each MLP is added to the loss, and λ (between\n"
        f"{low:g} and {ZeroPenalty.MOST:g}{raised}) is steered by layer towards {target:.0%} zeros. So the sparsity below is partly asked for."
    )
    for other in results["others"]:
        what = "Without the penalty" if other["target_zeros"] <= 0 else "With other random weights at the start"
        own, theirs, when = _at_the_same_step(results, other)
        text += (
            f"\n{what}, the same steps on the same data give {theirs['nats_per_byte']:.4f} nats per byte{when}"
            f" ({100 * (own['nats_per_byte'] / theirs['nats_per_byte'] - 1):+.2f} % is this model's difference)"
            f" and {_mean(theirs['zeros']):.1%} zeros."
        )
    if not any(other["target_zeros"] <= 0 for other in results["others"]):
        text += "\nIts cost in loss was not measured to the end for this version."
    return text


def _at_the_same_step(results: dict, other: dict) -> tuple[dict, dict, str]:
    """What was measured of this model and of the other: at the end, or when both were measured last."""
    if other["steps"] == results["training"]["steps"]:
        return results["held_out"], other["held_out"], ""
    points = {point["step"]: point for point in results["history"]}
    theirs = next(point for point in reversed(other["history"]) if point["step"] in points)
    own = points[theirs["step"]]
    return own, theirs, f" after {theirs['step']} steps, against {own['nats_per_byte']:.4f}"


def sample_text(sample: dict) -> str:
    end = " […]" if sample["finish"] == "length" else ""
    return f"```text\n{sample['prompt']}⟦{sample['text']}⟧{end}\n```"
