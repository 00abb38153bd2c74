"""Commands for dance charts."""

VERBS = {
    "dance": (
        "experiments.dance.verbs:app",
        "Dance charts: gymworks dance SONG writes them; judge, play or draw any; fetch human ones.",
    ),
}
"""Verbs of the command line; see :mod:`experiments.verbs`."""
