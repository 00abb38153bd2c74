"""Makes the data that ships with the adaptive softmax: frequency curves and the cost table.

``python -m experiments.softmax.data curves en=large_en.msgpack.gz de=de_50k.txt ...`` and
``python -m experiments.softmax.data costs``.
"""

from importlib.resources import files
from pathlib import Path
from typing import Annotated

import torch
import typer

from envs.softmax.frequencies import FrequencyCurve, read_counts
from envs.softmax.timing import measure
from experiments.options import aside
from hardware_sim.commands import run
from hardware_sim.errors import InputError
from hardware_sim.files import write_text

POINTS = 128
SIZES = [4**i for i in range(6)]
WORDS = [4**i for i in range(1, 10)]

DATA = Path(str(files("envs.softmax").joinpath("data")))
app = typer.Typer(no_args_is_help=True)


@app.command()
def curves(
    sources: Annotated[list[str], typer.Argument(help="NAME=FILE of word counts, each.")],
    output: Annotated[Path, typer.Option("--output", "-o")] = DATA / "curves.json",
) -> None:
    """Reduces word counts to cumulative curves of about 128 points."""
    rows = []
    for source in sources:
        name, equals, path = source.partition("=")
        if not equals:
            raise InputError(f"{source!r} is not of the form NAME=FILE")
        curve = FrequencyCurve.of_counts(name, read_counts(path)[1], POINTS)
        ranks = [int(rank) for rank in curve.ranks]
        cumulative = [round(share, 7) for share in curve.cumulative.tolist()]
        rows.append(f'"{name}": {{"ranks": {ranks},\n "cumulative": {cumulative}}}')
    write_text(output, '{"curves": {\n' + ",\n".join(rows) + "\n}}\n")


@app.command()
def costs(
    output: Annotated[Path, typer.Option("--output", "-o")] = DATA / "costs.json",
) -> None:
    """Measures training steps of output layers on one core of this machine."""
    torch.set_num_threads(1)
    with aside().status("measuring"):
        measure(SIZES, SIZES, WORDS).save(output)


if __name__ == "__main__":
    run(app)
