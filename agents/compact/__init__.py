"""Agents of compact networks."""

BASELINES = {
    "uniform": "agents.baselines.compact:Uniform",
    "greedy": "agents.baselines.compact:Greedy",
    "oracle": "agents.baselines.compact:Oracle",
}
"""``"module:class"`` of agents that need no training, by name; constructed with the environment."""

SHOWN = "oracle"
"""The agent that the documentation's pictures show."""
