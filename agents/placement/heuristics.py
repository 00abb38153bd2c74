"""Placements without search, by people's rules and by schedulers.

Every function takes a problem and returns int64 ``(G,)``, the device of each group. Schedulers
work on ops: the first op of a group that is scheduled decides for the whole group.
"""

import numpy as np
from numpy.typing import NDArray

from hardware_sim import library
from hardware_sim.library import expert_placement
from hardware_sim.problem import PlacementProblem

Placement = NDArray[np.int64]


def workers(problem: PlacementProblem) -> NDArray[np.int64]:
    """Devices worth dealing work to: at most twice as slow as the fastest alone."""
    alone = problem.compute_s.sum(axis=0)
    return np.flatnonzero(alone <= 2 * alone.min())


def single_device(problem: PlacementProblem) -> Placement:
    """Everything on the device that is fastest alone."""
    return np.full(problem.num_groups, problem.single_device, np.int64)


def round_robin(problem: PlacementProblem) -> Placement:
    """Group ``i`` on worker ``i`` modulo their number."""
    devices = workers(problem)
    return devices[np.arange(problem.num_groups) % len(devices)]


def expert(problem: PlacementProblem) -> Placement:
    """The published human placement of a shipped graph, or contiguous parts of equal length.

    Contiguous parts with the same number of layers are the expert of Mirhoseini et al. (2017)
    for Inception-V3. Human placements of other graphs (Tarnawski et al., NeurIPS
    2020) are used where the cluster has the devices that they name.
    """
    name = problem.graph.name
    published = expert_placement(name) if name in library.names() else None
    if published is not None and published.max() < problem.num_devices:
        return published
    devices = workers(problem)
    part = np.arange(problem.num_groups) * len(devices) // problem.num_groups
    return devices[part]


def heft(problem: PlacementProblem) -> Placement:
    """Heterogeneous earliest finish time (Topcuoglu, Hariri, Wu 2002), with insertion.

    Ops in the order of upward rank with mean costs; each goes where it would finish first, into a
    gap of the device's schedule if one is long enough. Links are taken as free of contention.
    """
    plan = _Plan(problem, np.arange(problem.num_devices))
    for op in np.argsort(-_mean_upward_rank(problem), kind="stable").tolist():
        options = plan.options(op)
        starts = [plan.gap(d, plan.ready(op, d), plan.cost[op][d]) for d in options]
        finishes = [t + plan.cost[op][d] for t, d in zip(starts, options, strict=True)]
        best = int(np.argmin(finishes))
        plan.add(op, options[best], starts[best])
    return plan.placement()


def etf(problem: PlacementProblem) -> Placement:
    """Earliest task first (Hwang, Chow, Anger, Lee 1989).

    Again and again the ready op that can start soonest is placed where it starts soonest, ties
    by the faster device, then by upward rank. Nothing is inserted into gaps. The method assumes
    equal processors and looks at starts alone, so it deals to the workers only.
    """
    plan = _Plan(problem, workers(problem))
    rank = _mean_upward_rank(problem)
    missing = [len(inputs) for inputs in plan.inputs]
    ready = {op for op, count in enumerate(missing) if count == 0}
    free = [0.0] * problem.num_devices
    while ready:
        start, _, _, op, device = min(
            (max(free[d], plan.ready(op, d)), plan.cost[op][d], -rank[op], op, d)
            for op in ready
            for d in plan.options(op)
        )
        plan.add(op, device, start)
        free[device] = plan.finish[op]
        ready.remove(op)
        for consumer in plan.consumers[op]:
            missing[consumer] -= 1
            if missing[consumer] == 0:
                ready.add(consumer)
    return plan.placement()


def min_cut(problem: PlacementProblem, imbalance: float = 1.1, passes: int = 8) -> Placement:
    """Balanced parts with little traffic between them, blind to time.

    Starts from contiguous parts of equal work on the workers and moves groups by best gain as
    Fiduccia and Mattheyses (1982) do, each group at most once a pass, keeping every part below
    ``imbalance`` times the mean work; the best prefix of each pass is kept.
    """
    devices = workers(problem)
    groups = problem.graph.groups
    work: NDArray[np.float64] = np.bincount(
        groups, weights=problem.compute_s[:, devices].mean(axis=1)
    ).astype(np.float64)
    weight = np.zeros((problem.num_groups, problem.num_groups))
    pairs = groups[problem.graph.edges]
    np.add.at(weight, (pairs[:, 0], pairs[:, 1]), problem.graph.edge_bytes)
    weight += weight.T
    np.fill_diagonal(weight, 0)
    middle = np.cumsum(work) - work / 2
    part = np.minimum((middle * len(devices) / work.sum()).astype(np.int64), len(devices) - 1)
    limit = imbalance * work.sum() / len(devices)
    for _ in range(passes):
        better = _fiduccia_mattheyses(part, work, weight, len(devices), limit)
        if better is None:
            break
        part = better
    placement: Placement = devices[part]
    return placement


