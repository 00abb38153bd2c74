"""Agents of loop scheduling."""

BASELINES = {
    "hand": "agents.loops.baselines:Hand",
    "greedy": "agents.loops.baselines:Greedy",
    "annealing": "agents.loops.baselines:Annealing",
    "short-annealing": "agents.loops.baselines:ShortAnnealing",
}
"""``"module:class"`` of agents that need no training, by name; constructed with the environment."""

SHOWN = "hand"
"""The agent that the documentation's pictures show."""
