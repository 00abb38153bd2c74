"""The compiled simulator of :mod:`hardware_sim.simulator`.

How it is made fast:

* Ops are numbered by priority. A ready queue is a bit set over such numbers, so a push is one OR
  and a pop counts trailing zeros; a second level has a bit for each word in use. The next event is
  the minimum over the streams (devices and channels), of which each runs one job at most.
* Several placements of a batch are simulated side by side, each in its own lane, and every kind of
  work is done for all lanes before the next kind. Within one lane each step waits for the last, and
  whether it is an op or a transfer is a coin toss to the branch predictor; a list of ops to start,
  then a list of transfers to start, and so on, has neither trouble.
* For the same reason, what would be an unpredictable branch is arithmetic: lists of neighbours are
  filled up with a dummy op to multiples of two, and a push of no bits is a push.
"""

from typing import Any

import numba
import numba.core.cgutils
import numba.extending
import numpy as np
from numba import types

# The compiled functions are inlined, take plain arrays and are compiled without reference counting
# (they allocate nothing): counting references in the inner loop makes it several times slower.
# Numba's annotations know neither that option nor how intrinsics are called, hence ``Any``.
_intrinsic: Any = numba.extending.intrinsic
_njit: Any = numba.njit
_inlined = _njit(inline="always")
_compiled = _njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
_cgutils: Any = numba.core.cgutils
_ir = _cgutils.ir

PAD = 2
"""Lists of neighbours are filled up to multiples of it."""


@_intrinsic
def _trailing_zeros(context: Any, word: Any) -> Any:
    """Trailing zeros of a non-zero uint64, as one machine instruction."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], context.get_constant(types.boolean, 1))

    return types.uint64(types.uint64), generate


@_intrinsic
def _ones(context: Any, word: Any) -> Any:
    """Number of bits set in a uint64, as one machine instruction."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.uint64(types.uint64), generate


@_intrinsic
def _if(context: Any, condition: Any, value: Any) -> Any:
    """The value if the condition holds, else 0, never by a branch, as it is unpredictable."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        truth = context.cast(builder, arguments[0], signature.args[0], types.boolean)
        chosen = builder.select(truth, arguments[1], arguments[1].type(0))
        chosen.set_metadata("unpredictable", builder.module.add_metadata([]))
        return chosen

    return value(condition, value), generate


_DOUBLES = _ir.VectorType(_ir.DoubleType(), 8)


def _load_eight(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    """Loads ``array[i : i + 8]`` of the first two arguments as one vector."""
    array = context.make_array(signature.args[0])(context, builder, arguments[0])
    place = builder.gep(array.data, [arguments[1]])
    return builder.load(builder.bitcast(place, _DOUBLES.as_pointer()), align=8)


@_intrinsic
def _least_of_eight(context: Any, array: Any, i: Any) -> Any:
    """``min(array[i : i + 8])`` of float64 without NaN, in vector instructions."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = _ir.FunctionType(_ir.DoubleType(), [_DOUBLES])
        least = _cgutils.get_or_insert_function(
            builder.module, kind, "llvm.vector.reduce.fmin.v8f64"
        )
        values = _load_eight(context, builder, signature, arguments)
        return builder.call(least, [values], fastmath=("nnan", "nsz"))

    return types.float64(array, i), generate


