"""The ids of every domain: those of the rooms here and those that installed packages bring."""

import json
import warnings
from collections.abc import Collection
from copy import deepcopy
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


def _join() -> tuple[dict[str, str], dict[str, Entry]]:
    """Packages that bring domains, by domain, and entries by id: ours, then those of packages.

    A package whose domain cannot be used is left out with a warning, so that the others can be.
    """
    packages: dict[str, str] = {}
    entries: dict[str, Entry] = {}
    for name in DOMAINS:
        entries |= _entries(name, f"envs.{name}", entries)
    for point in entry_points(group=GROUP):
        try:
            if point.name in DOMAINS or point.name in packages:
                raise InputError("there is a domain of that name already")
            entries |= _entries(point.name, point.value, entries)
        except Exception as error:  # a stranger's module may raise anything
            warnings.warn(
                f"the domain {point.name!r} of the package {point.value} is left out: {error}",
                stacklevel=2,
            )
        else:
            packages[point.name] = point.value
    return packages, entries


def _entries(domain: str, package: str, taken: Collection[str]) -> dict[str, Entry]:
    """The entries of a domain by id.

    Raises:
        InputError: An entry names another domain, or an id is taken.
    """
    found: dict[str, Entry] = {}
    for entry in import_module(f"{package}.entries").ENTRIES:
        if entry.domain != domain:
            raise InputError(f"{entry.id} names the domain {entry.domain!r}, not {domain!r}")
        if entry.id in found or entry.id in taken:
            raise InputError(f"the id {entry.id} is taken")
        found[entry.id] = entry
    return found


PACKAGES, _ENTRIES = _join()

ALL_DOMAINS = (*DOMAINS, *PACKAGES)
"""Names of the domains here and of those that installed packages bring."""


def room(floor: str, domain: str) -> str:
    """The package that holds a domain's tables on a floor.

    Args:
        floor: ``"envs"``, ``"agents"`` or ``"experiments"``; a domain that an installed package
            brings has all its tables in that package.
        domain: One of :data:`ALL_DOMAINS`.
    """
    return PACKAGES.get(domain, f"{floor}.{domain}")


ENTRIES: dict[str, Entry] = {name: entry for name, entry in _ENTRIES.items() if not entry.bridged}
"""Ids of the domains."""

CURRENT: dict[str, Entry] = {n: entry for n, entry in ENTRIES.items() if not entry.superseded}
"""Those of them that no later version has taken the place of."""

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
    """True if an id, with or without the leading ``envs:``, is registered here."""
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
    path = files(room("envs", domain)).joinpath("references.json")
    table: dict[str, dict[str, Any]] = json.loads(path.read_text()) if path.is_file() else {}
    return table


def references(env_id: str) -> dict[str, Any]:
    """Reference scores of an id, in the domain's own unit.

    Returns:
        ``{"unit": "s", "better": "lower", "floor": {"score": x, "source": "..."},
        "random": {...}, "reference": {...}, "bound": {...}, ...}``; each row names its source. By
        the name of a problem (``info["problem"]``), ``"problems"`` gives ``{"floor": x,
        "reference": y, "noise": s}`` and, where there is one, ``"bound"``; where problems are
        endless, ``"shares"`` gives the same of scores over the episode's own bound. Both are made
        by :func:`experiments.scores.scale`.

    Raises:
        InputError: The id has no reference scores.
    """
    entry = find(env_id)
    table = _references(entry.domain)
    if entry.id not in table:
        raise InputError(
            f"{entry.id} has no reference scores in references.json of {room('envs', entry.domain)}"
        )
    return deepcopy(table[entry.id])


def has_scale(env_id: str) -> bool:
    """True if scores of an id can be normalised: it is current and has a floor and a reference."""
    if env_id.removeprefix("envs:") not in CURRENT:
        return False
    try:
        return {"floor", "reference"} <= references(env_id).keys()
    except InputError:
        return False


NOISE = 2.0
"""Standard errors by which a reference must differ from the floor, so that there is a scale."""


def normalised(
    env_id: str, score: float, problem: str | None = None, bound: float | None = None
) -> float | None:
    """A score of one problem on the scale from its floor, 0, to its reference, 1.

    The floor is the best of random and constant play.

    Args:
        env_id: The id.
        score: The score, in the domain's own unit.
        problem: The problem's name, ``info["problem"]``.
        bound: The problem's own bound, ``info["bound"]``; used where problems are endless.

    Returns:
        ``None`` where there is no such scale: the id has none, the table does not know the problem
        or the episode no bound, or the reference is not better than the floor by more than
        :data:`NOISE` standard errors of the two.

    Raises:
        InputError: The id has no reference scores.
    """
    table = references(env_id)
    if not has_scale(env_id):
        return None
    if "shares" in table:
        score, row = (score / bound, table["shares"]) if bound else (score, None)
    elif "problems" in table:
        row = table["problems"].get(problem)
    else:
        row = {name: table[name]["score"] for name in ("floor", "reference")}
    if row is None:
        return None
    span = row["reference"] - row["floor"]
    gain = -span if table["better"] == "lower" else span
    if gain <= NOISE * row.get("noise", 0.0):
        return None
    return float((score - row["floor"]) / span)
