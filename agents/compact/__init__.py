"""Agents of compact networks."""

BASELINES = {
    "uniform": "agents.compact.baselines:Uniform",
    "greedy": "agents.compact.baselines:Greedy",
    "oracle": "agents.compact.baselines:Oracle",
}
"""``"module:class"`` of agents that need no training, by name; made from a view."""

KINDS = {
    "uniform": "planner",
    "greedy": "planner",
    "oracle": "oracle",
}
"""Those that are not of the kind agent, see :mod:`agents.kinds`."""

SHOWN = "oracle"
"""The agent that the documentation's pictures show."""
