"""The command line: a table of verbs, each imported when it runs; some have verbs of their own."""

import errno
import os
import sys
from importlib import import_module, metadata
from typing import Annotated

import typer
from rich.console import Console

from experiments import doctor
from experiments.verbs import Table, Verbs
from hardware_sim.errors import InputError
from hardware_sim.files import FULL

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

PLACES = (*FULL, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.EIO)
"""The system's reasons that lie in a person's disk, not in a fault of ours."""


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


def _refuse(why: str) -> None:
    """Ends with one line on standard error and status 2."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(f"gymworks: {why}", markup=False)
    sys.exit(2)


def main() -> None:
    """Runs the command line; bad input or a bad disk prints one line and exits with status 2."""
    strangers = doctor.strangers()  # beside other people's packages only the doctor can work
    if strangers and sys.argv[1:2] != ["doctor"]:
        _refuse(f"{strangers[0].check} is {strangers[0].seen}; {strangers[0].remedy}")
    try:
        try:
            app(prog_name="gymworks")
        finally:
            sys.stdout.flush()
    except InputError as error:
        _refuse(str(error))
    except OSError as error:
        if error.errno not in PLACES:
            raise
        # What standard output still holds would be written, and fail, once more at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        _refuse(f"{error.filename or 'standard output'} cannot be used: {error.strerror}")


if __name__ == "__main__":
    main()
