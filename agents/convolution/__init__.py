"""Agents of tuning convolution kernels."""

BASELINES = {
    "greedy": "agents.baselines.convolution:Greedy",
    "annealing": "agents.baselines.convolution:Annealing",
    "tpe": "agents.baselines.convolution:Tpe",
    "roofline": "agents.baselines.convolution:Roofline",
    "cost-model": "agents.critics.convolution:CostModelAgent",
    "adaptive": "agents.critics.convolution:AdaptiveAgent",
    "pretrained": "agents.policies.tuner:TuningAgent",
    "oracle": "agents.baselines.convolution:Oracle",
}
"""``"module:class"`` of agents that need no training, by name; constructed with the environment."""

SHOWN = "greedy"
"""The agent that the documentation's pictures show."""
