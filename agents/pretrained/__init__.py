"""Weights of agents, beside their cards."""

from pathlib import Path

from envs.weights import shipped


def pretrained(name: str) -> Path:
    """The path of an agent's shipped weights, as ``"web-0"``."""
    return shipped(__name__, name)
