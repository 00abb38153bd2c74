"""Commands for tuning convolution kernels."""

VERBS = {
    "tune": (
        "experiments.convolution.tune:command",
        "Find the fastest kernel for each convolution of a network on this machine.",
    ),
}
"""Verbs of the command line; see :mod:`experiments.verbs`."""
