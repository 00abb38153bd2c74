"""The critic that rewards rows of a chart: a small network whose figures do not depend on a batch.

It sees the last twelve rows, their times, what is held, the place in the beat and the level. Its
first layer is a sum of entries of tables, one for each thing seen, so that judging a row takes some
microseconds; it is evaluated one chart of the batch after the other in a fixed order, and so equals
itself to the last bit in batches of any size. It is like the paper's MLP with times and beats
(Donahue, Lipton, McAuley, ICML 2017, table 3: MLP5 + dt + beat).
"""

from typing import Any

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Tensor, nn

from envs.dance.levels import LEGAL
from envs.weights import load_weights, shipped

LAGS = 12
BUCKETS = 32
PHASES = 48
LEVELS = 5
HIDDEN = 128
SIZES = [256] * LAGS + [BUCKETS] * LAGS + [16, PHASES, LEVELS]
"""Entries of each table: rows before, intervals, what is held, the tick of the beat, the level."""

OFFSETS = np.concatenate([[0], np.cumsum(SIZES)[:-1]])
SHORTEST_S, LONGEST_S = 0.02, 10.0

Codes = NDArray[np.uint8]


def seen(
    rows: Codes,
    deltas: NDArray[np.float32],
    phase: NDArray[np.int64],
    level: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The entries of tables that the network looks up.

    Args:
        rows: uint8 ``(B, 64)``, rows before, the last one last, 0 where there is none.
        deltas: float32 ``(B, 64)``, seconds from each row to the next one or, at last, to now.
        phase: int64 ``(B,)``, ticks since the beat, 0 to 47.
        level: int64 ``(B,)``, 0 to 4.

    Returns:
        Entries of the joined table, int64 ``(B, len(SIZES))``, and panels that are held, a bit
        each, int64 ``(B,)``.
    """
    held = holding(rows)
    scale = BUCKETS / np.log(LONGEST_S / SHORTEST_S)
    bucket = scale * np.log(np.maximum(deltas[:, -LAGS:], SHORTEST_S) / SHORTEST_S)
    bucket = bucket.astype(np.int64).clip(0, BUCKETS - 1)
    parts = [rows[:, -LAGS:].astype(np.int64), bucket]
    parts += [each[:, None] for each in (held, phase.astype(np.int64), level.astype(np.int64))]
    return np.concatenate(parts, axis=1) + OFFSETS, held


def holding(rows: Codes) -> NDArray[np.int64]:
    """Panels held after rows ``(B, N)``, a bit each: the last head has no tail behind it."""
    held = np.zeros(len(rows), np.int64)
    for panel in range(4):
        state = (rows >> (2 * panel)) & 3
        places = np.arange(1, rows.shape[1] + 1)
        head = np.where(state == 2, places, 0).max(axis=1)
        tail = np.where(state == 3, places, 0).max(axis=1)
        held |= (head > tail).astype(np.int64) << panel
    return held


class RowNetwork(nn.Module):
    """Logits of the 256 rows from entries of a joined table, int64 ``(B, len(SIZES))``."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.EmbeddingBag(sum(SIZES), HIDDEN, mode="sum")
        nn.init.normal_(self.table.weight, std=0.05)
        self.middle = nn.Linear(HIDDEN, HIDDEN)
        self.last = nn.Linear(HIDDEN, 256)

    def forward(self, looked_up: Tensor, weight: Tensor | None = None) -> Tensor:
        """Logits float32 ``(B, 256)``; ``weight`` ``(B, len(SIZES))`` of what is looked up."""
        hidden: Tensor = self.table(looked_up, per_sample_weights=weight).relu()
        logits: Tensor = self.last(self.middle(hidden).relu())
        return logits


class RowModel:
    """The shipped row critic; see :class:`envs.dance.rewards.RowCritic`.

    Args:
        network: Its network; None for the shipped weights.
    """

    def __init__(self, network: RowNetwork | None = None) -> None:
        if network is None:
            network = RowNetwork()
            load_weights(network, shipped("envs.dance", "dance-rows"))
        state = {
            name: value.detach().float().numpy() for name, value in network.state_dict().items()
        }
        self._table = np.ascontiguousarray(state["table.weight"])
        self._middle = np.ascontiguousarray(state["middle.weight"].T)
        self._last = np.ascontiguousarray(state["last.weight"].T)
        self._biases = state["middle.bias"].copy(), state["last.bias"].copy()
        self._legal = LEGAL.copy()
        self._legal[:, 0] = False

    def log_probs(
        self,
        rows: Codes,
        deltas: NDArray[np.float32],
        phase: NDArray[np.int64],
        level: NDArray[np.int64],
    ) -> NDArray[np.float32]:
        """Log-probabilities of the rows that may come now, float32 ``(B, 256)``.

        Rows that hold a third panel, press a held one or end what is not held have none.
        """
        looked_up, held = seen(rows, deltas, phase, level)
        logits = _logits(looked_up, self._table, self._middle, self._last, *self._biases)
        logits = np.where(self._legal[held], logits, -np.inf)
        logits -= logits.max(axis=1, keepdims=True)
        return np.asarray(logits - np.log(np.exp(logits).sum(axis=1, keepdims=True)))


@njit(cache=True)
def _logits(
    looked_up: Any, table: Any, middle: Any, last: Any, middle_bias: Any, last_bias: Any
) -> Any:
    """The network, chart by chart; weights lie input by output."""
    found = np.empty((looked_up.shape[0], last.shape[1]), np.float32)
    for b in range(looked_up.shape[0]):
        hidden = np.zeros(table.shape[1], np.float32)
        for k in range(looked_up.shape[1]):
            hidden += table[looked_up[b, k]]
        second = middle_bias.copy()
        for i in range(len(hidden)):
            if hidden[i] > 0:
                second += hidden[i] * middle[i]
        out = last_bias.copy()
        for i in range(len(second)):
            if second[i] > 0:
                out += second[i] * last[i]
        found[b] = out
    return found


def losses(
    network: RowNetwork,
    looked_up: Tensor,
    held: Tensor,
    row: Tensor,
    weight: Tensor | None = None,
) -> Tensor:
    """Negative log-likelihoods float32 ``(B,)`` of rows int64 ``(B,)`` among the legal ones."""
    legal = torch.from_numpy(LEGAL)[held].clone()
    legal[:, 0] = False
    legal[torch.arange(len(row)), row] = True
    logits = network(looked_up, weight).masked_fill(~legal, -torch.inf)
    return nn.functional.cross_entropy(logits, row, reduction="none")
