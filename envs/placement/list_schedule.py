"""Placing groups one by one: an append-only schedule that grows with every decision.

The schedule appends each group to its device's queue as it is placed (list scheduling in the order
of the groups), sends every input once to each device that reads it, and never revises. That costs
a few operations a decision, and its length estimates the step time of what is placed so far. The
simulator decides when everything is placed.

All functions work on ``B`` placements in progress at once, over ``K`` graphs padded to ``N``
groups and ``E`` edges, on ``D`` devices and ``C`` channels.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from envs.placement.group_graph import NODE_FEATURES, GroupGraph

NODE_FLAGS = ("placed", "to be placed now")
"""Features of a node that change; one flag for each device follows them."""

DEVICE_FEATURES = (
    "earliest finish here, later than the best device's, over the mean cost",
    "inputs here, later than on the best device, over the mean cost",
    "device idle from, before the end of the schedule, over the mean cost",
    "log of the cost here over the cost on the fastest device",
    "compute placed here over the time on a single device",
    "memory reserved here over the capacity",
    "share of the input bytes that is already here",
)
"""Features of each device for the next group; ratios to the mean as log(1 + x)."""


class Tables(NamedTuple):
    """The graphs and the cluster."""

    groups: NDArray[np.int64]  # (K,), groups of each graph
    cost_s: NDArray[np.float64]  # (K, N, D)
    in_offsets: NDArray[np.int64]  # (K, N + 1)
    producers: NDArray[np.int64]  # (K, E)
    in_bytes: NDArray[np.int64]  # (K, E)
    reserved_bytes: NDArray[np.int64]  # (K, N)
    mean_cost_s: NDArray[np.float64]  # (K,)
    single_device_s: NDArray[np.float64]  # (K,)
    capacity: NDArray[np.int64]  # (D,)
    channel: NDArray[np.int64]  # (D, D)
    latency_s: NDArray[np.float64]  # (D, D)
    seconds_per_byte: NDArray[np.float64]  # (D, D)


class Progress(NamedTuple):
    """Placements in progress."""

    graph: NDArray[np.int64]  # (B,), index among the K graphs
    step: NDArray[np.int64]  # (B,), groups placed
    device: NDArray[np.int64]  # (B, N), -1 where not placed
    finish_s: NDArray[np.float64]  # (B, N)
    arrival_s: NDArray[np.float64]  # (B, N, D), infinite where not sent
    device_free_s: NDArray[np.float64]  # (B, D)
    channel_free_s: NDArray[np.float64]  # (B, C)
    busy_s: NDArray[np.float64]  # (B, D)
    reserved: NDArray[np.int64]  # (B, D), bytes
    end_s: NDArray[np.float64]  # (B,), length of the schedule


def stack(graphs: Sequence[GroupGraph]) -> Tables:
    """Pads graphs on one cluster to common shapes."""
    first = graphs[0].problem
    groups = max(len(graph) for graph in graphs)
    edges = max(max(len(graph.edges) for graph in graphs), 1)
    shape, devices = len(graphs), first.num_devices
    tables = Tables(
        groups=np.array([len(graph) for graph in graphs], np.int64),
        cost_s=np.zeros((shape, groups, devices)),
        in_offsets=np.zeros((shape, groups + 1), np.int64),
        producers=np.zeros((shape, edges), np.int64),
        in_bytes=np.zeros((shape, edges), np.int64),
        reserved_bytes=np.zeros((shape, groups), np.int64),
        mean_cost_s=np.array([graph.cost_s.min(axis=1).mean() or 1.0 for graph in graphs]),
        single_device_s=np.array([graph.problem.single_device_s for graph in graphs]),
        capacity=first.capacity,
        channel=first.cluster.channel,
        latency_s=first.cluster.latency_s,
        seconds_per_byte=first.cluster.seconds_per_byte,
    )
    for k, graph in enumerate(graphs):
        tables.cost_s[k, : len(graph)] = graph.cost_s
        tables.in_offsets[k] = np.searchsorted(graph.edges[:, 1], np.arange(groups + 1))
        tables.producers[k, : len(graph.edges)] = graph.edges[:, 0]
        tables.in_bytes[k, : len(graph.edges)] = graph.edge_bytes
        tables.reserved_bytes[k, : len(graph)] = graph.reserved_bytes
    return tables


def new_progress(tables: Tables, batch: int) -> Progress:
    """``B`` placements, to be begun with :func:`begin`."""
    _, groups, devices = tables.cost_s.shape
    return Progress(
        graph=np.zeros(batch, np.int64),
        step=np.zeros(batch, np.int64),
        device=np.full((batch, groups), -1, np.int64),
        finish_s=np.zeros((batch, groups)),
        arrival_s=np.full((batch, groups, devices), np.inf),
        device_free_s=np.zeros((batch, devices)),
        channel_free_s=np.zeros((batch, max(int(tables.channel.max()) + 1, 1))),
        busy_s=np.zeros((batch, devices)),
        reserved=np.zeros((batch, devices), np.int64),
        end_s=np.zeros(batch),
    )


def begin(progress: Progress, rows: NDArray[np.bool_], graph: NDArray[np.int64]) -> None:
    """Empties the given rows; ``graph`` holds a graph number for each of them."""
    progress.graph[rows] = graph
    for array in (progress.step, progress.end_s, progress.device_free_s, progress.channel_free_s):
        array[rows] = 0
    for array in (progress.busy_s, progress.reserved):
        array[rows] = 0
    progress.device[rows] = -1
    progress.arrival_s[rows] = np.inf


@njit(inline="always")
def _arrival(
    row: Any, producer: Any, target: Any, size: Any, device: Any, finish_s: Any, arrival_s: Any,
    channel: Any, latency_s: Any, seconds_per_byte: Any, free_s: Any,
) -> Any:  # fmt: skip
    """Time at which a producer's output is on a device, in seconds.

    A new transfer occupies ``free_s`` till then.
    """
    source = device[row, producer]
    if source == target:
        return finish_s[row, producer]
    if arrival_s[row, producer, target] < np.inf:
        return arrival_s[row, producer, target]
    link = channel[source, target]
    start = max(finish_s[row, producer], free_s[link])
    free_s[link] = start + latency_s[source, target] + size * seconds_per_byte[source, target]
    return free_s[link]


@njit(cache=True, nogil=True)
def place(t: Tables, p: Progress, rows: NDArray[np.bool_], actions: NDArray[np.int64]) -> None:
    """Places the next group of each given row on the row's device and appends it."""
    cost_s, in_offsets, producers, in_bytes, reserved_bytes = t[1:6]
    channel, latency_s, seconds_per_byte = t[9:]
    graph, step, device, finish_s, arrival_s, device_free_s, channel_free_s = p[:7]
    busy_s, reserved, end_s = p[7:]
    for b in range(len(rows)):
        if not rows[b]:
            continue
        k, g, d = graph[b], step[b], actions[b]
        ready = 0.0
        for e in range(in_offsets[k, g], in_offsets[k, g + 1]):
            producer = producers[k, e]
            arrival = _arrival(
                b, producer, d, in_bytes[k, e], device, finish_s, arrival_s,
                channel, latency_s, seconds_per_byte, channel_free_s[b],
            )  # fmt: skip
            arrival_s[b, producer, d] = arrival
            ready = max(ready, arrival)
        finish = max(ready, device_free_s[b, d]) + cost_s[k, g, d]
        device[b, g], finish_s[b, g], device_free_s[b, d] = d, finish, finish
        busy_s[b, d] += cost_s[k, g, d]
        reserved[b, d] += reserved_bytes[k, g]
        end_s[b] = max(end_s[b], finish)
        step[b] += 1


