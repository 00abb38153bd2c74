"""The trial of nests with code that misbehaves in place of what some nests compile to."""

import ctypes
import sys

from envs.loops import trial
from envs.loops.compiled import Kernel
from envs.loops.nest import Kind, Nest


class BrokenKernel(Kernel):
    """Crashes if vectorised, hangs if unrolled, raises if swapped, is wrong if it accumulates."""

    def __init__(self, nest: Nest) -> None:
        super().__init__(nest)
        kinds = {loop.kind for loop in nest.loops}
        if Kind.VECTORISED in kinds:
            self.run = lambda: ctypes.string_at(0)  # reads address 0
        elif Kind.UNROLLED in kinds:
            self.run = ctypes.CDLL(None).pause
        elif nest.loops[0].dim:
            self.run = lambda: {}["swapped"]
        elif nest.block >= 0:
            self.run = lambda: self.output.fill(1)


if __name__ == "__main__":
    trial.Kernel = BrokenKernel
    trial.main(int(sys.argv[1]))
