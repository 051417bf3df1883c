"""The penalty's strength: it grows where zeros are missing, falls where there are enough, and keeps its bounds."""

import math
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from sparsity import ZeroPenalty


class Steering(unittest.TestCase):
    def test_towards_the_target(self):
        penalty = ZeroPenalty(layers=2, target=0.9)
        penalty.strength = [0.01, 0.01]
        penalty.steer([0.8, 1.0], least=1e-3)
        for found, wanted in zip(penalty.strength, (0.01 * math.exp(0.003), 0.01 * math.exp(-0.003))):
            self.assertAlmostEqual(found, wanted)

    def test_within_bounds(self):
        penalty = ZeroPenalty(layers=2, target=0.9)
        self.assertEqual(penalty.strength, [0, 0])
        penalty.steer([0.5, 0.5], least=0.02)
        self.assertEqual(penalty.strength, [0.02, 0.02])
        for _ in range(1000):
            penalty.steer([0.0, 1.0], least=0.02)
        self.assertEqual(penalty.strength, [penalty.MOST, 0.02])


if __name__ == "__main__":
    unittest.main()
