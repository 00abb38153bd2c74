"""Ways to compute a convolution: their parameters, when they apply, and the memory they take."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hardware_sim.errors import InputError, choose
from hardware_sim.kernels import gathered, microkernels
from hardware_sim.kernels.convolution import Problem
from hardware_sim.kernels.outcome import Outcome
from hardware_sim.kernels.transformed import Transform
from hardware_sim.machine import INSTRUCTION_SETS, InstructionSet, Machine

Algorithm = Literal["direct", "im2col", "mec", "winograd", "fft"]
ALGORITHMS: tuple[Algorithm, ...] = ("direct", "im2col", "mec", "winograd", "fft")
TOLERANCES = {1: 1e-5, 2: 1e-5, 3: 1e-5, 4: 1e-5, 5: 2e-5, 6: 5e-5, 7: 1e-4, 8: 1e-4}
"""Greatest error of Winograd over the greatest magnitude of the result, by span of a tile."""
FFT_SPANS = (8, 16, 32)
LEAST_PANELS = 4
"""Panels for whose products the transformed input is read once, even where they do not fit."""
FEW_TILES = 4
"""Register blocks of tiles that may be worked on all at once, to read large weights only once."""
LARGEST_SPAN = 1024
"""Most inputs of a tile; larger ones would not fit into the stack's cache lines."""


@dataclass(frozen=True)
class Variant:
    """One way to compute a convolution.

    Attributes:
        algorithm: ``direct``, ``im2col``, ``mec``, ``winograd`` or ``fft``.
        tile: Outputs of a tile in each dimension (Winograd and FFT; () for the others).
        block: Tiles (or output pixels) that are worked on at once; 0 fits them to the cache.
        panels: Panels of outputs, each two vectors wide, that are worked on at once (Winograd and
            FFT); 0 fits them to the cache.
        splits: Parts into which the outputs of a block of tiles are divided among threads; every
            part transforms the input anew (Winograd and FFT).
        threads: OpenMP threads.
        isa: ``avx512``, ``avx2``, ``neon`` or ``portable``; empty for the machine's widest.

    Raises:
        InputError: An attribute is none of those.
    """

    algorithm: Algorithm
    tile: tuple[int, ...] = ()
    block: int = 0
    panels: int = 0
    splits: int = 1
    threads: int = 1
    isa: str = ""

    def __post_init__(self) -> None:
        choose("algorithm", self.algorithm, ALGORITHMS)
        if self.isa:
            choose("instruction set", self.isa, [*INSTRUCTION_SETS])
        least = {"block": 0, "panels": 0, "splits": 1, "threads": 1}
        for name, low in least.items():
            value = getattr(self, name)
            if not isinstance(value, int) or not low <= value < 2**31:
                raise InputError(f"{name} is {value!r}; allowed are integers from {low} up")

    @property
    def is_transformed(self) -> bool:
        """True if it multiplies in a transformed domain."""
        return self.algorithm in ("winograd", "fft")


def applicable(problem: Problem, variant: Variant, machine: Machine) -> Outcome:
    """``ok`` if the variant computes the problem there, or ``masked`` with the reason."""
    reason = next(_reasons(problem, variant, machine), "")
    return Outcome("masked", reason) if reason else Outcome("ok")


def _reasons(problem: Problem, variant: Variant, machine: Machine) -> Iterator[str]:
    """Reasons why the variant does not apply."""
    isa = machine.isa(variant.isa)
    if isa not in machine.instruction_sets:
        yield f"{machine.processor} has no {isa.name}"
    if variant.threads > 4 * machine.cores:
        yield f"{variant.threads} threads are more than four times the {machine.cores} cores"
    if variant.is_transformed:
        yield from _reasons_of_transform(problem, variant)
    elif variant.algorithm == "mec" and len(problem.size) > 1 and problem.dilation[-2] != 1:
        yield "MEC needs neighbouring rows: a dilation of 1 in the last but one dimension"
    needed = 4 * Plan(problem, variant, machine).scratch_floats
    if machine.memory_bytes is not None and needed > machine.memory_bytes // 2:
        yield f"its {needed} bytes of scratch memory are more than half of the machine's"


