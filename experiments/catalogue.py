"""``gymworks list``: environments, their reference scores and, where asked for, their spaces."""

from contextlib import suppress
from typing import Annotated, Any

import typer
from rich.markup import escape

from experiments.options import AsJson, print_json, printer


def catalogue(*words: str, spaces: bool = False, superseded: bool = False) -> list[dict[str, Any]]:
    """Facts about registered ids, from tables; an environment is made only for its spaces.

    Args:
        words: Domains and parts of ids, small letters or capitals; an id is taken if one of them
            fits. All ids without any.
        spaces: Add the spaces of every id. An id that is named whole has them in any case.
        superseded: Also ids that a later version has taken the place of; one that is named whole
            is there in any case.

    Returns:
        For each id its ``id``, ``domain``, ``backend``, ``deterministic``, ``summary``,
        ``vectorised`` (whether it has a native vector class) and ``references``; where spaces are
        added also ``observation``, ``action`` (see :func:`describe`; ``None`` where a library is
        missing) and ``needs`` (that library, else empty).

    Raises:
        InputError: A word fits no domain and no id.
    """
    from envs.registration import BRIDGED, CURRENT, ENTRIES

    wanted = [word.removeprefix("envs:") for word in words]
    found = set().union(*map(_matches, wanted)) if wanted else {*ENTRIES, *BRIDGED}
    if not superseded:
        found -= ENTRIES.keys() - CURRENT.keys() - set(wanted)
    return [
        {**_facts(env_id), **(_spaces(env_id) if spaces or env_id in wanted else {})}
        for env_id in (*ENTRIES, *BRIDGED)
        if env_id in found
    ]


def _matches(word: str) -> set[str]:
    """The id of a name, the ids of a domain, or those that hold a word."""
    from envs.registration import ALL_DOMAINS, BRIDGED, ENTRIES
    from hardware_sim.errors import choose

    entries = ENTRIES | BRIDGED
    if word in entries:
        return {word}
    part = word.lower()
    if part in ALL_DOMAINS:
        return {env_id for env_id, entry in entries.items() if entry.domain == part}
    found = {env_id for env_id in entries if part in env_id.lower()}
    if not found:
        choose("domain or part of an id", word, ALL_DOMAINS)
    return found


def _facts(env_id: str) -> dict[str, Any]:
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
        "references": {},
    }
    with suppress(InputError):  # an id may be older than its scores
        row["references"] = references(env_id)
    return row


def _spaces(env_id: str) -> dict[str, Any]:
    import gymnasium as gym

    from hardware_sim.errors import InputError

    try:
        env = gym.make(f"envs:{env_id}")
    except (ImportError, gym.error.DependencyNotInstalled, InputError) as error:
        return {"observation": None, "action": None, "needs": str(error)}
    observation, action = describe(env.observation_space), describe(env.action_space)
    env.close()
    return {"observation": observation, "action": action, "needs": ""}


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
    """An observation on one line: the entries of a Dict with their shapes."""
    if not isinstance(described, dict):
        return str(described)
    parts = [f"{name} {str(text).partition(' ')[2] or text}" for name, text in described.items()]
    return ", ".join(parts)


def _lines(row: dict[str, Any]) -> list[str]:
    """An id as lines of marked-up text: its name, what it is, its scores, its spaces."""
    references = row["references"]
    scores = [
        f"{name} {references[name]['score']:.4g} {references['unit']}"
        for name in ("floor", "reference", "bound")
        if name in references
    ]
    lines = [
        f"[bold]{row['id']}[/bold]  {row['domain']}, {row['backend']}",
        f"  {escape(row['summary'])}",
        f"  {escape(', '.join(scores) or 'no scores yet')}",
    ]
    if row.get("needs"):
        lines.append(f"  [yellow]{escape(row['needs'])}[/yellow]")
    elif "action" in row:
        lines.append(f"  observation: {escape(_observation(row['observation']))}")
        lines.append(f"  action: {escape(row['action'])}")
    return lines


def command(
    words: Annotated[
        list[str] | None, typer.Argument(help="Domains, ids or parts of ids; all without any.")
    ] = None,
    spaces: Annotated[
        bool, typer.Option("--spaces", help="Make each environment and show its spaces.")
    ] = False,
    superseded: Annotated[
        bool, typer.Option("--superseded", help="Show ids that a later version replaces, too.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List the environments and their scores; with --spaces, or for an id, also their spaces."""
    from envs.registration import BRIDGED

    rows = catalogue(*(words or ()), spaces=spaces, superseded=superseded)
    if as_json:
        print_json(rows)
        return
    console = printer()
    brief = [row["id"] for row in rows if row["id"] in BRIDGED and "action" not in row]
    for row in rows:
        if row["id"] not in brief:
            console.print(*_lines(row), "", sep="\n")
    if brief:
        console.print(f"{len(brief)} ids of other packages:", *brief, sep="\n  ")
