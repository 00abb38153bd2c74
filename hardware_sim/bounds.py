"""Proven lower bounds on the makespan of every placement that fits in memory."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hardware_sim.errors import InputError
from hardware_sim.problem import PlacementProblem, downward_rank, upward_rank

_STEPS, _SHRINK = 1000, 0.99
"""Ascent steps and how much each is shorter than the last. Every step gives a valid bound, so these
are a matter of tightness only; these come within 0.1 % of the linear programme's optimum."""


@dataclass(frozen=True)
class Bound:
    """Lower bounds on the makespan, in seconds; see :func:`lower_bound`.

    Attributes:
        critical_path_s: Longest path, each op on its fastest device.
        work_s: Total work shared out ideally, within memory.
        window_s: Work between the ops before and the ops after it.
    """

    critical_path_s: float
    work_s: float
    window_s: float

    @property
    def value_s(self) -> float:
        """The largest of the bounds."""
        return max(self.critical_path_s, self.work_s, self.window_s)

    @property
    def binding(self) -> str:
        """Name of the largest bound: ``"critical path"``, ``"work"`` or ``"window"``."""
        named = {
            "critical path": self.critical_path_s,
            "work": self.work_s,
            "window": self.window_s,
        }
        return max(named, key=lambda name: named[name])


class _Floor(NamedTuple):
    """The least cost of each item ``(I,)`` and the class ``(I,)`` that has it."""

    cost: NDArray[np.float64]
    place: NDArray[np.intp]


class _Work(NamedTuple):
    """Seconds and memory of items (ops or groups) on device classes; equal devices make one class.

    Treating equal devices equally loses nothing: the dual is concave, and the average of an optimal
    solution over all ways to swap equal devices is one that does.
    """

    seconds: NDArray[np.float64]
    """``(I, K)``, seconds of the item on a device of the class, over the number of devices."""
    memory: NDArray[np.float64]
    """``(I, K)``, parameters of the item over the memory of all devices of the class."""
    fits: NDArray[np.bool_]
    """``(I, K)``, the item's group fits on a device of the class."""

    def floor(self, weights: NDArray[np.float64], prices: NDArray[np.float64]) -> _Floor:
        """The least cost of each item under weights and prices ``(K,)``, and the class of it."""
        costs = np.where(self.fits, self.seconds * weights + self.memory * prices, np.inf)
        return _Floor(costs.min(axis=1), costs.argmin(axis=1))

    def of_groups(self, groups: NDArray[np.int64]) -> "_Work":
        """Ops (``self``) summed into co-location groups ``(N,)``; absent groups are left out."""
        first, number = np.unique(groups, return_index=True, return_inverse=True)[1:]
        seconds, memory = np.zeros((2, len(first), self.seconds.shape[1]))
        np.add.at(seconds, number, self.seconds)
        np.add.at(memory, number, self.memory)
        return _Work(seconds, memory, self.fits[first])

    def select(self, chosen: NDArray[np.bool_]) -> "_Work":
        """The items that ``chosen``, ``(I,)``, is true for."""
        return _Work(self.seconds[chosen], self.memory[chosen], self.fits[chosen])


class _Dual(NamedTuple):
    """Weights ``(K,)`` of sum 1, prices ``(K,)``, and the bound in seconds that they prove."""

    weights: NDArray[np.float64]
    prices: NDArray[np.float64]
    value: float


def lower_bound(problem: PlacementProblem) -> Bound:
    """Bounds the makespan ``T`` of every placement that fits in memory, from below.

    Write ``c[n, d]`` for the seconds of op ``n`` on device ``d`` (infinite where the parameters and
    the largest output of its group exceed the device's memory), ``m[n]`` for its parameters,
    ``cap[d]`` for the memory of the device, and ``p`` for a placement.

    Critical path. The ops of a path run one after the other, each for at least
    ``min_d c[n, d]``; transfers only add to that.

    Work. Take any weights ``w >= 0`` of sum 1 and prices ``u >= 0``. A device runs one op at a
    time, so ``T >= sum(c[n, d] for n on d)`` for every ``d``, and so for the average with weights
    ``w``: ``T >= sum_n w[p(n)] c[n, p(n)]``. Parameters stay in memory and fit, so
    ``0 >= sum_n u[p(n)] m[n] - sum_d u[d] cap[d]``. Adding both, and letting each co-location
    group ``g`` choose its best device::

        T >= sum_g min_d sum_{n in g} (w[d] c[n, d] + u[d] m[n]) - sum_d u[d] cap[d]

    This is the Lagrangian dual of the fractional assignment problem. An ascent looks for good
    ``w`` and ``u``; whatever it finds is valid.

    Window. Let ``head[n]`` be the longest path to the start of ``n`` and ``tail[n]`` the longest
    path from its end, as in the critical path. The ops with ``head >= h`` and ``tail >= q`` all run
    between ``h`` and ``T - q``. The argument above for these ops only, with ``T - q - h`` in the
    place of ``T``, gives ``T >= h + q + work``. The best over all ``h`` and ``q`` is taken.

    Rounding: the critical path adds in the simulator's order, and rounded addition is monotone; the
    other bounds are lowered by more than sums of ``N`` terms can be off.

    Args:
        problem: Graph and cluster.

    Raises:
        InputError: No placement fits: a group exceeds every device, or the parameters exceed the
            memory of all devices.
    """
    graph = problem.graph
    ops, fastest = _work(problem)
    head, tail = _heads_and_tails(problem, fastest)
    work = _ascend(ops.of_groups(graph.groups))
    without_memory = _ascend(ops._replace(memory=np.zeros_like(ops.memory)))
    windows = [_widest(head, tail, ops, dual) for dual in (work, without_memory)]
    window, start, end = max(windows)
    inside = (head >= start) & (tail >= end)
    refined = start + end + _ascend(ops.select(inside).of_groups(graph.groups[inside])).value
    safe = 1 - 16 * len(graph) * float(np.finfo(np.float64).eps)
    return Bound(
        critical_path_s=float((head + fastest).max()),
        work_s=work.value * safe,
        window_s=max(window, refined) * safe,
    )


