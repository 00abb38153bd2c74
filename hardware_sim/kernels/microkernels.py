"""C that all kernels share: portable vectors, arguments, and register blocks of a matrix product.

Vectors are GCC vector extensions, so one text serves AVX-512, AVX2, NEON and plain processors. A
register block holds ``rows`` x 2 vectors of the product in registers; each step multiplies one
number of every row by two vectors of a panel of weights.
"""

from collections.abc import Callable

from hardware_sim.machine import InstructionSet

FIELDS = (
    *(
        "batch",
        "channels",
        "outputs",
        "groups",
        "threads",
        "block",
        "panels",
        "splits",
        "mode",
        "relu",
    ),
    *(f"{name}{d}" for name in ("in", "out", "pad", "kernel", "stride", "step") for d in range(3)),
)
"""Arguments of a kernel: ``channels`` and ``outputs`` of one group; ``step`` is the dilation.
Problems of fewer than three dimensions have leading ones."""

_PRELUDE = """\
#include <stdint.h>
#include <string.h>
#ifdef _OPENMP
#include <omp.h>
#else
static int omp_get_thread_num(void) {{ return 0; }}
#endif

enum {{ V = {width}, N = 2 * V, ROWS = {rows} }};
typedef float vec __attribute__((vector_size({bytes}), aligned(4), may_alias));
typedef int32_t bits __attribute__((vector_size({bytes}), aligned(4), may_alias));

static inline vec load(const float *p) {{ return *(const vec *)p; }}
static inline void store(float *p, vec value) {{ *(vec *)p = value; }}
static inline int64_t least(int64_t a, int64_t b) {{ return a < b ? a : b; }}
static inline int64_t ceiling(int64_t a, int64_t b) {{ return (a + b - 1) / b; }}

/* Adds what `add` points to, if anything, and cuts off below zero; NaN stays NaN. */
static inline vec finish(vec value, const float *add, int64_t at, int64_t relu) {{
  if (add) value += load(add + at);
  return relu ? (vec)((bits)value & ~(value < 0)) : value;
}}

/* 1 if a sum of values times zero shows that one of them was no finite number. */
static inline int is_tainted(vec sum) {{
  for (int i = 0; i < V; i++)
    if (sum[i] != 0) return 1;
  return 0;
}}

/* Weights come from far away: those of a few steps later are fetched into the first cache, and what
   the next product needs into the second. */
enum {{ AHEAD = 64 }};
#define FETCH(p) \\
  do {{ for (int line = 0; line < N; line += 16) __builtin_prefetch((p) + line); }} while (0)
#define FETCH_FAR(p) __builtin_prefetch(p, 0, 2)

#define ARGUMENTS {arguments}
"""


def prelude(isa: InstructionSet, rows: int) -> str:
    """Includes, vectors and the macro ``ARGUMENTS``, which names what ``g`` points to."""
    arguments = ", ".join(f"{name} = g[{i}]" for i, name in enumerate(FIELDS))
    return _PRELUDE.format(
        width=isa.width,
        rows=rows,
        bytes=4 * isa.width,
        arguments=f"const int64_t {arguments};",
    )


def dispatch(emit: Callable[[int], str], rows: int) -> str:
    """The functions for 1 to ``rows`` rows, and the table ``block_of`` of them."""
    names = ", ".join(f"block_{r}" for r in range(1, rows + 1))
    functions = "\n".join(emit(r) for r in range(1, rows + 1))
    return f"{functions}\nstatic block_type *const block_of[] = {{0, {names}}};\n"


def packed_block(rows: int) -> str:
    """A register block on data that lies in blocks of ``V`` channels, ``V`` floats a row.

    Block ``i`` of channels is ``step`` floats behind block ``i - 1``; the result has rows of ``N``.
    Each step also fetches what is needed ``soon``, and goes on by ``pace`` floats there.
    """
    return "\n".join(
        [
            f"static void block_{rows}(const float *a, int64_t step, const float *b,",
            "                    int64_t blocks, float *c, const float *soon, int64_t pace) {",
            *_zeros(rows, "(vec){0}", "(vec){0}"),
            "  for (int64_t k = 0; k < blocks; k++, a += step)",
            "    for (int i = 0; i < V; i++, b += N, soon += pace) {",
            "      FETCH_FAR(soon);",
            *_multiply(rows, [f"a[{r} * V + i]" for r in range(rows)]),
            "    }",
            *(
                f"  store(c + {r} * N, c{r}_0); store(c + {r} * N + V, c{r}_1);"
                for r in range(rows)
            ),
            "}",
        ]
    )


def gathered_block(rows: int) -> str:
    """A register block on rows that are made of runs of ``length`` floats at common offsets."""
    return "\n".join(
        [
            f"static void block_{rows}(const float *const *rows, const int64_t *offsets,",
            "    int64_t runs, int64_t length, const float *b, const float *bias,",
            "    float *const *y, const float *const *add, int64_t relu, int64_t columns) {",
            *(f"  const float *const p{r} = rows[{r}];" for r in range(rows)),
            *_zeros(rows, "load(bias)", "load(bias + V)"),
            "  for (int64_t k = 0; k < runs; k++)",
            "    for (int64_t i = offsets[k]; i < offsets[k] + length; i++, b += N) {",
            *_multiply(rows, [f"p{r}[i]" for r in range(rows)]),
            "    }",
            "  if (columns >= N) {",
            *(
                f"    store(y[{r}], finish(c{r}_0, add[{r}], 0, relu));"
                f" store(y[{r}] + V, finish(c{r}_1, add[{r}], V, relu));"
                for r in range(rows)
            ),
            "    return;",
            "  }",
            "  float part[N], more[N] = {0};",
            *(
                f"  if (add[{r}]) memcpy(more, add[{r}], columns * sizeof(float));"
                f" store(part, finish(c{r}_0, more, 0, relu));"
                f" store(part + V, finish(c{r}_1, more, V, relu));"
                f" memcpy(y[{r}], part, columns * sizeof(float));"
                for r in range(rows)
            ),
            "}",
        ]
    )


def _zeros(rows: int, first: str, second: str) -> list[str]:
    return [f"  vec c{r}_0 = {first}, c{r}_1 = {second};" for r in range(rows)]


def _multiply(rows: int, factors: list[str]) -> list[str]:
    return [
        "      const vec b0 = load(b), b1 = load(b + V);",
        "      FETCH(b + AHEAD * N);",
        *(f"      c{r}_0 += {factors[r]} * b0; c{r}_1 += {factors[r]} * b1;" for r in range(rows)),
    ]
