"""What a person runs of the adaptive softmax."""

VERBS = {
    "softmax": (
        "experiments.softmax.cut:command",
        "Measures this machine and says where to cut a vocabulary, and what that gains.",
    ),
}
"""Verbs of the command line; see :mod:`experiments.verbs`."""
