"""Agents of the web."""

BASELINES = {
    "expert": "agents.web.expert:Expert",
    "pretrained": "agents.web.policy:WebAgent",
}
"""``"module:class"`` of agents that need no training, by name; made from a view."""

KINDS = {"expert": "oracle"}
"""Those that are not of the kind agent, see :mod:`agents.kinds`."""

SHOWN = "expert"
"""The agent that the documentation's pictures show."""

SHOWN_BEFORE_END = True
"""They show the page before the last, since an episode ends by leaving for a page of thanks."""
