"""What a person runs of compact networks."""

VERBS = {
    "compact": (
        "experiments.compact.shrink:command",
        "Re-configures a trained network to compact feature maps and says what it gains.",
    ),
}
"""Verbs of the command line; see :mod:`experiments.verbs`."""
