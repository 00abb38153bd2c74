"""The command line: one verb a module of this package."""

import sys
from importlib import import_module

import typer
from rich.console import Console

from hardware_sim.errors import InputError

VERBS = (
    "list",
    "train",
    "evaluate",
    "sweep",
    "benchmark",
    "report",
    "verify",
    "watch",
    "place",
    "demo",
    "doctor",
)

app = typer.Typer(
    name="gymworks",
    help="Environments in which agents do real work: train, judge and inspect agents on them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
)
for _verb in VERBS:
    _module = import_module(f"experiments.{'catalogue' if _verb == 'list' else _verb}")
    app.command(_verb)(_module.command)


def main() -> None:
    """Runs the command line; bad input prints one line and exits with status 2."""
    try:
        app()
    except InputError as error:
        console = Console(stderr=True, highlight=False, soft_wrap=True)
        console.print(f"gymworks: {error}", markup=False)
        sys.exit(2)