@njit(cache=True, nogil=True)
def look_ahead(
    t: Tables, p: Progress, finish: NDArray[np.float64], arrival: NDArray[np.float64],
    share: NDArray[np.float64],
) -> None:  # fmt: skip
    """Estimates the next group of every row on each device; all outputs are ``(B, D)``.

    Writes the earliest finish, the arrival of the last input (seconds), and the share of the
    input bytes that needs no transfer. Rows with nothing left to place get zeros.
    """
    groups, cost_s, in_offsets, producers, in_bytes, _ = t[:6]
    channel, latency_s, seconds_per_byte = t[9:]
    graph, step, device, finish_s, arrival_s, device_free_s, channel_free_s = p[:7]
    free_s = np.empty(channel_free_s.shape[1])
    finish[:], arrival[:], share[:] = 0.0, 0.0, 0.0
    for b in range(len(graph)):
        k, g = graph[b], step[b]
        if g == groups[k]:
            continue
        total = 0.0
        for e in range(in_offsets[k, g], in_offsets[k, g + 1]):
            total += in_bytes[k, e]
        for d in range(cost_s.shape[2]):
            free_s[:] = channel_free_s[b]
            here = 0.0
            for e in range(in_offsets[k, g], in_offsets[k, g + 1]):
                producer = producers[k, e]
                when = _arrival(
                    b, producer, d, in_bytes[k, e], device, finish_s, arrival_s,
                    channel, latency_s, seconds_per_byte, free_s,
                )  # fmt: skip
                arrival[b, d] = max(arrival[b, d], when)
                if device[b, producer] == d or arrival_s[b, producer, d] < np.inf:
                    here += in_bytes[k, e]
            share[b, d] = here / total if total > 0 else 1.0
            finish[b, d] = max(arrival[b, d], device_free_s[b, d]) + cost_s[k, g, d]


def node_width(devices: int) -> int:
    """Number of features of a node."""
    return len(NODE_FEATURES) + len(NODE_FLAGS) + devices
