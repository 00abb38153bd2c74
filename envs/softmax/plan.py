"""Cut-offs of a vocabulary: expected cost of an adaptive softmax and its exact optimum."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from envs.softmax.costs import CostTable
from envs.softmax.frequencies import FrequencyCurve
from hardware_sim.errors import InputError

MOST_TAILS = 4
"""The paper tries one to four tail clusters."""

DIV_VALUES = (1, 2, 4, 8)
"""Divisors that plans may choose among; the paper's code and torch have 4."""


LEAF_LOSS = 0.072
"""Nats lost by a word that is classified in a tail instead of the head: the paper finds the
perplexity 5 to 10 % higher when all words are in leaves of the tree, and ln 1.075 = 0.072."""

HALVING_LOSS = 0.012
"""Nats lost by a word for each halving of the width that it is classified in. Chosen so that Text8
gets the paper's loss, perplexity 147 against 144 or 0.021 nats, with English frequencies and, as
the paper does not print them, assumed cut-offs of 2,000 and 10,000."""

LOSS_PRICE = 4.0
"""Worth of a nat in logarithm of time: by training longer it is bought back. On the text and
model of :mod:`experiments.softmax.text`, width 128, 50,000 words cut at 2,000 and 10,000, the
held-out loss fell by 0.18 nats from step 300 to step 600, and ln 2 / 0.18 = 3.9. Later in training
a nat is worth more. ``python -m experiments.softmax.bench --part training --steps 600 -o FILE``
writes the figure for fitted cut-offs (``nats_per_doubling``)."""


@dataclass(frozen=True)
class Plan:
    """An adaptive softmax: arguments of ``torch.nn.AdaptiveLogSoftmaxWithLoss``, time and loss.

    Attributes:
        vocabulary: Words.
        cutoffs: First word of each tail cluster, rising; the head holds the words before.
        div_value: Tail ``i`` (from 1) works in ``hidden // div_value ** i`` dimensions.
        expected_ms: Expected time of a batch.
        full_ms: Time of the full softmax.
        loss: Estimated loss of quality in nats a word, see :meth:`SoftmaxProblem.loss`.
    """

    vocabulary: int
    cutoffs: tuple[int, ...]
    div_value: float
    expected_ms: float
    full_ms: float
    loss: float

    @property
    def speed_up(self) -> float:
        """The speed-up over the full softmax."""
        return self.full_ms / self.expected_ms

    def to_json(self) -> dict[str, Any]:
        """JSON-serialisable values."""
        return {**vars(self), "cutoffs": list(self.cutoffs), "speed_up": self.speed_up}


