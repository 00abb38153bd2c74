"""Kernels that multiply gathered inputs by weights: direct, im2col and MEC.

All three run one register block on rows that are made of runs of consecutive floats, and differ in
where the runs lie:

* *direct*: in the input itself (a copy with zeros around it, if there is padding), one run for each
  line of the kernel, or for each of its pixels if those are not neighbours in memory;
* *im2col*: in a matrix with one line of ``k_h k_w C`` floats for each output pixel;
* *MEC* (Cho and Brand 2017, arXiv 1706.06873): in a compact matrix ``L[o_w][i_h][k_w C]``, of which
  the lines of neighbouring output rows overlap.

Input and output are channels-last. Matrices are made image by image and group by group.
"""

import math

import numpy as np
from numpy.typing import NDArray

from hardware_sim.kernels import microkernels
from hardware_sim.machine import InstructionSet

MODES = ("direct", "im2col", "mec")
"""The algorithms; their numbers are the argument ``mode``."""
ROWS = 12
"""Most rows of a register block: a processor must hold an address for each of them."""


def source(isa: InstructionSet) -> str:
    """The kernel in C; one text serves all algorithms and sizes."""
    rows = min(isa.rows, ROWS)
    modes = ", ".join(mode.upper() for mode in MODES)
    return "\n".join(
        [
            microkernels.prelude(isa, rows),
            f"enum {{ {modes} }};",
            "typedef void block_type(const float *const *, const int64_t *, int64_t, int64_t,",
            "                        const float *, const float *, float *const *,",
            "                        const float *const *, int64_t, int64_t);",
            microkernels.dispatch(microkernels.gathered_block, rows),
            _DRIVER,
        ]
    )


