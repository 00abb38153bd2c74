"""Arguments of environments that come from files and command lines: none of them names code."""

from functools import cache
from importlib import import_module
from typing import Any

from envs.entry import Argument
from envs.registration import ALL_DOMAINS, BRIDGED, ENTRIES, find, is_ours, room
from hardware_sim.errors import InputError, choose
from hardware_sim.naming import check_listed, permit


def check_arguments(env_id: str, kwargs: dict[str, Any]) -> None:
    """Checks arguments that were read from a file or a command line.

    Those of our ids and of installed domains must be declared by the entry and have an allowed
    value. Other ids take plain values of JSON, without texts that could name a module.

    Args:
        env_id: Any id, with or without the leading ``envs:``.
        kwargs: Arguments of its constructor, as JSON has them.

    Raises:
        InputError: An argument is unknown, is of another kind, or names code that is not ours and
            not trusted (:func:`hardware_sim.naming.trusting`).
    """
    if not is_ours(env_id):
        for name, value in kwargs.items():
            _check_plain(f"argument {name} of {env_id}", value)
        return
    declared = find(env_id).arguments
    for name, value in kwargs.items():
        argument = declared[choose(f"argument of {env_id}", name, list(declared))]
        argument.check(f"argument {name} of {env_id}", value)
        if argument.named and value is not None:
            check_listed(value, name, offered(name))


def _check_plain(what: str, value: Any) -> None:
    if isinstance(value, list):
        for part in value:
            _check_plain(what, part)
    elif isinstance(value, str) and ":" in value:
        permit(f"{what}, {value!r},", "may name a module")
    elif value is not None and not isinstance(value, bool | int | float | str):
        raise InputError(f"{what} is {value!r}; allowed: numbers, texts and lists of them")


@cache
def offered(argument: str) -> tuple[str, ...]:
    """Every name that a dotted argument may have: a fixed table.

    They are the choices that entries declare, and the names in the table ``OFFERED`` of the
    domains' rooms of agents, of ours and of installed packages.

    Args:
        argument: The argument's name, such as ``"task"``.
    """
    names: dict[str, None] = {}
    for entry in (*ENTRIES.values(), *BRIDGED.values()):
        if entry.arguments.get(argument, Argument(str)).named:
            names |= dict.fromkeys(entry.arguments[argument].choices)
    for domain in ALL_DOMAINS:
        rooms = getattr(import_module(room("agents", domain)), "OFFERED", {})
        names |= dict.fromkeys(rooms.get(argument, ()))
    return tuple(names)
