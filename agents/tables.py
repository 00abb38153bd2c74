"""The tables of each domain's agents, joined: baselines, and settings of training."""

import json
from functools import cache
from importlib import import_module
from importlib.resources import files
from typing import Any

from envs.registration import ALL_DOMAINS, find, room
from hardware_sim.naming import current, resolve_listed

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
    return _training(find(env_id).domain)


def _training(domain: str) -> dict[str, Any]:
    path = files(room("agents", domain)).joinpath("training.json")
    settings: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
    return settings


FLAT = "agents.policies.flat:FlatExtractor"
"""The extractor of features where a domain has none of its own."""


@cache
def networks() -> frozenset[str]:
    """Names of the networks and extractors that runs and checkpoints may have: a fixed table.

    They are those of the domains' ``training.json``, ours and installed packages', and
    :data:`FLAT`.
    """
    settings = [_training(domain) for domain in ALL_DOMAINS]
    named = [found.get(key) for found in settings for key in ("extractor", "network")]
    return frozenset({FLAT, *(current(name) for name in named if name)})


def find_network(name: str, kind: str) -> Any:
    """The class of a network or an extractor.

    Args:
        name: One of :func:`networks`, or ``"module:class"`` of other people where that is trusted.
        kind: ``"network"`` or ``"extractor"``.

    Raises:
        InputError: There is none of that name, or it is not trusted.
    """
    return resolve_listed(name, kind, networks())
