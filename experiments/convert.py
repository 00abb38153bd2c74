"""``gymworks convert``: an older RLlib run, whose checkpoints are pickles, in today's form."""

from pathlib import Path
from typing import Annotated

import typer

from agents.engines.base import TrainConfig
from agents.runs import Run
from experiments.options import AsJson, Quiet, Trust, print_json, printer
from hardware_sim.errors import InputError


def convert(folder: str | Path) -> list[Path]:
    """Writes the run's checkpoints as tensors; the pickles go into its folder ``pickles``.

    Args:
        folder: A run folder.

    Returns:
        The new files.

    Raises:
        InputError: It is no run of engine rllib, or holds no older checkpoint, or opening its
            pickles is not trusted (:func:`hardware_sim.naming.trusting`).
    """
    run = Run(folder)
    config = TrainConfig.from_json(run.config)
    if config.engine != "rllib":
        raise InputError(f"{folder} is a run of engine {config.engine}, which has no pickles")
    from agents.engines import rllib_checkpoint as checkpoint
    from agents.engines.rllib_config import networks_of

    made = checkpoint.convert(run, checkpoint.describe(networks_of(config)))
    if not made:
        raise InputError(f"{folder} has no older checkpoint of RLlib's")
    return made


def command(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The run folder.")],
    trust: Trust = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Make tensors of an older RLlib run's pickles, which run what they hold: needs --trust."""
    made = convert(run)
    if as_json:
        print_json({"run": str(run), "checkpoints": [path.name for path in made]})
        return
    for path in made:
        printer(silent=quiet).print(f"written: {path}", markup=False)