def _reasons_of_transform(problem: Problem, variant: Variant) -> Iterator[str]:
    if set(problem.stride) != {1} or set(problem.dilation) != {1}:
        yield f"{variant.algorithm} needs stride 1 and dilation 1"
    if set(problem.kernel) == {1}:
        yield f"{variant.algorithm} gains nothing for a kernel of one pixel"
    if len(variant.tile) != len(problem.size) or min(variant.tile, default=0) < 1:
        yield f"tile {variant.tile} needs {len(problem.size)} positive sizes"
        return
    spans = [m + r - 1 for m, r in zip(variant.tile, problem.kernel, strict=True)]
    for span, taps in zip(spans, problem.kernel, strict=True):
        if taps == 1 and span > 1:
            yield "a dimension in which the kernel is one pixel needs tiles of one output"
        elif variant.algorithm == "winograd" and span not in TOLERANCES:
            yield f"a span of {span} pixels loses too many digits; allowed are {max(TOLERANCES)}"
        elif variant.algorithm == "fft" and taps > 1 and span not in FFT_SPANS:
            yield f"a tile that spans {span} pixels is none of {FFT_SPANS}"
    if math.prod(spans) > LARGEST_SPAN:
        yield f"a tile of {math.prod(spans)} inputs is larger than {LARGEST_SPAN}"


def tolerance(problem: Problem, variant: Variant) -> float:
    """Greatest error allowed, relative to the greatest magnitude of the float64 result."""
    if variant.algorithm != "winograd":
        return 1e-5
    spans = [m + r - 1 for m, r in zip(variant.tile, problem.kernel, strict=True)]
    if set(zip(variant.tile, problem.kernel, strict=True)) == {(2, 3)} and len(spans) == 2:
        return 2e-6
    return max(TOLERANCES[span] for span in spans)


def candidates(
    problem: Problem, machine: Machine, *, threads: int = 1, isa: str = ""
) -> tuple[Variant, ...]:
    """The variants that apply, with blocks that fit the cache, or with few tiles all at once.

    Args:
        problem: A convolution.
        machine: The processor to run on.
        threads: OpenMP threads.
        isa: Instruction set; empty for the machine's widest.
    """
    found = [Variant("direct"), Variant("im2col"), Variant("mec")]
    for m in (2, 3, 4, 5, 6):
        tile = tuple(m if r > 1 else 1 for r in problem.kernel)
        found.append(Variant("winograd", tile))
        if len(tile) == 3:
            flat = {4: (2,), 5: (2, 4), 6: (2, 4)}.get(m, ())
            found += [Variant("winograd", (min(n, tile[0]), *tile[1:])) for n in flat]
    for span in FFT_SPANS:
        tile = tuple(span - r + 1 if r > 1 else 1 for r in problem.kernel)
        found.append(Variant("fft", tile))
    found = [replace(each, threads=threads, isa=isa) for each in dict.fromkeys(found)]
    found = [each for each in found if applicable(problem, each, machine)]
    plans = [Plan(problem, each, machine) for each in found]
    return tuple(each for plan in plans for each in (plan.variant, *_at_once(plan)))


def _at_once(plan: "Plan") -> Iterator[Variant]:
    """The variant with all its tiles in one block, where they are few but would be cut."""
    variant = plan.variant
    if variant.algorithm == "winograd" and plan.block < plan.tiles <= FEW_TILES * plan.isa.rows:
        yield replace(variant, block=plan.tiles, panels=plan.panels_in_all)


