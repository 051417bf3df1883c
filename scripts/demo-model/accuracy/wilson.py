"""A share and its 95 % Wilson interval."""

import math

Z = 1.959963984540054


def wilson(correct: int, n: int) -> tuple[float, float]:
    if n == 0:
        return 0.0, 1.0
    share, spread = correct / n, Z * Z / n
    middle = (share + spread / 2) / (1 + spread)
    half = math.sqrt(share * (1 - share) * spread + spread * spread / 4) / (1 + spread)
    return max(0.0, middle - half), min(1.0, middle + half)


def tally(right: list[bool]) -> dict:
    """n, correct, accuracy, low and high."""
    n, correct = len(right), sum(right)
    low, high = wilson(correct, n)
    return {"n": n, "correct": correct, "accuracy": correct / n if n else 0.0, "low": low, "high": high}