def _work(problem: PlacementProblem) -> tuple[_Work, NDArray[np.float64]]:
    """Work of the ops on each class of equal devices, and their seconds ``(N,)`` on the best."""
    graph, capacity = problem.graph, problem.capacity
    held, largest = np.zeros((2, problem.num_groups), np.int64)
    np.add.at(held, graph.groups, graph.parameter_bytes)
    np.maximum.at(largest, graph.groups, graph.output_bytes)
    needs = held + largest
    worst = int(needs.argmax())
    if needs[worst] > capacity.max():
        raise InputError(
            f"group {graph.group_names[worst]!r} of {graph.name!r} needs {needs[worst]} bytes and "
            f"fits on no device of {problem.cluster.name!r}; the largest has {capacity.max()}"
        )
    if held.sum() > capacity.sum():
        raise InputError(
            f"the parameters of {graph.name!r} take {held.sum()} bytes; all devices of "
            f"{problem.cluster.name!r} together have {capacity.sum()}"
        )
    kinds = np.concatenate([problem.compute_s, capacity[None].astype(np.float64)])
    first, size = np.unique(kinds, axis=1, return_index=True, return_counts=True)[1:]
    seconds = problem.compute_s[:, first]
    fits = needs[graph.groups, None] <= capacity[first]
    memory = graph.parameter_bytes[:, None] / (capacity[first] * size)
    return _Work(seconds / size, memory, fits), np.where(fits, seconds, np.inf).min(axis=1)


def _heads_and_tails(
    problem: PlacementProblem, seconds: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Longest paths before and after each op, both without it, ``(N,)`` seconds each."""
    return downward_rank(problem.graph, seconds), upward_rank(problem.graph, seconds) - seconds


def _ascend(work: _Work) -> _Dual:
    """Looks for the weights and prices that prove most.

    Projected subgradient ascent on a concave, piecewise linear function; on such, normalised steps
    that shrink geometrically converge at a geometric rate (Goffin 1977).
    """
    count = work.seconds.shape[1]
    items = np.arange(len(work.seconds))
    unit = max(float(work.seconds.sum(axis=0).min()), float(np.finfo(np.float64).tiny))
    scaled = work._replace(seconds=work.seconds / unit)
    weights, prices = np.full(count, 1 / count), np.zeros(count)
    best, step = _Dual(weights, prices, 0.0), 1.0
    for _ in range(_STEPS):
        cost, place = scaled.floor(weights, prices)
        value = float(cost.sum() - prices.sum())
        if value > best.value:
            best = _Dual(weights, prices, value)
        up_weights = np.bincount(place, scaled.seconds[items, place], count)
        up_weights -= up_weights.mean()
        up_prices = np.bincount(place, scaled.memory[items, place], count) - 1
        length = float(np.sqrt((up_weights**2).sum() + (up_prices**2).sum()))
        if length == 0.0:  # nowhere to go: this is the optimum
            break
        weights = _onto_simplex(weights + step / length * up_weights)
        prices = np.maximum(prices + step / length * up_prices, 0.0)
        step *= _SHRINK
    return _Dual(best.weights, best.prices * unit, best.value * unit)


def _onto_simplex(point: NDArray[np.float64]) -> NDArray[np.float64]:
    """The nearest point ``>= 0`` of sum 1 (Held, Wolfe and Crowder 1974)."""
    falling = np.sort(point)[::-1]
    excess = (np.cumsum(falling) - 1) / np.arange(1, len(point) + 1)
    shift: float = excess[falling > excess][-1]
    return np.maximum(point - shift, 0.0)


def _widest(
    head: NDArray[np.float64], tail: NDArray[np.float64], work: _Work, dual: _Dual
) -> tuple[float, float, float]:
    """The best window bound under given weights and prices, with its ``h`` and ``q``.

    Ops join in order of falling head; ``inside[i]`` is the work of those whose tail is at least
    ``ends[i]``.
    """
    floor = work.floor(dual.weights, dual.prices).cost
    ends, rank = np.unique(tail, return_inverse=True)
    inside, reached = np.zeros(len(ends)), 0
    best = (0.0, 0.0, 0.0)
    order = np.argsort(-head, kind="stable")
    for op, following in zip(order, [*order[1:], None], strict=True):
        inside[: rank[op] + 1] += floor[op]
        reached = max(reached, int(rank[op]) + 1)
        if following is None or head[following] < head[op]:
            totals = ends[:reached] + inside[:reached]
            i = int(totals.argmax())
            value = float(head[op] + totals[i] - dual.prices.sum())
            best = max(best, (value, float(head[op]), float(ends[i])))
    return best
