"""What a person runs of device placement."""

VERBS = {
    "place": (
        "experiments.placement.place:command",
        "Places a network's ops on devices and says what it gains.",
    ),
    "demo": (
        "experiments.placement.demo:command",
        "Trains an agent to place Inception-V3, and compares it with every baseline.",
    ),
}
"""Verbs of the command line; see :mod:`experiments.verbs`."""
