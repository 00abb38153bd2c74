"""``gymworks compact``: makes the feature maps of anybody's convolutional network compact."""

import io
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from experiments.options import AsJson, Force, Quiet, deliver, output, print_json, printer

if TYPE_CHECKING:
    from torch import Tensor, nn


HEADINGS = {
    "parameters": "parameters",
    "multiplications": "multiplications",
    "map_bytes": "feature maps, bytes",
    "time_us": "one input on one core, us",
}


def command(
    network: Annotated[
        str, typer.Argument(help="module:attribute, a torch module or a function that makes one.")
    ],
    inputs: Annotated[
        Path, typer.Option(help=".npy file of inputs as it takes them, float (n, c, h, w).")
    ],
    keep: Annotated[
        list[str] | None,
        typer.Option(help="LAYER=CHANNELS, again for each map; none lists the layers."),
    ] = None,
    path: Annotated[Path | None, output("Where torch.save puts the new network.")] = None,
    force: Force = False,
    tune: Annotated[
        float,
        typer.Option(min=0.0, help="Passes over the inputs to train it on the original's scores."),
    ] = 0.0,
    seed: Annotated[int, typer.Option(help="Seed of projections and of training.")] = 0,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Re-configure a trained network to compact feature maps and show what it gains.

    Its outputs are kept as well as the least squares can. For a classifier of pictures, --tune
    trains the rest of the way without labels, by the scores that the original gives; with labels,
    use envs.compact.tuning.fine_tune, or a loop of your own.
    """
    import torch

    from envs.compact.compaction import compact, compactable
    from envs.compact.costs import deployed, interleaved_seconds
    from envs.compact.tuning import match
    from hardware_sim.files import write_atomic

    console = printer(silent=quiet or as_json)
    model, images = _network(network), _inputs(inputs)
    if not keep:
        found = compactable(model)
        for name, size in found.items():
            console.print(f"{name}: {size} channels")
        if as_json:
            print_json({"layers": found})
        return
    result = compact(model, _kept(keep), images, seed)
    if tune:
        match(result.model, model, images, tune, seed)
    _, channels, height, width = images.shape
    one = images[:1].to(memory_format=torch.channels_last)
    seconds = interleaved_seconds([(deployed(m), one) for m in (model, result.model)], rounds=20)
    costs = {
        name: _costs(each, (channels, height, width), seconds[i])
        for i, (name, each) in enumerate((("original", model), ("compact", result.model)))
    }
    console.print(_gains(costs["original"], costs["compact"]), soft_wrap=False)
    for name, residual in result.residual.items():
        console.print(f"{name}: {100 * residual:.1f} % of its variance is lost")
    if path is not None:
        # Into memory first: on a full disk torch's own writer ends the process.
        torch.save(result.model, buffer := io.BytesIO())
        deliver(path, lambda place: write_atomic(place, lambda file: file.write(buffer.getvalue())))
        console.print(f"{path}: load it with torch.load(..., weights_only=False)")
    if as_json:
        print_json({**costs, "variance_lost": result.residual})


def _network(name: str) -> "nn.Module":
    """The torch module that a name stands for, from the working folder too."""
    from torch import nn

    from hardware_sim.errors import InputError
    from hardware_sim.naming import resolve

    found = resolve(name, "network", working_folder=True)
    model = found if isinstance(found, nn.Module) else found() if callable(found) else found
    if not isinstance(model, nn.Module):
        raise InputError(f"{name} is a {type(model).__name__}; expected a torch module")
    return model.eval()


def _inputs(path: Path) -> "Tensor":
    """Calibration inputs of a file."""
    import torch

    from hardware_sim.errors import InputError
    from hardware_sim.reading import read_array

    array = read_array(path)
    if array.ndim != 4:
        raise InputError(f"{path} holds an array {array.shape}; expected (n, channels, h, w)")
    return torch.from_numpy(array).float()


def _kept(pairs: list[str]) -> dict[str, int]:
    """Channels by layer."""
    from hardware_sim.errors import InputError

    kept = {}
    for pair in pairs:
        name, _, channels = pair.partition("=")
        if not channels.isdigit():
            raise InputError(f"--keep {pair!r} is not LAYER=CHANNELS")
        kept[name] = int(channels)
    return kept


def _costs(model: "nn.Module", shape: tuple[int, int, int], time_s: float) -> dict[str, float]:
    """Costs of a network for one input (c, h, w), which takes ``time_s`` on one core."""
    from envs.compact.costs import layer_costs

    costs = layer_costs(model, shape).values()
    return {
        "parameters": sum(p.numel() for p in model.parameters()),
        "multiplications": sum(cost.multiplications for cost in costs),
        "map_bytes": sum(cost.map_bytes for cost in costs),
        "time_us": round(1e6 * time_s),
    }


def _gains(before: dict[str, float], after: dict[str, float]) -> Table:
    """Costs of both networks for one input."""
    table = Table("", "original", "compact", "ratio")
    for name, heading in HEADINGS.items():
        ratio = before[name] / after[name]
        table.add_row(heading, f"{before[name]:,}", f"{after[name]:,}", f"{ratio:.2f}")
    return table
