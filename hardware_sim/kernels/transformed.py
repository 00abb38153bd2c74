"""Kernels that multiply in a transformed domain, Winograd's or Fourier's, in 1 to 3 dimensions.

The output is cut into tiles, and the tiles into blocks. For each block, the input under its tiles
is transformed into ``V[position][channel block][tile]``; for each position of the transform, ``V``
is multiplied by the transformed weights; the products ``M[position][panel][tile]`` are transformed
back (Budden et al. 2017, arXiv 1611.06565; Lavin and Gray 2015, arXiv 1509.09308). A block is
chosen so that ``V`` and ``M`` stay in the second-level cache, into which the weights of the next
product are fetched during the present one. Tiles that reach over the edge read a vector of zeros
and write into a sink, so there is one path for all.

Input and output are channels-last; a spectrum's real and imaginary parts are twice the channels.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hardware_sim.kernels import microkernels
from hardware_sim.kernels.cook_toom import filtering
from hardware_sim.kernels.straightline import fourier, linear
from hardware_sim.kernels.transformed_loops import DRIVER
from hardware_sim.machine import InstructionSet


@dataclass(frozen=True)
class Transform:
    """A transform of tiles in three dimensions.

    Attributes:
        kind: ``winograd`` or ``fft``.
        tile: Outputs in each dimension.
        kernel: Taps in each dimension.
    """

    kind: str
    tile: tuple[int, int, int]
    kernel: tuple[int, int, int]

    @property
    def span(self) -> tuple[int, ...]:
        """Inputs of a tile in each dimension."""
        return tuple(m + r - 1 for m, r in zip(self.tile, self.kernel, strict=True))

    @property
    def spectrum(self) -> tuple[int, ...]:
        """Positions of the transform in each dimension."""
        if self.kind == "winograd":
            return self.span
        return (*self.span[:2], self.span[2] // 2 + 1)

    @property
    def parts(self) -> int:
        """Numbers at each position: 1, or 2 for a real and an imaginary part."""
        return 1 if self.kind == "winograd" else 2

    @property
    def axes(self) -> list[int]:
        """The dimensions that are transformed, the last first."""
        return [d for d in (2, 1, 0) if self.span[d] > 1]

    def source(self, isa: InstructionSet) -> str:
        """The kernel in C."""
        sizes = {
            **{f"TILE{d}": m for d, m in enumerate(self.tile)},
            **{f"SPAN{d}": n for d, n in enumerate(self.span)},
            "TILE": math.prod(self.tile),
            "SPAN": math.prod(self.span),
            "POSITIONS": math.prod(self.spectrum),
            "PARTS": self.parts,
        }
        constants = ", ".join(f"{name} = {value}" for name, value in sizes.items())
        return "\n".join(
            [
                microkernels.prelude(isa, isa.rows),
                f"enum {{ {constants} }};",
                "typedef void block_type(const float *, int64_t, const float *, int64_t, float *,",
                "                        const float *, int64_t);",
                microkernels.dispatch(microkernels.packed_block, isa.rows),
                *self._functions(),
                *self._input_tile(),
                *self._output_tile(),
                DRIVER,
            ]
        )

    def _functions(self) -> list[str]:
        if self.kind == "winograd":
            found = {d: filtering(self.tile[d], self.kernel[d]) for d in self.axes}
            return [
                text
                for d, matrices in found.items()
                for text in (
                    linear(f"data_{d}", matrices.data),
                    linear(f"inverse_{d}", matrices.inverse),
                )
            ]
        return [
            fourier(
                f"{'inverse' if inverse else 'data'}_{d}",
                self.span[d],
                inverse=inverse,
                real_in=d == self.axes[0],
                outputs=self.tile[d] if inverse else self.spectrum[d],
            )
            for d in self.axes
            for inverse in (False, True)
        ]

    def _input_tile(self) -> list[str]:
        """C of a function that transforms ``V`` channels of one tile.

        Position ``p`` goes to ``v + p * step``, its imaginary part ``turn`` further (in vectors).
        """
        n, stack = self.span, _Grid("t", "1", self.span)
        sizes = list(n)
        body = []
        for d in self.axes:
            last = d == self.axes[-1]
            where = _Grid("v", "step", self.spectrum, "turn") if last else stack
            body += _loops(sizes, d)
            if d == self.axes[0]:
                body += [
                    f"    vec d[{n[d]}];",
                    f"    for (int j = 0; j < {n[d]}; j++)",
                    f"      d[j] = load(source[{_place(n, d)} + j * {_stride(n, d)}] + at);",
                ]
                arguments = self._arguments("d", "d", "1", where, d)
            else:
                arguments = self._arguments(stack.at(d), stack.at(d, 1), stack.stride(d), where, d)
            body += [f"    data_{d}({arguments});", "  }"]
            sizes[d] = self.spectrum[d]
        return [
            "static void input_tile(const float *const *source, int64_t at, vec *v, int64_t step,",
            "                       int64_t turn) {",
            *self._arrays(),
            *body,
            "}",
        ]

    def _output_tile(self) -> list[str]:
        """C of a function that transforms ``V`` outputs of one tile back, and finishes them."""
        stack = _Grid("t", "1", self.span)
        sizes = list(self.spectrum)
        body = []
        for d in reversed(self.axes):
            first, last = d == self.axes[-1], d == self.axes[0]
            old = _Grid("m", "step", self.spectrum, "turn") if first else stack
            body += _loops(sizes, d)
            if last:
                arguments = self._arguments(old.at(d), old.at(d, 1), old.stride(d), None, d)
                body += [
                    f"    vec o[{self.tile[d]}];",
                    f"    inverse_{d}({arguments});",
                    f"    for (int j = 0; j < {self.tile[d]}; j++) {{",
                    "      const vec value = o[j] + bias;",
                    f"      const int64_t i = {_place(self.tile, d)}",
                    f"                        + j * {_stride(self.tile, d)};",
                    "      store(sink[i] + at, finish(value, add ? add[i] : 0, at, relu));",
                    "      tainted += value * 0;",
                    "    }",
                    "  }",
                ]
            else:
                arguments = self._arguments(old.at(d), old.at(d, 1), old.stride(d), stack, d)
                body += [f"    inverse_{d}({arguments});", "  }"]
            sizes[d] = self.tile[d]
        return [
            "static vec output_tile(const vec *m, int64_t step, int64_t turn, vec bias,",
            "                       float *const *sink, const float *const *add, int64_t at,",
            "                       int64_t relu) {",
            "  vec tainted = {0};",
            *self._arrays(),
            *body,
            "  return tainted;",
            "}",
        ]

    def _arrays(self) -> list[str]:
        most = math.prod(self.span)
        return [f"  vec t[{self.parts}][{most}] __attribute__((aligned(64)));"]

    def _arguments(
        self, real: str, imaginary: str, stride: str, where: "_Grid | None", axis: int
    ) -> str:
        """Arguments of a transform of lines along ``axis`` into a grid, or into the array ``o``."""
        at, imaginary_at, to = "o", "0", "1"
        if where:
            at, imaginary_at, to = where.at(axis), where.at(axis, 1), where.stride(axis)
        if self.kind == "winograd":
            return f"{real}, {stride}, {at}, {to}"
        return f"{real}, {imaginary}, {stride}, {at}, {imaginary_at}, {to}"

    def weights(self, weight: NDArray[np.float64], width: int) -> NDArray[np.float32]:
        """Transforms weights in float64 and packs them.

        Args:
            weight: ``(G, K, C, k0, k1, k2)``, ``K`` and ``C`` of a group.
            width: Floats in a vector.

        Returns:
            float32 ``(G, panels, positions, parts, rows, 2 * width)``, where a panel has ``2 *
            width`` outputs and the rows are the channels of every part, filled up with zeros.
        """
        groups, outputs, channels = weight.shape[:3]
        panel, rows = 2 * width, -(-channels // width) * width
        panels = -(-outputs // panel)
        real, imaginary = self._matrices()
        blocks = [[real]] if self.parts == 1 else [[real, -imaginary], [imaginary, real]]
        size = (groups, panels, len(real), self.parts, self.parts, rows, panel)
        packed = np.zeros(size, np.float32)
        taps = np.ascontiguousarray(
            weight.reshape(groups, outputs, channels, -1).transpose(0, 3, 2, 1)
        )
        for to, line in enumerate(blocks):
            for part, matrix in enumerate(line):
                wide = matrix @ taps.reshape(groups, len(taps[0]), -1)
                wide = wide.reshape(groups, len(real), channels, outputs)
                for q in range(panels):
                    some = wide[..., q * panel : (q + 1) * panel]
                    packed[:, q, :, to, part, :channels, : some.shape[-1]] = some
        return packed.reshape(*size[:4], self.parts * rows, panel)

    def _matrices(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Maps from weights to the spectrum: real and imaginary part, ``(positions, taps)``."""
        if self.kind == "winograd":
            g0, g1, g2 = (
                np.array(filtering(m, r).kernel, np.float64)
                for m, r in zip(self.tile, self.kernel, strict=True)
            )
            real = np.einsum("ax,by,dz->abdxyz", g0, g1, g2)
            real = real.reshape(math.prod(self.spectrum), -1)
            return real, np.zeros_like(real)
        each = np.eye(math.prod(self.kernel)).reshape(-1, *self.kernel)
        spectra = np.fft.rfftn(each, self.span, axes=(1, 2, 3)).reshape(len(each), -1).T
        wide = np.conj(spectra) / math.prod(self.span)
        return np.ascontiguousarray(wide.real), np.ascontiguousarray(wide.imag)

    def scratch_floats(
        self, channels: int, outputs: int, block: int, panels: int, threads: int, width: int
    ) -> int:
        """Size of the scratch memory; the C text divides it in the same way."""
        blocks, positions = -(-channels // width), math.prod(self.spectrum)
        v = positions * (self.parts * blocks * block + 1) * width
        m = positions * (self.parts * panels * block * 2 + 1) * width
        sink = -(-outputs // (2 * width)) * 2 * width
        return blocks * width + threads * (v + m + sink)


@dataclass(frozen=True)
class _Grid:
    """Place of an array of positions: name, distance of positions, sizes, distance of parts."""

    name: str
    step: str
    sizes: tuple[int, ...]
    turn: str = ""

    def at(self, axis: int, part: int = 0) -> str:
        """Address of the first position of a line along an axis."""
        base = f"{self.name}[{part}]" if self.name == "t" else self.name
        turn = f" + {self.turn}" if self.turn and part else ""
        return f"{base} + ({_place(self.sizes, axis)}) * {self.step}{turn}"

    def stride(self, axis: int) -> str:
        """Distance of neighbours along an axis."""
        return f"{_stride(self.sizes, axis)} * {self.step}"


def _stride(sizes: Sequence[int], axis: int) -> int:
    return math.prod(sizes[axis + 1 :])


def _place(sizes: Sequence[int], axis: int) -> str:
    return " + ".join(f"i{d} * {_stride(sizes, d)}" for d in range(3) if d != axis)


def _loops(sizes: Sequence[int], axis: int) -> list[str]:
    """Heads of loops over all lines along an axis."""
    a, b = (d for d in range(3) if d != axis)
    return [
        f"  for (int i{a} = 0; i{a} < {sizes[a]}; i{a}++)",
        f"  for (int i{b} = 0; i{b} < {sizes[b]}; i{b}++) {{",
    ]
