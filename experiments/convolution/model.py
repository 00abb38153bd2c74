"""Compares models' predictions with measurements: ``python -m experiments.convolution.model``.

For each layer Spearman's rank correlation between a model's log speed-ups and the measured ones,
over all different variants, and the share of the greatest measured log speed-up that the model's
first choice has.
"""

from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from rich.box import SIMPLE
from rich.table import Table as Printed

from agents.convolution import cost_model
from envs.convolution.tables import Table, measured_on, replay
from experiments.options import printer
from hardware_sim.commands import run
from hardware_sim.kernels import roofline, space
from hardware_sim.kernels.layers import find

MODELS = {"roofline": roofline.predict, "cost model": cost_model.predict}


def compared(table: Table, predictions: NDArray[np.float64]) -> tuple[float, float]:
    """Rank correlation with the measurements, and the share of the gain of the first choice.

    Args:
        table: Measurements of a layer.
        predictions: Log speed-ups of all choices, float64 ``space.SIZES``.
    """
    different = space.choices(find(table.name).problem, measured_on())
    firsts = [choices[0] for choices in different.values()]
    index = tuple(np.array(firsts).T)
    truth, predicted = np.log(np.maximum(table.speedup[index], 1e-3)), predictions[index]
    best = truth.max()
    share = float(max(truth[predicted.argmax()], 0.0) / best) if best > 0 else 1.0
    return float(np.corrcoef(ranks(truth), ranks(predicted))[0, 1]), share


def ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Places of values in their order, float64 ``(N,)``; equal ones share the mean place."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    shared: NDArray[np.float64] = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    return shared


def main(
    split: Annotated[str, typer.Option(help="train, test or all")] = "all",
) -> None:
    """Prints a line for each layer, and means."""
    printed = Printed(
        box=SIMPLE, title="rank correlation, and share of the gain of the first choice"
    )
    for column in ("layer", "split", "best", *MODELS):
        printed.add_column(column, justify="left" if column in ("layer", "split") else "right")
    found: dict[str, dict[str, list[Any]]] = {}
    for table in replay().values():
        if split not in ("all", table.split):
            continue
        cells = []
        for name, model in MODELS.items():
            correlation, share = compared(table, model(find(table.name).problem, measured_on()))
            found.setdefault(table.split, {}).setdefault(name, []).append((correlation, share))
            cells.append(f"{correlation:.2f}  {100 * share:3.0f} %")
        printed.add_row(table.name, table.split, f"{np.nanmax(table.speedup):.2f}", *cells)
    for name, models in found.items():
        means = [np.mean(values, axis=0) for values in models.values()]
        printed.add_row("mean", name, "", *(f"{a:.2f}  {100 * b:3.0f} %" for a, b in means))
    printer(soft_wrap=False).print(printed)


if __name__ == "__main__":
    run(main)