@dataclass(frozen=True)
class Plan:
    """A variant fitted to a problem and a machine: three dimensions, blocks, sizes of memory.

    Attributes:
        problem: A convolution.
        variant: A way to compute it.
        machine: The processor to run on.
    """

    problem: Problem
    variant: Variant
    machine: Machine

    @property
    def isa(self) -> InstructionSet:
        """The instruction set."""
        return self.machine.isa(self.variant.isa)

    @property
    def channels(self) -> int:
        """Input channels of a group."""
        return self.problem.in_channels // self.problem.groups

    @property
    def outputs(self) -> int:
        """Output channels of a group."""
        return self.problem.out_channels // self.problem.groups

    @property
    def panels_in_all(self) -> int:
        """Panels of outputs of a group."""
        return -(-self.outputs // (2 * self.isa.width))

    def spread(self, values: tuple[int, ...], neutral: int) -> tuple[int, int, int]:
        """Sizes in three dimensions; leading ones are filled up with ``neutral``."""
        a, b, c = (neutral,) * (3 - len(values)) + values
        return a, b, c

    @cached_property
    def transform(self) -> Transform:
        """The transform of a transformed variant."""
        tile, kernel = self.spread(self.variant.tile, 1), self.spread(self.problem.kernel, 1)
        return Transform(self.variant.algorithm, tile, kernel)

    @property
    def tiles(self) -> int:
        """Tiles (or output pixels of one image) in all."""
        output = self.problem.output
        if not self.variant.is_transformed:
            return math.prod(output)
        cut = [-(-n // m) for n, m in zip(output, self.variant.tile, strict=True)]
        return self.problem.batch * math.prod(cut)

    @property
    def block(self) -> int:
        """Tiles (or output pixels) that are worked on at once.

        By default the transformed input of a block takes two fifths of the second-level cache, or
        the gathered input about half of it.
        """
        if self.variant.block:
            return min(self.variant.block, self.tiles)
        budget = self.machine.l2_bytes // 4 * 2 // 5
        if self.variant.is_transformed:
            depth = -(-self.channels // self.isa.width) * self.isa.width * self.transform.parts
            each = math.prod(self.transform.spectrum) * depth
            fit = max(budget // each, 2 * self.isa.rows)
        else:
            lowered = self.variant.algorithm != "direct"
            kernel = math.prod(self.problem.kernel) if lowered else math.prod(self.problem.stride)
            fit = max(budget // (kernel * self.channels), 4 * gathered.ROWS)
        even = -(-self.tiles // -(-self.tiles // fit))
        return max(1, min(self.tiles, even))

    @property
    def panels(self) -> int:
        """Panels of outputs that are worked on at once."""
        if self.variant.panels:
            return min(self.variant.panels, self.panels_in_all)
        if not self.variant.is_transformed:
            return 1
        each = math.prod(self.transform.spectrum) * self.transform.parts
        fit = self.machine.l2_bytes // 4 * 2 // 5 // (each * self.block * 2 * self.isa.width)
        return min(self.panels_in_all, max(LEAST_PANELS, fit))

    @property
    def scratch_floats(self) -> int:
        """Size of the scratch memory, in float32 numbers."""
        variant, problem = self.variant, self.problem
        if variant.is_transformed:
            return self.transform.scratch_floats(
                self.channels,
                self.outputs,
                self.block,
                self.panels,
                variant.threads,
                self.isa.width,
            )
        return gathered.scratch_floats(
            variant.algorithm,
            self.channels,
            problem.groups,
            self.spread(problem.size, 1),
            self.spread(problem.padding, 0),
            self.spread(problem.kernel, 1),
            self.spread(problem.output, 1),
        )

    def arguments(self, relu: bool = False) -> NDArray[np.int64]:
        """Arguments of the C function, int64, in the order of :data:`microkernels.FIELDS`.

        Args:
            relu: Whether the result is cut off below zero.
        """
        problem, variant = self.problem, self.variant
        values = {
            "batch": problem.batch,
            "channels": self.channels,
            "outputs": self.outputs,
            "groups": problem.groups,
            "threads": variant.threads,
            "block": self.block,
            "panels": self.panels,
            "splits": min(variant.splits, self.panels_in_all),
            "relu": int(relu),
            "mode": 0 if variant.is_transformed else gathered.MODES.index(variant.algorithm),
        }
        for name, sizes, neutral in (
            ("in", problem.size, 1),
            ("out", problem.output, 1),
            ("pad", problem.padding, 0),
            ("kernel", problem.kernel, 1),
            ("stride", problem.stride, 1),
            ("step", problem.dilation, 1),
        ):
            spread = self.spread(sizes, neutral)
            values |= {f"{name}{d}": size for d, size in enumerate(spread)}
        return np.array([values[name] for name in microkernels.FIELDS], np.int64)

    def source(self) -> str:
        """The kernel in C."""
        if self.variant.is_transformed:
            return self.transform.source(self.isa)
        return gathered.source(self.isa)

    def pack(self, weight: NDArray[np.floating]) -> NDArray[np.float32]:
        """Transforms and packs weights ``(K, C / groups, *kernel)``."""
        shape = (self.problem.groups, self.outputs, self.channels)
        wide = weight.astype(np.float64).reshape(*shape, *self.spread(self.problem.kernel, 1))
        if self.variant.is_transformed:
            return self.transform.weights(wide, self.isa.width)
        return gathered.weights(wide, self.isa.width)

    def pack_bias(self, bias: NDArray[np.floating] | None) -> NDArray[np.float32]:
        """Fills the bias ``(K,)`` of every group up to whole panels; None means zeros."""
        packed = np.zeros(
            (self.problem.groups, self.panels_in_all * 2 * self.isa.width), np.float32
        )
        if bias is not None:
            packed[:, : self.outputs] = bias.reshape(self.problem.groups, self.outputs)
        return packed
