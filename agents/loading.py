"""Agents by name: heuristics, trained runs and anybody's own."""

from inspect import signature
from pathlib import Path
from typing import Any

import gymnasium as gym

from agents.agent import Agent, RandomAgent
from agents.engines import engine
from agents.runs import Run
from agents.tables import BASELINES
from envs.registration import find, is_ours
from hardware_sim.errors import InputError
from hardware_sim.naming import resolve


def heuristics(env: gym.Env[Any, Any]) -> dict[str, str]:
    """``"module:class"`` of the heuristics of an environment's domain, by name."""
    name = env.spec.id if env.spec else ""
    return BASELINES.get(find(name).domain, {}) if is_ours(name) else {}


def load_agent(name: str, env: gym.Env[Any, Any], deterministic: bool = True) -> Agent:
    """An agent for an environment.

    Args:
        name: ``"random"``, a heuristic of the environment's domain, the path of a run folder, or
            ``"module:attribute"`` (the working folder is on the path): an object with ``act`` and
            ``reset``, or a class or function that makes one from the environment.
        env: The environment it will act in.
        deterministic: Trained agents take their most probable action; otherwise they sample.

    Raises:
        InputError: There is no such agent, or it lacks ``act`` or ``reset``; the message lists
            what exists.
    """
    known = heuristics(env)
    if name == "random":
        return RandomAgent(env)
    if name in known:
        return _checked(name, resolve(known[name], "agent")(env))
    if Path(name).is_dir():
        run = Run(name)
        if "engine" not in run.config:
            raise InputError(f"{name} is not a training run: its config.json names no engine")
        return engine(run.config["engine"]).load(run, env, deterministic)
    if ":" in name:
        return _checked(name, _foreign(name, env))
    raise InputError(
        f"unknown agent {name!r}; allowed: {', '.join(['random', *sorted(known)])}, "
        "the path of a run folder, or module:attribute"
    )


def _foreign(name: str, env: gym.Env[Any, Any]) -> Any:
    """The object at ``module:attribute``; classes and functions are called with the environment."""
    found = resolve(name, "agent", working_folder=True)
    ready = hasattr(found, "act") and not isinstance(found, type)
    if ready or not callable(found):
        return found
    try:
        signature(found).bind(env)
    except TypeError as error:
        raise InputError(
            f"agent {name!r} is not made from an environment alone ({error}); name an object that "
            "is ready to act, or a function of the environment that makes one"
        ) from None
    except ValueError:  # some of C's have no signature
        pass
    return found(env)


def _checked(name: str, agent: Any) -> Agent:
    missing = [part for part in ("act", "reset") if not callable(getattr(agent, part, None))]
    if missing:
        raise InputError(
            f"agent {name!r} has no {' and no '.join(missing)}(); an agent has "
            "act(observation, info) and reset(seed)"
        )
    checked: Agent = agent
    return checked
