"""Many plans in progress at once: the core that both environment classes drive."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from envs.rows import Columns, Core, Outcome, whole_actions
from envs.softmax.plan import DIV_VALUES, MOST_TAILS, optimum
from envs.softmax.problems import (
    CURVE_POINTS,
    PLACES,
    SPLITS,
    TABLE_POINTS,
    SoftmaxTask,
    tables,
)
from hardware_sim.errors import choose

ILLEGAL_REWARD = -5.0
"""An illegal action ends the episode with this reward, and a score of 0."""

SUCCESS_REGRET = 0.05
"""A plan succeeds whose time to equal loss is within about 5 % of the optimum's."""

STOP = PLACES
"""The action that adds no cut."""

DIVISORS = len(DIV_VALUES)
SIZES = ("log2 of the vocabulary", "log2 of the batch", "log2 of the width")
PROGRESS = ("cuts made, of four", "last cut, of the places", "text before it", "time", "quality")
"""Decisions so far, before one flag for each divisor; the last two are the return so far."""

LARGEST = 30.0
"""Bound of the observed logarithms."""


class SoftmaxBatch(Core):
    """``B`` vocabularies that are being cut.

    Args:
        split: ``"train"`` or ``"test"``, drawn from unless an episode asks otherwise.
        loss_price: Worth of a nat of loss in logarithm of time.
        batch: Number of rows ``B``.

    Raises:
        InputError: An unknown split, or a negative price.
    """

    options = ("problem", "split")

    def __init__(self, split: str, loss_price: float, batch: int) -> None:
        self.split = choose("split", split, list(SPLITS))
        self.tables, self.loss_price, self.batch = tables(loss_price), loss_price, batch
        self.problem = np.zeros(batch, np.int64)
        self.cuts = np.zeros((batch, MOST_TAILS), np.int64)
        self.tails = np.zeros(batch, np.int64)
        self.divisor = np.zeros(batch, np.int64)
        self.ended, self.illegal = np.ones(batch, np.bool_), np.zeros(batch, np.bool_)
        self.done_ms, self.done_loss = np.zeros(batch), np.zeros(batch)
        self.time, self.quality = np.zeros(batch), np.zeros(batch)
        self._look_ahead()

    def spaces(self) -> tuple[spaces.Dict, spaces.MultiDiscrete]:
        """Observation and action space of one row."""

        def logs(*shape: int) -> spaces.Box:
            return spaces.Box(-LARGEST, LARGEST, shape, np.float32)

        observation = spaces.Dict(
            {
                "coverage": spaces.Box(0.0, 1.0, (CURVE_POINTS,), np.float32),
                "costs": logs(*TABLE_POINTS),
                "sizes": logs(len(SIZES)),
                "progress": logs(len(PROGRESS) + DIVISORS),
                "outlook": logs(DIVISORS, PLACES),
                "action_mask": spaces.Box(0, 1, (PLACES + 1 + DIVISORS,), np.int8),
            }
        )
        return observation, spaces.MultiDiscrete([PLACES + 1, DIVISORS])

    def columns(self) -> Columns:
        """Names of the sizes and of what is decided."""
        return {
            "sizes": SIZES,
            "progress": (*PROGRESS, *(f"divisor {divisor}" for divisor in DIV_VALUES)),
        }

    def draw(self, random: np.random.Generator, options: Mapping[str, Any]) -> int:
        """The number of a new episode's problem: the one asked for, or any of the split.

        Raises:
            InputError: The problem or the split asked for does not exist.
        """
        if "problem" in options:
            names = self.tables.names
            return names.index(choose("problem", options["problem"], names))
        split = choose("split", options.get("split", self.split), list(SPLITS))
        return int(random.choice(self.tables.rows[split]))

    def begin(self, rows: NDArray[np.bool_], drawn: list[int]) -> dict[str, list[str]]:
        """Starts episodes in the given rows, one problem number each; names the problems."""
        self.problem[rows] = np.array(drawn, np.int64)
        for array in (self.cuts, self.tails, self.divisor, self.done_ms, self.done_loss):
            array[rows] = 0
        self.time[rows], self.quality[rows] = 0.0, 0.0
        self.ended[rows], self.illegal[rows] = False, False
        self._look_ahead()
        return {"problem": [self.tables.names[k] for k in drawn]}

    def step(self, rows: NDArray[np.bool_], actions: NDArray[np.integer]) -> Outcome:
        """Adds a cut to the given rows, or stops them.

        Raises:
            InputError: An action of these rows is outside the space.
        """
        everyone = np.arange(self.batch)
        place, divisor = whole_actions(actions, rows, (PLACES + 1, DIVISORS)).T
        allowed = self.place_mask[everyone, place] & self.divisor_mask[everyone, divisor]
        illegal = rows & ~allowed
        cutting = np.flatnonzero(rows & allowed & (place != STOP))
        time, quality = self.time.copy(), self.quality.copy()
        self._cut(cutting, place[cutting], divisor[cutting])
        stopped = rows & allowed & (place == STOP)
        self.illegal |= illegal
        self.ended |= illegal | stopped
        self._look_ahead()
        exhausted = rows & ~self.place_mask[:, :STOP].any(axis=1)
        self.ended |= exhausted
        parts = {
            "time": self.time - time,
            "quality": self.quality - quality,
            "illegal": np.where(illegal, ILLEGAL_REWARD, 0.0),
        }
        terminated = rows & self.ended
        return Outcome(parts, terminated, np.zeros(self.batch, np.bool_))

    def observe(self) -> dict[str, NDArray[Any]]:
        """The observations of all rows, as new arrays."""
        t, cut = self.tables, self.tails > 0
        last = self._last()
        flags = (np.arange(DIVISORS) == self.divisor[:, None]) & cut[:, None]
        decided = (
            self.tails / MOST_TAILS,
            np.where(cut, (last + 1) / PLACES, 0.0),
            np.where(cut, t.covered[self.problem, last], 0.0),
            self.time,
            self.quality,
        )
        progress = np.concatenate([np.stack(decided, axis=1), flags], axis=1)
        return {
            "coverage": t.coverage[self.problem],
            "costs": t.costs[self.problem],
            "sizes": t.sizes[self.problem],
            "progress": progress.clip(-LARGEST, LARGEST).astype(np.float32),
            "outlook": self.outlook.astype(np.float32),
            "action_mask": self.mask().astype(np.int8),
        }

    def mask(self) -> NDArray[np.bool_]:
        """Places, stopping included, and divisors that may be chosen, bool ``(B, 29)``."""
        return np.concatenate([self.place_mask, self.divisor_mask], axis=1)

    def results(self) -> dict[str, NDArray[Any]]:
        """Figures of the plans.

        Returns:
            ``score``, ``is_success``, ``regret``, ``cutoffs`` ``(B, MOST_TAILS)``, ``div_value``,
            ``speed_up``, ``problem`` (its name) and ``bound`` (1, the optimum's score).
        """
        regret = self.tables.best[self.problem] - (self.time + self.quality)
        regret = np.where(self.illegal, -ILLEGAL_REWARD, regret)
        return {
            "score": np.where(self.illegal, 0.0, np.exp(-regret)),
            "is_success": ~self.illegal & (regret <= SUCCESS_REGRET),
            "regret": regret,
            "cutoffs": self.cutoffs(),
            "div_value": self.div_values(),
            "speed_up": np.exp(self.time),
            "problem": np.array([self.tables.names[k] for k in self.problem], object),
            "bound": np.ones(self.batch),
        }

    def problem_of(self, row: int) -> SoftmaxTask:
        """The vocabulary of a row, and where it may be cut."""
        k, t = self.problem[row], self.tables
        return SoftmaxTask(t.problems[k], t.places[k], self.loss_price)

    def answer_of(self, row: int) -> tuple[tuple[int, ...], int]:
        """The best plan of a row: the places of its cuts, and the number of its divisor."""
        k, t = self.problem[row], self.tables
        best = optimum(t.problems[k], t.places[k], loss_price=self.loss_price)
        cuts = np.searchsorted(t.places[k], best.cutoffs)
        return tuple(cuts.tolist()), DIV_VALUES.index(int(best.div_value))

    def cutoffs(self) -> NDArray[np.int64]:
        """First words of the tails so far, int64 ``(B, MOST_TAILS)``, 0 where there is none."""
        words = self.tables.places[self.problem[:, None], self.cuts]
        return np.where(np.arange(MOST_TAILS) < self.tails[:, None], words, 0)

    def div_values(self) -> NDArray[np.float64]:
        """The chosen divisors, float64 ``(B,)``, 0 before the first cut."""
        chosen = np.array(DIV_VALUES, np.float64)[self.divisor]
        return np.where(self.tails > 0, chosen, 0.0)

    def _last(self) -> NDArray[np.int64]:
        """The place of the last cut, 0 where there is none."""
        return self.cuts[np.arange(self.batch), np.maximum(self.tails - 1, 0)]

    def _cut(
        self, rows: NDArray[np.intp], place: NDArray[np.int64], divisor: NDArray[np.int64]
    ) -> None:
        """Ends the last tail of some rows at a place, where the next one begins."""
        t, problem, last = self.tables, self.problem[rows], self._last()[rows]
        later = self.tails[rows] > 0
        level = np.maximum(self.tails[rows] - 1, 0)
        for done, piece in ((self.done_ms, t.tail_ms), (self.done_loss, t.tail_loss)):
            done[rows] += np.where(later, piece[problem, divisor, level, last, place], 0.0)
        # The value of the plan was looked up before the cut.
        self.time[rows] = self.ahead_time[rows, divisor, place]
        self.quality[rows] = self.ahead_quality[rows, divisor, place]
        self.cuts[rows, self.tails[rows]] = place
        self.divisor[rows] = divisor
        self.tails[rows] += 1

    def _look_ahead(self) -> None:
        """Computes the value of each next cut as the last one, and the legal cuts."""
        t, problem, last = self.tables, self.problem, self._last()
        every, all_divisors = problem[:, None], np.arange(DIVISORS)[None]
        level = np.minimum(self.tails, MOST_TAILS - 1)
        before = np.maximum(self.tails - 1, 0)
        later = (self.tails > 0)[:, None, None]
        first = self.cuts[:, 0]
        head = np.where(
            later,
            t.head_ms[every, all_divisors, level[:, None], first[:, None]][..., None],
            t.head_ms[every, all_divisors, 0],
        )
        index = every, all_divisors, before[:, None], last[:, None]
        ahead = every, all_divisors, level[:, None]
        ms = head + self.done_ms[:, None, None] + t.tail_ms[(*ahead, slice(None), STOP)]
        ms = ms + np.where(later, t.tail_ms[index][..., :STOP], 0.0)
        loss = self.done_loss[:, None, None] + t.tail_loss[(*ahead, slice(None), STOP)]
        loss = loss + np.where(later, t.tail_loss[index][..., :STOP], 0.0)
        possible = (np.arange(PLACES) > last[:, None])[:, None] | ~later
        possible = possible & (self.tails[:, None] < t.levels[problem])[..., None]
        possible &= ((all_divisors == self.divisor[:, None]) | ~later[..., 0])[..., None]
        possible &= ~self.ended[:, None, None]
        self.ahead_time = np.where(
            possible, np.log(t.full_ms[problem][:, None, None] / np.where(possible, ms, 1.0)), 0.0
        )
        self.ahead_quality = np.where(possible, -self.loss_price * loss, 0.0)
        now = (self.time + self.quality)[:, None, None]
        self.outlook = np.where(possible, self.ahead_time + self.ahead_quality - now, 0.0)
        self.outlook = self.outlook.clip(-LARGEST, LARGEST)
        stop = later[..., 0] | self.ended[:, None]
        self.place_mask = np.concatenate([possible.any(axis=1), stop], axis=1)
        self.divisor_mask = (all_divisors == self.divisor[:, None]) | (
            ~later[..., 0] & ~self.ended[:, None]
        )
