"""The makespan simulator: one step of a placed graph, event by event, compiled.

The model, which :mod:`hardware_sim.reference` states in plain Python:

* An op runs on the device of its group. It is ready when every input is on that device. A device
  runs one op at a time, the ready op of lowest priority number first, without pre-emption.
* When an op ends, its output is sent once to every other device that has a consumer: the largest
  part that any consumer there needs. A channel (one direction of a link) carries one transfer at a
  time, that of the producer of lowest priority number first, then of the lowest device number.
  Transfers overlap with computation.
* At one instant everything that ends is dealt with before anything starts.
* Parameters stay in memory. An op's output is allocated when the op starts, a copy when its
  transfer starts; each is freed when its last reader (a consumer or a transfer) ends. An output
  that nobody reads stays.

Ready queues are bit sets over priorities, so a push is one OR and a pop counts trailing zeros. The
next event is the minimum over the streams (devices and channels), of which each has one at most.
"""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numba import njit, types
from numba.extending import intrinsic
from numpy.typing import ArrayLike, NDArray

from hardware_sim.problem import PlacementProblem


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The outcome of ``B`` placements.

    Attributes:
        makespan_s: float64 ``(B,)``, seconds of one step.
        peak_bytes: int64 ``(B, D)``, highest memory in use on each device.
        fits: bool ``(B,)``, no device exceeds its memory.
    """

    makespan_s: NDArray[np.float64]
    peak_bytes: NDArray[np.int64]
    fits: NDArray[np.bool_]


@dataclass(frozen=True)
class Transfer:
    """One tensor sent from one device to another."""

    op: int
    source: int
    target: int
    channel: int
    bytes: int
    start_s: float
    end_s: float


@dataclass(frozen=True, eq=False)
class Schedule:
    """Who did what when.

    Attributes:
        makespan_s: Seconds of one step.
        device: int64 ``(N,)``, where each op ran.
        start_s: float64 ``(N,)``.
        end_s: float64 ``(N,)``.
        transfers: Every transfer, by producer and destination.
        peak_bytes: int64 ``(D,)``.
    """

    makespan_s: float
    device: NDArray[np.int64]
    start_s: NDArray[np.float64]
    end_s: NDArray[np.float64]
    transfers: tuple[Transfer, ...]
    peak_bytes: NDArray[np.int64]


def evaluate(
    problem: PlacementProblem, placements: ArrayLike, threads: int | None = None
) -> Evaluation:
    """Simulates a batch of placements on all cores.

    Args:
        problem: Graph and cluster.
        placements: Integers ``(B, G)``, the device of each group.
        threads: Number of threads; every core if absent. Results do not depend on it.

    Raises:
        InputError: A placement has the wrong shape or names an unknown device.
    """
    batch = problem.check_placements(np.asarray(placements))
    makespan = np.empty(len(batch))
    peak = np.empty((len(batch), problem.num_devices), np.int64)
    arrays = compiled_arrays(problem)
    workers = min(threads or os.cpu_count() or 1, len(batch))

    def run(rows: slice) -> None:
        _evaluate(arrays, new_scratch(problem), batch[rows], makespan[rows], peak[rows])

    if workers <= 1:
        run(slice(None))
    else:
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(run, _slices(len(batch), workers)))
    return Evaluation(makespan, peak, (peak <= problem.capacity).all(axis=1))


def simulate(problem: PlacementProblem, placement: ArrayLike) -> Schedule:
    """Simulates one placement and keeps its timeline.

    Args:
        problem: Graph and cluster.
        placement: Integers ``(G,)``, the device of each group.

    Raises:
        InputError: The placement has the wrong shape or names an unknown device.
    """
    rows = problem.check_placements(np.asarray(placement)[None])
    scratch = new_scratch(problem)
    makespan, peak = np.empty(1), np.empty((1, problem.num_devices), np.int64)
    _evaluate(compiled_arrays(problem), scratch, rows, makespan, peak)
    device = rows[0, problem.graph.groups]
    transfers = tuple(
        Transfer(
            op=op,
            source=int(device[op]),
            target=target,
            channel=int(problem.cluster.channel[device[op], target]),
            bytes=int(scratch.copy_bytes[op, target]),
            start_s=float(scratch.send_start[op, target]),
            end_s=float(scratch.send_end[op, target]),
        )
        for op, target in np.argwhere(~np.isnan(scratch.send_start)).tolist()
    )
    return Schedule(
        float(makespan[0]), device, scratch.op_start, scratch.op_end, transfers, peak[0]
    )


def _slices(length: int, parts: int) -> Iterator[slice]:
    edges = np.linspace(0, length, parts + 1).astype(int)
    return (slice(a, b) for a, b in pairwise(edges.tolist()))


class Arrays(NamedTuple):
    """A problem as the compiled code takes it; shapes as in the problem."""

    compute_s: NDArray[np.float64]
    priority: NDArray[np.uint64]
    by_priority: NDArray[np.uint64]
    groups: NDArray[np.uint64]
    out_offsets: NDArray[np.uint64]
    consumers: NDArray[np.uint64]
    out_bytes: NDArray[np.int64]
    in_offsets: NDArray[np.uint64]
    producers: NDArray[np.uint64]
    output_bytes: NDArray[np.int64]
    parameter_bytes: NDArray[np.int64]
    channel: NDArray[np.uint64]
    latency_s: NDArray[np.float64]
    seconds_per_byte: NDArray[np.float64]
    target_bits: np.uint64


class Scratch(NamedTuple):
    """What one simulation writes; it is left with the timeline of the last placement.

    A stream is a device (``0..D-1``) or a channel (``D..D+C-1``). The key of an op in its device's
    queue is its priority, that of a transfer in its channel's queue is ``priority << bits | target``.
    """

    device: NDArray[np.uint64]  # (N,)
    op_start: NDArray[np.float64]  # (N,)
    op_end: NDArray[np.float64]  # (N,)
    send_start: NDArray[np.float64]  # (N, D), NaN where nothing was sent
    send_end: NDArray[np.float64]  # (N, D)
    copy_bytes: NDArray[np.int64]  # (N, D), size of the output or of its copy there
    missing: NDArray[np.int64]  # (N,), inputs not yet on the op's device
    readers: NDArray[np.int64]  # (N, D), consumers and transfers still to read it there
    queue: NDArray[np.uint64]  # (D + C, words)
    queue_tops: NDArray[np.uint64]  # (D + C, words of words)
    stream_end: NDArray[np.float64]  # (D + C,), when its present job ends; infinite if idle
    stream_job: NDArray[np.uint64]  # (D + C,), key of its present job
    woken: NDArray[np.uint64]  # (D + C + 1,), streams to look at before time goes on
    is_woken: NDArray[np.uint64]  # (D + C,), 0 or 1
    wanted: NDArray[np.int64]  # (D,), bytes wanted of the op that just ended; -1 if none
    memory: NDArray[np.int64]  # (D,), bytes in use


def compiled_arrays(problem: PlacementProblem) -> Arrays:
    """The arrays of a problem."""
    order = np.empty(len(problem.priority), np.uint64)
    order[problem.priority] = np.arange(len(order))
    out_offsets, consumers, out_bytes = problem.successors
    in_offsets, producers = problem.predecessors
    return Arrays(
        compute_s=problem.compute_s,
        priority=problem.priority.astype(np.uint64),
        by_priority=order,
        groups=problem.graph.groups.astype(np.uint64),
        out_offsets=out_offsets.astype(np.uint64),
        consumers=consumers.astype(np.uint64),
        out_bytes=out_bytes,
        in_offsets=in_offsets.astype(np.uint64),
        producers=producers.astype(np.uint64),
        output_bytes=problem.graph.output_bytes,
        parameter_bytes=problem.graph.parameter_bytes,
        channel=problem.cluster.channel.astype(np.uint64),
        latency_s=problem.cluster.latency_s,
        seconds_per_byte=problem.cluster.seconds_per_byte,
        target_bits=np.uint64(_target_bits(problem.num_devices)),
    )


def new_scratch(problem: PlacementProblem) -> Scratch:
    """Scratch for simulations of a problem, one at a time."""
    count, devices = problem.compute_s.shape
    streams = devices + problem.cluster.num_channels
    words = -(-(count << _target_bits(devices)) // 64)
    return Scratch(
        device=np.empty(count, np.uint64),
        op_start=np.empty(count),
        op_end=np.empty(count),
        send_start=np.full((count, devices), np.nan),
        send_end=np.full((count, devices), np.nan),
        copy_bytes=np.zeros((count, devices), np.int64),
        missing=np.empty(count, np.int64),
        readers=np.empty((count, devices), np.int64),
        queue=np.zeros((streams, words), np.uint64),
        queue_tops=np.zeros((streams, -(-words // 64)), np.uint64),
        stream_end=np.full(streams, np.inf),
        stream_job=np.zeros(streams, np.uint64),
        woken=np.empty(streams + 1, np.uint64),
        is_woken=np.zeros(streams, np.uint64),
        wanted=np.full(devices, -1, np.int64),
        memory=np.empty(devices, np.int64),
    )


def _target_bits(devices: int) -> int:
    """Bits that hold a device number in the key of a transfer."""
    return (devices - 1).bit_length()


@intrinsic
def _trailing_zeros(context: Any, word: Any) -> Any:
    """Trailing zeros of a non-zero uint64, as one machine instruction."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], context.get_constant(types.boolean, 1))

    return types.uint64(types.uint64), generate