def _fiduccia_mattheyses(
    part: Placement,
    work: NDArray[np.float64],
    weight: NDArray[np.float64],
    parts: int,
    limit: float,
) -> Placement | None:
    """One pass of moves; the best partition on the way, or None if none is better."""
    part = part.copy()
    load = np.bincount(part, weights=work, minlength=parts)
    toward = np.stack([weight[:, part == p].sum(axis=1) for p in range(parts)], axis=1)
    rows = np.arange(len(part))
    locked = np.zeros(len(part), np.bool_)
    gained, best, best_part = 0.0, 0.0, None
    for _ in range(len(part)):
        gain = toward - toward[rows, part][:, None]
        gain[load[None, :] + work[:, None] > limit] = -np.inf
        gain[rows, part] = -np.inf
        gain[locked] = -np.inf
        group, target = np.unravel_index(int(gain.argmax()), gain.shape)
        if gain[group, target] == -np.inf:
            break
        gained += gain[group, target]
        source = part[group]
        load[source] -= work[group]
        load[target] += work[group]
        toward[:, source] -= weight[:, group]
        toward[:, target] += weight[:, group]
        part[group], locked[group] = target, True
        if gained > best * (1 + 1e-9):
            best, best_part = gained, part.copy()
    return best_part


def _mean_upward_rank(problem: PlacementProblem) -> NDArray[np.float64]:
    """Upward rank with mean costs and mean transfer times (Topcuoglu et al. 2002)."""
    rank: NDArray[np.float64] = problem.compute_s.mean(axis=1)
    cost = rank.copy()
    other = ~np.eye(problem.num_devices, dtype=np.bool_)
    cluster = problem.cluster
    latency = cluster.latency_s[other].mean() if other.any() else 0.0
    per_byte = cluster.seconds_per_byte[other].mean() if other.any() else 0.0
    edges, sizes = problem.graph.edges, problem.graph.edge_bytes
    for (u, v), size in zip(edges[::-1].tolist(), sizes[::-1].tolist(), strict=True):
        rank[u] = max(rank[u], cost[u] + latency + size * per_byte + rank[v])
    return rank


class _Plan:
    """A schedule in the making, free of link contention."""

    def __init__(self, problem: PlacementProblem, devices: NDArray[np.int64]) -> None:
        graph, cluster = problem.graph, problem.cluster
        self.devices = devices
        self.cost: list[list[float]] = problem.compute_s.tolist()
        self.latency: list[list[float]] = cluster.latency_s.tolist()
        self.per_byte: list[list[float]] = cluster.seconds_per_byte.tolist()
        self.groups: list[int] = graph.groups.tolist()
        self.inputs: list[list[tuple[int, int]]] = [[] for _ in graph.ops]
        self.consumers: list[list[int]] = [[] for _ in graph.ops]
        for (u, v), size in zip(graph.edges.tolist(), graph.edge_bytes.tolist(), strict=True):
            self.inputs[v].append((u, size))
            self.consumers[u].append(v)
        self.device = [-1] * len(graph)
        self.finish = [0.0] * len(graph)
        self.group_device = [-1] * problem.num_groups
        self.busy: list[list[tuple[float, float]]] = [[] for _ in range(problem.num_devices)]
        self.room = problem.capacity.astype(np.float64)
        self.parameters = np.bincount(graph.groups, weights=graph.parameter_bytes)

    def options(self, op: int) -> list[int]:
        """Devices for an op: its group's, or those with room for the group's parameters."""
        group = self.groups[op]
        if self.group_device[group] >= 0:
            return [self.group_device[group]]
        room = self.room[self.devices]
        roomy: list[int] = self.devices[room >= self.parameters[group]].tolist()
        return roomy or [int(self.devices[room.argmax()])]

    def ready(self, op: int, device: int) -> float:
        """Seconds until the inputs of an op, those scheduled so far, are on a device."""
        latest = 0.0
        for producer, size in self.inputs[op]:
            source = self.device[producer]
            arrival = self.finish[producer]
            if source != device:
                arrival += self.latency[source][device] + size * self.per_byte[source][device]
            latest = max(latest, arrival)
        return latest

    def gap(self, device: int, ready: float, length: float) -> float:
        """The first moment from which a device is idle for long enough."""
        start = ready
        for begin, end in self.busy[device]:
            if start + length <= begin:
                break
            start = max(start, end)
        return start

    def add(self, op: int, device: int, start: float) -> None:
        """Schedules an op and with it its group's device."""
        group = self.groups[op]
        if self.group_device[group] < 0:
            self.group_device[group] = device
            self.room[device] -= self.parameters[group]
        self.device[op] = device
        self.finish[op] = start + self.cost[op][device]
        entry = (start, self.finish[op])
        spans = self.busy[device]
        spans.insert(int(np.searchsorted([s for s, _ in spans], start, side="right")), entry)

    def placement(self) -> Placement:
        """The device of each group."""
        return np.array(self.group_device, np.int64)
