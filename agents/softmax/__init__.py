"""Agents of the adaptive softmax."""

BASELINES = {
    "guess": "agents.baselines.softmax:Guess",
    "coverage": "agents.baselines.softmax:Coverage",
    "greedy": "agents.baselines.softmax:Greedy",
    "random-search": "agents.baselines.softmax:RandomSearch",
    "annealing": "agents.baselines.softmax:Annealing",
    "oracle": "agents.baselines.softmax:Oracle",
}
"""``"module:class"`` of agents that need no training, by name; constructed with the environment."""

SHOWN = "oracle"
"""The agent that the documentation's pictures show."""
