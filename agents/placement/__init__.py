"""Agents of device placement."""

BASELINES = {
    "single-device": "agents.placement.baselines:SingleDevice",
    "round-robin": "agents.placement.baselines:RoundRobin",
    "expert": "agents.placement.baselines:Expert",
    "heft": "agents.placement.baselines:Heft",
    "etf": "agents.placement.baselines:Etf",
    "min-cut": "agents.placement.baselines:MinCut",
    "annealing": "agents.placement.baselines:Annealing",
    "random-search": "agents.placement.baselines:RandomSearch",
}
"""``"module:class"`` of agents that need no training, by name; made from a view."""

KINDS = dict.fromkeys(BASELINES, "planner")
"""Those that are not of the kind agent, see :mod:`agents.kinds`."""

SHOWN = "heft"
"""The agent that the documentation's pictures show."""
