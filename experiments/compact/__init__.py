"""Commands for compact networks."""

VERBS = {
    "compact": (
        "experiments.compact.shrink:command",
        "Re-configure a trained network to compact feature maps and show what it gains.",
    ),
}
"""Verbs of the command line; see :mod:`experiments.verbs`."""
