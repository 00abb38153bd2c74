"""Agents of the thermostat."""

BASELINES = {"hysteresis": "agents.thermostat.baselines:Hysteresis"}
"""``"module:class"`` of agents that need no training, by name; constructed with the environment."""

SHOWN = "hysteresis"
"""The agent that the documentation's pictures show."""
