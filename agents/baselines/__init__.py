"""Agents that need no training: heuristics, search and shipped policies, by domain and name."""

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
    "loops": {
        "hand": "agents.baselines.loops:Hand",
        "greedy": "agents.baselines.loops:Greedy",
        "annealing": "agents.baselines.loops:Annealing",
        "short-annealing": "agents.baselines.loops:ShortAnnealing",
    },
    "softmax": {
        "guess": "agents.baselines.softmax:Guess",
        "coverage": "agents.baselines.softmax:Coverage",
        "greedy": "agents.baselines.softmax:Greedy",
        "random-search": "agents.baselines.softmax:RandomSearch",
        "annealing": "agents.baselines.softmax:Annealing",
        "oracle": "agents.baselines.softmax:Oracle",
    },
    "compact": {
        "uniform": "agents.baselines.compact:Uniform",
        "greedy": "agents.baselines.compact:Greedy",
        "oracle": "agents.baselines.compact:Oracle",
    },
    "convolution": {
        "greedy": "agents.baselines.convolution:Greedy",
        "annealing": "agents.baselines.convolution:Annealing",
        "tpe": "agents.baselines.convolution:Tpe",
        "roofline": "agents.baselines.convolution:Roofline",
        "cost-model": "agents.critics.convolution:CostModelAgent",
        "adaptive": "agents.critics.convolution:AdaptiveAgent",
        "pretrained": "agents.policies.tuner:TuningAgent",
        "oracle": "agents.baselines.convolution:Oracle",
    },
    "dance": {
        "rules": "agents.baselines.dance_agents:Rules",
        "ngram": "agents.baselines.dance_agents:NgramRules",
        "selected": "agents.baselines.dance_agents:Selected",
        "cloned": "agents.policies.dance:Cloned",
        "pretrained": "agents.policies.dance:Pretrained",
    },
    "web": {
        "expert": "agents.baselines.web:Expert",
        "pretrained": "agents.policies.web:WebAgent",
    },
}
"""``"module:class"`` of each; a class is constructed with the environment."""
