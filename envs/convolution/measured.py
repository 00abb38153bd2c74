"""Variants compiled, checked and timed now, on this machine."""

from functools import lru_cache

from hardware_sim.kernels import space
from hardware_sim.kernels.layers import find
from hardware_sim.kernels.measuring import Bench, Measurement
from hardware_sim.machine import Machine

LIMIT_S = 0.4
"""Wall time of timing a variant, in seconds."""


@lru_cache(2)
def _bench(layer: str, machine: Machine) -> Bench:
    return Bench(find(layer).problem, machine, limit_s=LIMIT_S)


def measure(layer: str, choice: list[int], machine: Machine) -> Measurement:
    """Compiles, checks and times a choice on a layer; a failure is a value.

    Args:
        layer: Name of the layer.
        choice: Indices of method, block, panels and width, offered by the machine.
        machine: This machine.
    """
    bench = _bench(layer, machine)
    method, block, panels, width = choice
    return bench.one(space.variant(bench.problem, (method, block, panels, width), machine))
