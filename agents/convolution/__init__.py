"""Agents of tuning convolution kernels."""

BASELINES = {
    "greedy": "agents.convolution.search:Greedy",
    "annealing": "agents.convolution.search:Annealing",
    "tpe": "agents.convolution.search:Tpe",
    "roofline": "agents.convolution.search:Roofline",
    "cost-model": "agents.convolution.cost_model:CostModelAgent",
    "adaptive": "agents.convolution.cost_model:AdaptiveAgent",
    "pretrained": "agents.convolution.policy:TuningAgent",
    "oracle": "agents.convolution.search:Oracle",
}
"""``"module:class"`` of agents that need no training, by name; made from a view."""

KINDS = {"oracle": "oracle"}
"""Those that are not of the kind agent, see :mod:`agents.kinds`."""

OFFERED = {"model": ("agents.convolution.cost_model:predict",)}
"""Names that arguments of the environment may have, beside those that its entries declare."""

SHOWN = "greedy"
"""The agent that the documentation's pictures show."""
