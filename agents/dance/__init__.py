"""Agents of dance charts."""

BASELINES = {
    "rules": "agents.dance.baselines:Rules",
    "ngram": "agents.dance.baselines:NgramRules",
    "selected": "agents.dance.baselines:Selected",
    "cloned": "agents.dance.policy:Cloned",
    "pretrained": "agents.dance.policy:Pretrained",
}
"""``"module:class"`` of agents that need no training, by name; made from a view."""

KINDS = {
    "rules": "planner",
    "ngram": "planner",
    "selected": "planner",
}
"""Those that are not of the kind agent, see :mod:`agents.kinds`."""

SHOWN = "cloned"
"""The agent that the documentation's pictures show."""
