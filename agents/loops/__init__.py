"""Agents of loop scheduling."""

BASELINES = {
    "hand": "agents.loops.baselines:Hand",
    "greedy": "agents.loops.baselines:Greedy",
    "annealing": "agents.loops.baselines:Annealing",
    "short-annealing": "agents.loops.baselines:ShortAnnealing",
}
"""``"module:class"`` of agents that need no training, by name; made from a view."""

KINDS = dict.fromkeys(BASELINES, "planner")
"""Those that are not of the kind agent, see :mod:`agents.kinds`."""

SHOWN = "hand"
"""The agent that the documentation's pictures show."""
