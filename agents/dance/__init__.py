"""Agents of dance charts."""

BASELINES = {
    "rules": "agents.baselines.dance_agents:Rules",
    "ngram": "agents.baselines.dance_agents:NgramRules",
    "selected": "agents.baselines.dance_agents:Selected",
    "cloned": "agents.policies.dance:Cloned",
    "pretrained": "agents.policies.dance:Pretrained",
}
"""``"module:class"`` of agents that need no training, by name; constructed with the environment."""

SHOWN = "cloned"
"""The agent that the documentation's pictures show."""
