"""Commands for the web."""

VERBS = {
    "web": (
        "experiments.web.verbs:app",
        "Demonstrations on web pages: record, replay, import, generate and export them.",
    ),
}
"""Verbs of the command line; see :mod:`experiments.verbs`."""
