"""Many layers being tuned at once: the core that both environment classes drive."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from envs.convolution import tables
from envs.convolution.features import (
    CHOICES,
    HISTORY_FEATURES,
    LAYER_FEATURES,
    LIMIT,
    MACHINE_FEATURES,
    METHOD_FEATURES,
    METHOD_RESULTS,
    PROGRESS_FEATURES,
    layer_features,
    machine_features,
    method_features,
    peak_flops,
)
from envs.rows import Columns, Core, Outcome, whole_actions
from hardware_sim.errors import InputError, choose
from hardware_sim.host import this_machine
from hardware_sim.machine import Machine

BACKENDS = ("replay", "measured", "model")
SPLITS = ("all", "train", "test", "volumes")
SCORES = ("speed-up", "anytime")
ROOFLINE = "hardware_sim.kernels.roofline:predict"
TRIES = 8
"""Last tries that are seen."""
SUCCESS = 0.95
"""Share of the greatest gain that counts as success."""
MIB = 2.0**20
FAILED = -LIMIT
"""The log speed-up that is shown for a failure."""


@dataclass(frozen=True)
class Settings:
    """Weights of the reward and length of an episode.

    Attributes:
        budget: Measurements of an episode.
        memory_weight: Log speed-up that a doubling of scratch memory must bring, where it is much
            more than a MiB.
        compile_weight: Cost of a second of the compiler's time.
        penalty: Cost of a choice that is masked out or fails.

    Raises:
        InputError: The budget is below 1, or a weight is negative.
    """

    budget: int
    memory_weight: float
    compile_weight: float
    penalty: float

    def __post_init__(self) -> None:
        if self.budget < 1:
            raise InputError(f"budget is {self.budget}; allowed: at least 1")
        for name in ("memory_weight", "compile_weight", "penalty"):
            value = getattr(self, name)
            if not 0 <= value < np.inf:
                raise InputError(f"{name} is {value}; allowed: from 0 up")


@dataclass
class State:
    """The state of ``B`` rows.

    Attributes:
        table: int64 ``(B,)``, the layer.
        step: int64 ``(B,)``, measurements spent.
        speed: float64 ``(B,)``, log speed-up of the kept variant; 0 while oneDNN is kept.
        memory: float64 ``(B,)``, its term for scratch memory, not positive.
        kept: int64 ``(B, 4)``, its choice; -1 while oneDNN is kept.
        compiled: bool ``(B, M, W)``, whose library has been paid for.
        tried: float32 ``(B, M)``, tries of each method.
        reached: float32 ``(B, M)``, best log speed-up of each method; 0 where not tried.
        area: float64 ``(B,)``, sum over the measurements of the share of the greatest gain that
            was reached by then.
        choices: int64 ``(B, budget, 4)``, all tries, oldest first.
        speeds: float32 ``(B, budget)``, their log speed-ups, :data:`FAILED` for failures.
    """

    table: NDArray[np.int64]
    step: NDArray[np.int64]
    speed: NDArray[np.float64]
    memory: NDArray[np.float64]
    kept: NDArray[np.int64]
    compiled: NDArray[np.bool_]
    tried: NDArray[np.float32]
    reached: NDArray[np.float32]
    area: NDArray[np.float64]
    choices: NDArray[np.int64]
    speeds: NDArray[np.float32]


def machine_of(backend: str) -> Machine:
    """The machine that a backend's figures are of: this one, or the table's."""
    return this_machine() if backend == "measured" else tables.measured_on()


class TuningBatch(Core):
    """``B`` layers being tuned.

    Args:
        layers: Names of layers, or None for all.
        split: Draw layers of ``train``, ``test`` or ``volumes``, or of ``all`` that are named.
        backend: ``replay``, ``measured`` or ``model``.
        model: Predicts for the backend ``model``, see :func:`envs.convolution.tables.predicted`.
        budget: Measurements of an episode.
        memory_weight: Weight of scratch memory in the reward, see :class:`Settings`.
        compile_weight: Weight of the compiler's time in the reward, see :class:`Settings`.
        penalty: Weight of failures in the reward, see :class:`Settings`.
        score: ``speed-up`` of what is kept at the end, or ``anytime``, the mean over the budget of
            the share of the greatest gain that was reached by then.
        batch: Number of rows.

    Raises:
        InputError: An argument is none of those.
    """

    options = ("layer", "split")

    def __init__(
        self,
        layers: Sequence[str] | None,
        split: str,
        backend: str,
        model: str | Callable[..., Any],
        budget: int,
        memory_weight: float,
        compile_weight: float,
        penalty: float,
        score: str,
        batch: int,
    ) -> None:
        self.backend, self.batch = choose("backend", backend, BACKENDS), batch
        self.anytime = choose("score", score, SCORES) == "anytime"
        self.settings = Settings(budget, memory_weight, compile_weight, penalty)
        self.tables = tables.layers(layers)
        self.split = self._checked_split(split)
        judge = tables.found_model(model)
        self.machine = machine_of(backend)
        if backend == "model":
            self.tables = tables.predicted(self.tables, judge, self.machine)
        elif backend == "measured":
            self.tables = tables.planned(self.tables, self.machine)
        self.names = [table.name for table in self.tables]
        self.shape = self.tables[0].speedup.shape
        self.offsets = np.concatenate([[0], np.cumsum(self.shape)[:-1]])
        self._stack()
        self.state = self._fresh(np.zeros(batch, np.int64))

    def _checked_split(self, split: str) -> str:
        choose("split", split, SPLITS)
        if split != "all" and all(table.split != split for table in self.tables):
            raise InputError(
                f"split is {split!r}, of which no layer is among those named; allowed: all"
            )
        return split

    def _stack(self) -> None:
        """Stacks the arrays that never change, by layer."""
        peak = peak_flops(list(tables.replay().values()))
        speedup = np.stack([table.speedup for table in self.tables])
        scratch = np.stack([table.scratch_bytes for table in self.tables])
        with np.errstate(divide="ignore"):
            self.speed = np.log(speedup)
        self.scratch, self.speedup = scratch, speedup
        self.memory = self.memory_term(scratch)
        self.compile_s = np.stack([table.compile_s for table in self.tables])
        value = np.where(np.isfinite(self.speed), self.speed + self.memory, -np.inf)
        self.greatest: NDArray[np.float64] = value.reshape(len(value), -1).max(axis=1).clip(min=0)
        fastest = np.nanmax(speedup.reshape(len(value), -1), axis=1)
        self.fastest: NDArray[np.float64] = fastest.clip(min=1)  # oneDNN is there, too
        self.masks = np.stack([np.concatenate(table.masks) for table in self.tables])
        self.layer = np.stack([layer_features(table, peak) for table in self.tables])
        self.methods = np.stack([method_features(table, self.machine) for table in self.tables])
        self.about_machine = machine_features(self.machine, peak)

    def memory_term(self, scratch_bytes: NDArray[np.float64]) -> NDArray[np.float64]:
        """The term of scratch memory in the value of a variant, not positive."""
        return -self.settings.memory_weight * np.log2(1 + scratch_bytes / MIB)

    def spaces(self) -> tuple[spaces.Dict, spaces.MultiDiscrete]:
        """Observation and action space of one row."""
        actions, methods = int(sum(self.shape)), self.shape[0]

        def box(*shape: int, low: float = -LIMIT, high: float = LIMIT) -> spaces.Box:
            return spaces.Box(low, high, shape, np.float32)

        observation = spaces.Dict(
            {
                "layer": box(len(LAYER_FEATURES)),
                "machine": box(len(self.about_machine)),
                "methods": box(methods, len(METHOD_FEATURES) + len(METHOD_RESULTS)),
                "history": box(TRIES, len(HISTORY_FEATURES)),
                "progress": box(len(PROGRESS_FEATURES)),
                "action_mask": spaces.Box(0, 1, (actions,), np.int8),
            }
        )
        return observation, spaces.MultiDiscrete(list(self.shape))

    def columns(self) -> Columns:
        """Names of the features of layer, machine, methods, tries and progress."""
        return {
            "layer": LAYER_FEATURES,
            "machine": MACHINE_FEATURES,
            "methods": (*METHOD_FEATURES, *METHOD_RESULTS),
            "history": HISTORY_FEATURES,
            "progress": PROGRESS_FEATURES,
            "action_mask": CHOICES,
        }

    def draw(self, random: np.random.Generator, options: Mapping[str, Any]) -> int:
        """The number of the layer of a new episode.

        Raises:
            InputError: No layer has the name, or there is no such split.
        """
        if "layer" in options:
            return self.names.index(choose("layer", options["layer"], self.names))
        split = self._checked_split(options.get("split", self.split))
        open_ = [i for i, table in enumerate(self.tables) if split in ("all", table.split)]
        return open_[int(random.integers(len(open_)))] if len(open_) > 1 else open_[0]

    def _fresh(self, table: NDArray[np.int64]) -> State:
        rows, (methods, *_, widths) = len(table), self.shape
        return State(
            table=table,
            step=np.zeros(rows, np.int64),
            speed=np.zeros(rows),
            memory=np.zeros(rows),
            kept=np.full((rows, len(self.shape)), -1),
            compiled=np.zeros((rows, methods, widths), np.bool_),
            tried=np.zeros((rows, methods), np.float32),
            reached=np.zeros((rows, methods), np.float32),
            area=np.zeros(rows),
            choices=np.zeros((rows, self.settings.budget, len(self.shape)), np.int64),
            speeds=np.zeros((rows, self.settings.budget), np.float32),
        )

    def answer_of(self, row: int) -> NDArray[np.float64]:
        """The value of every choice for a row's layer, float64 ``SIZES``; NaN where not offered."""
        table = self.state.table[row]
        value: NDArray[np.float64] = self.speed[table] + self.memory[table]
        return value

    def begin(self, rows: NDArray[np.bool_], drawn: list[int]) -> dict[str, list[str]]:
        """Starts an episode in the given rows, one layer's number each; names the layers."""
        fresh = self._fresh(np.array(drawn, np.int64))
        for name, values in vars(fresh).items():
            getattr(self.state, name)[rows] = values
        return {"layer": [self.names[k] for k in drawn]}

    def step(self, rows: NDArray[np.bool_], actions: NDArray[Any]) -> Outcome:
        """Measures a variant in each of the given rows.

        Raises:
            InputError: An action is outside the space, or there is not one for each row.
        """
        choice, state = whole_actions(actions, rows, self.shape), self.state
        open_ = np.take_along_axis(self.masks[state.table], choice + self.offsets, axis=1)
        legal = rows & open_.all(axis=1)
        speed, memory, compile_s = self._look_up(legal, choice)
        works = legal & np.isfinite(speed)
        method, width = choice[:, 0], choice[:, -1]
        every = np.arange(self.batch)
        new = legal & ~state.compiled[every, method, width]
        state.compiled[every[legal], method[legal], width[legal]] = True
        better = works & (speed + memory > state.speed + state.memory)
        gain = np.where(better, speed - state.speed, 0.0)
        memory_gain = np.where(better, memory - state.memory, 0.0)
        state.speed[better], state.memory[better] = speed[better], memory[better]
        state.kept[better] = choice[better]
        self._remember(rows, works, choice, speed)
        state.area[rows] += self.share()[rows]
        parts = {
            "speed": gain,
            "memory": memory_gain,
            "compile": np.where(new, -self.settings.compile_weight * compile_s, 0.0),
            "penalty": np.where(rows & ~works, -self.settings.penalty, 0.0),
        }
        terminated = rows & (state.step >= self.settings.budget)
        tried = np.where(works, np.exp(np.where(works, speed, 0.0)), 0.0)
        return Outcome(parts, terminated, np.zeros(self.batch, np.bool_), {"tried": tried})

    def _look_up(
        self, legal: NDArray[np.bool_], choice: NDArray[np.int64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Log speed-up, memory term and seconds of the compiler of each row's choice."""
        if self.backend == "measured":
            return self._measure(legal, choice)
        index = (self.state.table, *choice.T)
        compile_s = self.compile_s[self.state.table, choice[:, 0], choice[:, -1]]
        return self.speed[index], self.memory[index], compile_s

    def _measure(
        self, legal: NDArray[np.bool_], choice: NDArray[np.int64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        from envs.convolution.measured import measure  # a compiler and torch are at work there

        speed, scratch, compile_s = np.full(self.batch, -np.inf), *np.zeros((2, self.batch))
        for row in np.flatnonzero(legal):
            found = measure(self.names[self.state.table[row]], choice[row].tolist(), self.machine)
            if found.outcome:
                speed[row], scratch[row] = np.log(found.speedup), found.scratch_bytes
            compile_s[row] = found.compile_s
        return speed, self.memory_term(scratch), compile_s

    def _remember(
        self,
        rows: NDArray[np.bool_],
        works: NDArray[np.bool_],
        choice: NDArray[np.int64],
        speed: NDArray[np.float64],
    ) -> None:
        """Notes the tries of the rows and counts them as measurements."""
        state, index = self.state, np.flatnonzero(rows)
        log_speed = np.where(works, speed, FAILED).clip(-LIMIT, LIMIT).astype(np.float32)[index]
        state.choices[index, state.step[index]] = choice[index]
        state.speeds[index, state.step[index]] = log_speed
        method = choice[index, 0]
        first = state.tried[index, method] == 0
        before = np.where(first, np.float32(-LIMIT), state.reached[index, method])
        state.reached[index, method] = np.maximum(before, log_speed)
        state.tried[index, method] += 1
        state.step[index] += 1

    def _history(self) -> NDArray[np.float32]:
        """The last tries, newest first, see the environment's ``history``."""
        state, actions = self.state, int(sum(self.shape))
        place = state.step[:, None] - 1 - np.arange(TRIES)
        there = place >= 0
        place = place.clip(0, self.settings.budget - 1)
        rows = np.arange(self.batch)[:, None]
        at = state.choices[rows, place] + self.offsets
        history = np.zeros((self.batch, TRIES, actions + 2), np.float32)
        np.put_along_axis(history, at, 1.0, axis=2)
        history[:, :, -2] = state.speeds[rows, place]
        history[:, :, -1] = 1.0
        history *= there[:, :, None]
        return history

    def observe(self) -> dict[str, NDArray[Any]]:
        """The observations of all rows, as new arrays."""
        state, table = self.state, self.state.table
        tried = np.minimum(state.tried / np.float32(4), np.float32(LIMIT))
        now = np.stack([state.reached, tried], axis=2)
        left = 1 - state.step / self.settings.budget
        value = state.speed + state.memory
        kept = (state.kept[:, 0] >= 0).astype(np.float64)
        return {
            "layer": self.layer[table],
            "machine": np.tile(self.about_machine, (self.batch, 1)),
            "methods": np.concatenate([self.methods[table], now], axis=2),
            "history": self._history(),
            "progress": np.stack([value, left, kept], axis=1).astype(np.float32),
            "action_mask": self.mask().astype(np.int8),
        }

    def mask(self) -> NDArray[np.bool_]:
        """The choices that are open, bool ``(B, 24)``, dimension after dimension."""
        mask: NDArray[np.bool_] = self.masks[self.state.table]
        return mask

    def results(self) -> dict[str, NDArray[Any]]:
        """Figures of the variants that the rows keep.

        Returns:
            ``score``, ``speedup`` (times as fast as oneDNN), ``share``, ``is_success``, ``kept``
            ``(B, 4)``, ``problem`` (the layer) and, where the table holds, ``bound`` of the score.
        """
        state, speedup = self.state, np.exp(self.state.speed)
        best = np.ones(self.batch) if self.anytime else self.fastest[state.table]
        return {
            "score": state.area / self.settings.budget if self.anytime else speedup,
            "speedup": speedup,
            "share": self.share(),
            "is_success": self.is_success(),
            "kept": state.kept.copy(),
            "problem": np.array([self.names[k] for k in state.table], object),
            **({} if self.backend == "measured" else {"bound": best}),
        }

    def share(self) -> NDArray[np.float64]:
        """Share of the greatest gain that each row has reached; 1 where nothing is to be gained."""
        greatest = self.greatest[self.state.table]
        value = self.state.speed + self.state.memory
        return np.where(greatest > 0, value / np.where(greatest > 0, greatest, 1.0), 1.0)

    def is_success(self) -> NDArray[np.bool_]:
        """The rows that have reached :data:`SUCCESS` of the greatest gain, bool ``(B,)``.

        Where speed is measured now, the greatest gain is that of the shipped table.
        """
        return self.share() >= SUCCESS
