"""Options that many verbs have, and how verbs print: text for people, JSON for scripts."""

import json
from collections.abc import Iterable
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from hardware_sim.errors import InputError
from hardware_sim.naming import trusting

Quiet = Annotated[bool, typer.Option("--quiet", help="No progress, no text, only errors.")]
Split = Annotated[str | None, typer.Option(help="Split of the problems: --option split=...")]
Options = Annotated[
    list[str] | None, typer.Option("--option", metavar="K=V", help="Option of every reset.")
]
EnvKwargs = Annotated[
    list[str] | None, typer.Option("--env", metavar="K=V", help="Argument of the environment.")
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document instead of text.")]


def pairs(texts: Iterable[str]) -> dict[str, Any]:
    """``["k=v", ...]`` as a dictionary; values are JSON where they are any, and text otherwise.

    Raises:
        InputError: A text has no name or no value, or a name is given twice.
    """
    found: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not name or not equals or name in found:
            raise InputError(f"{text!r} is no name=value, or names {name!r} again")
        try:
            found[name] = json.loads(value)
        except ValueError:
            found[name] = value
    return found


def reset_options(split: str | None, option: list[str] | None) -> dict[str, Any]:
    """The options of resets that ``--split`` and ``--option`` give.

    Raises:
        InputError: An option is no ``name=value`` or given twice.
    """
    return pairs([*([] if split is None else [f"split={split}"]), *(option or [])])


def _trust(context: typer.Context, on: bool) -> bool:
    """Trusts as long as the verb runs."""
    context.with_resource(trusting(on))
    return on


Trust = Annotated[
    bool,
    typer.Option(
        "--trust", callback=_trust, help="Import code that files name; each is said in a line."
    ),
]


def printer(silent: bool = False) -> Console:
    """Standard output for text, each line as it is; nothing is printed if ``silent``."""
    return Console(highlight=False, soft_wrap=True, quiet=silent)


def aside(quiet: bool = False) -> Console:
    """Standard error for what passes, such as progress, so that standard output can be read."""
    return Console(stderr=True, quiet=quiet)


def bar(quiet: bool = False) -> Progress:
    """A progress bar of counted things on standard error, where a person looks at it."""
    console = aside(quiet)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=quiet or not console.is_terminal,
        transient=True,
    )


def print_json(document: Any) -> None:
    """Prints a document of finite numbers as indented JSON on standard output."""
    typer.echo(json.dumps(document, indent=1, allow_nan=False))
