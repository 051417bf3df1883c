"""Every number of the recipe in one place: the real run and the smoke run."""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Settings:
    seed: int = 1
    documents: int = 80_000  # for training: about 36 MB, 10 million tokens
    held_out_documents: int = 400  # never in the training set
    tokenizer_documents: int = 12_000
    vocabulary: int = 2560
    hidden: int = 256  # 4 heads of 64, the head size of the 8B
    layers: int = 4
    intermediate: int = 1024
    context: int = 384  # tokens in a packed training row
    rows: int = 6  # rows in a step
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    warmup: float = 0.03  # share of the budget
    minutes: float = 50.0
    steps: int = 0  # a fixed number of steps in place of a time budget (0: off)
    target_zeros: float = 0.92  # share of zeros after squared ReLU that the penalty steers to; 0 turns it off
    log_every: float = 20.0  # seconds
    save_every: float = 120.0
    evaluate_every: float = 300.0
    greedy_tokens: int = 40

    @property
    def heads(self) -> int:
        return self.hidden // 64


def smoke() -> Settings:
    """Every stage in well under a minute; the model is useless."""
    return replace(
        Settings(), documents=600, held_out_documents=20, tokenizer_documents=600, vocabulary=640, hidden=64, layers=2,
        intermediate=128, context=128, rows=4, steps=12, log_every=1.0, save_every=2.0, evaluate_every=2.0, greedy_tokens=8,
    )  # fmt: skip
