"""Training engines, found by name and imported when asked for."""

from importlib import import_module
from typing import cast

from agents.engines.base import Engine
from hardware_sim.errors import InputError, choose

ENGINES: dict[str, str] = {"sb3": "agents.engines.sb3", "rllib": "agents.engines.rllib"}


def engine(name: str) -> Engine:
    """The engine's module; see :class:`agents.engines.base.Engine` for what it has.

    Raises:
        InputError: There is no such engine, or its library is not installed.
    """
    choose("engine", name, list(ENGINES))
    try:
        return cast(Engine, import_module(ENGINES[name]))
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] in ("agents", "envs", "hardware_sim"):
            raise
        raise InputError(
            f"engine {name!r} needs {error.name}, which is not installed: "
            f"pip install 'gymworks[{name}]'"
        ) from None
