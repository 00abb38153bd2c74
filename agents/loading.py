"""Agents by name: heuristics, trained runs and anybody's own."""

from inspect import signature
from pathlib import Path
from typing import Any, cast

import gymnasium as gym

from agents.agent import Agent, RandomAgent
from agents.engines import engine
from agents.kinds import player
from agents.runs import Run
from agents.tables import BASELINES
from agents.view import View
from envs.registration import find, is_ours
from hardware_sim.errors import InputError
from hardware_sim.naming import resolve


def heuristics(view: View) -> dict[str, str]:
    """``"module:class"`` of the heuristics of an environment's domain, by name."""
    name = view.spec.id if view.spec else ""
    return BASELINES.get(find(name).domain, {}) if is_ours(name) else {}


def load_agent(name: str, env: gym.Env[Any, Any], deterministic: bool = True) -> Agent:
    """An agent for an environment, in this process.

    It never holds the environment; a planner is given the problem of each episode, an oracle the
    answer (:mod:`agents.kinds`). Agents that are judged run in a process of their own instead,
    :class:`agents.process.AgentProcess`.

    Args:
        name: ``"random"``, a heuristic of the environment's domain, the path of a run folder, or
            ``"module:attribute"`` (the working folder is on the path): an object with ``act`` and
            ``reset``, or a class or function that makes one from a view of the environment.
        env: The environment it will act in.
        deterministic: Trained agents take their most probable action; otherwise they sample.

    Raises:
        InputError: There is no such agent, or it lacks ``act`` or ``reset``; the message lists
            what exists.
    """
    return player(make_agent(name, View.of(env), deterministic), env)


def make_agent(name: str, view: View, deterministic: bool = True) -> Any:
    """An agent by itself, which nobody gives a problem or an answer.

    Args:
        name: As of :func:`load_agent`.
        view: Of the environment it will act in.
        deterministic: As of :func:`load_agent`.

    Raises:
        InputError: As of :func:`load_agent`.
    """
    known = heuristics(view)
    if name == "random":
        return RandomAgent(view)
    if name in known:
        return _checked(name, resolve(known[name], "agent")(view))
    if Path(name).is_dir():
        run = Run(name)
        if "engine" not in run.config:
            raise InputError(f"{name} is not a training run: its config.json names no engine")
        shown = cast(gym.Env[Any, Any], view)  # has what engines ask for: spaces and masks
        return engine(run.config["engine"]).load(run, shown, deterministic)
    if ":" in name:
        return _checked(name, _foreign(name, view))
    raise InputError(
        f"unknown agent {name!r}; allowed: {', '.join(['random', *sorted(known)])}, "
        "the path of a run folder, or module:attribute"
    )


def _foreign(name: str, view: View) -> Any:
    """The object at ``module:attribute``; classes and functions are called with the view."""
    found = resolve(name, "agent", working_folder=True)
    ready = hasattr(found, "act") and not isinstance(found, type)
    if ready or not callable(found):
        return found
    try:
        signature(found).bind(view)
    except TypeError as error:
        raise InputError(
            f"agent {name!r} is not made from an environment alone ({error}); name an object that "
            "is ready to act, or a function of the environment that makes one"
        ) from None
    except ValueError:  # some of C's have no signature
        pass
    return found(view)


def _checked(name: str, agent: Any) -> Any:
    missing = [part for part in ("act", "reset") if not callable(getattr(agent, part, None))]
    if missing:
        raise InputError(
            f"agent {name!r} has no {' and no '.join(missing)}(); an agent has "
            "act(observation, info) and reset(seed)"
        )
    return agent
