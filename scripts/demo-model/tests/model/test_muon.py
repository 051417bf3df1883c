"""Our Muon against torch.optim.Muon, which orthogonalises in bfloat16."""

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import torch

from muon import Muon


class AgainstTorch(unittest.TestCase):
    def test_three_steps(self):
        """Within the rounding of bfloat16 (0.4 % a product)."""
        for shape in ((96, 32), (32, 96), (48, 48)):
            generator = torch.Generator().manual_seed(1)
            ours, theirs = (torch.nn.Parameter(torch.ones(shape)) for _ in range(2))
            optimizers = [
                Muon([ours], lr=0.02, weight_decay=0.1),
                torch.optim.Muon([theirs], lr=0.02, weight_decay=0.1, adjust_lr_fn="match_rms_adamw"),
            ]
            for _ in range(3):
                ours.grad = torch.randn(shape, generator=generator)
                theirs.grad = ours.grad.clone()
                for optimizer in optimizers:
                    optimizer.step()
            moved = (theirs - 1).norm()
            self.assertLess((ours - theirs).norm() / moved, 0.02, shape)


if __name__ == "__main__":
    unittest.main()
