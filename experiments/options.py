"""Options that many verbs have, and how verbs print: text for people, JSON for scripts."""

import json
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from hardware_sim.naming import trusting

Quiet = Annotated[bool, typer.Option("--quiet", help="No progress, no text, only errors.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document instead of text.")]


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
