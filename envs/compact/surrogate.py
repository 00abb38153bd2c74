"""Accuracy lost as a function of the shares kept, fitted to a designed part of the grid."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

RIDGE = 1e-2
Values = NDArray[np.float64]


def features(shares: ArrayLike) -> Values:
    """Terms in the logarithms of shares, all zero where everything is kept.

    A straight and a square term for each layer, and the square of their sum.

    Args:
        shares: Of the channels of each layer, above 0 to 1, ``(n, layers)``.

    Returns:
        float64 ``(n, 2 * layers + 1)``.
    """
    x = -np.log2(np.asarray(shares, np.float64))
    return np.column_stack([x, x**2, x.sum(axis=1) ** 2])


def fit(shares: ArrayLike, lost: ArrayLike) -> Values:
    """Coefficients of the ridge regression of points lost; there is no constant.

    Args:
        shares: ``(n, layers)``.
        lost: Percentage points of accuracy, ``(n,)``.
    """
    x = features(shares)
    gram = x.T @ x + RIDGE * np.eye(x.shape[1])
    return np.linalg.solve(gram, x.T @ np.asarray(lost, np.float64)).astype(np.float64)


def predict(coefficients: ArrayLike, shares: ArrayLike) -> Values:
    """Points lost, ``(n,)``."""
    lost: Values = features(shares) @ np.asarray(coefficients, np.float64)
    return lost
