"""Accuracy lost as a function of the shares kept, fitted to a designed part of the grid."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

STEPS = 20_000
Values = NDArray[np.float64]


def features(shares: ArrayLike) -> Values:
    """Logarithms of the shares and their squares; all zero where everything is kept.

    Args:
        shares: Shares of the channels of each layer, above 0 to 1, ``(n, layers)``.

    Returns:
        float64 ``(n, 2 * layers)``, never negative.
    """
    x = -np.log2(np.asarray(shares, np.float64))
    return np.column_stack([x, x**2])


def fit(shares: ArrayLike, lost: ArrayLike) -> Values:
    """Coefficients of the least squares, none of them negative: keeping less never gains.

    There is no constant, for the whole network loses nothing. Solved by projected gradients.

    Args:
        shares: ``(n, layers)``.
        lost: Percentage points of accuracy, ``(n,)``.
    """
    x = features(shares)
    gram, cross = x.T @ x, x.T @ np.asarray(lost, np.float64)
    coefficients, rate = np.zeros(x.shape[1]), 1 / np.linalg.eigvalsh(gram)[-1]
    for _ in range(STEPS):
        coefficients = np.maximum(coefficients - rate * (gram @ coefficients - cross), 0.0)
    return coefficients


def predict(coefficients: ArrayLike, shares: ArrayLike) -> Values:
    """Points lost, ``(n,)``."""
    lost: Values = features(shares) @ np.asarray(coefficients, np.float64)
    return lost
