"""Agents of the adaptive softmax."""

BASELINES = {
    "guess": "agents.softmax.baselines:Guess",
    "coverage": "agents.softmax.baselines:Coverage",
    "greedy": "agents.softmax.baselines:Greedy",
    "random-search": "agents.softmax.baselines:RandomSearch",
    "annealing": "agents.softmax.baselines:Annealing",
    "oracle": "agents.softmax.baselines:Oracle",
}
"""``"module:class"`` of agents that need no training, by name; made from a view."""

KINDS = {
    "guess": "planner",
    "coverage": "planner",
    "random-search": "planner",
    "annealing": "planner",
    "oracle": "oracle",
}
"""Those that are not of the kind agent, see :mod:`agents.kinds`."""

SHOWN = "oracle"
"""The agent that the documentation's pictures show."""
