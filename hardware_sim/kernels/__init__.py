"""Real convolution kernels: C generated from Python, compiled on this machine, checked and timed.

In short::

    machine = hardware_sim.host.this_machine()
    problem = Problem(64, 64, (56, 56), (3, 3), padding=(1, 1))
    for variant in candidates(problem, machine):     # direct, im2col, MEC, Winograd, FFT
        outcome = verify(problem, variant, machine)  # compiles and checks; a failure is a value
        if outcome:
            kernel = build(problem, variant, machine, weight, bias)
            y = kernel(x)                            # tensors in channels-last memory

What fits a cache and how wide vectors are comes from the machine that is passed, so that plans and
estimates for another processor can be made anywhere; compiling and running happen here.

Input and output are channels-last (as oneDNN prefers them) and are neither copied nor re-ordered;
weights are transformed and packed once, in :func:`build`. :mod:`hardware_sim.kernels.opponents`
has PyTorch's own convolutions, and :func:`interleaved` times one against the other.

:mod:`hardware_sim.kernels.tuning` chooses the kernels of a network, and
:mod:`hardware_sim.kernels.accelerate` runs it with them.

Compiled libraries are kept in ``GYMWORKS_KERNEL_CACHE`` (else the user's cache folder); ``CC``
names the compiler.
"""

from hardware_sim.kernels.checking import verify
from hardware_sim.kernels.convolution import Problem
from hardware_sim.kernels.kernel import Kernel, build
from hardware_sim.kernels.outcome import KernelError, Outcome
from hardware_sim.kernels.variant import Plan, Variant, applicable, candidates
from hardware_sim.timing import Timing, interleaved

__all__ = [
    "Kernel",
    "KernelError",
    "Outcome",
    "Plan",
    "Problem",
    "Timing",
    "Variant",
    "applicable",
    "build",
    "candidates",
    "interleaved",
    "verify",
]
