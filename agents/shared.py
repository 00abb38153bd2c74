"""Observations in memory that two processes share, which is faster than to pickle their arrays."""

import mmap
import os
import tempfile
from typing import Any

import numpy as np
from numpy.typing import NDArray

ALIGNED = 64
FIRST_SIZE = 2**16

Layout = tuple[tuple[Any, str, tuple[int, ...]], ...]
"""Key, type and shape of each array; the key of an observation that is one array is None."""


def memory_file() -> int:
    """The descriptor of a file without a name, in memory where the system has such."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("gymworks")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def layout_of(observation: Any) -> Layout | None:
    """The layout of an array, or of a dictionary of arrays; None for anything else."""
    parts = observation if isinstance(observation, dict) else {None: observation}
    for part in parts.values():
        if type(part) is not np.ndarray or part.dtype.hasobject or part.dtype.names:
            return None
    return tuple((key, part.dtype.str, part.shape) for key, part in parts.items()) or None


class SharedArrays:
    """The arrays of one observation, laid out in shared memory.

    Args:
        descriptor: Of the memory's file, which grows as needed.
        layout: The arrays.
    """

    def __init__(self, descriptor: int, layout: Layout) -> None:
        self.layout = layout
        kinds = [(key, np.dtype(kind), shape) for key, kind, shape in layout]
        sizes = [kind.itemsize * int(np.prod(shape)) for _, kind, shape in kinds]
        ends = np.cumsum([-(-size // ALIGNED) * ALIGNED for size in sizes], dtype=np.int64)
        whole = max(FIRST_SIZE, *ends.tolist(), 0)
        if os.fstat(descriptor).st_size < whole:
            os.ftruncate(descriptor, whole)
        self._bytes = np.frombuffer(mmap.mmap(descriptor, whole), np.uint8)[: ends[-1]]
        starts = [0, *ends[:-1].tolist()]
        self._places = [(*kind, start) for kind, start in zip(kinds, starts, strict=True)]
        self._views = tuple(self._arrays(self._bytes).items())

    def put(self, observation: Any) -> bool:
        """Copies an observation into the memory; False if it is of another layout."""
        parts = observation if isinstance(observation, dict) else {None: observation}
        if len(parts) != len(self._views):
            return False
        for (key, view), (name, part) in zip(self._views, parts.items(), strict=True):
            if key != name or type(part) is not np.ndarray:
                return False
            if part.dtype != view.dtype or part.shape != view.shape:
                return False
            view[...] = part
        return True

    def get(self) -> Any:
        """The observation in the memory, as new arrays."""
        arrays = self._arrays(self._bytes.copy())
        return arrays[None] if self.layout[0][0] is None else arrays

    def _arrays(self, whole: NDArray[np.uint8]) -> dict[Any, NDArray[Any]]:
        return {
            key: np.ndarray(shape, kind, whole, start) for key, kind, shape, start in self._places
        }
