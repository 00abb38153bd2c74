"""``gymworks dance picture``: a chart as a PNG."""

import io
from pathlib import Path
from typing import Annotated

import typer

from experiments.options import Force, deliver, destination, output, printer
from hardware_sim.errors import InputError


def command(
    file: Annotated[Path, typer.Argument(help="A .sm, .ssc or .dwi file.")],
    path: Annotated[Path | None, output("PNG file; by default beside the chart.", ".png")] = None,
    difficulty: Annotated[
        str, typer.Option(help="Which chart; by default the hardest of the file.")
    ] = "",
    force: Force = False,
) -> None:
    """Draw a chart: arrows coloured by note type, holds, mines, feet and techniques."""
    from PIL import Image

    from envs.dance import simfiles
    from envs.dance.picture import picture
    from hardware_sim.errors import choose
    from hardware_sim.files import write_atomic

    song = simfiles.read(file)
    if not song.charts:
        raise InputError(f"{file} has no four-panel chart (dance-single)")
    names = tuple(chart.difficulty for chart in song.charts)
    if difficulty:
        chart = song.charts[names.index(choose("difficulty", difficulty.capitalize(), names))]
    else:
        chart = max(song.charts, key=lambda each: (each.meter, len(each.rows)))
    beside = file.with_name(f"{file.stem}-{chart.difficulty.lower()}.png")
    place = path or destination(beside, force=force)
    title = " - ".join(filter(None, (song.artist, song.title)))
    buffer = io.BytesIO()
    Image.fromarray(picture(chart, title)).save(buffer, "PNG", optimize=True)
    deliver(place, lambda path: write_atomic(path, lambda target: target.write(buffer.getvalue())))
    printer().print(f"{place}", markup=False)
