"""``gymworks softmax``: where to cut a vocabulary for an adaptive softmax on this machine."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table


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
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="JSON file for the plan.")
    ] = None,
) -> None:
    """Measures this machine and says where to cut a vocabulary, and what that gains."""
    from hardware_sim.files import write_json
    from hardware_sim.softmax.frequencies import FrequencyCurve, read_counts
    from hardware_sim.softmax.module import AdaptiveSoftmax
    from hardware_sim.softmax.plan import LOSS_PRICE

    console = Console(highlight=False)
    _, found = read_counts(counts)
    with console.status("measuring layers"):
        plan = AdaptiveSoftmax.fit(
            found[:vocabulary],
            hidden,
            batch,
            device,
            div_value=div_value,
            kind=kind,
            loss_price=LOSS_PRICE if loss_price is None else loss_price,
        ).plan
    table = Table(title=f"{counts.name}: {plan.vocabulary:,} words, batch {batch}, on {device}")
    for heading in ("cluster", "words", "of the text", "width"):
        table.add_column(heading, justify="left" if heading == "cluster" else "right")
    bounds = [0, *plan.cutoffs, plan.vocabulary]
    covered = FrequencyCurve.of_counts("counts", found[:vocabulary]).coverage(
        bounds, plan.vocabulary
    )
    for i in range(len(bounds) - 1):
        table.add_row(
            f"tail {i}" if i else "head",
            f"{bounds[i]:,} to {bounds[i + 1]:,}",
            f"{covered[i + 1] - covered[i]:.1%}",
            str(int(hidden // div_value**i)),
        )
    console.print(table)
    console.print(
        f"expected {plan.expected_ms:.3g} ms, full softmax {plan.full_ms:.3g} ms: "
        f"speed-up {plan.speed_up:.1f}; estimated loss of quality {plan.loss:.3f} nats a word"
    )
    console.print("Number the words by falling frequency, the most frequent 0, and use")
    console.print(construction(hidden, plan.vocabulary, plan.cutoffs, div_value), soft_wrap=True)
    if output:
        write_json(output, {"hidden": hidden, "batch": batch, "kind": kind, **plan.to_json()})


def construction(hidden: int, vocabulary: int, cutoffs: tuple[int, ...], div_value: float) -> str:
    """The line of Python that makes the module."""
    return (
        f"torch.nn.AdaptiveLogSoftmaxWithLoss({hidden}, {vocabulary}, {list(cutoffs)}, "
        f"div_value={div_value})"
    )
