"""Measures kernels for the convolutions of a network, within a budget of time."""

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import torch

from hardware_sim.kernels import opponents
from hardware_sim.kernels.checking import verify
from hardware_sim.kernels.convolution import Problem
from hardware_sim.kernels.kernel import build
from hardware_sim.kernels.network_plan import Entry, Measurement, NetworkPlan
from hardware_sim.kernels.outcome import KernelError, Outcome
from hardware_sim.kernels.variant import Variant, candidates
from hardware_sim.machine import Machine
from hardware_sim.timing import clock_of, interleaved

PROMISE = (
    ("winograd", 4), ("winograd", 6), ("direct", 0), ("winograd", 2), ("im2col", 0),
    ("winograd", 3), ("fft", 16), ("mec", 0), ("winograd", 5), ("fft", 8), ("fft", 32),
)  # fmt: skip
"""Algorithms and sizes (largest tile of Winograd, span of FFT), the most often best first."""
CONFIRMING = 0.2
"""Share of the budget that is kept for measuring winners again."""
LONGER = 2.0
"""Times as long as the first measurement is the second one."""
NOWHERE = ("no compiler", "no cache")
"""Failures that every variant would share."""


def ranked(problem: Problem, machine: Machine, threads: int) -> list[Variant]:
    """The variants that apply, the most promising first.

    With several threads, transformed variants are also tried with the outputs divided among them,
    which pays off where there are few tiles.
    """
    every = candidates(problem, machine, threads=threads)
    found = sorted(every, key=lambda v: _rank(problem, v))
    if threads == 1:
        return found
    divided = [replace(each, splits=threads) if each.is_transformed else each for each in found]
    return list(dict.fromkeys(v for pair in zip(found, divided, strict=True) for v in pair))


def _rank(problem: Problem, variant: Variant) -> int:
    size = max(variant.tile, default=0)
    if variant.algorithm == "fft":
        size = max(m + r - 1 for m, r in zip(variant.tile, problem.kernel, strict=True))
    return PROMISE.index((variant.algorithm, size))


def checked(queue: Sequence[tuple[Entry, Variant]], machine: Machine) -> list[Outcome]:
    """Compiles and checks variants on all cores at once."""
    with ThreadPoolExecutor(machine.cores) as pool:
        return list(pool.map(lambda each: verify(each[0].problem, each[1], machine), queue))


def measure(
    problem: Problem, variant: Variant, machine: Machine, limit_s: float, outcome: Outcome
) -> Measurement:
    """Times a variant against PyTorch's best.

    Args:
        problem: A convolution.
        variant: A way to compute it.
        machine: This machine.
        limit_s: Seconds of timing.
        outcome: Of its check.
    """
    if not outcome:
        return Measurement(variant, outcome.status, outcome.detail, outcome.error)
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(problem.weight_shape, generator=generator)
    x = torch.randn(problem.input_shape, generator=generator)
    lines = opponents.channels_last(x)
    try:
        kernel = build(problem, variant, machine, weight)
    except KernelError as error:
        return Measurement(variant, error.outcome.status, error.outcome.detail)
    library = opponents.best(problem, weight)
    given = x if len(problem.size) == 1 else lines
    with torch.no_grad():
        times = interleaved(
            {"kernel": lambda: kernel(lines), "torch": lambda: library(given)},
            clock=clock_of(threads=variant.threads),
            limit_s=limit_s,
            yardstick="torch",
        )
    seconds = {name: timing.best for name, timing in times.items()}
    return Measurement(
        variant, "ok", outcome.detail, outcome.error, seconds["kernel"], seconds["torch"]
    )


def pending(plan: NetworkPlan) -> list[tuple[Entry, Variant]]:
    """Variants that are not measured yet, in the order to measure them.

    Every problem gets its most promising variant first, those with most work in the lead, so that
    whenever time is up, what matters most is known.
    """
    queue = []
    for entry in plan.entries.values():
        done = {each.variant for each in entry.measured}
        for rank, variant in enumerate(ranked(entry.problem, plan.machine, plan.threads)):
            if variant not in done:
                work = entry.problem.flops * max(1, len(entry.layers))
                queue.append((rank, -work, entry, variant))
    queue.sort(key=lambda each: each[:2])
    return [(entry, variant) for _, _, entry, variant in queue]


def unconfirmed(plan: NetworkPlan) -> list[Entry]:
    """Convolutions whose fastest kernel was measured but once, those with most work first."""
    found = [each for each in plan.entries.values() if each.best and not each.best.again]
    return sorted(found, key=lambda each: -each.problem.flops * max(1, len(each.layers)))


def confirm(entry: Entry, machine: Machine, limit_s: float) -> Measurement:
    """Measures the fastest kernel of an entry again, which may cost it its place."""
    best = entry.best
    assert best is not None
    (outcome,) = checked([(entry, best.variant)], machine)
    found = measure(entry.problem, best.variant, machine, limit_s, outcome)
    again = replace(found, again=True)
    entry.measured[entry.measured.index(best)] = again
    return again


def tune(
    plan: NetworkPlan,
    *,
    budget_s: float,
    limit_s: float = 0.3,
    report: Callable[[Entry, Measurement], object] = lambda entry, measurement: None,
    clock: Callable[[], float] = time.monotonic,
) -> Outcome:
    """Measures what a plan lacks, then winners again, until all is done or time is up.

    Args:
        plan: Gets the measurements; its machine is this one.
        budget_s: Seconds after which nothing new is begun; what is under way is finished, and every
            call measures something. The last part is kept for winners.
        limit_s: Seconds for timing one variant.
        report: Called after each measurement, when it is in the plan: to save it, and to show it.
        clock: In seconds.

    Returns:
        ``ok``, or ``no compiler`` or ``no cache``: then nothing can be measured here.
    """
    start, threads, machine = clock(), torch.get_num_threads(), plan.machine
    torch.set_num_threads(plan.threads)
    try:
        queue, cores = pending(plan), machine.cores
        for number, (entry, variant) in enumerate(queue):
            if clock() - start >= (1 - CONFIRMING) * budget_s and number:
                break
            if number % cores == 0:  # all cores compile and check; nothing does while one times
                outcomes = checked(queue[number : number + cores], machine)
            measurement = measure(
                entry.problem, variant, machine, limit_s, outcomes[number % cores]
            )
            if measurement.status in NOWHERE:
                return Outcome(measurement.status, measurement.detail)  # type: ignore[arg-type]
            entry.measured.append(measurement)
            report(entry, measurement)
        while (left := unconfirmed(plan)) and clock() - start < budget_s:
            report(left[0], confirm(left[0], machine, LONGER * limit_s))
    finally:
        torch.set_num_threads(threads)
    return Outcome("ok")


def plan_for(
    problems: Iterable[tuple[Problem, list[str]]], machine: Machine, threads: int = 1
) -> NetworkPlan:
    """A plan without measurements.

    Args:
        problems: Each distinct convolution, and the names of the layers that have it.
        machine: The processor to measure on.
        threads: Threads to measure with.
    """
    entries = {problem: Entry(problem, list(names)) for problem, names in problems}
    return NetworkPlan(machine, entries, threads)
