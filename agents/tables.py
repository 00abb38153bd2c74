"""The tables of each domain's agents, joined: baselines, and settings of training."""

import json
from importlib import import_module
from importlib.resources import files
from typing import Any

from envs.registration import ALL_DOMAINS, find, room

BASELINES: dict[str, dict[str, str]] = {
    domain: getattr(import_module(room("agents", domain)), "BASELINES", {})
    for domain in ALL_DOMAINS
}
"""Agents that need no training, by domain and name: heuristics, search and shipped policies."""


KINDS: dict[str, dict[str, str]] = {
    domain: getattr(import_module(room("agents", domain)), "KINDS", {}) for domain in ALL_DOMAINS
}
"""Baselines that are planners or oracles, by domain and name; the others are agents."""


def shown(domain: str) -> str:
    """The agent of a domain that the documentation's pictures show; random by default."""
    name: str = getattr(import_module(room("agents", domain)), "SHOWN", "random")
    return name


def shown_before_end(domain: str) -> bool:
    """True if a picture of an episode shows its last frame but one."""
    return getattr(import_module(room("agents", domain)), "SHOWN_BEFORE_END", False)


def training_settings(env_id: str) -> dict[str, Any]:
    """Training settings of an id's domain, from ``training.json`` in its room of agents.

    Returns:
        ``{"extractor": "module:class" or null, "network": "module:class" of a network that takes
        the place of extractor and heads, or null, "algo": default algorithm, "steps": default
        number, "hyperparameters": {algorithm: {...}}, "search_space": {algorithm: {name: {...}}},
        "seeds": {"train": [...], "validation": [...], "test": [...]}}``; empty where the domain
        has none.

    Raises:
        InputError: The id is not registered here.
    """
    path = files(room("agents", find(env_id).domain)).joinpath("training.json")
    settings: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
    return settings
