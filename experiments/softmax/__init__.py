"""Commands for the adaptive softmax."""

VERBS = {
    "softmax": (
        "experiments.softmax.cut:command",
        "Measure this machine and show where to cut a vocabulary, and what that gains.",
    ),
}
"""Verbs of the command line; see :mod:`experiments.verbs`."""