@_intrinsic
def _equal_of_eight(context: Any, array: Any, i: Any, value: Any) -> Any:
    """The set of ``k`` with ``array[i + k] == value``, as the bits of a uint64."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        spread = _ir.Constant(_DOUBLES, _ir.Undefined)
        for k in range(8):
            spread = builder.insert_element(
                spread, arguments[2], context.get_constant(types.int32, k)
            )
        values = _load_eight(context, builder, signature, arguments)
        equal = builder.bitcast(builder.fcmp_ordered("==", values, spread), _ir.IntType(8))
        return builder.zext(equal, _ir.IntType(64))

    return types.uint64(array, i, value), generate


# Indices are unsigned, which spares the test for negative ones.

_ZERO, _ONE, _SIX, _LOW_SIX = np.uint64(0), np.uint64(1), np.uint64(6), np.uint64(63)
_PAD, _EIGHT = np.uint64(PAD), np.uint64(8)
_DEVICES, _CHANNELS = np.uint64(0), np.uint64(1)


@_inlined
def _push(a: Any, s: Any, stream: Any, key: Any, bits: Any) -> None:
    """Queues the keys from ``key`` on whose bits are set; they lie in one word."""
    word = key >> _SIX
    bits <<= key & _LOW_SIX
    s.queue[(stream << a.word_bits) | word] |= bits
    s.tops[stream, word >> _SIX] |= np.uint64(bits != 0) << (word & _LOW_SIX)


@_inlined
def _pop(a: Any, s: Any, stream: Any) -> Any:
    """Removes and returns the lowest key of a queue that is not empty."""
    top = _ZERO
    while s.tops[stream, top] == 0:
        top += _ONE
    word = (top << _SIX) | _trailing_zeros(s.tops[stream, top])
    place = (stream << a.word_bits) | word
    bits = s.queue[place]
    s.queue[place] = bits & (bits - _ONE)
    s.tops[stream, top] ^= np.uint64(bits & (bits - _ONE) == 0) << (word & _LOW_SIX)
    return (word << _SIX) | _trailing_zeros(bits)


@_inlined
def _begin(a: Any, s: Any, lane: Any, row: Any, placements: Any, peak: Any, woken: Any) -> Any:
    """Puts a placement into a lane; returns the number of devices woken."""
    count, devices = np.uint64(len(a.groups)), np.uint64(s.memory.shape[1])
    first_op, first_stream = lane * (count + _ONE), lane << a.stream_bits
    first_slot = first_op << a.bits
    s.row[lane], s.clock[lane] = row, 0.0
    for slot in range(first_slot, first_slot + (count << a.bits)):
        s.held[slot] = 0
        s.readers[slot] = 0
    for device in range(devices):
        s.memory[lane, device] = 0
        s.readers[first_slot + (count << a.bits) + device] = np.int32(2**31 - 1)
        s.woken[_DEVICES, woken] = first_stream + device
        woken += _ONE
    for op in range(count):
        here = np.uint64(placements[row, a.groups[op]])
        s.device[first_op + op] = here
        s.targets[first_op + op] = 0
        s.memory[lane, here] += a.parameter_bytes[op]
    for op in range(count + _ONE):
        s.missing[first_op + op] = a.in_degree[op]
    for device in range(devices):
        peak[row, device] = s.memory[lane, device]
    for e in range(np.uint64(len(a.producers))):
        producer = np.uint64(a.producers[e])
        there = np.uint64(s.device[first_op + np.uint64(a.consumers[e])])
        slot = first_slot + ((producer << a.bits) | there)
        s.readers[slot] += 1
        s.held[slot] = max(s.held[slot], a.edge_bytes[e])
        s.targets[first_op + producer] |= _ONE << there
    for op in range(count):
        here = np.uint64(s.device[first_op + op])
        targets = s.targets[first_op + op] & ~(_ONE << here)
        s.targets[first_op + op] = targets
        slot = first_slot + ((op << a.bits) | here)
        s.readers[slot] += np.int32(_ones(targets))
        s.held[slot] = a.output_bytes[op]
    for r in range(np.uint64(len(a.roots))):
        root = a.roots[r]
        _push(a, s, first_stream + np.uint64(s.device[first_op + root]), root, _ONE)
    return woken


@_inlined
def _choose(a: Any, s: Any, kind: Any, woken: Any) -> Any:
    """Lists the woken streams that are idle and have something queued; returns their number."""
    chosen = _ZERO
    for w in range(woken):
        stream = s.woken[kind, w]
        queued = _ZERO
        for top in range(a.top_words):
            queued |= s.tops[stream, top]
        starts = s.idle[stream] & np.uint64(queued != 0)
        s.idle[stream] ^= starts
        s.chosen[kind, chosen] = stream
        chosen += starts
    return chosen


@_inlined
def _run(
    s: Any, lane: Any, stream: Any, job: Any, slot: Any, place: Any, seconds: Any, peak: Any
) -> None:
    """Starts a job on a stream and allocates what it makes."""
    end = s.clock[lane] + seconds
    s.job[stream], s.job_end[stream] = job, end
    if len(s.start) > 0:
        s.start[slot], s.end[slot] = s.clock[lane], end
    s.memory[lane, place] += s.held[slot]
    row = s.row[lane]
    peak[row, place] = max(peak[row, place], s.memory[lane, place])


@_inlined
def _start_ops(a: Any, s: Any, chosen: Any, peak: Any) -> None:
    ops = np.uint64(len(a.groups) + 1)
    for c in range(chosen):
        stream = s.chosen[_DEVICES, c]
        lane = stream >> a.stream_bits
        here = stream - (lane << a.stream_bits)
        op = _pop(a, s, stream)
        slot = (op << a.bits) | here
        _run(s, lane, stream, op, ((lane * ops) << a.bits) + slot, here, a.compute_s[slot], peak)


@_inlined
def _start_transfers(a: Any, s: Any, chosen: Any, peak: Any) -> None:
    ops = np.uint64(len(a.groups) + 1)
    for c in range(chosen):
        stream = s.chosen[_CHANNELS, c]
        lane = stream >> a.stream_bits
        job = _pop(a, s, stream)
        op = job >> a.bits
        there = job - (op << a.bits)
        pair = (np.uint64(s.device[lane * ops + op]) << a.bits) | there
        slot = ((lane * ops) << a.bits) + job
        seconds = a.latency_s[pair] + s.held[slot] * a.seconds_per_byte[pair]
        _run(s, lane, stream, job, slot, there, seconds, peak)


@_inlined
def _advance(a: Any, s: Any, lane: Any, ops: Any, transfers: Any) -> Any:
    """Moves a lane to the next instant at which something ends; lists the streams that end then.

    Returns:
        The number of devices and of channels listed, for all lanes up to this one, and whether
        there was such an instant.
    """
    first, devices = lane << a.stream_bits, np.uint64(s.memory.shape[1])
    now = np.inf
    for chunk in range(first, first + (_ONE << a.stream_bits), _EIGHT):
        now = min(now, _least_of_eight(s.job_end, chunk))
    if now == np.inf:
        return ops, transfers, False
    s.clock[lane] = now
    for chunk in range(first, first + (_ONE << a.stream_bits), _EIGHT):
        ending = _equal_of_eight(s.job_end, chunk, now)
        while ending != 0:
            stream = chunk + _trailing_zeros(ending)
            ending &= ending - _ONE
            is_op = np.uint64(stream < first + devices)
            s.chosen[_DEVICES, ops] = stream
            s.chosen[_CHANNELS, transfers] = stream
            ops += is_op
            transfers += _ONE - is_op
    return ops, transfers, True


@_inlined
def _release(s: Any, slot: Any) -> Any:
    """One reader less; returns the bytes that the last one frees."""
    left = s.readers[slot] - 1
    s.readers[slot] = left
    return _if(left == 0, s.held[slot])


@_inlined
def _deliver(a: Any, s: Any, first_op: Any, op: Any, stream: Any, place: Any) -> None:
    """The output of an op is on a device; queues the consumers that now have everything."""
    for i in range(a.output_starts[op], a.output_starts[op + _ONE], _PAD):
        for k in range(_PAD):
            consumer = np.uint64(a.outputs[i + k])
            here = np.uint64(s.device[first_op + consumer]) == place
            left = s.missing[first_op + consumer] - here
            s.missing[first_op + consumer] = left
            _push(a, s, stream, consumer, np.uint64(here & (left == 0)))


@_inlined
def _end_ops(a: Any, s: Any, ended: Any) -> Any:
    """Ends the ops on the listed devices; returns how many devices and channels that wakes."""
    ops, channels = np.uint64(len(a.groups) + 1), _ZERO
    for c in range(ended):
        stream = s.chosen[_DEVICES, c]
        s.woken[_DEVICES, c] = stream
        s.idle[stream], s.job_end[stream] = 1, np.inf
        lane, op = stream >> a.stream_bits, s.job[stream]
        first_stream, first_op = lane << a.stream_bits, lane * ops
        here = stream - first_stream
        freed = np.int64(0)
        for i in range(a.input_starts[op], a.input_starts[op + _ONE], _PAD):
            for k in range(_PAD):
                producer = np.uint64(a.inputs[i + k])
                freed += _release(s, ((first_op + producer) << a.bits) | here)
        s.memory[lane, here] -= freed
        _deliver(a, s, first_op, op, stream, here)
        targets = s.targets[first_op + op]
        for r in range(a.route_starts[here], a.route_starts[here + _ONE]):
            channel = first_stream + a.routes[r]
            sent = targets & a.route_targets[r]
            _push(a, s, channel, op << a.bits, sent)
            s.woken[_CHANNELS, channels] = channel
            channels += np.uint64(sent != 0)
    return ended, channels


@_inlined
def _end_transfers(a: Any, s: Any, ended: Any, devices: Any, channels: Any) -> Any:
    """Ends the transfers on the listed channels; returns how many are woken by now."""
    ops = np.uint64(len(a.groups) + 1)
    for c in range(ended):
        stream = s.chosen[_CHANNELS, c]
        s.woken[_CHANNELS, channels] = stream
        channels += _ONE
        s.idle[stream], s.job_end[stream] = 1, np.inf
        lane, op = stream >> a.stream_bits, s.job[stream] >> a.bits
        first_stream, first_op = lane << a.stream_bits, lane * ops
        there = s.job[stream] - (op << a.bits)
        source = np.uint64(s.device[first_op + op])
        s.memory[lane, source] -= _release(s, ((first_op + op) << a.bits) | source)
        _deliver(a, s, first_op, op, first_stream + there, there)
        s.woken[_DEVICES, devices] = first_stream + there
        devices += _ONE
    return devices, channels


@_compiled
def evaluate(a: Any, s: Any, placements: Any, makespan: Any, peak: Any) -> None:
    """Simulates every placement, instant by instant, as many at a time as there are lanes.

    Args:
        a: :class:`hardware_sim.layout.Arrays`.
        s: :class:`hardware_sim.layout.Scratch`, unused or from another call.
        placements: int64 ``(B, G)``.
        makespan: float64 ``(B,)``, written.
        peak: int64 ``(B, D)``, written.
    """
    rows, lanes = np.uint64(len(placements)), np.uint64(len(s.lanes))
    row = active = devices = channels = _ZERO
    while row < rows or active > 0:
        while row < rows and active < lanes:
            devices = _begin(a, s, s.lanes[active], row, placements, peak, devices)
            row += _ONE
            active += _ONE
        _start_ops(a, s, _choose(a, s, _DEVICES, devices), peak)
        _start_transfers(a, s, _choose(a, s, _CHANNELS, channels), peak)
        ops = transfers = i = _ZERO
        while i < active:
            lane = s.lanes[i]
            ops, transfers, goes_on = _advance(a, s, lane, ops, transfers)
            if goes_on:
                i += _ONE
            else:
                makespan[s.row[lane]] = s.clock[lane]
                active -= _ONE
                s.lanes[i], s.lanes[active] = s.lanes[active], lane
        devices, channels = _end_ops(a, s, ops)
        devices, channels = _end_transfers(a, s, transfers, devices, channels)
