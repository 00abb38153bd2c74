"""Scores networks' predictions of the rows of dance charts, beside the paper's table 3.

``python -m experiments.dance.selection_report measure WEIGHTS`` judges weights that
``agents.dance.recipes.selection`` wrote to a folder, each named after its recipe (``ours-1`` is
the second seed), on the songs of the split test, and writes their lines to the JSON file beside
this module; ``... critic`` adds the shipped critic's areas under the curve, human against spoiled;
``... table`` prints the table; ``... bench`` compares cached sampling with reading everything again
for every row.
"""

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from rich.table import Table
from torch import Tensor

from agents.dance import critic as dance
from agents.dance import selection
from agents.dance.batches import (
    Batch,
    Steps,
    chart_steps,
    human_charts,
    human_songs,
    steps,
    with_looks,
)
from agents.dance.history import MIRRORED
from agents.dance.ngram import ORDER, KneserNey
from agents.dance.paper import PAPER
from agents.dance.recipes.critic import spoiled
from agents.dance.recipes.selection import RECIPES, score
from agents.dance.sampling import sample, sample_plainly
from envs.dance.chart import held_before, legal_rows
from envs.weights import load_weights
from experiments.options import printer
from hardware_sim.commands import run
from hardware_sim.files import write_json

RESULTS = Path(__file__).with_name("results") / "selection.json"
CORPUS = "itg"
RESAMPLES = 10_000

OURS, MASKED = "ours", "lstm64+dt+beat"
"""The recipe of the shipped weights, and the line that is shown with masks, too."""

PUBLISHED = {
    "kn5": (5.847, 0.356),
    "mlp5": (5.312, 0.376),
    "mlp5+dt": (4.792, 0.402),
    "mlp5+dt+beat": (4.786, 0.401),
    "lstm5": (5.040, 0.407),
    "lstm5+dt": (4.412, 0.439),
    "lstm5+dt+beat": (4.447, 0.441),
    "lstm64": (4.780, 0.426),
    "lstm64+dt": (4.284, 0.454),
    "lstm64+dt+beat": (4.342, 0.444),
}
"""Perplexity and accuracy on In The Groove, Donahue et al. (ICML 2017), table 3; another split."""

app = typer.Typer(no_args_is_help=True, add_completion=False)


class Songs(NamedTuple):
    """Test songs.

    Attributes:
        charts: Of all songs, with looks.
        song: (rows,) int64, the number of the song that each row belongs to.
    """

    charts: list[Steps]
    song: NDArray[np.int64]


def test_songs() -> Songs:
    """The songs of the split test."""
    songs = human_songs(CORPUS, "test")
    charts = with_looks(chart_steps([c for group in songs.values() for c in group], CORPUS))
    rows = [sum(len(chart.rows) for chart in group) for group in songs.values()]
    return Songs(charts, np.repeat(np.arange(len(songs)), rows))


def summary(
    nats: NDArray[np.float64], hits: NDArray[np.bool_], song: NDArray[np.int64]
) -> dict[str, Any]:
    """Perplexity and accuracy, each with a 95 % bootstrap interval over songs."""
    sums = np.stack([np.bincount(song, part) for part in (nats, hits, np.ones(len(song)))])
    rng = np.random.default_rng(0)
    drawn = sums[:, rng.integers(0, sums.shape[1], (RESAMPLES, sums.shape[1]))].sum(-1)
    perplexity, accuracy = np.exp(drawn[0] / drawn[2]), drawn[1] / drawn[2]
    interval = (2.5, 97.5)
    return {
        "perplexity": float(np.exp(nats.mean())),
        "perplexity_interval": np.percentile(perplexity, interval).tolist(),
        "accuracy": float(hits.mean()),
        "accuracy_interval": np.percentile(accuracy, interval).tolist(),
    }


def judged(log_probabilities: Callable[[Batch], Tensor], songs: Songs) -> dict[str, Any]:
    """Perplexity and accuracy of a model's predictions on songs."""
    found = score(log_probabilities, songs.charts)
    return summary(found.nats.double().numpy(), found.hits.numpy(), songs.song)


def ngram_judged(songs: Songs) -> dict[str, Any]:
    """As :func:`judged`, of the n-gram of the charts of the split train and their mirror images."""
    train = [chart.rows for chart in human_charts(CORPUS, "train")]
    model = KneserNey([mirror[rows] for rows in train for mirror in MIRRORED], ORDER)
    nats, hits = [], []
    for chart in songs.charts:
        chances = model.of_chart(chart.rows)
        nats.append(-np.log(chances[np.arange(len(chart)), chart.rows]))
        hits.append(chances.argmax(-1) == chart.rows)
    return summary(np.concatenate(nats), np.concatenate(hits), songs.song)


def within_holds(log_probabilities: Tensor, batch: Batch) -> Tensor:
    """Log-probabilities (B, N, 256), those of rows that holds forbid shared among the others."""
    legal = np.stack([legal_rows(held_before(rows)) for rows in batch.rows.numpy()])
    legal[..., 0] = False
    return torch.log_softmax(log_probabilities.masked_fill(~torch.from_numpy(legal), -1e9), -1)