# The compiled functions are inlined, take plain arrays and are compiled without reference counting
# (they allocate nothing): counting references in the inner loop makes it several times slower.
# Indices are unsigned, which spares the test for negative ones.

_ONE, _SIX, _LOW_SIX = np.uint64(1), np.uint64(6), np.uint64(63)
_NONE = np.uint64(2**64 - 1)


@njit(inline="always")
def _push(queue: Any, tops: Any, stream: Any, key: Any, bit: Any) -> None:
    """Queues a key on a stream if the bit is 1; a branch here would be mispredicted."""
    word = key >> _SIX
    queue[stream, word] |= bit << (key & _LOW_SIX)
    tops[stream, word >> _SIX] |= bit << (word & _LOW_SIX)


@njit(inline="always")
def _wake(woken: Any, is_woken: Any, stream: Any, n: Any) -> Any:
    """Puts a stream on the list to look at; returns the length of the list."""
    woken[n] = stream
    n += _ONE - is_woken[stream]
    is_woken[stream] = 1
    return n


@njit(inline="always")
def _pop(queue: Any, tops: Any, stream: Any) -> Any:
    """Removes and returns the lowest key of a stream's queue, or ``_NONE`` if it is empty."""
    key = _NONE
    for top in range(np.uint64(tops.shape[1])):
        if tops[stream, top] != 0:
            word = (top << _SIX) + _trailing_zeros(tops[stream, top])
            bits = queue[stream, word]
            key = (word << _SIX) + _trailing_zeros(bits)
            bits &= bits - _ONE
            queue[stream, word] = bits
            if bits == 0:
                tops[stream, top] &= tops[stream, top] - _ONE
            break
    return key


