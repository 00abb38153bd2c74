"""The log-likelihood of a dance chart's rows, and a critic of how human whole charts are.

The log-likelihood is that of the pretrained selection network, less the mean of human charts of the
same level, so that a long chart gains nothing by its length. The judge is another network, an LSTM
that has seen no chart that the first one saw: reports are by it. The critic looks at windows of 64
rows (their likelihood, rhythm, patterns, repeats and steps of the feet, and whether another level
would fit better, or the same rows a place or two earlier or later) and distinguishes human charts
from spoiled ones (:mod:`agents.dance.corruption`).
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from agents.dance import selection
from agents.dance.batches import Steps, batches, collate, steps, with_looks
from agents.dance.corruption import SLIPS, slip
from agents.dance.history import LONGEST
from agents.dance.paper import Lstm, Selector, paper_network
from agents.pretrained import pretrained
from envs.dance.chart import HEAD, TAP, states
from envs.dance.feet import FAST_JACK_S, Technique, feet
from envs.dance.timing import TICKS
from envs.weights import load_weights

CRITIC, JUDGE = "dance-critic", "dance-judge"
LEVELS = 5
WINDOW, HOP = 64, 32
"""Rows of a window, and from one to the next."""

LIKELY = 0.5
"""Rows of a lower negative log-likelihood, in nats, count as expected."""

PLACES = 4096
"""Places of a batch, at most."""

_PHASES = np.select(
    [np.arange(TICKS) % part == 0 for part in (48, 24, 12, 16)], list(range(4)), default=4
)
"""Class 0 to 4 of a tick: on the beat, half, a quarter or a third of one behind, or elsewhere."""

FACTS = 37
"""Features of a row that windows take the mean of."""

SECONDS = 3 + LEVELS + len(SLIPS) + 5
"""Place among them of the log seconds since the row before."""

FEATURES = FACTS + 3 + LEVELS

TECHNIQUES = (
    Technique.DOUBLE_STEP,
    Technique.JACK,
    Technique.FOOTSWITCH,
    Technique.CROSSOVER,
)
"""Techniques of the feet that the critic counts."""


def nats(network: Selector, charts: Sequence[Steps]) -> list[NDArray[np.float32]]:
    """Negative log-likelihood (N,) of every row of charts, given those before.

    Args:
        network: In evaluation mode.
        charts: With looks if the network needs them.
    """
    found = [np.zeros(0, np.float32)] * len(charts)
    places = {id(chart): i for i, chart in enumerate(charts)}
    for group in batches(charts, PLACES):
        batch = collate(group)
        log_probs = selection.log_probabilities([network], batch)
        costs = -log_probs.gather(-1, batch.rows[..., None])[..., 0].numpy()
        for chart, cost in zip(group, costs, strict=True):
            found[places[id(chart)]] = cost[: len(chart)]
    return found


class Critic(nn.Module):
    """From features of a window to the log-odds that a human wrote it.

    Attributes:
        mean: (FEATURES,), mean over the windows that it was fitted to.
        scale: (FEATURES,), standard deviation over them.
        usual: (LEVELS,), mean negative log-likelihood of a row of human charts of each level, in
            nats.
    """

    mean: Tensor
    scale: Tensor
    usual: Tensor

    def __init__(self, hidden: int = 48) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(FEATURES))
        self.register_buffer("scale", torch.ones(FEATURES))
        self.register_buffer("usual", torch.zeros(LEVELS))
        self.layers = nn.Sequential(
            nn.Linear(FEATURES, hidden),
            nn.GELU(),
            nn.Dropout(0.2),
            nn.Linear(hidden, hidden),
            nn.GELU(),
            nn.Linear(hidden, 1),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Log-odds (...) of features (..., FEATURES)."""
        scaled = ((features - self.mean) / self.scale).clamp(-5, 5)
        odds: Tensor = self.layers(scaled)[..., 0]
        return odds


class Windows(NamedTuple):
    """Windows of charts.

    Attributes:
        features: (W, FEATURES) float32.
        charts: (W,) int64, the number of the chart each belongs to.
    """

    features: NDArray[np.float32]
    charts: NDArray[np.int64]


def windows(network: Selector, charts: Sequence[Steps]) -> Windows:
    """Features of all windows of charts (the last one ends with the chart).

    Args:
        network: The selection network, in evaluation mode.
        charts: Without looks.
    """
    seen = with_looks(charts)
    costs = [
        nats(network, [replace(each, level=level) for each in seen]) for level in range(LEVELS)
    ]
    costs += [nats(network, with_looks([slip(each, by) for each in charts])) for by in SLIPS]
    features, numbers = [], []
    for number, chart in enumerate(seen):
        facts = _facts(chart, np.stack([each[number] for each in costs]))
        last = max(len(chart) - WINDOW, 0)
        for start in sorted({*range(0, last, HOP), last}):
            features.append(_summary(facts[start : start + WINDOW], chart.level))
            numbers.append(number)
    return Windows(np.stack(features), np.array(numbers))


