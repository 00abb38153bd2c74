"""Many networks being made compact at once: the core that both environment classes drive."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from envs.compact.measured import MeasuredJudge
from envs.compact.table import ReplayTable, load_table
from envs.compact.task import CompactTask, score
from envs.rows import Columns, Core, Outcome, whole_actions
from hardware_sim.errors import InputError, choose

ILLEGAL = -10.0
"""Reward of an action that the mask forbids; it ends the episode."""

NEAR_BEST = 0.05
"""Largest distance below the best possible score, in doublings, that counts as success."""

LARGEST_FEATURE = 16.0
LAYER_FEATURES = (
    "log2 of the channels of the original map",
    "log2 of the channels that are kept, of the original's where undecided",
    "share of the original's time",
    "decided",
    "to be decided now",
)
CHOICE_FEATURES = (
    "share of the channels kept",
    "log2 of the speed-up if the layers after this one keep everything",
    "share of the original's parameters if the layers after this one keep everything",
    "least share of the parameters that can be reached from there",
)
CONTEXT_FEATURES = (
    "log2 of the batch",
    "price of a point",
    "budget of parameters",
    "log2 speed-up",
)

SETTINGS = ("batch", "price", "budget")
"""Keys of a setting."""

Judge = Callable[[Sequence[int], int], tuple[float, float]]
Values = NDArray[np.float64]


class CompactBatch(Core):
    """``B`` episodes over the tree of choices.

    The nodes of the tree are numbered as in a heap: from node ``v``, choice ``c`` leads to
    ``v * C + 1 + c``. So all that can be seen is computed once, a row a node.

    Args:
        batches: Batch sizes of which one is drawn an episode.
        prices: Costs of a point of accuracy, in doublings of speed, of which one is drawn.
        budgets: Largest shares of the original's parameters, of which one is drawn.
        backend: ``"replay"`` or ``"measured"``.
        data: Folder of CIFAR-10, for ``"measured"``.
        network: Weights of the trained network, for ``"measured"``.
        batch: Number of rows ``B``.
        table: Other measurements than those that are shipped.

    Raises:
        InputError: A batch size that was not measured, a price or budget out of range, a budget
            that no choice meets, or files for a backend that reads none.
    """

    options = SETTINGS

    def __init__(
        self,
        batches: Sequence[int],
        prices: Sequence[float],
        budgets: Sequence[float],
        backend: str,
        data: str | None,
        network: str | None,
        batch: int,
        table: ReplayTable | None = None,
    ) -> None:
        self.table = load_table() if table is None else table
        self.layers, self.choices = self.table.kept.shape
        self.batches, self.prices, self.budgets = tuple(batches), tuple(prices), tuple(budgets)
        self._check()
        measured = choose("backend", backend, ("replay", "measured")) == "measured"
        if not measured and (data, network) != (None, None):
            raise InputError(
                f'data={data!r}, network={network!r}: they are used with backend="measured" only'
            )
        self.judge: Judge | None = MeasuredJudge(data, network) if measured else None
        self.first_leaf = (self.choices**self.layers - 1) // (self.choices - 1)
        self._grow()
        self.batch = batch
        self.node = np.zeros(batch, np.int64)
        self.setting = np.zeros((3, batch), np.int64)  # numbers of batch size, price and budget
        self.total = np.zeros(batch)
        self.speedup, self.points_lost = np.zeros((2, batch))  # where all is decided

    def spaces(self) -> tuple[spaces.Dict, "spaces.Discrete[np.int64]"]:
        """Observation and action space of one row."""

        def features(*shape: int) -> spaces.Box:
            return spaces.Box(-LARGEST_FEATURE, LARGEST_FEATURE, shape, np.float32)

        observation = spaces.Dict(
            {
                "layers": features(self.layers, len(LAYER_FEATURES)),
                "choices": features(self.choices, len(CHOICE_FEATURES)),
                "context": features(len(CONTEXT_FEATURES)),
                "action_mask": spaces.Box(0, 1, (self.choices,), np.int8),
            }
        )
        return observation, spaces.Discrete(self.choices)

    def columns(self) -> Columns:
        """Names of the features of layers, choices and context."""
        return {
            "layers": LAYER_FEATURES,
            "choices": CHOICE_FEATURES,
            "context": CONTEXT_FEATURES,
        }

    def draw(self, random: np.random.Generator, options: Mapping[str, Any]) -> tuple[int, int, int]:
        """Batch size, price and budget of a new episode, by number: drawn, or as asked for.

        Raises:
            InputError: A value is not among this environment's.
        """
        allowed = (self.batches, self.prices, self.budgets)
        drawn = [int(random.integers(len(values))) for values in allowed]
        for i, (name, values) in enumerate(zip(SETTINGS, allowed, strict=True)):
            if name in options:
                if options[name] not in values:
                    raise InputError(
                        f"{name} is {options[name]!r}; allowed: {', '.join(map(str, values))}"
                    )
                drawn[i] = values.index(options[name])
        size, price, budget = drawn
        return size, price, budget

    def begin(
        self, rows: NDArray[np.bool_], drawn: list[tuple[int, int, int]]
    ) -> dict[str, list[Any]]:
        """Starts episodes in the given rows, one drawn setting each; names the settings."""
        self.node[rows] = 0
        for array in (self.total, self.speedup, self.points_lost):
            array[rows] = 0.0
        self.setting[:, rows] = np.array(drawn, np.int64).reshape(-1, len(SETTINGS)).T
        return {
            "batch": [self.batches[size] for size, _, _ in drawn],
            "price": [self.prices[price] for _, price, _ in drawn],
            "budget": [self.budgets[budget] for _, _, budget in drawn],
        }

    def step(self, rows: NDArray[np.bool_], actions: NDArray[np.integer]) -> Outcome:
        """Decides the present layer of the given rows.

        Raises:
            InputError: An action of these rows is no choice, or there is not one for each row.
        """
        action = whole_actions(actions, rows, self.choices)
        legal = rows & self.mask()[np.arange(self.batch), action]
        illegal = np.where(rows & ~legal, ILLEGAL, 0.0)
        size, price, _ = self.setting
        before = self.log_speedup[size, self.node]
        self.node = np.where(legal, self.node * self.choices + 1 + action, self.node)
        speed = self.log_speedup[size, self.node] - before
        complete = legal & (self.node >= self.first_leaf)
        leaf = np.where(complete, self.node - self.first_leaf, 0)
        speedup = np.where(complete, 2.0 ** self.log_speedup[size, self.node], 0.0)
        lost = np.where(complete, self.lost[leaf], 0.0)
        if self.judge is not None:
            for row in np.flatnonzero(complete):
                kept = self.kept[self.node[row]].tolist()
                speedup[row], lost[row] = self.judge(kept, self.batches[size[row]])
                speed[row] = np.log2(speedup[row]) - before[row]
        accuracy = -np.array(self.prices)[price] * lost + 0.0
        self.total = np.where(rows, self.total + speed + accuracy + illegal, self.total)
        self.speedup[rows], self.points_lost[rows] = speedup[rows], lost[rows]
        terminated = complete | (illegal < 0)
        parts = {"speed": speed, "accuracy": accuracy, "illegal": illegal}
        return Outcome(parts, terminated, np.zeros(self.batch, np.bool_))

    def mask(self) -> NDArray[np.bool_]:
        """The choices that leave the budget within reach, bool ``(B, C)``; all after the last."""
        inner = np.minimum(self.node, self.first_leaf - 1)
        legal: NDArray[np.bool_] = (
            self.least[inner] <= np.array(self.budgets)[self.setting[2]][:, None] + 1e-12
        )
        legal[self.node >= self.first_leaf] = True
        return legal

    def observe(self) -> dict[str, NDArray[Any]]:
        """The observations of all rows, as new arrays."""
        size, price, budget = self.setting
        decided = self.node >= self.first_leaf
        choices = self.choice_features[size, np.minimum(self.node, self.first_leaf - 1)]
        context = np.column_stack(
            [
                np.log2(self.batches)[size],
                np.array(self.prices)[price],
                np.array(self.budgets)[budget],
                self.log_speedup[size, self.node],
            ]
        )
        return {
            "layers": self.layer_features[size, self.node],
            "choices": choices * ~decided[:, None, None],
            "context": context.astype(np.float32),
            "action_mask": self.mask().astype(np.int8),
        }

    def results(self) -> dict[str, NDArray[Any]]:
        """Figures of the choices.

        Returns:
            ``score`` (sum of the episode's rewards), ``is_success``, ``speedup`` and
            ``points_lost`` (0 after an illegal choice), ``regret``, ``kept`` ``(B, L)``,
            ``problem`` (the setting) and, where nothing is measured, ``bound`` (the score of the
            best choice in the table).
        """
        size, price, budget = self.setting
        best = self.best[size, price, budget]
        regret = best - self.total
        bound = {} if self.judge is not None else {"bound": best}
        return {
            "score": self.total.copy(),
            "is_success": (self.node >= self.first_leaf) & (regret <= NEAR_BEST),
            "speedup": self.speedup.copy(),
            "points_lost": self.points_lost.copy(),
            "regret": regret,
            "kept": self.kept[self.node],
            "problem": np.array([self.named(*each) for each in self.setting.T.tolist()], object),
            **bound,
        }

    def named(self, size: int, price: int, budget: int) -> str:
        """A setting as text, from the numbers of its three values."""
        numbers = (self.batches[size], self.prices[price], self.budgets[budget])
        return ", ".join(f"{key} {value:g}" for key, value in zip(SETTINGS, numbers, strict=True))

    def problem_of(self, row: int) -> CompactTask:
        """The table's figures of every choice, and a row's setting."""
        size, price, budget = self.setting[:, row].tolist()
        shape = self.table.lost.shape
        return CompactTask(
            self.log_speedup[size, self.first_leaf :].reshape(shape),
            self.table.lost,
            self.share,
            self.prices[price],
            self.budgets[budget],
        )

    def answer_of(self, row: int) -> NDArray[np.int64]:
        """The best choice of each layer by the table in a row's setting, int64 ``(L,)``."""
        best = int(self._scores(*self.setting[:, row].tolist()).argmax())
        return np.array(np.unravel_index(best, self.table.lost.shape))

    def _scores(self, size: int, price: int, budget: int) -> Values:
        """The score of every leaf in a setting; minus infinity beyond the budget."""
        logs, share = self.log_speedup[size, self.first_leaf :], self.share.ravel()
        return score(logs, self.lost, share, self.prices[price], self.budgets[budget])

    def _check(self) -> None:
        """Refuses settings that make no sense."""
        if not (self.batches and self.prices and self.budgets):
            raise InputError("batches, prices and budgets need at least one entry each")
        for size in self.batches:
            if size not in self.table.batches:
                allowed = ", ".join(map(str, self.table.batches))
                raise InputError(f"batch size {size} was not measured; allowed: {allowed}")
        for price in self.prices:
            if not 0 <= price <= LARGEST_FEATURE:
                raise InputError(f"price is {price}; allowed: 0 to {LARGEST_FEATURE:g}")
        least = float(self.table.parameters.min() / self.table.parameters.flat[0])
        for budget in self.budgets:
            if not least <= budget <= 1:
                raise InputError(f"budget is {budget}; allowed: {least:.4f} to 1")

    def _grow(self) -> None:
        """Computes all that belongs to a node of the tree."""
        table, layers, choices = self.table, self.layers, self.choices
        self.share = table.parameters / table.parameters.flat[0]
        self.lost = table.lost.ravel()
        depth = np.concatenate([np.full(choices**d, d) for d in range(layers + 1)])
        inner, rank = depth[: self.first_leaf], np.arange(layers)
        kept, present, speedups, shares = [], [], [], []
        for d in range(layers + 1):
            whole = (0,) * (layers - d)
            prefix = np.indices((choices,) * d).reshape(d, choices**d).T
            rows = np.tile(np.array(table.widths), (len(prefix), 1))
            kept.append(np.zeros_like(rows))
            kept[-1][:, :d] = rows[:, :d] = table.kept[rank[:d], prefix]
            present.append(rows)
            cut = (..., *whole)
            shares.append(self.share[cut].ravel())
            speedups.append(
                [
                    np.log2(table.seconds[size].flat[0] / table.seconds[size][cut]).ravel()
                    for size in self.batches
                ]
            )
        self.kept = np.concatenate(kept)
        self.log_speedup = np.concatenate(speedups, axis=1)
        share = np.concatenate(shares)
        least = [self.share.reshape(choices ** (d + 1), -1).min(axis=1) for d in range(layers)]
        self.least = np.concatenate(least).reshape(-1, choices)
        children = np.arange(self.first_leaf)[:, None] * choices + 1 + np.arange(choices)
        keeping = (table.kept / np.array(table.widths)[:, None])[inner]
        shape = (len(self.batches), len(depth), layers)
        times = np.array([table.layer_seconds[size] for size in self.batches])
        part = (times / times.sum(axis=1, keepdims=True))[:, None]
        self.layer_features = np.stack(
            [
                np.broadcast_to(feature, shape)
                for feature in (
                    np.log2(table.widths),
                    np.log2(np.concatenate(present)),
                    part,
                    depth[:, None] > rank,
                    depth[:, None] == rank,
                )
            ],
            axis=3,
        ).astype(np.float32)
        self.choice_features = np.stack(
            [
                np.broadcast_to(feature, (len(self.batches), *children.shape))
                for feature in (keeping, self.log_speedup[:, children], share[children], self.least)
            ],
            axis=3,
        ).astype(np.float32)
        self.best = np.array(
            [
                [
                    [self._scores(size, price, budget).max() for budget in range(len(self.budgets))]
                    for price in range(len(self.prices))
                ]
                for size in range(len(self.batches))
            ]
        )
