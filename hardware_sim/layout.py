"""A placement problem laid out for the compiled simulator, and the memory that it works in."""

from typing import NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from hardware_sim.kernel import PAD
from hardware_sim.problem import PlacementProblem

LANES = 8
"""Placements side by side: enough to keep the core busy, few enough to stay in its cache."""

_LANE_WORDS = 2**20
"""Queue words of all lanes together; larger problems get fewer lanes."""

_ARRAYS: WeakKeyDictionary[PlacementProblem, "Arrays"] = WeakKeyDictionary()


class Arrays(NamedTuple):
    """A problem as the compiled code takes it: ``N`` ops numbered by priority, ``D`` devices.

    A slot is an op on a device, ``op << bits | device``: where it runs, or where its output is
    sent. Op ``N`` is a dummy that fills up lists of neighbours and is never ready.
    """

    bits: np.uint64  # that hold a device
    word_bits: np.uint64  # that hold a word of a queue
    top_words: np.uint64  # words of the second level of a queue
    stream_bits: np.uint64  # that hold a stream, 3 at least
    groups: NDArray[np.uint32]  # (N,)
    compute_s: NDArray[np.float64]  # (slots,)
    output_bytes: NDArray[np.int64]  # (N,)
    parameter_bytes: NDArray[np.int64]  # (N,)
    roots: NDArray[np.uint64]  # ops without inputs
    in_degree: NDArray[np.int32]  # (N + 1,)
    inputs: NDArray[np.uint32]  # producers of each op, filled up
    input_starts: NDArray[np.uint64]  # (N + 1,)
    outputs: NDArray[np.uint32]  # consumers of each op, filled up
    output_starts: NDArray[np.uint64]  # (N + 1,)
    producers: NDArray[np.uint32]  # (E,)
    consumers: NDArray[np.uint32]  # (E,)
    edge_bytes: NDArray[np.int64]  # (E,)
    latency_s: NDArray[np.float64]  # (D << bits,), by source and target
    seconds_per_byte: NDArray[np.float64]  # (D << bits,)
    routes: NDArray[np.uint64]  # channels out of each device, as streams
    route_targets: NDArray[np.uint64]  # set of the devices that each leads to
    route_starts: NDArray[np.uint64]  # (D + 1,)


class Scratch(NamedTuple):
    """Working memory of the simulations in ``L`` lanes.

    A stream is a device (``0..D-1``) or a channel (``D..D+C-1``); streams, ops and slots of all
    lanes are numbered through. A device queues ops, a channel slots.
    """

    lanes: NDArray[np.uint64]  # (L,), the active lanes first
    row: NDArray[np.uint64]  # (L,), the placement in the lane
    clock: NDArray[np.float64]  # (L,)
    memory: NDArray[np.int64]  # (L, D), bytes in use
    device: NDArray[np.uint8]  # (L * (N + 1),)
    targets: NDArray[np.uint64]  # (L * (N + 1),), set of the devices to send the output to
    missing: NDArray[np.int32]  # (L * (N + 1),), inputs not yet on the op's device
    held: NDArray[np.int64]  # (L * slots,), bytes of the output, or of its copy
    readers: NDArray[np.int32]  # (L * slots,), consumers and transfers that still need it
    queue: NDArray[np.uint64]  # (streams << word_bits,)
    tops: NDArray[np.uint64]  # (streams, top_words), a bit for each word of the queue in use
    idle: NDArray[np.uint64]  # (streams,), 0 or 1
    job: NDArray[np.uint64]  # (streams,), the op or slot that runs
    job_end: NDArray[np.float64]  # (streams,), infinite if idle
    woken: NDArray[np.uint64]  # (2, ...), devices and channels that may have something to start
    chosen: NDArray[np.uint64]  # (2, ...), devices and channels that start or end a job now
    start: NDArray[np.float64]  # (slots,) of a timeline, NaN where nothing was, or empty
    end: NDArray[np.float64]  # the same


def arrays(problem: PlacementProblem) -> Arrays:
    """The arrays of a problem, made once."""
    if problem not in _ARRAYS:
        _ARRAYS[problem] = _compile(problem)
    return _ARRAYS[problem]