def _facts(chart: Steps, costs: NDArray[np.float32]) -> NDArray[np.float32]:
    """Features (N, FACTS) of rows.

    Args:
        chart: With looks.
        costs: (LEVELS + len(SLIPS), N), negative log-likelihood of the rows in nats, if the chart
            were of each level, and if they were slipped.

    Returns:
        The first column is the negative log-likelihood of each row.
    """
    looks = chart.looks
    assert looks is not None
    own = costs[chart.level]
    panels = states(chart.rows)
    pressed = (panels == TAP) | (panels == HEAD)
    again = np.append(False, (pressed[1:] & pressed[:-1]).any(-1))
    jump = pressed.sum(-1) > 1
    path = feet(chart.rows, chart.times)
    columns = [
        own,
        own < LIKELY,
        own - costs[:LEVELS].min(0),
        *(own - costs).clip(-3, 3),
        *np.eye(5)[_PHASES[chart.ticks % TICKS]].T,
        np.log(chart.seconds[:, 0] + 0.01),
        jump,
        jump & (chart.ticks % TICKS == 0),
        jump & (chart.ticks % (4 * TICKS) == 0),
        again & (chart.seconds[:, 0] < FAST_JACK_S),
        (panels == HEAD).any(-1),
        looks.held.any(-1),
        again,
        *pressed.T,
        looks.length.max(-1) / LONGEST,
        looks.even.max(-1) / LONGEST,
        looks.copied.max(-1) / LONGEST,
        path.costs.clip(max=20),
        *((path.techniques & technique) > 0 for technique in TECHNIQUES),
    ]
    return np.stack(columns, -1).astype(np.float32)


def _summary(facts: NDArray[np.float32], level: int) -> NDArray[np.float32]:
    cost = facts[:, 0]
    spread = [cost.std(), np.quantile(cost, 0.9), facts[:, SECONDS].std()]
    return np.concatenate([facts.mean(0), spread, np.eye(LEVELS)[level]]).astype(np.float32)


def chart_scores(critic: Critic, found: Windows) -> NDArray[np.float64]:
    """Log-odds of every chart: the mean over its windows."""
    with torch.no_grad():
        odds = critic(torch.from_numpy(found.features)).numpy().astype(np.float64)
    scores: NDArray[np.float64] = np.bincount(found.charts, odds) / np.bincount(found.charts)
    return scores


def auc(human: ArrayLike, other: ArrayLike) -> float:
    """Chance that a human chart scores higher than another; ties count half."""
    mine, theirs = np.asarray(human)[:, None], np.asarray(other)[None]
    return float(((mine > theirs) + 0.5 * (mine == theirs)).mean())


@cache
def shipped() -> Critic:
    """The pretrained critic, in evaluation mode."""
    critic = Critic()
    load_weights(critic, pretrained(CRITIC))
    return critic.eval()


@cache
def judge() -> Lstm:
    """The pretrained judge, in evaluation mode."""
    network = paper_network("lstm64+dt+beat")
    assert isinstance(network, Lstm)
    load_weights(network, pretrained(JUDGE))
    network.eval()
    return network


def human_odds(rows: ArrayLike, ticks: ArrayLike, times: ArrayLike, level: int) -> float:
    """Log-odds that a human wrote a chart; above 0 rather yes.

    Args:
        rows: (N,) codes.
        ticks: (N,) int, ascending.
        times: (N,) float, seconds.
        level: Coarse level 0..4.

    Raises:
        InputError: There is no such level, or no rows.
    """
    chart = _chart(rows, ticks, times, level)
    return float(chart_scores(shipped(), windows(selection.shipped(), [chart]))[0])


def log_likelihood(
    rows: ArrayLike, ticks: ArrayLike, times: ArrayLike, level: int
) -> NDArray[np.float64]:
    """Log-likelihood (N,) of each row, less the mean of human charts of the level, in nats.

    Args: see :func:`human_odds`.

    Raises:
        InputError: There is no such level, or no rows.
    """
    chart = with_looks([_chart(rows, ticks, times, level)])
    costs = nats(selection.shipped(), chart)[0].astype(np.float64)
    return shipped().usual[level].item() - costs


def judged_nats(
    rows: ArrayLike, ticks: ArrayLike, times: ArrayLike, level: int
) -> NDArray[np.float32]:
    """Negative log-likelihood (N,) of each row by the judge, in nats.

    Args: see :func:`human_odds`.

    Raises:
        InputError: There is no such level, or no rows.
    """
    return nats(judge(), [_chart(rows, ticks, times, level)])[0]


def _chart(rows: ArrayLike, ticks: ArrayLike, times: ArrayLike, level: int) -> Steps:
    return steps(
        np.asarray(ticks, np.int64),
        np.asarray(times, np.float64),
        level,
        np.asarray(rows, np.uint8),
    )
