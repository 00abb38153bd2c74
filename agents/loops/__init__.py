"""Agents of loop scheduling."""

BASELINES = {
    "hand": "agents.baselines.loops:Hand",
    "greedy": "agents.baselines.loops:Greedy",
    "annealing": "agents.baselines.loops:Annealing",
    "short-annealing": "agents.baselines.loops:ShortAnnealing",
}
"""``"module:class"`` of agents that need no training, by name; constructed with the environment."""

SHOWN = "hand"
"""The agent that the documentation's pictures show."""
