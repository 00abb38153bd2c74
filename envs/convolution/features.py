"""Features of layers, machine and methods for tuners, as numbers of order one."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from envs.convolution.tables import WORK, Table
from hardware_sim.kernels.space import BLOCKS, METHODS, PANELS, WIDTHS
from hardware_sim.machine import Machine

LAYER_FEATURES = (
    "in_channels",
    "out_channels",
    "output 0",
    "output 1",
    "output 2",
    "kernel 0",
    "kernel 1",
    "kernel 2",
    "stride",
    "flops",
    "library rate",
)
"""Base-two logarithms, over ten; sizes of fewer dimensions are filled up with ones in front. The
last is oneDNN's rate in FLOP/s as a share of the machine's peak."""

MACHINE_FEATURES = ("L1", "L2", "L3", "vector", "peak")
"""Bytes of the caches, floats of a vector and greatest FLOP/s seen: logarithms over the shares that
they have on common machines."""

METHOD_FEATURES = (
    "offered",
    "products",
    "transforms",
    "weights in L2",
    "weights in L3",
    "weight traffic",
    "block in L2",
    "block traffic",
    "scratch in L3",
    "estimate",
)
"""Figures of each method by default: operations over those of the definition, bytes over the sizes
of caches, traffic over the bytes of input and output, and the roofline's log speed-up; logarithms,
zeros where a method is not offered."""

METHOD_RESULTS = ("best log speed-up", "tries / 4")
"""Results of a method's tries so far; they follow its features."""

CHOICES = (
    *(f"method {method.name}" for method in METHODS),
    *(f"block {ratio:g}" for ratio in BLOCKS),
    *(f"panels {panels}" for panels in PANELS),
    *(f"width {width}" for width in WIDTHS),
)
"""The choices of all dimensions, one after the other."""

HISTORY_FEATURES = (*CHOICES, "log speed-up", "a try")
PROGRESS_FEATURES = ("value kept", "share of the budget left", "a variant is kept")

LIMIT = 4.0
"""No feature is larger or smaller."""


def layer_features(table: Table, peak: float) -> NDArray[np.float32]:
    """:data:`LAYER_FEATURES` of a layer, float32 ``(11,)``.

    Args:
        table: The layer.
        peak: FLOP/s of the machine.
    """
    sizes = table.sizes
    output, kernel = ((1,) * (3 - len(sizes[key])) + tuple(sizes[key]) for key in _SPREAD)
    values = (sizes["in_channels"], sizes["out_channels"], *output, *kernel, max(sizes["stride"]))
    logs = [math.log2(value) / 10 for value in values]
    rate = sizes["flops"] / table.library_s / peak
    return np.array([*logs, math.log2(sizes["flops"]) / 40, rate], np.float32)


_SPREAD = ("output", "kernel")


def machine_features(machine: Machine, peak: float) -> NDArray[np.float32]:
    """:data:`MACHINE_FEATURES` of a machine with a peak in FLOP/s, float32 ``(5,)``."""
    common = (
        (machine.l1d_bytes, 2**15),
        (machine.l2_bytes, 2**20),
        (machine.l3_bytes, 2**25),
        (machine.isa().width, 8),
        (peak, 1e11),
    )
    return np.array([math.log2(value / usual) / 4 for value, usual in common], np.float32)


def method_features(table: Table, machine: Machine) -> NDArray[np.float32]:
    """:data:`METHOD_FEATURES` of a layer on the machine of its work, float32 ``(M, 10)``."""
    work = dict(zip(WORK, np.maximum(table.work, 1.0).T, strict=True))
    flops = table.sizes["flops"]
    pixels = math.prod(table.sizes["output"])
    ends = (
        4.0
        * pixels
        * (
            table.sizes["in_channels"] * math.prod(table.sizes["stride"])
            + table.sizes["out_channels"]
        )
    )
    columns = (
        work["products"] / flops,
        work["transforms"] / flops,
        work["weight_bytes"] / machine.l2_bytes,
        work["weight_bytes"] / machine.l3_bytes,
        work["weight_traffic"] / ends,
        work["block_bytes"] / machine.l2_bytes,
        work["block_traffic"] / ends,
        np.maximum(work["scratch_bytes"], 2.0**12) / machine.l3_bytes,
    )
    offered = table.masks[0]
    logs = [np.log2(column) / 4 for column in columns]
    estimate = np.log2(np.where(offered, table.estimate, 1.0))
    features = np.stack([offered, *logs, estimate], axis=1)
    return (features * offered[:, None]).clip(-LIMIT, LIMIT).astype(np.float32)


def peak_flops(tables: Sequence[Table]) -> float:
    """The greatest FLOP/s that oneDNN reaches on any of the layers: about the machine's peak."""
    return max(float(table.sizes["flops"]) / table.library_s for table in tables)
