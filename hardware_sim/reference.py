"""The simulator's model in plain Python, for reading and as the judge of the compiled one."""

import heapq
from collections import defaultdict

import numpy as np
from numpy.typing import ArrayLike

from hardware_sim.problem import PlacementProblem
from hardware_sim.schedule import Schedule, Transfer


def simulate(problem: PlacementProblem, placement: ArrayLike) -> Schedule:
    """Simulates one placement by the rules that :mod:`hardware_sim.simulator` states.

    Args:
        problem: Graph and cluster.
        placement: Integers ``(G,)``, the device of each group.

    Raises:
        InputError: The placement has the wrong shape or names an unknown device.
    """
    step = _Step(problem, problem.check_placements(np.asarray(placement)[None])[0].tolist())
    return step.run()


class _Step:
    """One step of a placed graph; times in seconds, sizes in bytes."""

    def __init__(self, problem: PlacementProblem, placement: list[int]) -> None:
        graph = problem.graph
        self.problem = problem
        self.device = [placement[g] for g in graph.groups.tolist()]
        self.consumers: dict[int, list[tuple[int, int]]] = defaultdict(list)
        self.producers: dict[int, list[int]] = defaultdict(list)
        for (u, v), size in zip(graph.edges.tolist(), graph.edge_bytes.tolist(), strict=True):
            self.consumers[u].append((v, size))
            self.producers[v].append(u)
        self.missing = [len(self.producers[op]) for op in range(len(graph))]
        self.readers: dict[tuple[int, int], int] = {}
        self.held: dict[tuple[int, int], int] = {}
        self.queues: dict[tuple[str, int], list[tuple[int, int, int]]] = defaultdict(list)
        self.busy: set[tuple[str, int]] = set()
        self.events: list[tuple[float, tuple[str, int], int, int]] = []
        self.op_times: dict[int, tuple[float, float]] = {}
        self.transfers: dict[tuple[int, int], Transfer] = {}
        self.memory = [0] * problem.num_devices
        for op, size in enumerate(graph.parameter_bytes.tolist()):
            self.memory[self.device[op]] += size
        self.peak = list(self.memory)

    def run(self) -> Schedule:
        now = 0.0
        for op, missing in enumerate(self.missing):
            if missing == 0:
                self.queue_op(op)
        self.start_idle(now)
        while self.events:
            now = self.events[0][0]
            while self.events and self.events[0][0] == now:
                _, stream, op, target = heapq.heappop(self.events)
                self.busy.remove(stream)
                if stream[0] == "device":
                    self.end_op(op)
                else:
                    self.end_transfer(op, target)
            self.start_idle(now)
        times = np.array([self.op_times[op] for op in range(len(self.device))])
        return Schedule(
            makespan_s=now,
            device=np.array(self.device),
            start_s=times[:, 0],
            end_s=times[:, 1],
            transfers=tuple(self.transfers[key] for key in sorted(self.transfers)),
            peak_bytes=np.array(self.peak),
        )

    def queue_op(self, op: int) -> None:
        entry = (int(self.problem.priority[op]), op, self.device[op])
        heapq.heappush(self.queues["device", self.device[op]], entry)

    def start_idle(self, now: float) -> None:
        """Starts the first queued job of every idle stream."""
        for stream, queue in self.queues.items():
            if queue and stream not in self.busy:
                _, *job = heapq.heappop(queue)
                op, target = job[-2], job[-1]
                end = (self.start_op if stream[0] == "device" else self.start_transfer)(
                    op, target, now
                )
                self.busy.add(stream)
                heapq.heappush(self.events, (end, stream, op, target))

    def start_op(self, op: int, device: int, now: float) -> float:
        end = now + float(self.problem.compute_s[op, device])
        self.op_times[op] = now, end
        self.allocate(op, device, int(self.problem.graph.output_bytes[op]))
        return end

    def start_transfer(self, op: int, target: int, now: float) -> float:
        source, cluster = self.device[op], self.problem.cluster
        size = max(size for v, size in self.consumers[op] if self.device[v] == target)
        latency, per_byte = cluster.latency_s[source, target], cluster.seconds_per_byte
        end = now + float(latency + size * per_byte[source, target])
        channel = int(cluster.channel[source, target])
        self.transfers[op, target] = Transfer(op, source, target, channel, size, now, end)
        self.allocate(op, target, size)
        return end

    def end_op(self, op: int) -> None:
        here = self.device[op]
        for producer in self.producers[op]:
            self.release(producer, here)
        targets = {self.device[v] for v, _ in self.consumers[op]} - {here}
        for v, _ in self.consumers[op]:
            place = op, self.device[v]
            self.readers[place] = self.readers.get(place, 0) + 1
        if targets:
            self.readers[op, here] = self.readers.get((op, here), 0) + len(targets)
        self.deliver(op, here)
        for target in sorted(targets):
            channel = int(self.problem.cluster.channel[here, target])
            entry = (int(self.problem.priority[op]), op, target)
            heapq.heappush(self.queues["channel", channel], entry)

    def end_transfer(self, op: int, target: int) -> None:
        self.deliver(op, target)
        self.release(op, self.device[op])

    def deliver(self, op: int, device: int) -> None:
        """The output of an op is on a device; queues the consumers that now have everything."""
        for v, _ in self.consumers[op]:
            if self.device[v] == device:
                self.missing[v] -= 1
                if self.missing[v] == 0:
                    self.queue_op(v)

    def allocate(self, op: int, device: int, size: int) -> None:
        self.held[op, device] = size
        self.memory[device] += size
        self.peak[device] = max(self.peak[device], self.memory[device])

    def release(self, op: int, device: int) -> None:
        self.readers[op, device] -= 1
        if self.readers[op, device] == 0:
            self.memory[device] -= self.held[op, device]
