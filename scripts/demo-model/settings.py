"""Every number of the recipe in one place: the real run and the smoke run."""

from dataclasses import dataclass, replace

from corpus import EVERYTHING, FACTS_AGAIN, LOOKUPS, PRACTICE, QUESTIONS, SHARES, TALK


@dataclass(frozen=True)
class Phase:
    """A part of the training, with documents of its own and fresh optimizers."""

    name: str
    steps: int
    shares: dict[str, float]  # of the kinds of documents
    learning_rate: float  # the highest, reached after the warm-up
    last_rate: float  # share of it that is left at the end
    guidance: float  # weight of the losses in guidance.py; 0 turns them off
    answer_weight: float  # of the letter or number after "Answer:", in the training loss
    least_penalty: float = 1e-3  # on activations; see sparsity.py


PHASES = (
    Phase("text", 2_800, SHARES, learning_rate=3e-3, last_rate=0.0, guidance=0.0, answer_weight=4.0),
    Phase("lookups", 250, LOOKUPS, learning_rate=2e-3, last_rate=0.4, guidance=0.5, answer_weight=8.0),
    Phase("questions", 1_200, QUESTIONS, learning_rate=1.7e-3, last_rate=0.0, guidance=0.2, answer_weight=6.0),
    Phase(
        "everything", 400, EVERYTHING, learning_rate=1.5e-3, last_rate=0.0, guidance=0.1, answer_weight=5.0,
        least_penalty=0.04,
    ),  # fmt: skip
    Phase(
        "practice", 600, PRACTICE, learning_rate=1.5e-3, last_rate=0.0, guidance=0.25, answer_weight=6.0,
        least_penalty=0.04,
    ),  # fmt: skip
    Phase(
        "facts again", 350, FACTS_AGAIN, learning_rate=1.2e-3, last_rate=0.0, guidance=0.2, answer_weight=6.0,
        least_penalty=0.04,
    ),  # fmt: skip
    Phase(
        "talk", 1_200, TALK, learning_rate=1.5e-3, last_rate=0.0, guidance=0.2, answer_weight=6.0, least_penalty=0.04,
    ),  # fmt: skip
)


@dataclass(frozen=True)
class Settings:
    seed: int = 1  # of the tokenizer and the first phase's documents; each further phase has the next seed
    initial_seed: int = 1  # of the random weights that training starts from
    tokenizer_documents: int = 20_000
    held_out_documents: int = 400  # never in the training set
    vocabulary: int = 4096
    hidden: int = 256  # 4 heads of 64, the head size of the 8B
    layers: int = 6
    intermediate: int = 1024
    context: int = 384  # tokens in a packed training row
    rows: int = 12  # rows in a step
    phases: tuple[Phase, ...] = PHASES
    weight_decay: float = 0.05
    warmup: float = 0.02  # share of the steps of a phase
    target_zeros: float = 0.92  # share of zeros after squared ReLU that the penalty steers to; 0 turns it off
    log_every: float = 20.0  # seconds
    save_every: float = 120.0  # seconds
    evaluate_every: int = 400  # steps
    greedy_tokens: int = 40
    compiled: bool = True  # by torch.compile, which takes half a minute

    @property
    def heads(self) -> int:
        return self.hidden // 64

    @property
    def steps(self) -> int:
        return sum(phase.steps for phase in self.phases)

    def phase_at(self, step: int) -> tuple[int, Phase, int]:
        """The number of the phase of a step, the phase, and the step's place in it."""
        for number, phase in enumerate(self.phases):
            if step < phase.steps:
                return number, phase, step
            step -= phase.steps
        raise IndexError("the training is over")

    def learning_rate(self, step: int) -> float:
        """Linear warm-up in every phase, then linearly to its last rate."""
        _, phase, done = self.phase_at(step)
        progress = done / phase.steps
        if progress < self.warmup:
            return phase.learning_rate * (progress / self.warmup + 1e-3)
        return phase.learning_rate * (1 - (1 - phase.last_rate) * (progress - self.warmup) / (1 - self.warmup))


def with_steps(settings: Settings, steps: int) -> Settings:
    """The same phases, shortened or prolonged so that they have about `steps` together."""
    factor = steps / settings.steps
    return replace(settings, phases=tuple(replace(p, steps=max(1, round(p.steps * factor))) for p in settings.phases))


def smoke() -> Settings:
    """Every stage in well under a minute, with 16 steps, one at least in each phase; the model is useless."""
    return replace(
        with_steps(Settings(), 15), held_out_documents=24, tokenizer_documents=600, vocabulary=700, hidden=64, layers=2,
        intermediate=128, context=128, rows=4, log_every=1.0, save_every=2.0, evaluate_every=6, greedy_tokens=8,
        compiled=False,
    )  # fmt: skip
