"""The ids of every domain: those of the rooms here and those that installed packages bring."""

import json
import warnings
from collections.abc import Collection
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from importlib.resources import files
from typing import Any

import gymnasium as gym

from envs.entry import Entry
from hardware_sim.errors import InputError, choose

DOMAINS = ("placement", "convolution", "loops", "softmax", "compact", "web", "dance")
"""Names of the domains; each has a room of that name on every floor."""

GROUP = "gymworks.domains"
"""Entry points through which installed packages add domains: name of the domain = its package."""


@dataclass(frozen=True)
class Rooms:
    """Packages that hold a domain's tables; a domain of an installed package has one for all.

    Attributes:
        envs: Has the module ``entries`` (``ENTRIES``) and ``references.json``.
        agents: Has ``BASELINES`` and ``training.json``; see :mod:`agents.tables`.
        experiments: Has ``VERBS``; see :mod:`experiments.cli`.
    """

    envs: str
    agents: str
    experiments: str


def _join() -> tuple[dict[str, Rooms], dict[str, Entry]]:
    """Rooms by domain and entries by id: ours, then those of installed packages.

    A package whose domain cannot be used is left out with a warning, so that the others can be.
    """
    rooms: dict[str, Rooms] = {}
    entries: dict[str, Entry] = {}
    for name in DOMAINS:
        rooms[name] = Rooms(f"envs.{name}", f"agents.{name}", f"experiments.{name}")
        entries |= _entries(name, rooms[name], entries)
    for point in entry_points(group=GROUP):
        found = Rooms(point.value, point.value, point.value)
        try:
            if point.name in rooms:
                raise InputError(f"{rooms[point.name].envs} has a domain of that name already")
            entries |= _entries(point.name, found, entries)
        except Exception as error:  # a stranger's module may raise anything
            warnings.warn(
                f"the domain {point.name!r} of the package {point.value} is left out: {error}",
                stacklevel=2,
            )
        else:
            rooms[point.name] = found
    return rooms, entries


def _entries(domain: str, rooms: Rooms, taken: Collection[str]) -> dict[str, Entry]:
    """The entries of a domain by id.

    Raises:
        InputError: An entry names another domain, or an id is taken.
    """
    found: dict[str, Entry] = {}
    for entry in import_module(f"{rooms.envs}.entries").ENTRIES:
        if entry.domain != domain:
            raise InputError(f"{entry.id} names the domain {entry.domain!r}, not {domain!r}")
        if entry.id in found or entry.id in taken:
            raise InputError(f"the id {entry.id} is taken")
        found[entry.id] = entry
    return found


ROOMS, _ENTRIES = _join()

ENTRIES: dict[str, Entry] = {name: entry for name, entry in _ENTRIES.items() if not entry.bridged}
"""Ids of the domains."""

BRIDGED: dict[str, Entry] = {name: entry for name, entry in _ENTRIES.items() if entry.bridged}
"""Ids whose problems are other packages'; they have no reference scores."""


def register_all() -> None:
    """Registers every id with Gymnasium; calling it again changes nothing."""
    for entry in (*ENTRIES.values(), *BRIDGED.values()):
        if entry.id not in gym.registry:
            gym.register(
                id=entry.id,
                entry_point=entry.entry_point,
                vector_entry_point=entry.vector_entry_point,
                kwargs=entry.kwargs,
                max_episode_steps=entry.max_episode_steps,
            )


def is_ours(env_id: str) -> bool:
    """Whether an id, with or without the leading ``envs:``, is registered here."""
    name = env_id.removeprefix("envs:")
    return name in ENTRIES or name in BRIDGED


def find(env_id: str) -> Entry:
    """The entry for an id, with or without the leading ``envs:``.

    Raises:
        InputError: The id is not registered here; the message lists the ids of the table.
    """
    name = env_id.removeprefix("envs:")
    return BRIDGED[name] if name in BRIDGED else ENTRIES[choose("environment", name, list(ENTRIES))]


@cache
def _references(domain: str) -> dict[str, dict[str, Any]]:
    path = files(ROOMS[domain].envs).joinpath("references.json")
    table: dict[str, dict[str, Any]] = json.loads(path.read_text()) if path.is_file() else {}
    return table


def references(env_id: str) -> dict[str, Any]:
    """Reference scores of an id, in the domain's own unit.

    Returns:
        ``{"unit": "s", "better": "lower", "random": {"score": x, "source": "..."},
        "reference": {...}, "bound": {...}, ...}``; each entry names its source. ``reference`` is
        what the normalised score calls 1.

    Raises:
        InputError: The id has no reference scores.
    """
    entry = find(env_id)
    table = _references(entry.domain)
    if entry.id not in table:
        raise InputError(
            f"{entry.id} has no reference scores in references.json of {ROOMS[entry.domain].envs}"
        )
    return deepcopy(table[entry.id])


def normalised(env_id: str, score: float) -> float:
    """(score - random) / (reference - random): 0 is random, 1 is the reference."""
    table = references(env_id)
    random, reference = table["random"]["score"], table["reference"]["score"]
    return float((score - random) / (reference - random))
