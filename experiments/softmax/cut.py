"""``gymworks softmax``: cuts a vocabulary for an adaptive softmax on this machine."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from experiments.options import AsJson, Force, Quiet, aside, deliver, output, print_json, printer

if TYPE_CHECKING:  # torch is slow to import
    from envs.softmax.frequencies import FrequencyCurve
    from envs.softmax.plan import Plan


def command(
    counts: Annotated[
        Path, typer.Argument(help="A word and its count on each line; plain, .gz or .xz.")
    ],
    hidden: Annotated[int, typer.Option(help="Width of the hidden states.")] = 512,
    batch: Annotated[int, typer.Option(help="Hidden states a step: sequences x length.")] = 512,
    vocabulary: Annotated[
        int | None, typer.Option(help="Keep so many of the most frequent words; default: all.")
    ] = None,
    div_value: Annotated[float, typer.Option(help="Divisor of the tails' widths.")] = 4.0,
    loss_price: Annotated[
        float | None,
        typer.Option(help="Log of time that a nat of loss is worth; 0: speed alone; default: 4."),
    ] = None,
    kind: Annotated[str, typer.Option(help="What shall be fast: training or forward.")] = (
        "training"
    ),
    device: Annotated[str, typer.Option(help="Of torch, such as cpu or cuda.")] = "cpu",
    path: Annotated[Path | None, output("JSON file for the plan.")] = None,
    force: Force = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Measure this machine and show where to cut a vocabulary, and what that gains."""
    from envs.softmax.frequencies import FrequencyCurve, read_counts
    from envs.softmax.module import AdaptiveSoftmax
    from envs.softmax.plan import LOSS_PRICE
    from hardware_sim.files import write_json

    _, found = read_counts(counts)
    with aside(quiet).status("measuring layers"):
        plan = AdaptiveSoftmax.fit(
            found[:vocabulary],
            hidden,
            batch,
            device,
            div_value=div_value,
            kind=kind,
            loss_price=LOSS_PRICE if loss_price is None else loss_price,
        ).plan
    line = construction(hidden, plan.vocabulary, plan.cutoffs, div_value)
    document = {"hidden": hidden, "batch": batch, "kind": kind, **plan.to_json()}
    if path:
        deliver(path, lambda place: write_json(place, document))
    if as_json:
        print_json({**document, "construction": line})
        return
    console = printer(silent=quiet)
    title = f"{counts.name}: {plan.vocabulary:,} words, batch {batch}, on {device}"
    curve = FrequencyCurve.of_counts("counts", found[:vocabulary])
    console.print(_table(title, plan, curve, hidden), soft_wrap=False)
    console.print(
        f"expected {plan.expected_ms:.3g} ms, full softmax {plan.full_ms:.3g} ms: "
        f"speed-up {plan.speed_up:.1f}; estimated loss of quality {plan.loss:.3f} nats a word"
    )
    console.print("Number the words by falling frequency, the most frequent 0, and use")
    console.print(line)


def _table(title: str, plan: "Plan", curve: "FrequencyCurve", hidden: int) -> Table:
    """Head and tails: their words, the share of the text that these make up, and their width."""
    table = Table(title=title)
    for heading in ("cluster", "words", "of the text", "width"):
        table.add_column(heading, justify="left" if heading == "cluster" else "right")
    bounds = [0, *plan.cutoffs, plan.vocabulary]
    covered = curve.coverage(bounds, plan.vocabulary)
    for i in range(len(bounds) - 1):
        table.add_row(
            f"tail {i}" if i else "head",
            f"{bounds[i]:,} to {bounds[i + 1]:,}",
            f"{covered[i + 1] - covered[i]:.1%}",
            str(int(hidden // plan.div_value**i)),
        )
    return table


def construction(hidden: int, vocabulary: int, cutoffs: tuple[int, ...], div_value: float) -> str:
    """The line of Python that makes the module."""
    return (
        f"torch.nn.AdaptiveLogSoftmaxWithLoss({hidden}, {vocabulary}, {list(cutoffs)}, "
        f"div_value={div_value})"
    )
