"""The problems that episodes draw from, and the cost of each of their possible clusters."""

from dataclasses import dataclass
from functools import cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

from envs.softmax.costs import shipped_table
from envs.softmax.frequencies import load_curve
from envs.softmax.plan import DIV_VALUES, MOST_TAILS, Pieces, SoftmaxProblem, optimum
from hardware_sim.errors import InputError

PLACES = 24
"""Log-spaced places for a cut."""

CURVE_POINTS = 64
TABLE_POINTS = (4, 4, 16)
"""Widths, batch sizes and vocabularies of the observed cost table."""

SPLITS: dict[str, list[tuple[str, int, int, int]]] = {
    "train": [
        (curve, words, batch, hidden)
        for curve, sizes in (
            ("en", (10_000, 50_000, 200_000)),
            *((name, (10_000, 50_000)) for name in ("de", "fi", "cs", "es")),
        )
        for words, batch, hidden in product(sizes, (64, 256, 1024), (256, 1024))
    ],
    "test": list(product(("bg", "da", "el"), (20_000, 40_000), (128, 512), (512,))),
}
"""Curve, vocabulary, batch and width; no value of one split is in the other."""


def name_of(curve: str, words: int, batch: int, hidden: int) -> str:
    """The name of a problem, such as ``"en-50000-b256-d1024"``."""
    return f"{curve}-{words}-b{batch}-d{hidden}"


def places(vocabulary: int) -> NDArray[np.int64]:
    """The words at which the vocabulary may be cut, int64 ``(PLACES,)``, rising."""
    return np.geomspace(10, 0.8 * vocabulary, PLACES).round().astype(np.int64)


@dataclass(frozen=True, eq=False)
class SoftmaxTask:
    """A vocabulary to cut, as agents that search know it.

    Attributes:
        problem: The vocabulary.
        places: Words at which it may be cut, int64 ``(PLACES,)``, rising.
        loss_price: Worth of a nat of loss in logarithm of time.
    """

    problem: SoftmaxProblem
    places: NDArray[np.int64]
    loss_price: float


@dataclass(frozen=True, eq=False)
class Tables:
    """``C`` problems, ``D`` divisors, ``L`` tails at most, ``N`` places.

    Attributes:
        names: Names of the problems.
        rows: The numbers of each split's problems.
        problems: The problems.
        places: int64 ``(C, N)``.
        covered: float64 ``(C, N)``, share of the text in the words before a place.
        full_ms: float64 ``(C,)``, time of the full softmax.
        head_ms: float64 ``(C, D, L, N)``; see :class:`envs.softmax.plan.Pieces`.
        tail_ms: float64 ``(C, D, L, N, N + 1)``; NaN where a tail would have no dimension.
        tail_loss: float64 ``(C, D, L, N, N + 1)``; NaN where a tail would have no dimension.
        levels: int64 ``(C, D)``, number of tails that have a dimension.
        best: float64 ``(C,)``, the largest possible return.
        coverage: float32 ``(C, CURVE_POINTS)``, observed.
        costs: float32 ``(C, *TABLE_POINTS)``, observed.
        sizes: float32 ``(C, 3)``, observed.
    """

    names: list[str]
    rows: dict[str, NDArray[np.int64]]
    problems: list[SoftmaxProblem]
    places: NDArray[np.int64]
    covered: NDArray[np.float64]
    full_ms: NDArray[np.float64]
    head_ms: NDArray[np.float64]
    tail_ms: NDArray[np.float64]
    tail_loss: NDArray[np.float64]
    levels: NDArray[np.int64]
    best: NDArray[np.float64]
    coverage: NDArray[np.float32]
    costs: NDArray[np.float32]
    sizes: NDArray[np.float32]


@cache
def tables(loss_price: float) -> Tables:
    """All problems, once a process; about a second.

    Args:
        loss_price: See :func:`envs.softmax.plan.optimum`.

    Raises:
        InputError: The price is negative or no number.
    """
    if not 0 <= loss_price < np.inf:
        raise InputError(f"loss_price is {loss_price}; allowed: finite, 0 or more")
    cases = [case for split in SPLITS.values() for case in split]
    problems = [
        SoftmaxProblem(load_curve(curve), words, batch, hidden, shipped_table())
        for curve, words, batch, hidden in cases
    ]
    shape = (len(cases), len(DIV_VALUES), MOST_TAILS, PLACES)
    head_ms, levels = np.full(shape, np.nan), np.zeros(shape[:2], np.int64)
    tail_ms, tail_loss = np.full((2, *shape, PLACES + 1), np.nan)
    cuts = np.stack([places(problem.vocabulary) for problem in problems])
    for c, problem in enumerate(problems):
        for d, div_value in enumerate(DIV_VALUES):
            pieces = Pieces.build(problem, cuts[c], div_value, MOST_TAILS)
            count = levels[c, d] = len(pieces.head_ms)
            head_ms[c, d, :count] = pieces.head_ms
            tail_ms[c, d, :count] = pieces.tail_ms
            tail_loss[c, d, :count] = pieces.tail_loss
    plans = [optimum(p, cuts[c], loss_price=loss_price) for c, p in enumerate(problems)]
    starts = np.cumsum([0, *map(len, SPLITS.values())])
    return Tables(
        names=[name_of(*case) for case in cases],
        rows={name: np.arange(starts[i], starts[i + 1]) for i, name in enumerate(SPLITS)},
        problems=problems,
        places=cuts,
        covered=np.stack([p.curve.coverage(cuts[c], p.vocabulary) for c, p in enumerate(problems)]),
        full_ms=np.array([problem.full_ms for problem in problems]),
        head_ms=head_ms,
        tail_ms=tail_ms,
        tail_loss=tail_loss,
        levels=levels,
        best=np.array([np.log(plan.speed_up) - loss_price * plan.loss for plan in plans]),
        coverage=np.stack([_coverage(problem) for problem in problems]),
        costs=np.stack([_costs(problem) for problem in problems]),
        sizes=np.array([np.log2([p.vocabulary, p.batch, p.hidden]) for p in problems], np.float32),
    )


def _coverage(problem: SoftmaxProblem) -> NDArray[np.float32]:
    """Share of the text in the first words, at log-spaced ranks, float32 ``(CURVE_POINTS,)``."""
    ranks = np.geomspace(1, problem.vocabulary, CURVE_POINTS)
    return problem.curve.coverage(ranks, problem.vocabulary).astype(np.float32)


def _costs(problem: SoftmaxProblem) -> NDArray[np.float32]:
    """Log of the time of layers over the full softmax's, float32 ``TABLE_POINTS``."""
    widths, rows, words = TABLE_POINTS
    grid = np.meshgrid(
        problem.hidden / 4.0 ** np.arange(widths),
        problem.batch / 4.0 ** np.arange(rows),
        np.geomspace(10, problem.vocabulary, words),
        indexing="ij",
    )
    time_ms = problem.table.time_ms(grid[2], grid[1], grid[0])
    return np.log(time_ms / problem.full_ms).astype(np.float32)
