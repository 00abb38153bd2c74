"""Symbols to bytes and back, by a range coder and tables of probabilities.

The symbols come in runs, all of whose distributions are known before the first is read. Of a run,
those of narrow distributions come first, then those of wide ones, then the low bits of these, then
those that lie outside their tables.
"""

from typing import Any

import constriction
import numpy as np
from numpy.typing import NDArray

from envs.codec.tables import FIRST_WIDE, FRACTION, NARROW, WIDE, table, widths
from hardware_sim.errors import InputError

_CATEGORICAL = constriction.stream.model.Categorical(perfect=False)
_UNIFORM = constriction.stream.model.Uniform()
_LENGTHS = 24
"""Bits that the distance of a symbol from its table can have, at most."""

Integers = NDArray[np.int64]


class _Run:
    """Base, table and raw bits of each symbol of a run, from its distributions."""

    def __init__(self, mean: Integers, index: Integers) -> None:
        self.base = mean // FRACTION
        fraction = mean - self.base * FRACTION
        wide = index >= FIRST_WIDE
        self.bits = widths(index)
        self.entries = np.where(wide, WIDE, NARROW)
        self.parts = [
            (where, table(kind)[index[where] - FIRST_WIDE * kind, fraction[where]])
            for kind, where in ((False, np.flatnonzero(~wide)), (True, np.flatnonzero(wide)))
        ]

    def start(self, entry: Integers) -> Integers:
        """The least symbol of each entry, less the base."""
        found: Integers = (entry + 1 - self.entries // 2) << self.bits
        return found


class Writer:
    """Collects runs of symbols."""

    def __init__(self) -> None:
        self._coder = constriction.stream.queue.RangeEncoder()

    def write(self, symbols: Integers, mean: Integers, index: Integers) -> None:
        """Adds a run.

        Args:
            symbols: Symbols ``(N,)``.
            mean: Means of their distributions, in sixteenths.
            index: Indices of their deviations.

        Raises:
            InputError: A symbol is millions of steps from its mean.
        """
        run = _Run(mean, index)
        value = symbols - run.base
        entry = np.clip((value >> run.bits) - 1 + run.entries // 2, 0, run.entries - 1)
        for where, probabilities in run.parts:
            self._put(entry[where], _CATEGORICAL, probabilities)
        outside = (entry == 0) | (entry == run.entries - 1)
        low = np.flatnonzero((run.bits > 0) & ~outside)
        self._put((value - run.start(entry))[low], _UNIFORM, 1 << run.bits[low])
        far = np.flatnonzero(outside)
        last = run.start(np.ones_like(entry))[far] - 1
        above = value[far] - run.start(entry)[far]
        self._put_far(np.where(entry[far] == 0, last - value[far], above))

    def _put_far(self, distance: Integers) -> None:
        if distance.size and distance.max() >= 2 ** (_LENGTHS - 1):
            raise InputError("a latent value lies too far from its prediction to be coded")
        length = np.frexp((distance + 1).astype(np.float64))[1].astype(np.int64)
        self._put(length, _UNIFORM, np.full(len(length), _LENGTHS + 1))
        long = length > 1
        whole = 1 << (length[long] - 1)
        self._put(distance[long] + 1 - whole, _UNIFORM, whole)

    def _put(self, values: Integers, model: Any, parameters: NDArray[Any]) -> None:
        if len(values):
            if model is _UNIFORM:
                parameters = parameters.astype(np.int32)
            self._coder.encode(values.astype(np.int32), model, parameters)

    def bytes(self) -> bytes:
        """All runs."""
        data: bytes = self._coder.get_compressed().astype("<u4").tobytes()
        return data


class Reader:
    """Gives back the runs of a :class:`Writer`.

    Args:
        data: Its bytes.

    Raises:
        InputError: Their number is no multiple of 4.
    """

    def __init__(self, data: bytes) -> None:
        if len(data) % 4:
            raise InputError(f"coded symbols come in words of 4 bytes, not {len(data)} bytes")
        words = np.frombuffer(data, "<u4").astype(np.uint32)
        self._coder = constriction.stream.queue.RangeDecoder(words)

    def read(self, mean: Integers, index: Integers) -> Integers:
        """The next run's symbols ``(N,)``, given the same distributions as when it was written.

        Raises:
            InputError: These are not the bytes of such a run.
        """
        run = _Run(mean, index)
        entry = np.zeros(len(mean), np.int64)
        for where, probabilities in run.parts:
            entry[where] = self._get(_CATEGORICAL, probabilities)
        value = run.start(entry)
        outside = (entry == 0) | (entry == run.entries - 1)
        low = np.flatnonzero((run.bits > 0) & ~outside)
        value[low] += self._get(_UNIFORM, 1 << run.bits[low])
        far = np.flatnonzero(outside)
        distance = self._get_far(len(far))
        last = run.start(np.ones_like(entry))[far] - 1
        value[far] = np.where(entry[far] == 0, last - distance, value[far] + distance)
        return value + run.base

    def _get_far(self, count: int) -> Integers:
        length = self._get(_UNIFORM, np.full(count, _LENGTHS + 1))
        distance = np.zeros(count, np.int64)
        long = length > 1
        whole = 1 << (length[long] - 1)
        distance[long] = whole - 1 + self._get(_UNIFORM, whole)
        return distance

    def _get(self, model: Any, parameters: NDArray[Any]) -> Integers:
        if not len(parameters):
            return np.zeros(0, np.int64)
        if model is _UNIFORM:
            parameters = parameters.astype(np.int32)
        try:
            found: Integers = self._coder.decode(model, parameters).astype(np.int64)
        except (AssertionError, ValueError) as error:
            raise InputError("the coded symbols are damaged") from error
        return found
