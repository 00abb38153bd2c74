"""Estimates a variant's time from its operations and the bytes that it moves between caches.

After the roofline (Williams, Waterman and Patterson 2009; for convolutions Zlateski, Jia, Li and
Durand 2018, arXiv 1809.07851), but times of arithmetic and of traffic are added, as they overlap
little in kernels that wait for their cache. Caches and vectors are those of a machine that is
given; rates are rough, those of a core of a Zen 4 server. What matters is the order of variants;
how well it agrees with measurements is printed by ``python -m experiments.convolution.model``.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hardware_sim.kernels import space
from hardware_sim.kernels.convolution import Problem
from hardware_sim.kernels.variant import Plan, Variant
from hardware_sim.machine import Machine

PEAK = 1.2e11
"""Floating-point operations a second; wide vectors are executed in halves."""
TRANSFORMED = 6.4e10
"""Operations of transforms a second."""
BANDWIDTH = (2.4e11, 6e10, 2e10)
"""Bytes a second from the second and third level of cache and from memory."""
LIBRARY_EFFICIENCY = 0.95
"""Share of the peak that oneDNN reaches where a layer has enough channels."""
CALL_S = 5e-6
"""Seconds of a call without any work."""


@dataclass(frozen=True)
class Work:
    """Operations and bytes of a variant on a problem.

    Attributes:
        products: Floating-point operations of its matrix products, padding included.
        transforms: Of its transforms, or of gathering (an operation a float).
        weight_bytes: Packed weights.
        weight_traffic: Bytes of weights that are read in all.
        block_bytes: Bytes that a block keeps in cache while weights stream by.
        block_traffic: Bytes of it that are read again and again.
        scratch_bytes: Scratch memory.
    """

    products: float
    transforms: float
    weight_bytes: float
    weight_traffic: float
    block_bytes: float
    block_traffic: float
    scratch_bytes: float


def work(problem: Problem, variant: Variant, machine: Machine) -> Work:
    """Counts the operations and bytes of a variant, as it is fitted to a machine."""
    plan = Plan(problem, variant, machine)
    width, items = plan.isa.width, -(-plan.tiles // plan.block)
    if variant.is_transformed:
        return _transformed(plan, width, items)
    images = problem.batch * problem.groups
    taps = math.prod(problem.kernel)
    depth, panel = taps * plan.channels, 2 * width
    weights = 4.0 * problem.groups * depth * plan.panels_in_all * panel
    lowered = variant.algorithm != "direct"
    fresh = depth if variant.algorithm == "im2col" else plan.channels * math.prod(problem.stride)
    if variant.algorithm == "mec":
        fresh = plan.channels * problem.kernel[-1] * math.prod(problem.stride[:-1])
    scratch = 4.0 * plan.scratch_floats
    return Work(
        products=2.0 * images * plan.tiles * depth * plan.panels_in_all * panel,
        transforms=scratch / 4 * images if lowered else scratch / 4 * problem.batch,
        weight_bytes=weights,
        weight_traffic=weights * problem.batch * items,
        block_bytes=4.0 * plan.block * fresh,
        block_traffic=4.0 * images * plan.tiles * fresh * plan.panels_in_all,
        scratch_bytes=scratch,
    )


def _transformed(plan: Plan, width: int, items: int) -> Work:
    problem, transform = plan.problem, plan.transform
    positions, parts = math.prod(transform.spectrum), transform.parts
    depth = -(-plan.channels // width) * width
    outputs = plan.panels_in_all * 2 * width
    weights = 4.0 * problem.groups * positions * parts**2 * depth * outputs
    tiles = plan.tiles * problem.groups
    # A separable transform of n points a dimension, each of about log2(n) (FFT) or n operations.
    effort = sum(n if transform.kind == "winograd" else 2.5 * math.log2(n) for n in transform.span)
    points = math.prod(transform.span) * effort
    return Work(
        products=2.0 * tiles * positions * parts**2 * depth * outputs,
        transforms=float(tiles) * points * (depth + outputs),
        weight_bytes=weights,
        weight_traffic=weights * items,
        block_bytes=4.0 * plan.block * positions * parts * (depth + plan.panels * 2 * width),
        block_traffic=4.0
        * tiles
        * positions
        * parts
        * (depth * plan.panels_in_all + 2 * outputs + depth),
        scratch_bytes=4.0 * plan.scratch_floats,
    )


def seconds(problem: Problem, variant: Variant, machine: Machine) -> float:
    """The estimated time of a call, on one thread of a machine."""
    done = work(problem, variant, machine)
    moved = done.weight_traffic / _bandwidth(done.weight_bytes, machine)
    moved += done.block_traffic / _bandwidth(done.block_bytes, machine)
    ends = 4.0 * (math.prod(problem.input_shape) + math.prod(problem.output_shape)) / BANDWIDTH[1]
    return CALL_S + done.products / PEAK + moved + done.transforms / TRANSFORMED + ends


def library_s(problem: Problem) -> float:
    """The estimated time of oneDNN's direct convolution, on one thread."""
    # A first layer's few channels fill no vector; its weights are short, and its output long.
    filled = min(1.0, problem.in_channels / problem.groups / 4)
    ends = 4.0 * math.prod(problem.output_shape) / BANDWIDTH[1]
    return CALL_S + problem.flops / (PEAK * LIBRARY_EFFICIENCY * filled) + ends


def _bandwidth(held: float, machine: Machine) -> float:
    """Bytes a second of reading so many bytes over and over."""
    if held <= machine.l2_bytes:
        return BANDWIDTH[0]
    return BANDWIDTH[1] if held <= machine.l3_bytes else BANDWIDTH[2]


def by_default(problem: Problem, method: int, machine: Machine) -> tuple[Work, float]:
    """Work of a method of the space as it is by default, and its estimated speed-up over oneDNN."""
    usual = space.variant(problem, (method, *space.DEFAULT[1:]), machine)
    speedup = library_s(problem) / seconds(problem, usual, machine)
    return work(problem, usual, machine), speedup


def predict(problem: Problem, machine: Machine) -> NDArray[np.float64]:
    """Estimated log speed-ups over oneDNN on a machine.

    Returns:
        float64, of every choice of :data:`space.SIZES`; NaN where closed.
    """
    library, found = library_s(problem), np.full(space.SIZES, np.nan)
    for variant, choices in space.choices(problem, machine).items():
        estimate = math.log(library / seconds(problem, variant, machine))
        for choice in choices:
            found[choice] = estimate
    return found
