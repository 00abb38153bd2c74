"""Computes the reference scores of ids: ``python -m experiments.references [ID ...]``.

Each domain's room has a module ``references`` with the function ``references(env_id)``.
"""

import json
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import track

from envs.registration import CURRENT, ENTRIES, find, room
from hardware_sim.commands import run
from hardware_sim.errors import InputError
from hardware_sim.files import write_json
from hardware_sim.naming import resolve


def compute(env_id: str) -> dict[str, Any]:
    """The reference scores of an id, as :func:`envs.registration.references` gives them.

    Raises:
        InputError: There is no such id, its domain computes none, or a later version has taken its
            place: its scores stay as they are.
    """
    if find(env_id).superseded:
        raise InputError(f"{env_id} is superseded; its reference scores stay as they are")
    module = f"{room('experiments', find(env_id).domain)}.references"
    scores: dict[str, Any] = resolve(f"{module}:references", "reference scores")(env_id)
    return scores


def main(
    ids: Annotated[list[str] | None, typer.Argument(help="All current ones by default.")] = None,
) -> None:
    """Writes the scores of ids into ``references.json`` of their domains."""
    for env_id in track([find(name).id for name in ids or CURRENT], "references"):
        domain = find(env_id).domain
        path = Path(str(files(room("envs", domain)).joinpath("references.json")))
        table = json.loads(path.read_text()) if path.exists() else {}
        table[env_id] = compute(env_id)
        ours = [name for name, entry in ENTRIES.items() if entry.domain == domain and name in table]
        write_json(path, {name: table[name] for name in ours})


if __name__ == "__main__":
    run(main)
