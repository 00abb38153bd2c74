"""What a person runs of tuning convolution kernels."""

VERBS = {
    "tune": (
        "experiments.convolution.tune:command",
        "Finds the fastest kernel for each convolution of a network on this machine.",
    ),
}
"""Verbs of the command line; see :mod:`experiments.verbs`."""
