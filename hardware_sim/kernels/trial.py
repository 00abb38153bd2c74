"""Runs a compiled kernel once, in a process of its own: ``python trial.py FOLDER``.

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
        self._kept: NDArray[np.uint32] | None = None
        self._pattern = self._guards().copy()

    @property
    def address(self) -> int:
        """Address of the array's first byte."""
        return self.array.ctypes.data

    def fill(self, values: NDArray[np.float32]) -> None:
        """Fills the array with values that must not change."""
        self.array[:] = values
        self._kept = values.view(np.uint32)

    def _guards(self) -> NDArray[np.uint32]:
        end = self._start + len(self.array)
        words = self._memory.view(np.uint32)
        return np.concatenate([words[: self._start], words[end:]])

    def is_intact(self) -> bool:
        """True if the guard zones, and what the array was filled with, are as they were."""
        same = self._kept is None or np.array_equal(self.array.view(np.uint32), self._kept)
        return bool(same and (self._guards() == self._pattern).all())


def _filled(folder: Path, name: str, guard: int) -> Guarded:
    """A buffer with what a file holds."""
    values = np.load(folder / f"{name}.npy").ravel()
    buffer = Guarded(values.size, guard)
    buffer.fill(values)
    return buffer


def main(folder: Path) -> int:
    """Runs what the folder describes, and writes the outputs into it."""
    job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    run = ctypes.CDLL(job["library"]).run
    run.argtypes = [ctypes.c_void_p] * 7
    plain, fused = (np.array(job[key], np.int64) for key in ("arguments", "fused"))
    given = {part: _filled(folder, part, job["guard"]) for part in ("weight", "bias", "add")}
    for name in job["inputs"]:
        for kind, arguments in (("result", plain), ("fused", fused)):
            x = _filled(folder, name, job["guard"])
            y, scratch = (Guarded(job[key], job["guard"]) for key in ("outputs", "scratch"))
            weight, bias, add = (buffer.address for buffer in given.values())
            run(x.address, weight, bias, y.address, scratch.address, arguments.ctypes.data,
                add if kind == "fused" else None)  # fmt: skip
            if not all(buffer.is_intact() for buffer in (x, *given.values(), y, scratch)):
                return OUT_OF_BOUNDS
            np.save(folder / f"{name}-{kind}.npy", y.array)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
