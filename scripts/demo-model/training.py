"""The training loop: a fixed number of steps, resumable, one progress line now and then."""

import json
import math
import os
import time
from dataclasses import asdict, replace
from pathlib import Path

import torch
from safetensors.torch import load_file
from transformers import PersimmonForCausalLM

from data import Data, batch
from evaluation import held_out
from guidance import Guidance
from model import Optimizers, build
from precision import matrix_dtype
from settings import Phase, Settings
from sparsity import ActivationWatch, ZeroPenalty


def token_losses(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Cross-entropy [rows, context] of logits [rows, context, vocabulary]."""
    return torch.nn.functional.cross_entropy(logits.float().transpose(1, 2), targets, reduction="none")


def rowwise_token_losses(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """The same row by row: the float32 copy of a row's logits stays in the cache of a CPU, which is four times as fast as
    all at once where nothing is compiled."""
    return torch.cat([token_losses(row[None], target[None]) for row, target in zip(logits, targets)])


class Run:
    """State of a training run, saved to one file so that a killed run goes on where it was."""

    def __init__(self, settings: Settings, data: Data, work: Path):
        self.settings, self.data, self.work, self.file = settings, data, work, work / "run.pt"
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.model: PersimmonForCausalLM = build(settings, data.tokenizer.vocab_size(), data.end, self.device)
        self.optimizers = Optimizers(self.model, settings)
        self.token_losses = token_losses if self.device != "cpu" else rowwise_token_losses
        self.guidance: Guidance | None = None
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
        phases = tuple(Phase(**phase) for phase in state["settings"]["phases"])
        self.settings = replace(self.settings, **{**state["settings"], "phases": phases})
        print(f"resumed at step {self.step}, {self.seconds / 60:.1f} minutes", flush=True)

    def start_from(self, exported: Path) -> None:
        """Goes on with an exported model that has been through the first phase."""
        made = json.loads((exported / "training.json").read_text(encoding="utf-8"))
        steps = self.settings.phases[0].steps
        if made["training"]["steps"] != steps:
            raise SystemExit(f"{exported} had {made['training']['steps']} steps, the first phase has {steps}")
        self.model.load_state_dict({name: t.float() for name, t in load_file(exported / "model.safetensors").items()})
        self.step, self.seconds, self.history = steps, made["training"]["minutes"] * 60, made["history"]

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
        phase = self.settings.phase_at(self.step)[1]
        losses, guidance = self._forward(ids)
        fade = min(1.0, 10 * self.step / self.settings.phases[0].steps)
        loss = (losses * weights).mean() + self.penalty.loss(watch, fade)
        (loss + phase.guidance * guidance).backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizers.step(self.settings.learning_rate(self.step))
        zeros = watch.zeros()
        self.penalty.steer(zeros, phase.least_penalty)
        return losses.mean().item(), zeros

    def _compile(self) -> None:
        """One kernel for what eager PyTorch does in many passes over memory: 5,170 instead of 3,770 tokens/s in the first
        phase, 4,270 with guidance (one Sapphire Rapids core). Where there is no C++ compiler, PyTorch says so and goes on."""
        torch._dynamo.config.suppress_errors = True
        torch._dynamo.config.recompile_limit = 8 * self.settings.layers  # every layer's hooks are compiled for themselves
        for layer in self.model.model.layers:
            layer.compile()
        self.token_losses = torch.compile(token_losses)
        self.penalty.compile()

    def _begin_phase(self) -> None:
        """For a phase that begins, or goes on after a resume."""
        _, phase, done = self.settings.phase_at(self.step)
        shares = self.data.token_shares((self.step - done) * self.settings.rows)
        self.guidance = Guidance(self.data.tokenizer, self.data.end, shares) if phase.guidance > 0 else None

    def _forward(self, ids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | float]:
        """The losses [rows, context] of predicting the next tokens, and that of the guidance."""
        dtype = matrix_dtype(self.device)
        with torch.autocast(self.device, dtype=dtype, enabled=dtype != torch.float32):
            if self.guidance is None:
                return self.token_losses(self.model(input_ids=ids[:, :-1], use_cache=False).logits, ids[:, 1:]), 0.0
            self.guidance.begin(ids.cpu().numpy(), self.device)
            outputs = self.model(
                input_ids=ids[:, :-1], use_cache=False, output_hidden_states=True, observe=self.guidance.observe
            )
            early = self.guidance.early_answer_loss(self.model, outputs.hidden_states[:-1])
        return self.token_losses(outputs.logits, ids[:, 1:]), self.guidance.loss() + early

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
        if self.step >= s.steps:
            return
        if s.compiled and self.device == "cpu":
            self._compile()
        watch = ActivationWatch(self.model)
        self._begin_phase()
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
            if not last and s.phase_at(self.step)[2] == 0:
                self.optimizers = Optimizers(self.model, s)
                self._begin_phase()
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
            f" penalty {' '.join(f'{x:.3f}' for x in self.penalty.strength)}{self.guidance or ''}"
            f" {self.tokens / self.seconds:.0f} tokens/s, {left / 60:.1f} min left", flush=True,
        )  # fmt: skip
