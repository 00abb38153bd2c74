"""Agents of the web."""

BASELINES = {
    "expert": "agents.baselines.web:Expert",
    "pretrained": "agents.policies.web:WebAgent",
}
"""``"module:class"`` of agents that need no training, by name; constructed with the environment."""

SHOWN = "expert"
"""The agent that the documentation's pictures show."""

SHOWN_BEFORE_END = True
"""They show the page before the last, since an episode ends by leaving for a page of thanks."""
