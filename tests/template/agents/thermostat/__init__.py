"""Agents of the thermostat."""

BASELINES = {"hysteresis": "agents.thermostat.baselines:Hysteresis"}
"""``"module:class"`` of agents that need no training, by name; made from a view."""

SHOWN = "hysteresis"
"""The agent that the documentation's pictures show."""
