"""curve.svg and zeros.svg: the loss on held-out text and the zeros of each layer over training."""

from pathlib import Path

import matplotlib

matplotlib.use("svg")

from matplotlib import pyplot  # noqa: E402

MAIN, BESIDE = "#2b6cb0", "#a0a0a0"


def _axes(title: str, vertical: str):
    pyplot.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "demo", "font.family": "sans-serif", "font.size": 10})
    figure, axes = pyplot.subplots(figsize=(7, 3.6))
    axes.set_title(title, loc="left")
    axes.set_xlabel("million tokens of training")
    axes.set_ylabel(vertical)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#e5e5e5")
    return figure, axes


def _label(run: dict) -> str:
    return "without the penalty" if run["target_zeros"] <= 0 else f"other random start ({run['initial_seed']})"


def _tokens(history: list[dict]) -> list[float]:
    return [h["training_tokens"] / 1e6 for h in history]


def write_figures(results: dict, output: Path) -> None:
    figure, axes = _axes("Loss on held-out text", "nats per byte (logarithmic)")
    for other in results["others"]:
        losses = [h["nats_per_byte"] for h in other["history"]]
        axes.plot(_tokens(other["history"]), losses, color=BESIDE, ls="--", label=_label(other))
    history = results["history"]
    axes.plot(_tokens(history), [h["nats_per_byte"] for h in history], color=MAIN, marker="o", ms=3, label="this model")
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:.2f}")
    axes.yaxis.set_minor_formatter("{x:.2f}")
    axes.legend(frameon=False)
    _save(figure, output / "curve.svg")

    figure, axes = _axes("Zeros after squared ReLU on held-out text", "share of zeros")
    for other in results["others"]:
        mean = [sum(h["zeros"]) / len(h["zeros"]) for h in other["history"]]
        axes.plot(_tokens(other["history"]), mean, color=BESIDE, ls="--", label=f"mean, {_label(other)}")
    shades = pyplot.get_cmap("viridis")
    layers = len(history[0]["zeros"])
    for layer in range(layers):
        values = [h["zeros"][layer] for h in history]
        axes.plot(_tokens(history), values, color=shades(0.9 * layer / max(1, layers - 1)), label=f"layer {layer}")
    axes.set_ylim(0.4, 1)
    axes.legend(frameon=False, fontsize=8, ncol=2)
    _save(figure, output / "zeros.svg")


def _save(figure, file: Path) -> None:
    figure.tight_layout()
    figure.savefig(file, metadata={"Date": None})
    pyplot.close(figure)
