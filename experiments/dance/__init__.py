"""What a person runs of dance charts."""

VERBS = {
    "dance": (
        "experiments.dance.verbs:app",
        "Dance charts: gymworks dance SONG writes some; judge, play, show any; fetch human ones.",
    ),
}
"""Verbs of the command line; see :mod:`experiments.verbs`."""
