"""Every number of the recipe in one place: the real run and the smoke run."""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Settings:
    seed: int = 1  # of the corpus and the tokenizer
    initial_seed: int = 1  # of the random weights that training starts from
    tokenizer_documents: int = 20_000
    held_out_documents: int = 400  # never in the training set
    vocabulary: int = 4096
    hidden: int = 256  # 4 heads of 64, the head size of the 8B
    layers: int = 6
    intermediate: int = 1024
    context: int = 384  # tokens in a packed training row
    rows: int = 12  # rows in a step
    steps: int = 2_800
    learning_rate: float = 3e-3
    weight_decay: float = 0.05
    warmup: float = 0.02  # share of the steps
    answer_weight: float = 4.0  # of the letter or number after "Answer:", in the training loss
    target_zeros: float = 0.92  # share of zeros after squared ReLU that the penalty steers to; 0 turns it off
    log_every: float = 20.0  # seconds
    save_every: float = 120.0  # seconds
    evaluate_every: int = 400  # steps
    greedy_tokens: int = 40

    @property
    def heads(self) -> int:
        return self.hidden // 64


def smoke() -> Settings:
    """Every stage in well under a minute; the model is useless."""
    return replace(
        Settings(), held_out_documents=24, tokenizer_documents=600, vocabulary=700, hidden=64, layers=2,
        intermediate=128, context=128, rows=4, steps=12, log_every=1.0, save_every=2.0, evaluate_every=6, greedy_tokens=8,
    )  # fmt: skip
