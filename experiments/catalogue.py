"""``gymworks list``: every environment with its spaces, backend and reference scores."""

from contextlib import suppress
from typing import Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from experiments.options import AsJson, print_json


def catalogue(superseded: bool = False) -> list[dict[str, Any]]:
    """Facts about each registered id.

    Args:
        superseded: Also of those that a later version has taken the place of.

    Returns:
        For each id its ``id``, ``domain``, ``backend``, ``deterministic``, ``summary``,
        ``vectorised`` (whether it has a native vector class), ``observation`` and ``action`` (see
        :func:`describe`; ``None`` where a library is missing, which ``needs`` names) and
        ``references``.
    """
    from envs.registration import BRIDGED, CURRENT, ENTRIES

    return [_row(env_id) for env_id in (*(ENTRIES if superseded else CURRENT), *BRIDGED)]


def _row(env_id: str) -> dict[str, Any]:
    import gymnasium as gym

    from envs.registration import find, references
    from hardware_sim.errors import InputError

    entry = find(env_id)
    row: dict[str, Any] = {
        "id": env_id,
        "domain": entry.domain,
        "summary": entry.summary,
        "backend": entry.backend,
        "deterministic": entry.deterministic,
        "vectorised": entry.vector_entry_point is not None,
        "observation": None,
        "action": None,
        "references": {},
        "needs": "",
    }
    with suppress(InputError):  # an id may be older than its scores
        row["references"] = references(env_id)
    try:
        env = gym.make(f"envs:{env_id}")
    except (ImportError, gym.error.DependencyNotInstalled, InputError) as error:
        return {**row, "needs": str(error)}
    row |= {"observation": describe(env.observation_space), "action": describe(env.action_space)}
    env.close()
    return row


def describe(space: Any) -> Any:
    """A space as text: ``"Discrete(5)"``, ``"float32 (125, 17)"``; a dictionary for a Dict."""
    from gymnasium import spaces

    if isinstance(space, spaces.Dict):
        return {name: describe(part) for name, part in space.items()}
    if isinstance(space, spaces.Box):
        return f"{space.dtype} {space.shape}"
    if isinstance(space, spaces.MultiDiscrete):
        return f"MultiDiscrete({space.nvec.tolist()})"
    return str(space)


def _observation(described: Any) -> str:
    """An observation on few lines: the entries of a Dict with their shapes."""
    if not isinstance(described, dict):
        return str(described or "")
    parts = [f"{name} {str(text).partition(' ')[2] or text}" for name, text in described.items()]
    return ", ".join(parts)


def _scores(references: dict[str, Any]) -> str:
    """Floor, reference and bound with their unit, a line each."""
    shown = [
        f"{name} {references[name]['score']:.4g} {references['unit']}"
        for name in ("floor", "reference", "bound")
        if name in references
    ]
    return "\n".join(shown) or "none yet"


def command(
    superseded: Annotated[
        bool, typer.Option("--superseded", help="Show ids that a later version replaces, too.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List the environments: observations, actions, backends and reference scores."""
    from envs.registration import BRIDGED

    rows = catalogue(superseded)
    if as_json:
        print_json(rows)
        return
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 1, 0))
    for heading in ("environment", "action"):
        table.add_column(heading, overflow="fold")
    table.add_column("reference scores", no_wrap=True)
    for row in (row for row in rows if row["id"] not in BRIDGED):
        what = row["needs"] or _observation(row["observation"])
        kind = f"{row['domain']}, {row['backend']}: "
        name = Text.assemble((row["id"], "bold"), "\n", kind, row["summary"], "\n", (what, "dim"))
        table.add_row(name, row["action"], _scores(row["references"]))
    console = Console(highlight=False)
    console.print(table)
    if BRIDGED:
        console.print(f"{len(BRIDGED)} ids of other packages:", *BRIDGED)
