"""Agents of compact networks."""

BASELINES = {
    "uniform": "agents.compact.baselines:Uniform",
    "greedy": "agents.compact.baselines:Greedy",
    "oracle": "agents.compact.baselines:Oracle",
}
"""``"module:class"`` of agents that need no training, by name; constructed with the environment."""

SHOWN = "oracle"
"""The agent that the documentation's pictures show."""
