"""Runs kernels under the address sanitizer: ``python -m experiments.convolution.kernel_sanitize``.

Each kernel is compiled with ``-fsanitize=address`` and run in a child process whose buffers have no
guard zones, so that a read or a write one float outside of them ends it with a report.
"""

import subprocess

import typer

from experiments.options import printer
from hardware_sim.commands import run
from hardware_sim.host import this_machine
from hardware_sim.kernels import Plan, Problem, Variant, candidates, compiler
from hardware_sim.kernels.checking import run_trial
from hardware_sim.kernels.outcome import Outcome
from hardware_sim.machine import Machine

FLAGS = ("-fsanitize=address", "-g")
LIMIT_S = 300.0

PROBLEMS = (
    Problem(17, 35, (29,), (3,), padding=(1,)),
    Problem(16, 32, (13, 17), (3,), padding=(1,), batch=2),
    Problem(5, 33, (14, 11), (3,)),
    Problem(6, 10, (15, 20), (5, 3), groups=2, padding=(2,)),
    Problem(6, 8, (15, 20), (3,), groups=2, dilation=(1, 2), stride=(2,), padding=(2,)),
    Problem(3, 40, (31, 29), (11,), stride=(4,)),
    Problem(9, 17, (5, 9, 8), (3,), padding=(1,)),
)
"""Sizes that fill neither vectors nor panels nor tiles."""


def sanitized(problem: Problem, variant: Variant, machine: Machine, preload: str) -> Outcome:
    """Checks one kernel with the sanitizer's library loaded first."""
    plan = Plan(problem, variant, machine)
    library = compiler.library(plan.source(), plan.isa.flags + FLAGS)
    environment = {"LD_PRELOAD": preload, "ASAN_OPTIONS": "detect_leaks=0"}
    return run_trial(library, plan, LIMIT_S, guard=0, environment=environment)


def sanitizer_library() -> str:
    """Path of the sanitizer's run-time library, as the compiler names it."""
    command = [compiler.compiler_path(), "-print-file-name=libasan.so"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def main() -> None:
    """Prints one line for each kernel; the exit status is 1 if one of them failed."""
    console, machine = printer(soft_wrap=False), this_machine()
    preload = sanitizer_library()
    failures = 0
    for problem in PROBLEMS:
        for variant in candidates(problem, machine, threads=2):
            outcome = sanitized(problem, variant, machine, preload)
            failures += not outcome
            name = f"{variant.algorithm} {variant.tile or ''}"
            console.print(f"{outcome.status:14} {name:20} {problem.size} {problem.kernel}")
            if not outcome:
                console.print(outcome.detail, markup=False)
    console.print(f"{failures} failures")
    raise typer.Exit(code=int(failures > 0))


if __name__ == "__main__":
    run(main)
