"""Runs a compiled kernel once, in a process of its own: ``python -m hardware_sim.kernels.trial``.

Nothing but NumPy is imported, so it starts fast, and what a broken kernel does stays here. Every
buffer lies between guard zones of NaN: a write outside changes them, and a read outside that
matters brings NaN into the result. Outputs and scratch memory begin as NaN too, so what is never
written, or read before, shows.
"""

import ctypes
import json
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

GUARD = 1024
"""Floats of a guard zone; without one, an address sanitizer sees the ends of the buffers."""
OUT_OF_BOUNDS = 3
"""Exit status when a guard zone has changed."""


class Guarded:
    """An array that begins at a cache line, between guard zones.

    Attributes:
        array: float32 ``(size,)``; begins as NaN.
    """

    def __init__(self, size: int, guard: int) -> None:
        memory = np.full(size + 2 * guard + (16 if guard else 0), np.nan, np.float32)
        start = guard + -(memory.ctypes.data // 4 + guard) % 16 if guard else 0
        self._memory, self._start = memory, start
        self.array: NDArray[np.float32] = memory[start : start + size]
        self._pattern = self._guards().copy()

    def _guards(self) -> NDArray[np.uint32]:
        end = self._start + len(self.array)
        words = self._memory.view(np.uint32)
        return np.concatenate([words[: self._start], words[end:]])

    def is_intact(self) -> bool:
        """Whether the guard zones are as they were."""
        return bool((self._guards() == self._pattern).all())


def main(folder: Path) -> int:
    """Runs what the folder describes, and writes the outputs into it."""
    job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    run = ctypes.CDLL(job["library"]).run
    run.argtypes = [ctypes.c_void_p] * 6
    arguments = np.array(job["arguments"], np.int64)
    for name in job["inputs"]:
        loaded = [np.load(folder / f"{part}.npy").ravel() for part in (name, "weight", "bias")]
        sizes = [each.size for each in loaded] + [job["outputs"], job["scratch"]]
        buffers = [Guarded(size, job["guard"]) for size in sizes]
        for buffer, values in zip(buffers, loaded, strict=False):
            buffer.array[:] = values
        run(*(each.array.ctypes.data for each in buffers), arguments.ctypes.data)
        same = all(
            np.array_equal(buffer.array.view(np.uint32), values.view(np.uint32))
            for buffer, values in zip(buffers, loaded, strict=False)
        )
        if not same or not all(buffer.is_intact() for buffer in buffers):
            return OUT_OF_BOUNDS
        np.save(folder / f"{name}-result.npy", buffers[3].array)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
