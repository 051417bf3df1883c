"""The training loop: a budget of minutes (or steps), resumable, one progress line now and then."""

import math
import os
import time
from pathlib import Path

import torch
from transformers import PersimmonForCausalLM

from data import Data, batch
from evaluation import held_out
from model import build, optimizer
from settings import Settings
from sparsity import ActivationWatch, ZeroPenalty


def learning_rate(settings: Settings, progress: float) -> float:
    """Linear warm-up, then a cosine to 2 % of the peak; `progress` is the share of the budget that is used."""
    if progress < settings.warmup:
        return settings.learning_rate * (progress / settings.warmup + 1e-3)
    x = min(1.0, (progress - settings.warmup) / (1 - settings.warmup))
    return settings.learning_rate * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * x)))


class Run:
    """State of a training run, saved to one file so that a killed run goes on where it was."""

    def __init__(self, settings: Settings, data: Data, work: Path):
        self.settings, self.data, self.file = settings, data, work / "run.pt"
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.model: PersimmonForCausalLM = build(settings, data.tokenizer.vocab_size(), data.end).to(self.device)
        self.optimizer = optimizer(self.model, settings)
        self.penalty = ZeroPenalty(settings.layers, settings.target_zeros)
        self.step, self.tokens, self.seconds, self.history = 0, 0, 0.0, []
        self.row_changes: list[list[int]] = []  # [step, rows in a step from there on]
        if self.file.exists():
            self._resume()
        if not self.row_changes or self.row_changes[-1][1] != settings.rows:
            self.row_changes.append([self.step, settings.rows])

    def _resume(self) -> None:
        state = torch.load(self.file, map_location=self.device, weights_only=True)
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.penalty.strength = state["strength"]
        self.step, self.tokens, self.seconds = state["step"], state["tokens"], state["seconds"]
        self.history, self.row_changes = state["history"], state["row_changes"]
        print(f"resumed at step {self.step}, {self.seconds / 60:.1f} minutes", flush=True)

    def save(self) -> None:
        state = {
            "model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(), "step": self.step,
            "tokens": self.tokens, "row_changes": self.row_changes, "seconds": self.seconds, "strength": self.penalty.strength, "history": self.history,
        }  # fmt: skip
        temporary = self.file.with_suffix(".tmp")
        torch.save(state, temporary)
        os.replace(temporary, self.file)

    @property
    def progress(self) -> float:
        if self.settings.steps:
            return self.step / self.settings.steps
        return self.seconds / (60 * self.settings.minutes)

    def train_step(self, watch: ActivationWatch) -> tuple[float, list[float]]:
        s = self.settings
        rows = torch.from_numpy(batch(self.data, s, self.step)).to(self.device)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(s, self.progress)
        # bfloat16 matrix products are 2.5 times as fast as float32 on a CPU with avx512_bf16; weights stay float32.
        with torch.autocast(self.device, dtype=torch.bfloat16):
            logits = self.model(input_ids=rows[:, :-1], use_cache=False).logits
        loss = torch.nn.functional.cross_entropy(logits.float().flatten(0, 1), rows[:, 1:].flatten())
        fade = min(1.0, self.progress / 0.1)
        (loss + self.penalty.loss(watch, fade)).backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        zeros = watch.zeros()
        self.penalty.steer(zeros)
        return loss.item(), zeros

    def evaluate(self) -> None:
        result = held_out(self.model, self.data, min(120, self.settings.held_out_documents))
        result |= {"step": self.step, "minutes": self.seconds / 60, "training_tokens": self.tokens}
        self.history.append(result)
        print(
            f"held-out {result['nats_per_byte']:.4f} nats/byte ({result['nats_per_token']:.3f} per token)"
            f" after {self.tokens / 1e6:.2f} M tokens", flush=True,
        )  # fmt: skip

    def train(self) -> None:
        """Runs until the budget is used. Only training steps count as time."""
        s = self.settings
        watch = ActivationWatch(self.model)
        self.model.train()
        losses: list[float] = []
        logged = saved = evaluated = self.seconds
        first = self.step
        while self.progress < 1:
            start = time.monotonic()
            loss, zeros = self.train_step(watch)
            self.step += 1
            self.tokens += s.rows * s.context
            self.seconds += time.monotonic() - start
            losses.append(loss)
            if not math.isfinite(loss):
                raise RuntimeError(f"the loss is {loss} at step {self.step}")
            if self.seconds - logged >= s.log_every:
                logged = self.seconds
                self._log(losses, zeros)
                losses = []
            if self.seconds - evaluated >= s.evaluate_every:
                evaluated = self.seconds
                watch.remove()  # the evaluation watches for itself
                self.evaluate()
                watch = ActivationWatch(self.model)
            if self.seconds - saved >= s.save_every:
                saved = self.seconds
                self.save()
        watch.remove()
        if self.step > first:
            self.evaluate()
            self.save()

    def _log(self, losses: list[float], zeros: list[float]) -> None:
        left = self.seconds / self.progress - self.seconds
        print(
            f"step {self.step} loss {sum(losses) / len(losses):.3f}"
            f" zeros {' '.join(f'{z:.2f}' for z in zeros)}"
            f" penalty {' '.join(f'{x:.3f}' for x in self.penalty.strength)}"
            f" {self.tokens / self.seconds:.0f} tokens/s, {left / 60:.1f} min left", flush=True,
        )  # fmt: skip
