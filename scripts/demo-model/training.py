"""The training loop: a fixed number of steps, resumable, one progress line now and then."""

import math
import os
import time
from dataclasses import asdict, replace
from pathlib import Path

import torch
from transformers import PersimmonForCausalLM

from data import Data, batch
from evaluation import held_out
from model import Optimizers, build
from settings import Settings
from sparsity import ActivationWatch, ZeroPenalty


def learning_rate(settings: Settings, progress: float) -> float:
    """Linear warm-up, then linearly to zero; `progress` is the share of the steps that is done."""
    if progress < settings.warmup:
        return settings.learning_rate * (progress / settings.warmup + 1e-3)
    return settings.learning_rate * (1 - progress) / (1 - settings.warmup)


def token_losses(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Cross-entropy [rows, context] of logits [rows, context, vocabulary].

    On a CPU row by row: the float32 copy of a row's logits stays in the cache, which is four times as fast as all at once.
    """
    if logits.device.type != "cpu":
        return torch.nn.functional.cross_entropy(logits.float().transpose(1, 2), targets, reduction="none")
    return torch.stack([
        torch.nn.functional.cross_entropy(row.float(), target, reduction="none") for row, target in zip(logits, targets)
    ])  # fmt: skip


class Run:
    """State of a training run, saved to one file so that a killed run goes on where it was."""

    def __init__(self, settings: Settings, data: Data, work: Path):
        self.settings, self.data, self.work, self.file = settings, data, work, work / "run.pt"
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.model: PersimmonForCausalLM = build(settings, data.tokenizer.vocab_size(), data.end, self.device)
        self.optimizers = Optimizers(self.model, settings)
        self.penalty = ZeroPenalty(settings.layers, settings.target_zeros)
        self.step, self.seconds, self.history = 0, 0.0, []
        if self.file.exists():
            self._resume()

    def _resume(self) -> None:
        state = torch.load(self.file, map_location=self.device, weights_only=True)
        self.model.load_state_dict(state["model"])
        self.optimizers.load_state_dict(state["optimizers"])
        self.penalty.strength = state["strength"]
        self.step, self.seconds, self.history = state["step"], state["seconds"], state["history"]
        self.settings = replace(self.settings, **state["settings"])
        print(f"resumed at step {self.step}, {self.seconds / 60:.1f} minutes", flush=True)

    def save(self) -> None:
        state = {
            "model": self.model.state_dict(), "optimizers": self.optimizers.state_dict(), "step": self.step,
            "seconds": self.seconds, "strength": self.penalty.strength, "history": self.history,
            "settings": asdict(self.settings),
        }  # fmt: skip
        temporary = self.file.with_suffix(".tmp")
        torch.save(state, temporary)
        os.replace(temporary, self.file)

    @property
    def progress(self) -> float:
        return self.step / self.settings.steps

    @property
    def tokens(self) -> int:
        return self.step * self.settings.rows * self.settings.context

    def train_step(self, watch: ActivationWatch) -> tuple[float, list[float]]:
        ids, weights = (torch.from_numpy(x).to(self.device) for x in batch(self.data, self.settings, self.step))
        # bfloat16 matrix products are 2.5 times as fast as float32 on a CPU with avx512_bf16; weights stay float32.
        with torch.autocast(self.device, dtype=torch.bfloat16):
            logits = self.model(input_ids=ids[:, :-1], use_cache=False).logits
        losses = token_losses(logits, ids[:, 1:])
        fade = min(1.0, self.progress / 0.1)
        ((losses * weights).mean() + self.penalty.loss(watch, fade)).backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizers.step(learning_rate(self.settings, self.progress))
        zeros = watch.zeros()
        self.penalty.steer(zeros)
        return losses.mean().item(), zeros

    def evaluate(self) -> None:
        result = held_out(self.model, self.data, min(120, self.settings.held_out_documents))
        result |= {"step": self.step, "minutes": self.seconds / 60, "training_tokens": self.tokens}
        self.history.append(result)
        print(
            f"held-out {result['nats_per_byte']:.4f} nats/byte ({result['nats_per_token']:.3f} per token)"
            f" after {self.tokens / 1e6:.2f} M tokens", flush=True,
        )  # fmt: skip

    def train(self) -> None:
        """Runs until the last step. Only training steps count as time."""
        s = self.settings
        watch = ActivationWatch(self.model)
        self.model.train()
        losses: list[float] = []
        logged = saved = self.seconds
        while self.step < s.steps:
            start = time.monotonic()
            loss, zeros = self.train_step(watch)
            self.step += 1
            self.seconds += time.monotonic() - start
            losses.append(loss)
            if not math.isfinite(loss):
                raise RuntimeError(f"the loss is {loss} at step {self.step}")
            if self.seconds - logged >= s.log_every:
                logged = self.seconds
                self._log(losses, zeros)
                losses = []
            last = self.step == s.steps
            if self.step % s.evaluate_every == 0 or last:
                watch.remove()  # the evaluation watches for itself
                self.evaluate()
                watch = ActivationWatch(self.model)
            if self.seconds - saved >= s.save_every or last:
                saved = self.seconds
                self.save()
        watch.remove()

    def _log(self, losses: list[float], zeros: list[float]) -> None:
        left = self.seconds / self.progress - self.seconds
        print(
            f"step {self.step} loss {sum(losses) / len(losses):.3f}"
            f" zeros {' '.join(f'{z:.2f}' for z in zeros)}"
            f" penalty {' '.join(f'{x:.3f}' for x in self.penalty.strength)}"
            f" {self.tokens / self.seconds:.0f} tokens/s, {left / 60:.1f} min left", flush=True,
        )  # fmt: skip