def lines(weights: Path, names: Sequence[str], songs: Songs) -> dict[str, dict[str, Any]]:
    """The lines of the table, by name; of ours also means over mirrors and over two seeds.

    Args:
        weights: Folder.
        names: Recipes whose weights are in it.
        songs: To judge on.
    """
    found: dict[str, dict[str, Any]] = {"kn5": ngram_judged(songs)}
    networks = {}
    for name in names:
        networks[name], about = _loaded(name, weights / f"{name}.safetensors")
        found[name] = {**judged(_predictions([networks[name]]), songs), **about}
    if MASKED in networks:
        plain = _predictions([networks[MASKED]])
        found[f"{MASKED}, within holds"] = judged(lambda b: within_holds(plain(b), b), songs)
    if OURS in networks:
        ours = [networks[OURS]]
        found[f"{OURS}, mean over mirrors"] = judged(_predictions(ours, range(4)), songs)
        second = weights / f"{OURS}-1.safetensors"
        if second.exists():
            other = _loaded(OURS, second)[0]
            found[f"{OURS}, second seed"] = judged(_predictions([other]), songs)
            pair = _predictions([*ours, other], range(4))
            found["two networks, mean over mirrors"] = judged(pair, songs)
    return found


def _predictions(
    networks: Sequence[Any], mirrors: Sequence[int] = (0,)
) -> Callable[[Batch], Tensor]:
    return lambda batch: selection.log_probabilities(networks, batch, mirrors)


def _loaded(name: str, path: Path) -> tuple[Any, dict[str, Any]]:
    recipe = RECIPES[name]
    network = recipe.network()
    load_weights(network, path)
    network.eval()
    about = {
        "parameters": sum(part.numel() for part in network.parameters()),
        "updates": recipe.updates,
        "places": recipe.places,
        "corpora": list(recipe.corpora),
        "seed": 0,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }
    return network, about


@app.command()
def measure(
    weights: Annotated[Path, typer.Argument(help="Folder of weights, by names of recipes.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="File.")] = RESULTS,
) -> None:
    """Judges weights on the test songs and writes the results; other lines stay as they are."""
    torch.set_num_threads(1)
    names = [name for name in (*PAPER, OURS) if (weights / f"{name}.safetensors").exists()]
    songs = test_songs()
    content = json.loads(output.read_text()) if output.exists() else {}
    content |= {
        "data": f"{len(songs.charts)} charts of {songs.song.max() + 1} songs of the split test of "
        f"In The Groove, {len(songs.song)} rows; intervals are over songs",
        "lines": {**content.get("lines", {}), **lines(weights, names, songs)},
    }
    write_json(output, content)
    table(output)


@app.command()
def critic(
    output: Annotated[Path, typer.Option("--output", "-o", help="File to add to.")] = RESULTS,
    seed: Annotated[int, typer.Option(help="Of the corruptions.")] = 1,
) -> None:
    """Judges the shipped critic: human charts of test songs against spoiled ones."""
    torch.set_num_threads(1)
    charts = chart_steps(human_charts(CORPUS, "test"), CORPUS)
    network, shipped = selection.shipped(), dance.shipped()
    scores = {
        name: dance.chart_scores(shipped, dance.windows(network, group))
        for name, group in spoiled(charts, seed).items()
    }
    human = scores.pop("human")
    areas = {name: dance.auc(human, other) for name, other in scores.items()}
    areas["all"] = dance.auc(human, np.concatenate(list(scores.values())))
    content = json.loads(output.read_text()) if output.exists() else {}
    write_json(output, {**content, "critic": {"charts": len(human), "seed": seed, "area": areas}})
    printed = Table("human charts against", "area under the curve")
    for name, area in areas.items():
        printed.add_row(name, f"{area:.3f}")
    printer(soft_wrap=False).print(printed)


@app.command()
def table(
    results: Annotated[Path, typer.Argument(help="File of results.")] = RESULTS,
) -> None:
    """Prints the table."""
    content = json.loads(results.read_text())
    printed = Table("model", "perplexity", "accuracy", "paper's perplexity", "paper's accuracy")
    order = ["kn5", *PAPER]
    rows = sorted(content["lines"].items(), key=lambda each: (*order, each[0]).index(each[0]))
    for name, line in rows:
        theirs = PUBLISHED.get(name)
        printed.add_row(
            name,
            _cell(line["perplexity"], line["perplexity_interval"]),
            _cell(line["accuracy"], line["accuracy_interval"]),
            *((f"{value:.3f}" for value in theirs) if theirs else ("", "")),
        )
    printer(soft_wrap=False).print(printed, content["data"])


def _cell(value: float, interval: Sequence[float]) -> str:
    return f"{value:.3f} ({interval[0]:.3f} to {interval[1]:.3f})"


@app.command()
def bench(
    charts: Annotated[int, typer.Option(min=1, help="Charts at once.")] = 64,
    rows: Annotated[int, typer.Option(min=1, help="Rows a chart.")] = 300,
) -> None:
    """Compares cached sampling with reading all rows again for every row of one chart."""
    torch.set_num_threads(1)
    network = selection.shipped()
    ticks = np.cumsum(np.random.default_rng(0).choice([12, 24, 24, 48], rows))
    given = [steps(ticks, ticks / 96, seed % 5) for seed in range(charts)]
    started = time.perf_counter()
    found = sample(network, given, range(charts))
    fast_s = (time.perf_counter() - started) / (charts * rows)
    started = time.perf_counter()
    plain = sample_plainly(network, given[:1], [0])
    slow_s = (time.perf_counter() - started) / rows
    same = "the same" if plain[0].tolist() == found[0].tolist() else "NOT the same"
    typer.echo(
        f"{charts} charts of {rows} rows: {1e6 * fast_s:.0f} us a row cached and batched, "
        f"{1e6 * slow_s:.0f} us a row read again; {slow_s / fast_s:.0f} times as fast, {same} rows"
    )


if __name__ == "__main__":
    run(app)
