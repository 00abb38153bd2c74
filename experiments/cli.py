"""The command line: a table of verbs, each imported when it runs; some have verbs of their own."""

import sys
from importlib import import_module, metadata
from typing import Annotated

import typer

from experiments import doctor
from experiments.verbs import Table, Verbs
from hardware_sim.commands import refuse, run
from hardware_sim.errors import InputError

ANY_ID: Table = {
    "list": (
        "experiments.catalogue:command",
        "List the environments and their scores; with --spaces, or for an id, also their spaces.",
    ),
    "train": (
        "experiments.train:command",
        "Train an agent; everything about it is kept in one folder, and --resume continues it.",
    ),
    "evaluate": (
        "experiments.evaluate:command",
        "Judge an agent on fixed seeds; the result file can be replayed by gymworks verify.",
    ),
    "sweep": (
        "experiments.sweep:command",
        "Search an algorithm's hyperparameters with Ray Tune; resumable, also after a kill.",
    ),
    "benchmark": (
        "experiments.benchmark:command",
        "Compare agents over environments: a table with intervals, summary.json and a report.",
    ),
    "report": (
        "experiments.report:command",
        "Show runs and results: tables with intervals, profiles, learning curves and pictures.",
    ),
    "verify": (
        "experiments.verify:command",
        "Replay a result file; exit status 1 and the first difference if it does not hold.",
    ),
    "convert": (
        "experiments.convert:command",
        "Make tensors of an older RLlib run's pickles, which run what they hold: needs --trust.",
    ),
    "watch": ("experiments.watch:command", "Film one episode of an agent."),
    "doctor": (
        "experiments.doctor:command",
        "Check this machine: libraries, compiler, browser, GPU; show what to do about each.",
    ),
}
"""Verbs for any id."""


def _verbs() -> Table:
    """Every verb: those for any id, then those of the domains.

    Beside other people's packages of our names there is only the doctor.
    """
    if doctor.strangers():
        return {"doctor": ANY_ID["doctor"]}
    from envs.registration import ALL_DOMAINS, room

    verbs = dict(ANY_ID)
    for domain in ALL_DOMAINS:
        verbs |= getattr(import_module(room("experiments", domain)), "VERBS", {})
    return verbs


class Gymworks(Verbs):
    """The verbs of the command line."""

    table = _verbs()


app = typer.Typer(
    name="gymworks", cls=Gymworks, no_args_is_help=True, pretty_exceptions_show_locals=False
)


def _version(asked: bool) -> None:
    """Prints the version and ends, if asked to."""
    if not asked:
        return
    try:
        typer.echo(f"gymworks {metadata.version('gymworks')}")
    except metadata.PackageNotFoundError:
        raise InputError("it is not installed, so that its version is not known") from None
    raise typer.Exit


@app.callback()
def _group(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Environments in which agents do real work: train, judge and inspect agents on them."""


def main() -> None:
    """Runs the command line; see :func:`hardware_sim.commands.run`."""
    strangers = doctor.strangers()  # beside other people's packages only the doctor can work
    if strangers and sys.argv[1:2] != ["doctor"]:
        refuse(f"{strangers[0].check} is {strangers[0].seen}; {strangers[0].remedy}")
    run(app, "gymworks")


if __name__ == "__main__":
    main()