@njit(inline="always")
def _release(readers: Any, memory: Any, copy_bytes: Any, op: Any, place: Any) -> None:
    """One reader less of an op's output on a device; the last one frees the memory."""
    left = readers[op, place] - 1
    readers[op, place] = left
    memory[place] -= copy_bytes[op, place] * (left == 0)


@njit(inline="always")
def _deliver(
    out_offsets: Any, consumers: Any, device: Any, missing: Any, priority: Any,
    queue: Any, tops: Any, op: Any, place: Any,
) -> None:  # fmt: skip
    """The output of an op is on a device; queues the consumers that now have everything."""
    for e in range(out_offsets[op], out_offsets[op + _ONE]):
        consumer = consumers[e]
        here = device[consumer] == place
        left = missing[consumer] - here
        missing[consumer] = left
        _push(queue, tops, place, priority[consumer], np.uint64(here & (left == 0)))


@njit(inline="always")
def _next_end(stream_end: Any) -> Any:
    """The stream that ends first, when, and how many end at that instant."""
    first = np.uint64(0)
    now = stream_end[0]
    for stream in range(_ONE, np.uint64(len(stream_end))):
        if stream_end[stream] < now:
            now = stream_end[stream]
            first = stream
    ties = 0
    for stream in range(len(stream_end)):
        ties += stream_end[stream] == now
    return first, now, ties


