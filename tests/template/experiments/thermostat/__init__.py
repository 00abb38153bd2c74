"""Commands for the thermostat."""

VERBS = {"heat": ("experiments.thermostat.heat:command", "Print a heating plan for two days.")}
"""Verbs of the command line; see :mod:`experiments.verbs`."""
