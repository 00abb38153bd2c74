"""Rows drawn from networks, place by place, for many charts at once.

:class:`Chooser` keeps what the network needs of the rows so far, so that a row costs the same
wherever it is in a chart; :func:`sample_plainly` reads all of it again for every row, and draws the
same rows.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor
from torch.nn import functional

from agents.dance.batches import Steps, collate, look_tensors, piled, steps, with_looks
from agents.dance.history import History
from agents.dance.paper import Selector
from agents.dance.selection import WINDOW, RepeatNet, shipped
from envs.dance.chart import HEAD, ROWS, TAIL, TAP, held_before, legal_rows, states
from hardware_sim.errors import InputError

_STATES = states(np.arange(ROWS))
_PRESSED = np.isin(_STATES, (TAP, HEAD)).sum(-1)


class Chooser:
    """A network's predictions of the next row of several charts, as they grow.

    Args:
        network: In evaluation mode.
        charts: Times, ticks and levels; their rows do not count. Charts that have ended take any
            row.

    Attributes:
        history: The rows so far.
    """

    def __init__(self, network: RepeatNet, charts: Sequence[Steps]) -> None:
        self.network = network
        self.history = History(
            *(piled(getattr(c, key) for c in charts) for key in ("ticks", "times"))
        )
        with torch.no_grad():
            self._around, rhythm = network.surroundings(collate(charts))
        self._rhythm = functional.pad(rhythm, (0, 0, WINDOW, 0))
        self._codes = np.zeros((len(charts), WINDOW), np.int64)

    def log_probabilities(self) -> Tensor:
        """Log-probabilities of the next row, (B, 256) float32."""
        now = self.history.now
        bags = self.network.bags[torch.from_numpy(self._codes)]
        window = torch.cat([bags, self._rhythm[:, now : now + WINDOW]], -1).flatten(1)
        with torch.no_grad():
            looks = look_tensors(self.history.look())
            return torch.log_softmax(self.network.decide(self._around[:, now], window, looks), -1)

    def push(self, rows: ArrayLike) -> None:
        """Takes the next row (B,) of every chart."""
        codes = np.asarray(rows, np.int64)
        self.history.push(codes)
        self._codes = np.concatenate([self._codes[:, 1:], codes[:, None]], 1)


def possible(
    held: NDArray[np.bool_], last: ArrayLike, most_down: ArrayLike = 4
) -> NDArray[np.bool_]:
    """Rows (B, 256) that may come, nothing excepted.

    Args:
        held: (B, 4), panels held.
        last: (B,) bool, true where the chart ends here, so that every hold does and none begins.
        most_down: (B,) or a number, panels pressed or held on at once; 2 at least.
    """
    staying = (held[:, None] & (_STATES != TAIL)).sum(-1)
    legal: NDArray[np.bool_] = legal_rows(held) & (
        staying + _PRESSED <= np.asarray(most_down)[..., None]
    )
    legal[:, 0] = False
    closes = (_STATES != HEAD).all(-1) & ((_STATES == TAIL) == held[:, None]).all(-1)
    # Where nothing is held at the end, rows without tails are those that close all.
    return np.where(np.asarray(last)[:, None], legal & closes, legal)


def draw(
    log_probabilities: ArrayLike,
    allowed: NDArray[np.bool_],
    uniform: NDArray[np.float64],
    temperature: float = 1.0,
    top_p: float = 1.0,
) -> NDArray[np.uint8]:
    """Draws a row a chart.

    Args:
        log_probabilities: (B, 256).
        allowed: (B, 256) bool, of which at least one each.
        uniform: (B,), 0..1; the same numbers draw the same rows.
        temperature: > 0; below 1 the likely rows become likelier.
        top_p: 0..1, exclusive of 0; only the likeliest rows that make up so much are drawn
            (Holtzman et al., ICLR 2020).
    """
    logits = np.where(allowed, np.asarray(log_probabilities, np.float64), -np.inf) / temperature
    chances = np.exp(logits - logits.max(-1, keepdims=True))
    order = np.argsort(-chances, -1, kind="stable")
    sorted_ = np.take_along_axis(chances, order, -1)
    sums = sorted_.cumsum(-1)
    kept = np.where(sums - sorted_ < top_p * sums[:, -1:], sorted_, 0.0).cumsum(-1)
    place = (kept <= uniform[:, None] * kept[:, -1:]).sum(-1, keepdims=True)
    return np.take_along_axis(order, place, -1)[:, 0].astype(np.uint8)


def sample(
    network: RepeatNet,
    charts: Sequence[Steps],
    seeds: Sequence[int],
    temperature: float = 1.0,
    top_p: float = 1.0,
    most_down: ArrayLike = 4,
) -> list[NDArray[np.uint8]]:
    """Rows for the places of charts; every hold that begins ends.

    Args:
        network: In evaluation mode or not; no dropout is applied.
        charts: Times, ticks and levels; rows in them do not count.
        seeds: One a chart, whose rows do not depend on the other charts.
        temperature: Above 0; below 1 the likely rows become likelier.
        top_p: Above 0 up to 1; only the likeliest rows that make up so much are drawn.
        most_down: One a chart or one for all, see :func:`possible`.

    Returns:
        (N,) uint8 codes of each chart.

    Raises:
        InputError: Temperature or share is out of range, or there are not as many seeds as charts.
    """
    uniform = _uniform(charts, seeds, temperature, top_p)
    ends = np.array([len(each) for each in charts])
    with evaluated(network):
        chooser = Chooser(network, charts)
        held = np.zeros((len(charts), 4), np.bool_)
        for place in range(ends.max()):
            allowed = possible(held, place + 1 == ends, most_down)
            log_probs = chooser.log_probabilities().numpy()
            rows = draw(log_probs, allowed, uniform[:, place], temperature, top_p)
            chooser.push(rows)
            held = chooser.history.held
    return [chooser.history.rows[i, :end] for i, end in enumerate(ends)]


def write_rows(
    times: NDArray[np.float64],
    ticks: NDArray[np.int64],
    level: int,
    seed: int,
    temperature: float = 1.0,
    top_p: float = 1.0,
) -> NDArray[np.uint8]:
    """Rows (N,) of one chart by the shipped network; see :func:`sample`.

    Args:
        times: (N,) seconds.
        ticks: (N,) ascending.
        level: Coarse level 0..4.
        seed: The same one gives the same rows.
        temperature: Above 0; below 1 the likely rows become likelier.
        top_p: Above 0 up to 1; only the likeliest rows that make up so much are drawn.

    Raises:
        InputError: As :func:`sample`, or there is no such level, or no time.
    """
    chart = steps(ticks, times, level)
    return sample(shipped(), [chart], [seed], temperature, top_p)[0]


def sample_plainly(
    network: Selector,
    charts: Sequence[Steps],
    seeds: Sequence[int],
    temperature: float = 1.0,
    top_p: float = 1.0,
) -> list[NDArray[np.uint8]]:
    """As :func:`sample`, of any network, one chart after the other, all of it read at every row."""
    uniform = _uniform(charts, seeds, temperature, top_p)
    found = []
    with evaluated(network), torch.no_grad():
        for chart, numbers in zip(charts, uniform, strict=True):
            rows = np.zeros(len(chart), np.uint8)
            for place in range(len(chart)):
                before = np.append(np.uint8(0), rows[:-1])
                seen = replace(chart, rows=rows, before=before)
                batch = collate(with_looks([seen]) if network.needs_looks else [seen])
                log_probs = torch.log_softmax(network(batch)[:, place], -1).numpy()
                held = held_before(rows[: place + 1])[-1:]
                allowed = possible(held, [place + 1 == len(chart)])
                number = numbers[place : place + 1]
                rows[place] = draw(log_probs, allowed, number, temperature, top_p)[0]
            found.append(rows)
    return found


@contextmanager
def evaluated(network: Selector) -> Iterator[None]:
    """Without dropout inside."""
    training = network.training
    network.eval()
    try:
        yield
    finally:
        network.train(training)


def _uniform(
    charts: Sequence[Steps], seeds: Sequence[int], temperature: float, top_p: float
) -> NDArray[np.float64]:
    """Numbers (B, N) that rows are drawn by."""
    if not temperature > 0 or not 0 < top_p <= 1:
        raise InputError(
            f"temperature {temperature} and top_p {top_p}; allowed: above 0, and above 0 up to 1"
        )
    if len(seeds) != len(charts):
        raise InputError(f"{len(seeds)} seeds for {len(charts)} charts; allowed: as many")
    return piled(
        np.random.default_rng(seed).random(len(each))
        for seed, each in zip(seeds, charts, strict=True)
    )