@njit(inline="always")
def _begin(
    placements: Any, row: Any, groups: Any, priority: Any, in_offsets: Any, parameter_bytes: Any,
    device: Any, missing: Any, readers: Any, memory: Any, peak: Any,
    queue: Any, tops: Any, woken: Any, is_woken: Any,
) -> Any:  # fmt: skip
    """Places every op, loads the parameters and queues the ops without inputs."""
    memory[:] = 0
    readers[:] = 0
    n = np.uint64(0)
    for op in range(np.uint64(len(groups))):
        place = np.uint64(placements[row, groups[op]])
        device[op] = place
        memory[place] += parameter_bytes[op]
        missing[op] = in_offsets[op + _ONE] - in_offsets[op]
        _push(queue, tops, place, priority[op], np.uint64(missing[op] == 0))
        n = _wake(woken, is_woken, place, n)
    for place in range(len(memory)):
        peak[row, place] = memory[place]
    return n


@njit(cache=True, nogil=True, _nrt=False)
def _evaluate(a: Arrays, s: Scratch, placements: Any, makespan: Any, peak: Any) -> None:
    """Simulates each placement, instant by instant."""
    (
        compute_s, priority, by_priority, groups, out_offsets, consumers, out_bytes, in_offsets,
        producers, output_bytes, parameter_bytes, channel, latency_s, seconds_per_byte, shift,
    ) = a  # fmt: skip
    (
        device, op_start, op_end, send_start, send_end, copy_bytes, missing, readers, queue, tops,
        stream_end, stream_job, woken, is_woken, wanted, memory,
    ) = s  # fmt: skip
    devices = np.uint64(len(memory))
    low = (_ONE << shift) - _ONE
    for b in range(len(placements)):
        n = _begin(placements, b, groups, priority, in_offsets, parameter_bytes, device, missing,
                   readers, memory, peak, queue, tops, woken, is_woken)  # fmt: skip
        now = 0.0
        while True:
            for w in range(n):
                stream = woken[w]
                is_woken[stream] = 0
                if stream_end[stream] != np.inf:
                    continue
                key = _pop(queue, tops, stream)
                if key == _NONE:
                    continue
                if stream < devices:
                    op, target = by_priority[key], stream
                    end = now + compute_s[op, stream]
                    op_start[op], op_end[op] = now, end
                    copy_bytes[op, stream] = output_bytes[op]
                else:
                    op, target = by_priority[key >> shift], key & low
                    source = device[op]
                    end = now + (
                        latency_s[source, target]
                        + copy_bytes[op, target] * seconds_per_byte[source, target]
                    )
                    send_start[op, target], send_end[op, target] = now, end
                stream_job[stream] = key
                stream_end[stream] = end
                memory[target] += copy_bytes[op, target]
                peak[b, target] = max(peak[b, target], memory[target])
            n = np.uint64(0)
            stream, instant, ties = _next_end(stream_end)
            if instant == np.inf:
                break
            now = instant
            while ties > 0:
                ties -= 1
                key = stream_job[stream]
                if stream < devices:
                    op, target = by_priority[key], stream
                    for e in range(in_offsets[op], in_offsets[op + _ONE]):
                        _release(readers, memory, copy_bytes, producers[e], stream)
                    targets = np.uint64(0)
                    for e in range(out_offsets[op], out_offsets[op + _ONE]):
                        there = device[consumers[e]]
                        readers[op, there] += 1
                        targets |= _ONE << there
                        wanted[there] = max(wanted[there], out_bytes[e])
                    wanted[stream] = -1
                    targets &= ~(_ONE << stream)
                    while targets != 0:
                        other = _trailing_zeros(targets)
                        targets &= targets - _ONE
                        copy_bytes[op, other] = wanted[other]
                        wanted[other] = -1
                        readers[op, stream] += 1
                        link = devices + channel[stream, other]
                        _push(queue, tops, link, (priority[op] << shift) | other, _ONE)
                        n = _wake(woken, is_woken, link, n)
                else:
                    op, target = by_priority[key >> shift], key & low
                    _release(readers, memory, copy_bytes, op, device[op])
                _deliver(out_offsets, consumers, device, missing, priority, queue, tops, op,
                         target)  # fmt: skip
                n = _wake(woken, is_woken, target, n)
                stream_end[stream] = np.inf
                n = _wake(woken, is_woken, stream, n)
                if ties > 0:
                    stream = _next_end(stream_end)[0]
        makespan[b] = now
