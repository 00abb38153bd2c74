"""Many placements in progress at once: the core that both environment classes drive."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from envs.placement import list_schedule
from envs.placement.group_graph import LARGEST_FEATURE, NODE_FEATURES, GroupGraph
from envs.placement.list_schedule import DEVICE_FEATURES, NODE_FLAGS
from envs.rows import Columns, Core, Outcome, whole_actions
from hardware_sim import library
from hardware_sim.bounds import lower_bound
from hardware_sim.devices import Cluster
from hardware_sim.errors import InputError, choose
from hardware_sim.problem import PlacementProblem
from hardware_sim.simulator import evaluate

OUT_OF_MEMORY_FACTOR = 10.0
"""A placement that does not fit counts as this many single-device steps (the failing signal)."""


class PlacementBatch(Core):
    """``B`` placements in progress over a set of graphs on one cluster.

    Args:
        graphs: Names of shipped graphs or paths to graph files.
        cluster: Name of a shipped cluster or path to a cluster file.
        out_of_memory: ``"penalty"`` lets any device be chosen and lets the simulator find out;
            ``"mask"`` allows a device only while everything on it is sure to fit.
        reward: ``"shaped"`` or ``"final"``; see the environment.
        batch: Number of rows ``B``.

    Raises:
        InputError: An unknown graph, cluster or setting, or an op that fits on no device.
    """

    options = ("graph",)

    def __init__(
        self, graphs: list[str], cluster: str, out_of_memory: str, reward: str, batch: int
    ) -> None:
        if not graphs:
            raise InputError("graphs is empty; name at least one")
        self.masked = choose("out_of_memory", out_of_memory, ("mask", "penalty")) == "mask"
        self.shaped = choose("reward", reward, ("shaped", "final")) == "shaped"
        machine = Cluster.load(cluster)
        self.names = list(graphs)
        self.graphs = [
            GroupGraph.build(PlacementProblem.build(library.load(name), machine)) for name in graphs
        ]
        self.bounds_s = np.full(len(self.graphs), np.nan)  # until first asked for
        self.tables = list_schedule.stack(self.graphs)
        self.progress = list_schedule.new_progress(self.tables, batch)
        self.potential = np.zeros(batch)
        self.score_s, self.is_success = np.zeros(batch), np.zeros(batch, np.bool_)
        _, groups, devices = self.tables.cost_s.shape
        self.batch, self.groups, self.devices = batch, groups, devices
        self.peak_bytes = np.zeros((batch, devices), np.int64)
        self.static = self._static_observation()
        width = list_schedule.node_width(devices)
        self.nodes = np.zeros((batch, groups, width), np.float32)
        self.legal = np.ones((batch, devices), np.bool_)

    def spaces(self) -> tuple[spaces.Dict, "spaces.Discrete[np.int64]"]:
        """Observation and action space of one row."""
        edges = self.static["edge_index"].shape[1]
        width = self.nodes.shape[2]

        def features(*shape: int) -> spaces.Box:
            return spaces.Box(0.0, LARGEST_FEATURE, shape, np.float32)

        observation = spaces.Dict(
            {
                "nodes": features(self.groups, width),
                "edge_index": spaces.Box(0, self.groups - 1, (edges, 2), np.int32),
                "node_mask": spaces.Box(0, 1, (self.groups,), np.int8),
                "edge_mask": spaces.Box(0, 1, (edges,), np.int8),
                "current": features(width),
                "devices": features(self.devices, len(DEVICE_FEATURES)),
                "action_mask": spaces.Box(0, 1, (self.devices,), np.int8),
            }
        )
        return observation, spaces.Discrete(self.devices)

    def columns(self) -> Columns:
        """Names of the features of nodes, edges and devices."""
        placed = (f"placed on device {device}" for device in range(self.devices))
        node = (*NODE_FEATURES, *NODE_FLAGS, *placed)
        return {
            "nodes": node,
            "edge_index": ("producer", "consumer"),
            "current": node,
            "devices": DEVICE_FEATURES,
        }

    def draw(self, random: np.random.Generator, options: Mapping[str, Any]) -> int:
        """The number of the graph of a new episode: the one asked for, or any.

        Raises:
            InputError: There is no such graph among them.
        """
        if "graph" in options:
            return self.names.index(choose("graph", options["graph"], self.names))
        return int(random.integers(len(self.names))) if len(self.names) > 1 else 0

    def begin(self, rows: NDArray[np.bool_], drawn: list[int]) -> dict[str, list[str]]:
        """Starts new placements in the given rows, one graph number each; names the graphs."""
        graph = np.array(drawn, np.int64)
        list_schedule.begin(self.progress, rows, graph)
        self.potential[rows] = 0.0
        self.nodes[rows] = 0.0
        self.nodes[rows, :, : len(NODE_FEATURES)] = self.static["features"][graph]
        self.nodes[rows, 0, len(NODE_FEATURES) + 1] = 1.0
        self._update_legal()
        return {"graph": [self.names[k] for k in drawn]}

    def step(self, rows: NDArray[np.bool_], actions: NDArray[np.integer]) -> Outcome:
        """Places the next group of the given rows.

        Raises:
            InputError: An action of these rows is no device, or there is not one for each row.
        """
        devices = whole_actions(actions, rows, self.devices)
        illegal = rows & ~self.legal[np.arange(self.batch), devices]
        legal = rows & ~illegal
        self._mark(legal, devices)
        list_schedule.place(self.tables, self.progress, legal, devices)
        complete = legal & (self.progress.step == self.tables.groups[self.progress.graph])
        score, fits, peak = self._simulate(complete)
        single = self.tables.single_device_s[self.progress.graph]
        failed = illegal | (complete & ~fits)
        score[failed] = np.maximum(score, OUT_OF_MEMORY_FACTOR * single)[failed]
        terminated = complete | illegal
        before = self.potential.copy()
        if self.shaped:
            self.potential[legal] = -np.sqrt(self.progress.end_s / single)[legal]
        estimate = self.potential - before
        simulated = np.where(terminated, -np.sqrt(score / single) - self.potential, 0.0)
        self.score_s, self.peak_bytes = score, peak
        self.is_success = complete & ~failed & (score < single)
        self._update_legal()
        parts = {"estimate": estimate, "simulator": simulated}
        return Outcome(parts, terminated, np.zeros(self.batch, np.bool_))

    def observe(self) -> dict[str, NDArray[Any]]:
        """The observations of all rows, as new arrays."""
        finish, arrival, share = np.empty((3, self.batch, self.devices))
        list_schedule.look_ahead(self.tables, self.progress, finish, arrival, share)
        graph, step = self.progress.graph, self.progress.step
        open_rows = step < self.tables.groups[graph]
        group = np.minimum(step, self.groups - 1)
        current = self.nodes[np.arange(self.batch), group] * open_rows[:, None]
        return {
            "nodes": self.nodes.copy(),
            "edge_index": self.static["edge_index"][graph],
            "node_mask": self.static["node_mask"][graph],
            "edge_mask": self.static["edge_mask"][graph],
            "current": current,
            "devices": self._device_features(finish, arrival, share, group)
            * open_rows[:, None, None].astype(np.float32),
            "action_mask": self.legal.astype(np.int8),
        }

    def mask(self) -> NDArray[np.bool_]:
        """Legal devices, bool ``(B, D)``."""
        return self.legal.copy()

    def results(self) -> dict[str, NDArray[Any]]:
        """Figures of the placements that the last step has completed, or ended as illegal.

        Returns:
            ``score`` (makespan in seconds), ``is_success``, ``problem`` (the graph's name),
            ``bound`` (seconds that no placement beats), ``placement`` (a device for each
            group, ``(B, N)``) and ``peak_bytes`` ``(B, D)``, zeros after an illegal action.
        """
        graph = self.progress.graph
        return {
            "score": self.score_s.copy(),
            "is_success": self.is_success.copy(),
            "problem": np.array([self.names[k] for k in graph], object),
            "bound": np.array([self._bound_s(int(k)) for k in graph]),
            "placement": self.progress.device.copy(),
            "peak_bytes": self.peak_bytes.copy(),
        }

    def problem_of(self, row: int) -> PlacementProblem:
        """Graph and cluster of a row."""
        return self.graphs[int(self.progress.graph[row])].problem

    def _bound_s(self, graph: int) -> float:
        """Seconds that no placement of a graph beats, those that do not fit included."""
        if np.isnan(self.bounds_s[graph]):
            problem = self.graphs[graph].problem
            failed_s = OUT_OF_MEMORY_FACTOR * problem.single_device_s
            try:
                self.bounds_s[graph] = min(lower_bound(problem).value_s, failed_s)
            except InputError:  # nothing fits
                self.bounds_s[graph] = failed_s
        return float(self.bounds_s[graph])

    def placement(self, row: int) -> NDArray[np.int64]:
        """The device of each group of a row's graph so far; -1 where not placed."""
        return self.progress.device[row, : self.tables.groups[self.progress.graph[row]]].copy()

    def _mark(self, rows: NDArray[np.bool_], actions: NDArray[np.int64]) -> None:
        """Updates the flags of the nodes that are about to be placed."""
        index = np.flatnonzero(rows)
        group, flags = self.progress.step[index], len(NODE_FEATURES)
        self.nodes[index, group, flags] = 1.0
        self.nodes[index, group, flags + 1] = 0.0
        self.nodes[index, group, flags + len(NODE_FLAGS) + actions[index]] = 1.0
        more = group + 1 < self.tables.groups[self.progress.graph[index]]
        self.nodes[index[more], group[more] + 1, flags + 1] = 1.0

    def _simulate(
        self, rows: NDArray[np.bool_]
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.int64]]:
        """Makespans, fits and peaks of the complete rows; zeros elsewhere."""
        score, fits = np.zeros(self.batch), np.zeros(self.batch, np.bool_)
        peak = np.zeros((self.batch, self.devices), np.int64)
        for k in np.unique(self.progress.graph[rows]) if rows.any() else ():
            index = np.flatnonzero(rows & (self.progress.graph == k))
            placements = self.progress.device[index, : self.tables.groups[k]]
            result = evaluate(self.graphs[k].problem, placements)
            score[index], fits[index] = result.makespan_s, result.fits
            peak[index] = result.peak_bytes
        return score, fits, peak

    def _update_legal(self) -> None:
        """Legal devices: all, or those where the group is sure to fit, else the emptiest."""
        if not self.masked:
            return
        graph, step = self.progress.graph, self.progress.step
        group = np.minimum(step, self.groups - 1)
        left = self.tables.capacity - self.progress.reserved
        fits = left >= self.tables.reserved_bytes[graph, group][:, None]
        emptiest = left == left.max(axis=1, keepdims=True)
        self.legal = np.where(fits.any(axis=1, keepdims=True), fits, emptiest)
        self.legal[step == self.tables.groups[graph]] = True

    def _device_features(
        self,
        finish: NDArray[np.float64],
        arrival: NDArray[np.float64],
        share: NDArray[np.float64],
        group: NDArray[np.int64],
    ) -> NDArray[np.float32]:
        """:data:`DEVICE_FEATURES`, float32 ``(B, D, H)``."""
        p, t = self.progress, self.tables
        mean = t.mean_cost_s[p.graph][:, None]
        cost = t.cost_s[p.graph, group]
        fastest = np.maximum(cost.min(axis=1, keepdims=True), 1e-9)
        features = (
            np.log1p((finish - finish.min(axis=1, keepdims=True)) / mean),
            np.log1p((arrival - arrival.min(axis=1, keepdims=True)) / mean),
            np.log1p((p.end_s[:, None] - p.device_free_s) / mean),
            np.log(np.maximum(cost, 1e-9) / fastest),
            p.busy_s / t.single_device_s[p.graph][:, None],
            p.reserved / t.capacity,
            share,
        )
        return np.stack(features, axis=2).clip(0.0, LARGEST_FEATURE).astype(np.float32)

    def _static_observation(self) -> dict[str, NDArray[Any]]:
        """The parts of the observation that never change, by graph: ``(K, ...)`` arrays."""
        shape, groups = len(self.graphs), self.groups
        edges = self.tables.producers.shape[1]
        static: dict[str, NDArray[Any]] = {
            "features": np.zeros((shape, groups, len(NODE_FEATURES)), np.float32),
            "edge_index": np.zeros((shape, edges, 2), np.int32),
            "node_mask": np.zeros((shape, groups), np.int8),
            "edge_mask": np.zeros((shape, edges), np.int8),
        }
        for k, graph in enumerate(self.graphs):
            static["features"][k, : len(graph)] = graph.features
            static["edge_index"][k, : len(graph.edges)] = graph.edges
            static["node_mask"][k, : len(graph)] = 1
            static["edge_mask"][k, : len(graph.edges)] = 1
        return static
