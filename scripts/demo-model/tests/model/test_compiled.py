"""Training with compiled layers takes the steps that training without them takes."""

import contextlib
import io
import sys
import tempfile
import unittest
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import torch

from data import prepare
from settings import smoke
from training import Run


class Compiled(unittest.TestCase):
    def test_the_same_losses_in_every_phase(self):
        """Apart from rounding: a fused kernel keeps in float32 what eager bfloat16 rounds in between."""
        settings = smoke()
        losses = {}
        with tempfile.TemporaryDirectory() as folder:
            data = prepare(settings, Path(folder))
            for compiled in (False, True):
                run = Run(replace(settings, compiled=compiled), data, Path(folder) / str(compiled))
                run.work.mkdir()
                with contextlib.redirect_stdout(io.StringIO()):
                    run.train()
                losses[compiled] = [point["nats_per_token"] for point in run.history]
        self.assertGreaterEqual(len(losses[False]), 3)
        for eager, fused in zip(losses[False], losses[True], strict=True):
            self.assertAlmostEqual(fused / eager, 1, delta=0.005)
        torch._dynamo.reset()


if __name__ == "__main__":
    unittest.main()
