"""The command line: one verb a module of this package; some have verbs of their own."""

import sys
from importlib import import_module

import typer
from rich.console import Console

from experiments import doctor
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
    "softmax",
    "compact",
    "tune",
    "demo",
    "doctor",
)

GROUPS = ("web", "dance")
"""Verbs that have verbs of their own."""

app = typer.Typer(
    name="gymworks",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
)
STRANGERS = doctor.strangers()
"""Other people's packages in the way of ours; only the doctor can be imported beside them."""


@app.callback()
def _group() -> None:
    """Environments in which agents do real work: train, judge and inspect agents on them."""


for _verb in ("doctor",) if STRANGERS else VERBS:
    _module = import_module(f"experiments.{'catalogue' if _verb == 'list' else _verb}")
    app.command(_verb)(_module.command)

if not STRANGERS:
    for _group_name in GROUPS:
        app.add_typer(import_module(f"experiments.{_group_name}").app, name=_group_name)


def main() -> None:
    """Runs the command line; bad input prints one line and exits with status 2."""
    if STRANGERS and sys.argv[1:2] != ["doctor"]:
        finding = STRANGERS[0]
        console = Console(stderr=True, highlight=False, soft_wrap=True)
        console.print(
            f"gymworks: {finding.check} is {finding.seen}; {finding.remedy}", markup=False
        )
        sys.exit(2)
    try:
        app()
    except InputError as error:
        console = Console(stderr=True, highlight=False, soft_wrap=True)
        console.print(f"gymworks: {error}", markup=False)
        sys.exit(2)


if __name__ == "__main__":
    main()
