"""Commands for device placement."""

VERBS = {
    "place": (
        "experiments.placement.place:command",
        "Place a network's ops on devices and show what it gains.",
    ),
    "demo": (
        "experiments.placement.demo:command",
        "Train an agent to place Inception-V3, and compare it with every baseline.",
    ),
}
"""Verbs of the command line; see :mod:`experiments.verbs`."""