def weights(weight: NDArray[np.float64], width: int) -> NDArray[np.float32]:
    """Packs weights.

    Args:
        weight: ``(G, K, C, k0, k1, k2)``, ``K`` and ``C`` of a group.
        width: Floats in a vector.

    Returns:
        float32 ``(G, panels, k0 * k1 * k2 * C, 2 * width)``; outputs are filled up with zeros.
    """
    groups, outputs, channels = weight.shape[:3]
    panel = 2 * width
    panels, depth = -(-outputs // panel), channels * math.prod(weight.shape[3:])
    packed = np.zeros((groups, panels * panel, depth), np.float32)
    packed[:, :outputs] = weight.transpose(0, 1, 3, 4, 5, 2).reshape(groups, outputs, depth)
    return np.ascontiguousarray(packed.reshape(groups, panels, panel, depth).transpose(0, 1, 3, 2))


def scratch_floats(
    algorithm: str,
    channels: int,
    groups: int,
    size: tuple[int, ...],
    padding: tuple[int, ...],
    kernel: tuple[int, ...],
    output: tuple[int, ...],
) -> int:
    """Size of the scratch memory: the lowered matrix, or the padded input; three dimensions each.

    For two dimensions without groups this is ``o_h o_w k_h k_w C`` for im2col and ``o_w i_h k_w C``
    for MEC, ``i_h`` with padding (Cho and Brand 2017, equations 2 and 3).
    """
    padded = [n + 2 * p for n, p in zip(size, padding, strict=True)]
    if algorithm == "im2col":
        return math.prod(output) * math.prod(kernel) * channels
    if algorithm == "mec":
        return output[2] * padded[0] * padded[1] * kernel[2] * channels
    return math.prod(padded) * channels * groups if any(padding) else 0


_DRIVER = """
/* One line of the kernel over the input: kernel2 pixels of one group from `line`, or zeros. */
static inline void lower(float *to, const float *line, int64_t at, int64_t pixels, int64_t step,
                         int64_t width, int64_t pixel, int64_t channels) {
  if (!line) {
    memset(to, 0, pixels * channels * sizeof(float));
  } else if (step == 1 && pixel == channels && at >= 0 && at + pixels <= width) {
    memcpy(to, line + at * pixel, pixels * channels * sizeof(float));
  } else {
    for (int64_t k = 0; k < pixels; k++, to += channels) {
      const int64_t w = at + k * step;
      if (w < 0 || w >= width) memset(to, 0, channels * sizeof(float));
      else memcpy(to, line + w * pixel, channels * sizeof(float));
    }
  }
}

int run(const float *x, const float *u, const float *bias, float *y, float *scratch,
        const int64_t *g, const float *add) {
  ARGUMENTS
  const int64_t line0 = in0 + 2 * pad0, line1 = in1 + 2 * pad1, line2 = in2 + 2 * pad2;
  const int64_t in_pixel = channels * groups, out_pixel = outputs * groups;
  const int64_t pixels = out0 * out1 * out2, down = ceiling(outputs, N);
  const int64_t items = ceiling(pixels, block);
  const int64_t depth = kernel0 * kernel1 * kernel2 * channels, span = kernel2 * channels;
  const int padded = pad0 || pad1 || pad2, whole = groups == 1 && step2 == 1;
  const int64_t runs = mode == IM2COL ? 1 : mode == MEC ? kernel0
                     : kernel0 * kernel1 * (whole ? 1 : kernel2);
  const int64_t length = depth / runs;
  /* Lines of neighbouring output rows overlap in MEC's matrix; those that do not fit into the
     first-level cache are taken in that order. */
  const int along = mode == MEC && depth * ROWS > 4096;
  const int64_t inner = along ? out1 : out2;
  int64_t offsets[runs];
  for (int64_t r = 0; r < runs; r++) {
    const int64_t across = whole ? 1 : kernel2, k2 = r % across, k1 = r / across % kernel1;
    const int64_t k0 = r / across / kernel1;
    offsets[r] = mode == IM2COL ? 0 : mode == MEC ? r * step0 * line1 * span
               : ((k0 * step0 * line1 + k1 * step1) * line2 + k2 * step2) * in_pixel;
  }
#pragma omp parallel num_threads(threads)
  for (int64_t image = 0; image < batch; image++)
  for (int64_t group = 0; group < groups; group++) {
    const float *const from = x + image * in0 * in1 * in2 * in_pixel;
    const float *base = padded ? scratch : from;
    if (mode == IM2COL) {
      base = scratch;
#pragma omp for
      for (int64_t o = 0; o < pixels; o++) {
        const int64_t o2 = o % out2, o1 = o / out2 % out1, o0 = o / (out2 * out1);
        float *to = scratch + o * depth;
        for (int64_t k0 = 0; k0 < kernel0; k0++)
        for (int64_t k1 = 0; k1 < kernel1; k1++, to += span) {
          const int64_t i0 = o0 * stride0 - pad0 + k0 * step0;
          const int64_t i1 = o1 * stride1 - pad1 + k1 * step1;
          const int inside = i0 >= 0 && i0 < in0 && i1 >= 0 && i1 < in1;
          lower(to, inside ? from + (i0 * in1 + i1) * in2 * in_pixel + group * channels : 0,
                o2 * stride2 - pad2, kernel2, step2, in2, in_pixel, channels);
        }
      }
    } else if (mode == MEC) {
      base = scratch;
#pragma omp for
      for (int64_t o2 = 0; o2 < out2; o2++) {
        float *to = scratch + o2 * line0 * line1 * span;
        for (int64_t i0 = -pad0; i0 < in0 + pad0; i0++)
        for (int64_t i1 = -pad1; i1 < in1 + pad1; i1++, to += span) {
          const int inside = i0 >= 0 && i0 < in0 && i1 >= 0 && i1 < in1;
          lower(to, inside ? from + (i0 * in1 + i1) * in2 * in_pixel + group * channels : 0,
                o2 * stride2 - pad2, kernel2, step2, in2, in_pixel, channels);
        }
      }
    } else if (padded && group == 0) {
#pragma omp for
      for (int64_t i = 0; i < line0 * line1; i++) {
        const int64_t i0 = i / line1 - pad0, i1 = i % line1 - pad1, edge = pad2 * in_pixel;
        float *to = scratch + i * line2 * in_pixel;
        if (i0 < 0 || i0 >= in0 || i1 < 0 || i1 >= in1) {
          memset(to, 0, line2 * in_pixel * sizeof(float));
          continue;
        }
        memset(to, 0, edge * sizeof(float));
        memcpy(to + edge, from + (i0 * in1 + i1) * in2 * in_pixel, in2 * in_pixel * sizeof(float));
        memset(to + edge + in2 * in_pixel, 0, edge * sizeof(float));
      }
    }

#pragma omp for collapse(2) schedule(static)
    for (int64_t item = 0; item < items; item++)
    for (int64_t q = 0; q < down; q++) {
      const int64_t first = item * block, count = least(block, pixels - first);
      const int64_t cuts = ceiling(count, ROWS);
      int64_t o = first % inner, n = first / inner % (along ? out0 : out1);
      int64_t m = first / inner / (along ? out0 : out1);
      for (int64_t i = 0; i < cuts; i++) {
        const int64_t some = count * (i + 1) / cuts - count * i / cuts;
        const float *rows[ROWS];
        const float *more[ROWS];
        float *sink[ROWS];
        for (int64_t r = 0; r < some; r++) {
          const int64_t o0 = along ? n : m, o1 = along ? o : n, o2 = along ? m : o;
          const int64_t pixel = (o0 * out1 + o1) * out2 + o2;
          sink[r] = y + (image * pixels + pixel) * out_pixel + group * outputs + q * N;
          more[r] = add ? add + (sink[r] - y) : 0;
          rows[r] = mode == IM2COL ? base + pixel * depth
                  : mode == MEC ? base + ((o2 * line0 + o0 * stride0) * line1 + o1 * stride1) * span
                  : base + ((o0 * stride0 * line1 + o1 * stride1) * line2 + o2 * stride2) * in_pixel
                         + group * channels;
          if (++o < inner) continue;
          o = 0;
          if (++n < (along ? out0 : out1)) continue;
          n = 0;
          m++;
        }
        block_of[some](rows, offsets, runs, length, u + (group * down + q) * depth * N,
                       bias + (group * down + q) * N, sink, more, relu, outputs - q * N);
      }
    }
  }
  return 0;
}
"""
