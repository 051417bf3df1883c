"""Fits the polynomials of native/cpu/ops/gelu.cc and tanh.cc and prints their coefficients, lowest power first.

    python scripts/reference/activation_polynomials.py

Least squares, reweighted until the relative error is level over the interval (Lawson 1961). Needs numpy and torch.
"""

import numpy as np
import torch


def fit(basis, values):
    weights = 1 / np.abs(values)
    best = (np.inf, None)
    for _ in range(60):
        coefficients = np.linalg.lstsq(basis * weights[:, None], values * weights, rcond=None)[0]
        error = np.abs(basis @ coefficients / values - 1)
        best = min(best, (error.max(), tuple(coefficients)))
        weights *= 0.5 + error / error.max()
        weights /= weights.max()
    return best


def show(name, result):
    error, coefficients = result
    print(f"{name}: largest relative error {error:.2g}")
    for coefficient in coefficients:
        print(f"  {coefficient:.9e}f")


# P(Z > x) exp(x^2 / 2) = u p(u) with u = 1 / (1 + x / 4), for a normal Z and x from 0 to 14.
x = np.concatenate([np.linspace(0, 14, 20000), np.linspace(0, 3, 20000)])
tail = 0.5 * torch.special.erfcx(torch.tensor(x / np.sqrt(2))).numpy()
u = 1 / (1 + x / 4)
show("normal tail", fit(np.vander(u, 10, increasing=True) * u[:, None], tail))

# (tanh(x) / x - 1) / x^2 = p(x^2) for x from 0 to 0.625; near 0 the quotient cancels, so its series stands in.
x = np.linspace(0.02, 0.625, 20000)
rest = (np.tanh(x) / x - 1) / x**2
show("tanh", fit(np.vander(x**2, 5, increasing=True), rest))
