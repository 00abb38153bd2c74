"""Checks a compiled kernel against the float64 reference before it is used."""

import hashlib
import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hardware_sim.files import write_json
from hardware_sim.kernels import compiler, notes, reference, trial
from hardware_sim.kernels.convolution import Problem
from hardware_sim.kernels.outcome import KernelError, Outcome, ended
from hardware_sim.kernels.variant import Plan, Variant, applicable, tolerance
from hardware_sim.machine import Machine

LIMIT_S = 60.0
"""Longest check."""
CHECK = 2
"""Version of the check; what passed an older one is checked again."""


def verify(
    problem: Problem,
    variant: Variant,
    machine: Machine,
    *,
    compile_limit_s: float = compiler.LIMIT_S,
    limit_s: float = LIMIT_S,
) -> Outcome:
    """Compiles a variant and checks it on a problem; whatever goes wrong is a value.

    A kernel that has passed is remembered in the cache and not run again.

    Args:
        problem: A convolution.
        variant: A way to compute it.
        machine: The processor to run on; the check runs here.
        compile_limit_s: Longest compilation, in seconds.
        limit_s: Longest check, in seconds.
    """
    possible = applicable(problem, variant, machine)
    if not possible:
        return possible
    plan = Plan(problem, variant, machine)
    try:
        library = compiler.library(plan.source(), plan.isa.flags, limit_s=compile_limit_s)
    except KernelError as error:
        return error.outcome
    record = _record(library, plan)
    remembered = notes.read_note(record)
    if remembered is not None:
        return Outcome("ok", "checked before", remembered["error"])
    outcome = run_trial(library, plan, limit_s)
    if outcome:
        notes.write_note(record, {"error": outcome.error})
    return outcome


def _record(library: Path, plan: Plan) -> Path:
    """Path of the record that a library passed with these arguments."""
    allowed = tolerance(plan.problem, plan.variant)
    identity = json.dumps([CHECK, plan.arguments().tolist(), allowed])
    digest = hashlib.sha256(identity.encode()).hexdigest()[:16]
    return library.with_name(f"{library.stem}-{digest}.json")


def run_trial(
    library: Path,
    plan: Plan,
    limit_s: float = LIMIT_S,
    *,
    guard: int = trial.GUARD,
    environment: Mapping[str, str] | None = None,
) -> Outcome:
    """Runs a library in a child process, and judges it; see :func:`judged`.

    Args:
        library: Compiled from the plan's source.
        plan: Problem and variant.
        limit_s: Longest run, in seconds.
        guard: Floats of the guard zones around each buffer.
        environment: Variables of the child process besides this one's.
    """
    job = {
        "library": str(library),
        "arguments": plan.arguments().tolist(),
        "fused": plan.arguments(relu=True).tolist(),
        "inputs": [*INPUTS],
        "outputs": math.prod(plan.problem.output_shape),
        "scratch": plan.scratch_floats,
        "guard": guard,
    }

    def run(folder: Path) -> Outcome | None:
        write_json(folder / "job.json", job)
        return _run_child(folder, limit_s, environment or {})

    return judged(plan, run)


def judged(plan: Plan, run: Callable[[Path], Outcome | None]) -> Outcome:
    """Has a kernel run on random and on adversarial inputs, and compares with float64.

    Args:
        plan: Problem and variant.
        run: Runs the kernel on what a folder holds: ``random.npy`` and ``adverse.npy``, inputs;
            ``add.npy``; ``weight.npy`` and ``bias.npy``, packed. Images are in channels-last order.
            It leaves ``random-result.npy`` there, and ``random-fused.npy`` with the sum and ReLU,
            and the same for the other input; or it returns a failure.
    """
    problem = plan.problem
    random = np.random.default_rng(0)
    inputs = {name: make(problem, random) for name, make in INPUTS.items()}
    weight = random.standard_normal(problem.weight_shape, np.float32)
    bias = random.standard_normal(problem.out_channels, np.float32)
    add = random.standard_normal(problem.output_shape, np.float32)
    with tempfile.TemporaryDirectory(prefix="gymworks-kernel-") as name:
        folder = Path(name)
        for key, x in inputs.items():
            np.save(folder / f"{key}.npy", np.ascontiguousarray(np.moveaxis(x, 1, -1)))
        np.save(folder / "add.npy", np.ascontiguousarray(np.moveaxis(add, 1, -1)))
        np.save(folder / "weight.npy", plan.pack(weight))
        np.save(folder / "bias.npy", plan.pack_bias(bias))
        failure = run(folder)
        if failure is not None:
            return failure
        errors = []
        for key, x in inputs.items():
            exact = reference.convolve(problem, x, weight, bias)
            for kind, expected in (("result", exact), ("fused", np.maximum(exact + add, 0))):
                result = _channels_first(problem, np.load(folder / f"{key}-{kind}.npy"))
                errors.append(relative_error(result, expected))
    error = float(np.max(errors))  # which is NaN if one of them is, unlike Python's max
    allowed = tolerance(problem, plan.variant)
    if not error <= allowed:
        return Outcome("wrong", f"error {error:.2e}; allowed is {allowed:.0e}", error)
    return Outcome("ok", "", error)


def _random_input(problem: Problem, random: np.random.Generator) -> NDArray[np.float32]:
    return random.standard_normal(problem.input_shape, np.float32)


def _adverse_input(problem: Problem, random: np.random.Generator) -> NDArray[np.float32]:
    """A large mean, and alternating signs of large range: differences of tiles lose digits."""
    x = random.uniform(0.5, 1, problem.input_shape).astype(np.float32)
    signs = np.indices(problem.size).sum(axis=0) % 2 * 2 - 1
    x[:, ::2] *= signs.astype(np.float32)
    scale = 2.0 ** random.integers(-12, 1, (1, problem.in_channels, *(1,) * len(problem.size)))
    return np.asarray(x * scale, np.float32)


INPUTS = {"random": _random_input, "adverse": _adverse_input}
"""Makers of the inputs that a kernel is checked on, by name."""


def _channels_first(problem: Problem, flat: NDArray[np.float32]) -> NDArray[np.float32]:
    shape = (problem.batch, *problem.output, problem.out_channels)
    return np.moveaxis(flat.reshape(shape), -1, 1)


def relative_error(result: NDArray[np.floating], exact: NDArray[np.float64]) -> float:
    """Greatest difference over the greatest magnitude; NaN if the result has one."""
    scale = float(np.abs(exact).max()) or 1.0
    return float(np.abs(result - exact).max()) / scale


def _run_child(folder: Path, limit_s: float, environment: Mapping[str, str]) -> Outcome | None:
    """Runs the child process; a failure, or None if it ended well."""
    # Run as a file, alone: as a part of the package it would import PyTorch, which takes seconds.
    command = [sys.executable, "-P", trial.__file__, str(folder)]
    try:
        done = subprocess.run(
            command,
            cwd=Path(__file__).parents[2],
            env=os.environ | environment,
            capture_output=True,
            text=True,
            timeout=limit_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Outcome("hung", f"it did not end within {limit_s} s")
    if done.returncode == trial.OUT_OF_BOUNDS:
        return Outcome("out of bounds", "it wrote outside of its buffers")
    return ended(done.returncode, done.stderr) if done.returncode else None