@dataclass(frozen=True, eq=False)
class SoftmaxProblem:
    """A vocabulary, a layer and a machine.

    Attributes:
        curve: Frequencies of the words.
        vocabulary: Words ``V``, the most frequent of the curve.
        batch: Rows ``B`` of hidden states at a time, above 0.
        hidden: Their width ``d``, at least 1.
        table: Times of layers.

    Raises:
        InputError: A size is out of range, or the curve has fewer words.
    """

    curve: FrequencyCurve
    vocabulary: int
    batch: int
    hidden: int
    table: CostTable

    def __post_init__(self) -> None:
        for name in ("batch", "hidden"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}; allowed: at least 1")
        self.curve.coverage(0, self.vocabulary)

    @property
    def full_ms(self) -> float:
        """Time of the full softmax, in ms."""
        return float(self.table.time_ms(self.vocabulary, self.batch, self.hidden))

    def width(self, level: int, div_value: float) -> int:
        """Dimensions of a tail (from 1), 0 where the projection leaves none."""
        return int(self.hidden // div_value**level)

    def expected_ms(self, cutoffs: Sequence[int], div_value: float) -> float:
        """Expected time of a batch, in ms: equation 7 of the paper.

        ``C = g(J + k_h, B, d) + sum_i [g(d_i, p_i B, d) + g(k_i, p_i B, d_i)]``: the head
        classifies all rows into its own ``k_h`` words and the ``J`` tails; the expected
        ``p_i B`` rows whose word is in tail ``i`` are projected to ``d_i`` dimensions and
        classified into its ``k_i`` words. The paper has ``p_i g(k_i, B)``, the same where time is
        proportional to the rows, and leaves the projection out.

        Args:
            cutoffs: Rising, within the vocabulary; see :class:`Plan`.
            div_value: See :class:`Plan`.

        Raises:
            InputError: There are none or more than :data:`MOST_TAILS`, they do not rise within the
                vocabulary, or a tail has no dimension left.
        """
        return sum(self.cluster_ms(cutoffs, div_value))

    def cluster_ms(self, cutoffs: Sequence[int], div_value: float) -> list[float]:
        """The terms of :meth:`expected_ms`: the head's, then each tail's.

        Raises:
            InputError: As :meth:`expected_ms`.
        """
        bounds = self._bounds(cutoffs, div_value)
        rows = np.diff(self.curve.coverage(bounds, self.vocabulary)) * self.batch
        terms = [float(self.table.time_ms(bounds[0] + len(cutoffs), self.batch, self.hidden))]
        for tail, words in enumerate(np.diff(bounds)):
            width = self.width(tail + 1, div_value)
            project = self.table.time_ms(width, rows[tail], self.hidden)
            terms.append(float(project + self.table.time_ms(words, rows[tail], width)))
        return terms

    def loss(self, cutoffs: Sequence[int], div_value: float) -> float:
        """Estimated loss of quality against the full softmax, in nats a word.

        ``sum_i p_i [LEAF_LOSS + HALVING_LOSS log2(d / d_i)]``, with the figures of this module.

        Raises:
            InputError: As :meth:`expected_ms`.
        """
        bounds = self._bounds(cutoffs, div_value)
        covered = self.curve.coverage(bounds, self.vocabulary)
        widths = np.array([self.width(i, div_value) for i in range(1, len(bounds))])
        return float((np.diff(covered) * word_loss(self.hidden, widths)).sum())

    def plan(self, cutoffs: Sequence[int], div_value: float) -> Plan:
        """The plan with these cut-offs.

        Raises:
            InputError: As :meth:`expected_ms`.
        """
        return Plan(
            self.vocabulary,
            tuple(int(cut) for cut in cutoffs),
            div_value,
            self.expected_ms(cutoffs, div_value),
            self.full_ms,
            self.loss(cutoffs, div_value),
        )

    def candidates(self, count: int) -> NDArray[np.int64]:
        """About so many log-spaced places for a cut, int64, rising, 1 to ``V - 1``.

        Raises:
            InputError: ``count`` is below 1.
        """
        if count < 1:
            raise InputError(f"the number of candidates is {count}; allowed: at least 1")
        spaced = np.geomspace(1, max(self.vocabulary - 1, 1), count)
        return np.unique(spaced.round().astype(np.int64))

    def _bounds(self, cutoffs: Sequence[int], div_value: float) -> NDArray[np.int64]:
        """The cut-offs and the vocabulary, checked."""
        bounds = np.array([*cutoffs, self.vocabulary], np.int64)
        if not 2 <= len(bounds) <= MOST_TAILS + 1:
            raise InputError(f"{len(cutoffs)} cut-offs; allowed: 1 to {MOST_TAILS}")
        if bounds[0] < 1 or (np.diff(bounds) <= 0).any():
            raise InputError(
                f"cut-offs {list(cutoffs)} must rise between 1 and {self.vocabulary - 1}"
            )
        if div_value < 1 or self.width(len(cutoffs), div_value) < 1:
            raise InputError(
                f"{len(cutoffs)} tails with div_value {div_value:g} leave the last "
                f"{self.width(len(cutoffs), max(div_value, 1))} of {self.hidden} dimensions; use "
                "fewer tails or a div_value nearer to 1"
            )
        return bounds


def word_loss(hidden: int, widths: ArrayLike) -> NDArray[np.float64]:
    """Nats lost by a word that is classified in a tail of these widths."""
    halvings = np.log2(hidden / np.asarray(widths, np.float64))
    return np.asarray(LEAF_LOSS + HALVING_LOSS * halvings)


@dataclass(frozen=True, eq=False)
class Pieces:
    """Time and loss of each possible cluster, for ``N`` candidates and one div_value.

    Attributes:
        candidates: int64 ``(N,)``.
        head_ms: float64 ``(L, N)``, the head that ends at a candidate, with 1 to ``L`` tails.
        tail_ms: float64 ``(L, N, N + 1)``, tail ``l + 1`` from a candidate to another or to the end
            of the vocabulary (the last column); 0 where it does not end behind its start.
        tail_loss: float64 ``(L, N, N + 1)``, nats a word that the same tails lose.
        possible: bool ``(N, N + 1)``, whether a tail ends behind its start.
    """

    candidates: NDArray[np.int64]
    head_ms: NDArray[np.float64]
    tail_ms: NDArray[np.float64]
    tail_loss: NDArray[np.float64]
    possible: NDArray[np.bool_]

    @classmethod
    def build(
        cls, problem: SoftmaxProblem, candidates: NDArray[np.int64], div_value: float, tails: int
    ) -> "Pieces":
        """The pieces of up to ``tails`` tails, fewer where no dimension would be left.

        Raises:
            InputError: Not even one tail is left a dimension.
        """
        levels = [i for i in range(1, tails + 1) if problem.width(i, div_value) >= 1]
        if not levels:
            raise InputError(
                f"div_value {div_value:g} leaves a tail none of {problem.hidden} dimensions"
            )
        ends = np.append(candidates, problem.vocabulary)
        covered = problem.curve.coverage(ends, problem.vocabulary)
        share = np.maximum(covered[None, :] - covered[:-1, None], 0.0)
        words = ends[None, :] - candidates[:, None]
        possible = words > 0
        table, rows = problem.table, share * problem.batch
        tail_ms = np.zeros((len(levels), *words.shape))
        tail_loss = np.zeros(tail_ms.shape)
        for i, level in enumerate(levels):
            width = problem.width(level, div_value)
            classify = table.time_ms(np.maximum(words, 1), rows, width)
            project = table.time_ms(width, rows, problem.hidden)
            tail_ms[i] = (project + classify) * possible
            tail_loss[i] = share * word_loss(problem.hidden, width) * possible
        head = candidates[None, :] + np.array(levels)[:, None]
        head_ms = table.time_ms(head, problem.batch, problem.hidden)
        return cls(candidates, head_ms, tail_ms, tail_loss, possible)

    def cheapest(self, tails: int, ms_price: float, loss_price: float) -> tuple[int, ...]:
        """The cut-offs of least ``ms_price * ms + loss_price * loss``, by dynamic programming.

        Args:
            tails: Number of tails, at most ``L`` and ``N``.
            ms_price: 0 or more.
            loss_price: 0 or more.

        Returns:
            Places among the candidates, one for each tail.
        """
        least = ms_price * self.head_ms[tails - 1]
        came_from = []
        for level in range(tails):
            added = ms_price * self.tail_ms[level] + loss_price * self.tail_loss[level]
            total = np.where(self.possible, least[:, None] + added, np.inf)
            came_from.append(total.argmin(axis=0))
            least = total.min(axis=0)[:-1]
        places = [int(came_from[-1][-1])]
        for level in range(tails - 2, -1, -1):
            places.insert(0, int(came_from[level][places[0]]))
        return tuple(places)

    def totals(self, places: Sequence[int]) -> tuple[float, float]:
        """Expected ms and loss of the cuts at these places."""
        ms, loss = self.head_ms[len(places) - 1, places[0]], 0.0
        ends = [*places[1:], len(self.candidates)]
        for level, (start, end) in enumerate(zip(places, ends, strict=True)):
            ms = ms + self.tail_ms[level, start, end]
            loss = loss + self.tail_loss[level, start, end]
        return float(ms), float(loss)


def optimum(
    problem: SoftmaxProblem,
    candidates: NDArray[np.int64],
    div_values: Sequence[float] = DIV_VALUES,
    tails: Sequence[int] = range(1, MOST_TAILS + 1),
    loss_price: float = 0.0,
) -> Plan:
    """The plan of least ``log(ms) + loss_price * loss``, exact over the candidates.

    For a sum of both, dynamic programming gives the optimum. The logarithm is concave, so its
    optimum is a vertex of the lower convex hull of all plans in the plane of time and loss,
    and every vertex is the optimum of some sum; they are found by halving the hull between
    neighbours until nothing lies below.

    Args:
        problem: The problem to cut.
        candidates: Places for cuts, int64, rising, between 1 and ``V - 1``.
        div_values: Divisors to choose among.
        tails: Numbers of tails to choose among, 1 to :data:`MOST_TAILS`.
        loss_price: In logarithm of time for a nat, 0 or more; see :data:`LOSS_PRICE`.

    Raises:
        InputError: No plan is possible.
    """
    _check_tails(tails)
    best: tuple[float, tuple[int, ...], float] | None = None
    for div_value in div_values:
        if problem.width(1, div_value) < 1:
            continue
        pieces = Pieces.build(problem, candidates, div_value, max(tails))
        for count in tails:
            if count > min(len(pieces.head_ms), len(candidates)):
                continue
            limit = np.inf if best is None else best[0]
            value, places = _cheapest_vertex(pieces, count, loss_price, limit)
            if value < limit:
                best = value, places, div_value
    if best is None:
        raise InputError(
            f"no plan is possible: {len(candidates)} candidates, tails {list(tails)}, "
            f"div_values {list(div_values)}, hidden {problem.hidden}"
        )
    return problem.plan(candidates[list(best[1])].tolist(), best[2])


def _cheapest_vertex(
    pieces: Pieces, tails: int, loss_price: float, limit: float
) -> tuple[float, tuple[int, ...]]:
    """The best vertex of the lower hull of all plans with so many tails, and its value.

    Where the best is not below ``limit`` any vertex may be returned.
    """

    def value(places: tuple[int, ...]) -> float:
        ms, loss = pieces.totals(places)
        return float(np.log(ms)) + loss_price * loss

    best = fastest = pieces.cheapest(tails, 1.0, 0.0)
    if loss_price == 0:
        return value(best), best
    between = [(fastest, pieces.cheapest(tails, 0.0, 1.0))]
    best = min(between[0], key=value)
    while between:
        left, right = between.pop()
        (ms_a, loss_a), (ms_b, loss_b) = pieces.totals(left), pieces.totals(right)
        prices = loss_a - loss_b, ms_b - ms_a
        # Vertices between the two are slower than the one and lose more than the other.
        bound = float(np.log(ms_a)) + loss_price * loss_b
        if min(prices) <= 0 or bound >= min(limit, value(best)):
            continue
        middle = pieces.cheapest(tails, *prices)
        ms, loss = pieces.totals(middle)
        gain = prices[0] * (ms_a - ms) + prices[1] * (loss_a - loss)
        if gain > 1e-12 * (prices[0] * ms_a + prices[1] * loss_a):
            best = min(best, middle, key=value)
            between += [(left, middle), (middle, right)]
    return value(best), best


def exhaustive(
    problem: SoftmaxProblem,
    candidates: NDArray[np.int64],
    div_values: Sequence[float] = DIV_VALUES,
    tails: Sequence[int] = range(1, MOST_TAILS + 1),
    loss_price: float = 0.0,
) -> Plan:
    """The plan of :func:`optimum`, found by trying every plan: the plain reference.

    Arguments are those of :func:`optimum`.

    Raises:
        InputError: No plan is possible.
    """
    _check_tails(tails)
    plans = [
        problem.plan(cutoffs, div_value)
        for div_value in div_values
        for count in tails
        if problem.width(count, div_value) >= 1
        for cutoffs in combinations(candidates.tolist(), count)
    ]
    if not plans:
        raise InputError(f"no plan is possible with tails {list(tails)}")
    return min(plans, key=lambda plan: np.log(plan.expected_ms) + loss_price * plan.loss)


def _check_tails(tails: Sequence[int]) -> None:
    if not tails or min(tails) < 1 or max(tails) > MOST_TAILS:
        raise InputError(f"tails are {list(tails)}; allowed: numbers from 1 to {MOST_TAILS}")
