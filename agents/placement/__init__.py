"""Agents of device placement."""

BASELINES = {
    "single-device": "agents.baselines.placement:SingleDevice",
    "round-robin": "agents.baselines.placement:RoundRobin",
    "expert": "agents.baselines.placement:Expert",
    "heft": "agents.baselines.placement:Heft",
    "etf": "agents.baselines.placement:Etf",
    "min-cut": "agents.baselines.placement:MinCut",
    "annealing": "agents.baselines.placement:Annealing",
    "random-search": "agents.baselines.placement:RandomSearch",
}
"""``"module:class"`` of agents that need no training, by name; constructed with the environment."""

SHOWN = "heft"
"""The agent that the documentation's pictures show."""
