"""The space of variants that a tuner chooses from, as four small numbers that fit every layer.

A choice is ``(method, block, panels, width)``: which algorithm with which tile, by how much the
block of tiles differs from the one that fits the cache, how many panels of outputs are worked on at
once, and whether vectors are as wide as they can be. :func:`variant` makes a
:class:`~hardware_sim.kernels.variant.Variant` of it. Several choices may come to the same kernel,
as where a block cannot grow beyond the image. What fits the cache and how wide vectors are depends
on the machine.
"""

import math
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from hardware_sim.kernels.convolution import Problem
from hardware_sim.kernels.variant import Algorithm, Plan, Variant, applicable
from hardware_sim.machine import Machine

LARGEST_WEIGHTS = 2**28
"""Bytes of transformed weights beyond which a method is not offered."""


@dataclass(frozen=True)
class Method:
    """An algorithm and the size of its tiles.

    Attributes:
        name: A short name.
        algorithm: As of a variant.
        size: Outputs (Winograd) or inputs (FFT) of a tile in each dimension; 0 for no tiles.
        depth: Outputs of a tile in the first of three dimensions, at most; 0 for ``size``.
    """

    name: str
    algorithm: Algorithm
    size: int = 0
    depth: int = 0

    def tile(self, kernel: tuple[int, ...]) -> tuple[int, ...]:
        """Outputs of a tile in each dimension of a kernel; () for an algorithm without tiles."""
        if not self.size:
            return ()
        sizes = [self.size - r + 1 if self.algorithm == "fft" else self.size for r in kernel]
        tile = [m if r > 1 else 1 for m, r in zip(sizes, kernel, strict=True)]
        if self.depth:
            tile[0] = min(tile[0], self.depth)
        return tuple(tile)


METHODS = (
    Method("direct", "direct"),
    Method("im2col", "im2col"),
    Method("MEC", "mec"),
    *(Method(f"Winograd {m}", "winograd", m) for m in (2, 3, 4, 5, 6)),
    *(Method(f"Winograd 2x{m}", "winograd", m, 2) for m in (4, 6)),
    *(Method(f"FFT {n}", "fft", n) for n in (8, 16, 32)),
)
BLOCKS = (0.25, 0.5, 1.0, 2.0, 4.0)
"""Ratio of the block to the one that fits the second-level cache."""
PANELS = ("one", "fitting", "double", "all")
WIDTHS = ("widest", "narrower")

SIZES = (len(METHODS), len(BLOCKS), len(PANELS), len(WIDTHS))
"""Choices in each dimension."""
KNOBS = ("method", "block", "panels", "width")
Choice = tuple[int, int, int, int]
DEFAULT: Choice = (0, BLOCKS.index(1.0), PANELS.index("fitting"), 0)
"""The direct kernel as it is when nobody tunes it."""


def widths(machine: Machine) -> tuple[str, ...]:
    """Instruction sets of :data:`WIDTHS`; one only, where the machine has no narrower one."""
    widest, *others = machine.instruction_sets
    return (widest.name, *[each.name for each in others if each.width < widest.width][:1])


def variant(problem: Problem, choice: Choice, machine: Machine, threads: int = 1) -> Variant:
    """The variant that a choice means for a problem on a machine.

    Args:
        problem: A convolution.
        choice: Indices into :data:`METHODS`, :data:`BLOCKS`, :data:`PANELS`, :data:`WIDTHS`.
        machine: The processor to run on.
        threads: OpenMP threads.

    Raises:
        IndexError: An index is out of range.
    """
    method, block, panels, width = choice
    chosen = METHODS[method]
    isa = widths(machine)[width]
    fitted = Plan(
        problem,
        Variant(chosen.algorithm, chosen.tile(problem.kernel), threads=threads, isa=isa),
        machine,
    )
    blocked = replace(fitted.variant, block=max(1, round(BLOCKS[block] * fitted.block)))
    if not blocked.is_transformed:
        return blocked
    kept = Plan(problem, blocked, machine)
    counts = {
        "one": 1,
        "fitting": kept.panels,
        "double": 2 * kept.panels,
        "all": kept.panels_in_all,
    }
    return replace(blocked, panels=counts[PANELS[panels]])


def is_offered(problem: Problem, method: int, machine: Machine) -> bool:
    """True if a method is open for a problem on a machine.

    It must be applicable, its transformed weights must not exceed :data:`LARGEST_WEIGHTS`, and its
    tiles must not be so large that half of one would do for the whole image. In two dimensions
    tiles that are flat in the first of three are not offered.
    """
    chosen = METHODS[method]
    tile = chosen.tile(problem.kernel)
    if chosen.depth and (len(tile) < 3 or chosen.depth >= chosen.size or problem.kernel[0] == 1):
        return False
    if any(m > 1 and m >= 2 * n for m, n in zip(tile, problem.output, strict=bool(tile))):
        return False
    if not applicable(problem, Variant(chosen.algorithm, tile), machine):
        return False
    return weight_bytes(problem, method, machine) <= LARGEST_WEIGHTS


def weight_bytes(problem: Problem, method: int, machine: Machine) -> int:
    """Bytes of the weights as a machine's widest kernel of a method reads them."""
    chosen = METHODS[method]
    plan = Plan(problem, Variant(chosen.algorithm, chosen.tile(problem.kernel)), machine)
    if plan.variant.is_transformed:
        taps = math.prod(plan.transform.spectrum) * plan.transform.parts**2
    else:
        taps = math.prod(problem.kernel)
    return 4 * problem.groups * taps * plan.channels * plan.panels_in_all * 2 * plan.isa.width


def masks(problem: Problem, machine: Machine) -> list[NDArray[np.bool_]]:
    """The open choices in each dimension of the space on a machine; all their combinations are."""
    open_methods = [is_offered(problem, method, machine) for method in range(len(METHODS))]
    open_widths = [width < len(widths(machine)) for width in range(len(WIDTHS))]
    return [
        np.array(open_methods),
        np.ones(len(BLOCKS), np.bool_),
        np.ones(len(PANELS), np.bool_),
        np.array(open_widths),
    ]


def choices(problem: Problem, machine: Machine) -> dict[Variant, list[Choice]]:
    """The different variants of a problem on a machine, each with the choices that mean it."""
    found: dict[Variant, list[Choice]] = {}
    method, block, panels_of, width = (
        np.flatnonzero(mask).tolist() for mask in masks(problem, machine)
    )
    for choice in product(method, block, panels_of, width):
        made = variant(problem, choice, machine)
        plan = Plan(problem, made, machine)
        panels = plan.panels if made.is_transformed else 0
        found.setdefault(replace(made, block=plan.block, panels=panels), []).append(choice)
    return found


def label(choice: Choice) -> str:
    """A choice for people, such as ``"Winograd 4, block x2, fitting panels, widest vectors"``."""
    method, block, panels, width = choice
    text = f"{METHODS[method].name}, block x{BLOCKS[block]:g}"
    if METHODS[method].size:
        text += f", {PANELS[panels]} panel{'' if panels == 0 else 's'}"
    return f"{text}, {WIDTHS[width]} vectors"
