"""Many nests in progress at once: the core that both environment classes drive."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from envs.loops import cost, kernel
from envs.loops.features import (
    LARGEST_FEATURE,
    LOOP_FEATURES,
    MACHINE_FEATURES,
    PROBLEM_FEATURES,
    PROGRESS_FEATURES,
    loop_features,
    machine_features,
    problem_features,
)
from envs.loops.nest import ACTIONS, MAX_LOOPS, STOP, Nest
from envs.loops.problem import MAX_DIMS, OPERATIONS, TENSORS, Problem, draw
from envs.loops.task import LoopTask
from envs.rows import Columns, Core, Outcome, whole_actions
from hardware_sim.errors import InputError, choose
from hardware_sim.processors import Processor

MAX_STEPS = 48
STEP_COST = 0.005
ILLEGAL_COST = 0.1
SUCCESS_SHARE = 0.8
"""Share of the roofline that counts as success."""

BACKENDS = ("model", "measured")


class LoopBatch(Core):
    """``B`` nests in progress on one processor.

    Args:
        operations: Some of :data:`envs.loops.problem.OPERATIONS`; episodes draw among them.
        backend: ``"model"`` or ``"measured"``.
        processor: Name of a shipped processor.
        threads: Cores that a parallel loop may use.
        batch: Number of rows ``B``.

    Raises:
        InputError: An unknown operation, backend or processor, or threads out of range.
        gymnasium.error.DependencyNotInstalled: The measured backend's compiler is missing.
    """

    options = ("problem", "split")

    def __init__(
        self, operations: list[str], backend: str, processor: str, threads: int, batch: int
    ) -> None:
        if not operations:
            raise InputError(f"operations is empty; allowed: some of {', '.join(OPERATIONS)}")
        self.operations = tuple(choose("operation", o, OPERATIONS) for o in operations)
        self.backend = choose("backend", backend, BACKENDS)
        self.processor = Processor.load(processor)
        if not 1 <= threads <= 64:
            raise InputError(f"threads is {threads}; allowed: 1 to 64")
        self.threads, self.batch = threads, batch
        self.rates = cost.Rates.of(self.processor)
        self.clock = None
        if self.backend == "measured":
            from envs.loops.measured import Stopwatch

            self.clock = Stopwatch(threads)
        placeholder = Problem.parse("matmul-1x1x1")
        self._bounds: dict[Problem, float] = {}
        self.problems = [placeholder] * batch
        self.loops = np.zeros((batch, MAX_LOOPS, 4), np.int64)
        self.state = np.zeros((batch, 4), np.int64)
        self.reduced = np.zeros((batch, MAX_DIMS), np.bool_)
        self.strides = np.zeros((batch, len(TENSORS), MAX_DIMS), np.int64)
        self.legal = np.zeros((batch, len(ACTIONS)), np.int8)
        self.first_s, self.now_s, self.best_s, self.bound_s = np.ones((4, batch))
        self.outcomes = np.full(batch, "ok", object)
        self.steps = np.zeros(batch, np.int64)
        self.flops = np.ones(batch)
        self.about_problem = np.zeros((batch, len(PROBLEM_FEATURES)), np.float32)
        self.about_machine = machine_features(self.processor, threads)

    def spaces(self) -> tuple[spaces.Dict, "spaces.Discrete[np.int64]"]:
        """Observation and action space of one row."""

        def features(*shape: int) -> spaces.Box:
            return spaces.Box(-LARGEST_FEATURE, LARGEST_FEATURE, shape, np.float32)

        observation = spaces.Dict(
            {
                "loops": features(MAX_LOOPS, len(LOOP_FEATURES)),
                "problem": features(len(PROBLEM_FEATURES)),
                "machine": features(len(MACHINE_FEATURES)),
                "progress": features(len(PROGRESS_FEATURES)),
                "action_mask": spaces.Box(0, 1, (len(ACTIONS),), np.int8),
            }
        )
        return observation, spaces.Discrete(len(ACTIONS))

    def columns(self) -> Columns:
        """Names of the features of loops, problem, machine and progress, and of the actions."""
        return {
            "loops": LOOP_FEATURES,
            "problem": PROBLEM_FEATURES,
            "machine": MACHINE_FEATURES,
            "progress": PROGRESS_FEATURES,
            "action_mask": ACTIONS,
        }

    def draw(self, random: np.random.Generator, options: Mapping[str, Any]) -> Problem:
        """The problem of a new episode: the one that the options name, or one of their split.

        Raises:
            InputError: An unknown problem or split.
        """
        if "problem" in options:
            return Problem.parse(str(options["problem"]))
        return draw(random, self.operations, options.get("split", "train"))

    def begin(self, rows: NDArray[np.bool_], drawn: list[Problem]) -> dict[str, list[str]]:
        """Starts unscheduled nests in the given rows, one problem each; names the problems.

        Raises:
            KernelError: One cannot be measured here, so that nothing can be compared to it.
        """
        if self.clock is not None:
            for problem in drawn:
                self.clock.begin(problem)
        index = np.flatnonzero(rows)
        for row, problem in zip(index, drawn, strict=True):
            self.problems[row] = problem
            dims = len(problem.extents)
            self.reduced[row], self.strides[row] = False, 0
            self.reduced[row, :dims] = problem.reduced
            self.strides[row, :, :dims] = problem.strides
            nest = Nest.unscheduled(problem, self.threads)
            kernel.write(nest, self.loops[row], self.state[row])
            self.bound_s[row] = self._bound_s(problem)
            self.flops[row] = problem.flops
            self.about_problem[row] = problem_features(problem)
            kernel.mask(self.loops[row], self.state[row], self.reduced[row], self.legal[row])
        self.steps[rows] = 0
        self._time(rows)
        self.first_s[rows] = self.best_s[rows] = self.now_s[rows]
        return {"problem": [problem.name for problem in drawn]}

    def step(self, rows: NDArray[np.bool_], actions: NDArray[np.integer[Any]]) -> Outcome:
        """Takes an action in each of the given rows.

        Raises:
            InputError: An action of these rows is out of range, or there is not one for each row.
        """
        taken = whole_actions(actions, rows, len(ACTIONS))
        illegal = rows & (self.legal[np.arange(self.batch), taken] == 0)
        changed = np.empty(self.batch, np.bool_)
        kernel.edit_all(rows, taken, self.loops, self.state, self.reduced, self.legal, changed)
        self._time(changed)
        better = np.minimum(self.best_s, self.now_s)
        speed = np.log(self.best_s / better)
        self.best_s = better
        self.steps += rows
        terminated = rows & (taken == STOP)
        parts = {
            "speed": speed,
            "steps": np.where(rows, -STEP_COST, 0.0),
            "illegal": np.where(illegal, -ILLEGAL_COST, 0.0),
        }
        truncated = rows & ~terminated & (self.steps >= MAX_STEPS)
        info = {} if self.clock is None else {"outcome": self.outcomes.copy()}
        return Outcome(parts, terminated, truncated, info)

    def observe(self) -> dict[str, NDArray[Any]]:
        """The observations of all rows, as new arrays."""
        loops = np.empty((self.batch, MAX_LOOPS, len(LOOP_FEATURES)), np.float32)
        loop_features(self.loops, self.state, self.reduced, self.strides, loops)
        with np.errstate(divide="ignore"):  # a nest that failed has no rate
            now = np.log(self.first_s / self.now_s)
        progress = (
            now / 5,
            np.log(self.first_s / self.best_s) / 5,
            self.bound_s / self.best_s,
            1 - self.steps / MAX_STEPS,
        )
        seen = np.stack(progress, axis=1).clip(-LARGEST_FEATURE, LARGEST_FEATURE)
        return {
            "loops": loops,
            "problem": self.about_problem.copy(),
            "machine": np.tile(self.about_machine, (self.batch, 1)),
            "progress": seen.astype(np.float32),
            "action_mask": self.legal.copy(),
        }

    def mask(self) -> NDArray[np.bool_]:
        """Legal actions, bool ``(B, A)``."""
        return np.asarray(self.legal != 0)

    def results(self) -> dict[str, NDArray[Any]]:
        """Rates in GFLOP/s, speed-up and success of each row so far, and its problem, ``(B,)``.

        ``bound`` is the roofline under the cost model, which nothing measured is sure to keep.
        """
        gflop = self.flops / 1e9
        bound = {} if self.clock is not None else {"bound": gflop / self.bound_s}
        return {
            "score": gflop / self.best_s,
            "speedup": self.first_s / self.best_s,
            "roofline": gflop / self.bound_s,
            "is_success": self.bound_s >= SUCCESS_SHARE * self.best_s,
            "problem": np.array([problem.name for problem in self.problems], object),
            **bound,
        }

    def nest(self, row: int) -> Nest:
        """The present nest of a row."""
        return kernel.read(self.problems[row], self.loops[row], self.state[row])

    def text(self, row: int) -> str:
        """The present nest of a row under its problem's name and rates."""
        found = {key: value[row] for key, value in self.results().items()}
        now = found["score"] * self.best_s[row] / self.now_s[row]
        return (
            f"{self.problems[row].name}: {now:.1f} GFLOP/s now, {found['score']:.1f} at best, "
            f"roofline {found['roofline']:.1f}\n{self.nest(row)}"
        )

    def problem_of(self, row: int) -> LoopTask:
        """The kernel of a row, and what it is scheduled for."""
        return LoopTask(self.problems[row], self.threads, self.processor, self.backend)

    def close(self) -> None:
        """Ends the process that measures, if there is one."""
        if self.clock is not None:
            self.clock.close()

    def _bound_s(self, problem: Problem) -> float:
        """Seconds that no schedule of a problem can beat."""
        if problem not in self._bounds:
            rate = cost.roofline_flops(problem, self.processor, self.threads)
            self._bounds[problem] = problem.flops / rate
        return self._bounds[problem]

    def _time(self, rows: NDArray[np.bool_]) -> None:
        """Brings ``now_s`` and ``outcomes`` of the given rows up to date."""
        if self.clock is None:
            cost.seconds_of(
                rows, self.loops, self.state, self.reduced, self.strides, self.rates, self.now_s
            )
            return
        for row in np.flatnonzero(rows).tolist():
            found = self.clock.measure(self.nest(row))
            self.now_s[row], self.outcomes[row] = found.seconds, found.outcome.status
