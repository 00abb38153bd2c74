"""Agents that need no training: heuristics and search, by domain and name."""

BASELINES: dict[str, dict[str, str]] = {
    "placement": {
        "single-device": "agents.baselines.placement:SingleDevice",
        "round-robin": "agents.baselines.placement:RoundRobin",
        "expert": "agents.baselines.placement:Expert",
        "heft": "agents.baselines.placement:Heft",
        "etf": "agents.baselines.placement:Etf",
        "min-cut": "agents.baselines.placement:MinCut",
        "annealing": "agents.baselines.placement:Annealing",
        "random-search": "agents.baselines.placement:RandomSearch",
    },
    "web": {"expert": "agents.baselines.web:Expert"},
}
"""``"module:class"`` of each heuristic; a class is constructed with the environment."""
