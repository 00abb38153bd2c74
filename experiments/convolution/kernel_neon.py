"""Runs NEON kernels on an emulated processor: ``python -m experiments.convolution.kernel_neon``.

Each kind of kernel is cross-compiled for 64-bit ARM into a small program, which QEMU runs; its
results are compared with the float64 definition as anywhere else. The buffers end at pages that
cannot be touched. It needs two Debian packages: ``gcc-aarch64-linux-gnu`` and ``qemu-user``.
Nothing is timed: an emulator's times mean nothing.
"""

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import typer

from experiments.convolution.kernel_sanitize import PROBLEMS
from experiments.options import printer
from hardware_sim.commands import run
from hardware_sim.errors import InputError
from hardware_sim.host import this_machine
from hardware_sim.kernels import Plan, Problem, Variant, candidates, compiler
from hardware_sim.kernels.checking import INPUTS, judged
from hardware_sim.kernels.outcome import Outcome
from hardware_sim.machine import Machine

COMPILER = "aarch64-linux-gnu-gcc"
EMULATOR = "qemu-aarch64"
LIMIT_S = 300.0

MAIN = """
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { X, WEIGHT, BIAS, ADD, OUTPUTS, SCRATCH, FUSED, HEAD };

int run(const float *x, const float *u, const float *bias, float *y, float *scratch,
        const int64_t *g, const float *add);

/* NaN up to a page that cannot be touched. */
static float *numbers(int64_t size) {
  const int64_t page = sysconf(_SC_PAGESIZE), bytes = size * sizeof(float);
  const int64_t whole = (bytes + page - 1) / page * page;
  char *memory = mmap(0, whole + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED || mprotect(memory + whole, page, PROT_NONE)) return 0;
  float *first = (float *)(memory + whole - bytes);
  for (int64_t i = 0; i < size; i++) first[i] = NAN;
  return first;
}

/* Arguments: files of head and arguments (int64), input, weight, bias, add; and of the result. */
int main(int count, char **files) {
  int64_t g[64];
  FILE *file = count == 7 ? fopen(files[1], "rb") : 0;
  if (!file || fread(g, sizeof *g, 64, file) <= HEAD) return 2;
  fclose(file);
  float *buffers[HEAD];
  for (int i = X; i < FUSED; i++) {
    if (!(buffers[i] = numbers(g[i]))) return 2;
    if (i >= OUTPUTS) continue;
    file = fopen(files[2 + i], "rb");
    if (!file || fread(buffers[i], sizeof(float), g[i], file) != (size_t)g[i]) return 2;
    fclose(file);
  }
  run(buffers[X], buffers[WEIGHT], buffers[BIAS], buffers[OUTPUTS], buffers[SCRATCH], g + HEAD,
      g[FUSED] ? buffers[ADD] : 0);
  file = fopen(files[6], "wb");
  if (!file || fwrite(buffers[OUTPUTS], sizeof(float), g[OUTPUTS], file) != (size_t)g[OUTPUTS])
    return 2;
  return fclose(file) ? 2 : 0;
}
"""


def emulated(
    problem: Problem,
    variant: Variant,
    machine: Machine,
    cross: str = COMPILER,
    emulator: Sequence[str] = (EMULATOR,),
) -> Outcome:
    """Cross-compiles a kernel and runs it under an emulator.

    Args:
        problem: A convolution.
        variant: A way to compute it.
        machine: The processor that is emulated.
        cross: The compiler.
        emulator: The command that runs the program; () runs it on this processor.
    """
    plan = Plan(problem, variant, machine)
    with tempfile.TemporaryDirectory(prefix="gymworks-emulated-") as name:
        program = Path(name, "program")
        sources = {"kernel.c": plan.source(), "main.c": MAIN}
        for file, text in sources.items():
            Path(name, file).write_text(text, encoding="utf-8")
        flags = [each for each in compiler.FLAGS if each != "-shared"]
        made = subprocess.run(
            [cross, *flags, "-static", *sources, "-o", str(program), "-lm"],
            cwd=name, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if made.returncode:
            return Outcome("compile failed", made.stderr[:2000])
        return judged(plan, lambda folder: _run(plan, [*emulator, str(program)], folder))


def _run(plan: Plan, program: list[str], folder: Path) -> Outcome | None:
    """Runs the program; a failure, or None if it ended well."""
    for name in ("weight", "bias", "add", *INPUTS):
        np.load(folder / f"{name}.npy").tofile(folder / name)
    for name in INPUTS:
        for kind in ("result", "fused"):
            parts = [folder / part for part in (name, "weight", "bias", "add")]
            floats = [part.stat().st_size // 4 for part in parts]
            outputs = int(np.prod(plan.problem.output_shape))
            head = [*floats, outputs, plan.scratch_floats, kind == "fused"]
            arguments = plan.arguments(relu=kind == "fused")
            np.array([*head, *arguments], np.int64).tofile(folder / "job")
            done = subprocess.run(
                [*program, folder / "job", *parts, folder / kind],
                capture_output=True, text=True, check=False, timeout=LIMIT_S,
            )  # fmt: skip
            if done.returncode:
                return Outcome("crashed", f"status {done.returncode}: {done.stderr[:2000]}")
            np.save(folder / f"{name}-{kind}.npy", np.fromfile(folder / kind, np.float32))
    return None


def main() -> None:
    """Prints one line for each kernel; the exit status is 1 if one of them failed."""
    for program, package in ((COMPILER, "gcc-aarch64-linux-gnu"), (EMULATOR, "qemu-user")):
        if shutil.which(program) is None:
            raise InputError(f"{program} is missing; apt-get install {package}")
    console = printer(soft_wrap=False)
    machine = replace(this_machine(), instruction_set="neon")
    failures = 0
    for problem in PROBLEMS:
        for variant in candidates(problem, machine, threads=2):
            outcome = emulated(problem, variant, machine)
            failures += not outcome
            name = f"{variant.algorithm} {variant.tile or ''}"
            error = "" if outcome.error is None else f"{outcome.error:.1e}"
            console.print(f"{outcome.status:14} {name:20} {problem.size} {problem.kernel} {error}")
            if not outcome:
                console.print(outcome.detail, markup=False)
    console.print(f"{failures} failures")
    raise typer.Exit(code=int(failures > 0))


if __name__ == "__main__":
    run(main)
