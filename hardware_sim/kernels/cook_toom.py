"""Cook-Toom (Winograd) minimal filtering, with matrices derived exactly.

``F(m, r)`` computes ``m`` outputs of a correlation with ``r`` taps by ``m + r - 1`` products:
``y = A^T [(G g) * (B^T d)]`` (Winograd 1980; Lavin and Gray 2015, arXiv 1509.09308, equation 8).
The matrices follow from interpolation at ``m + r - 2`` points and at infinity, transposed.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

from hardware_sim.errors import InputError

Matrix = tuple[tuple[Fraction, ...], ...]


@dataclass(frozen=True)
class Filtering:
    """The matrices of ``F(m, r)``; ``n = m + r - 1``.

    Attributes:
        inverse: ``A^T``, ``(m, n)``.
        kernel: ``G``, ``(n, r)``.
        data: ``B^T``, ``(n, n)``.
    """

    inverse: Matrix
    kernel: Matrix
    data: Matrix


def points(count: int) -> tuple[Fraction, ...]:
    """The first interpolation points: 0, then for each ratio p its p, -p, 1/p and -1/p.

    Small numerators and denominators keep the rounding error small; a number beside its negative
    lets the transforms share sub-expressions.
    """
    found = [Fraction(0), Fraction(1), Fraction(-1)]
    size = 2
    while len(found) < count:
        found += [Fraction(size), Fraction(-size), Fraction(1, size), Fraction(-1, size)]
        size += 1
    return tuple(found[:count])


@cache
def filtering(m: int, r: int) -> Filtering:
    """Derives ``F(m, r)`` for any ``m`` and ``r``.

    Raises:
        InputError: ``m`` or ``r`` is less than 1.
    """
    if m < 1 or r < 1:
        raise InputError(f"F({m}, {r}) does not exist; both numbers must be at least 1")
    at = points(m + r - 2)
    others = [[q for q in at if q != p] for p in at]
    scales = [
        math.prod((p - q for q in rest), start=Fraction(1))
        for p, rest in zip(at, others, strict=True)
    ]
    inverse = tuple((*(p**i for p in at), Fraction(int(i == m - 1))) for i in range(m))
    kernel = [tuple(p**i / scale for i in range(r)) for p, scale in zip(at, scales, strict=True)]
    kernel.append(tuple(Fraction(int(i == r - 1)) for i in range(r)))
    data = (*((*_polynomial(rest), Fraction(0)) for rest in others), _polynomial(at))
    return Filtering(inverse, tuple(kernel), data)


def _polynomial(roots: Sequence[Fraction]) -> tuple[Fraction, ...]:
    """Coefficients of the monic polynomial with these roots, the constant one first."""
    coefficients = [Fraction(1)]
    for root in roots:
        shifted = [Fraction(0), *coefficients]
        scaled = [*(root * c for c in coefficients), Fraction(0)]
        coefficients = [a - b for a, b in zip(shifted, scaled, strict=True)]
    return tuple(coefficients)