def _compile(problem: PlacementProblem) -> Arrays:
    graph, cluster = problem.graph, problem.cluster
    count, devices = problem.compute_s.shape
    bits, words = _queue_size(problem)
    order = np.argsort(problem.priority)
    edges = problem.priority[graph.edges]
    by_producer = np.argsort(edges[:, 0], kind="stable")
    producers, consumers = edges[by_producer].T
    inputs, input_starts = _filled_lists(consumers, producers, count)
    outputs, output_starts = _filled_lists(producers, consumers, count)
    in_degree = np.bincount(consumers, minlength=count + 1)
    in_degree[count] = np.iinfo(np.int32).max

    def padded(table: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.pad(table, ((0, 0), (0, (1 << bits) - devices))).ravel()

    routes = [
        (devices + channel, sum(1 << d for d in np.flatnonzero(row == channel).tolist()))
        for row in cluster.channel
        for channel in np.unique(row[row >= 0]).tolist()
    ]
    counts = [len(np.unique(row[row >= 0])) for row in cluster.channel]
    return Arrays(
        bits=np.uint64(bits),
        word_bits=np.uint64((words - 1).bit_length()),
        top_words=np.uint64(-(-words // 64)),
        stream_bits=np.uint64(_stream_bits(problem)),
        groups=graph.groups[order].astype(np.uint32),
        compute_s=padded(problem.compute_s[order]),
        output_bytes=graph.output_bytes[order],
        parameter_bytes=graph.parameter_bytes[order],
        roots=np.flatnonzero(in_degree == 0).astype(np.uint64),
        in_degree=in_degree.astype(np.int32),
        inputs=inputs,
        input_starts=input_starts,
        outputs=outputs,
        output_starts=output_starts,
        producers=producers.astype(np.uint32),
        consumers=consumers.astype(np.uint32),
        edge_bytes=graph.edge_bytes[by_producer],
        latency_s=padded(cluster.latency_s),
        seconds_per_byte=padded(cluster.seconds_per_byte),
        routes=np.array([stream for stream, _ in routes], np.uint64),
        route_targets=np.array([targets for _, targets in routes], np.uint64),
        route_starts=np.cumsum([0, *counts]).astype(np.uint64),
    )


def _filled_lists(
    keys: NDArray[np.int64], values: NDArray[np.int64], count: int
) -> tuple[NDArray[np.uint32], NDArray[np.uint64]]:
    """The values of each key ``0..count-1``, filled up with ``count``, and where each begins."""
    lengths = np.bincount(keys, minlength=count)
    starts = np.cumsum([0, *(-(-lengths // PAD) * PAD)])
    order = np.argsort(keys, kind="stable")
    rank = np.arange(len(keys)) - (np.cumsum(lengths) - lengths)[keys[order]]
    lists = np.full(starts[-1], count, np.uint32)
    lists[starts[keys[order]] + rank] = values[order]
    return lists, starts.astype(np.uint64)


def _queue_size(problem: PlacementProblem) -> tuple[int, int]:
    """Bits that hold a device number, and the words that have a bit for each slot."""
    count, devices = problem.compute_s.shape
    bits = (devices - 1).bit_length()
    return bits, -(-(count << bits) // 64)


def _stream_bits(problem: PlacementProblem) -> int:
    return max(3, (problem.num_devices + problem.cluster.num_channels - 1).bit_length())


def scratch(problem: PlacementProblem, batch: int, *, timeline: bool = False) -> Scratch:
    """Scratch for a batch of simulations of a problem in one thread."""
    ops, devices = len(problem.graph) + 1, problem.num_devices
    bits, words = _queue_size(problem)
    streams = 1 << _stream_bits(problem)
    queue_words = streams << (words - 1).bit_length()
    lanes = max(1, min(LANES, batch, _LANE_WORDS // queue_words))
    listed = lanes * (streams + devices * devices) + 1
    times = np.full((2, ops << bits if timeline else 0), np.nan)
    return Scratch(
        lanes=np.arange(lanes, dtype=np.uint64),
        row=np.zeros(lanes, np.uint64),
        clock=np.zeros(lanes),
        memory=np.zeros((lanes, devices), np.int64),
        # The dummy op is on no device: 255 is beyond any.
        device=np.full(lanes * ops, 255, np.uint8),
        targets=np.zeros(lanes * ops, np.uint64),
        missing=np.zeros(lanes * ops, np.int32),
        held=np.zeros(lanes * ops << bits, np.int64),
        readers=np.zeros(lanes * ops << bits, np.int32),
        queue=np.zeros(lanes * queue_words, np.uint64),
        tops=np.zeros((lanes * streams, -(-words // 64)), np.uint64),
        idle=np.ones(lanes * streams, np.uint64),
        job=np.zeros(lanes * streams, np.uint64),
        job_end=np.full(lanes * streams, np.inf),
        woken=np.zeros((2, listed), np.uint64),
        chosen=np.zeros((2, listed), np.uint64),
        start=times[0],
        end=times[1],
    )
