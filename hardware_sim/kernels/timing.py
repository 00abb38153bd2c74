"""Times functions against each other on a machine that does other things, too.

One thread is timed by its processor time, several by the wall clock. The functions take turns
(A B A B), so that a slow second hits all of them; each counts by its least time.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

AGREEMENT = 0.02
"""The two least times of a function must agree so far before measuring stops."""
PREEMPTED = 1.3
"""Ratio of wall to processor time beyond which a run was interrupted and is repeated."""
LEAST_RUNS = 7
HOPELESS = 1.5
"""Ratio to the fastest beyond which a function is given up where there is a yardstick."""
LEAST_TRIES = 3
"""Runs before a function is given up."""


@dataclass
class Timing:
    """Times of one function.

    Attributes:
        seconds: Of every run that was not interrupted.
        interrupted: Of every run that was.
    """

    seconds: list[float] = field(default_factory=list)
    interrupted: list[float] = field(default_factory=list)

    @property
    def best(self) -> float:
        """The least time in seconds; of interrupted runs if there is no other."""
        return min(self.seconds or self.interrupted)

    @property
    def is_settled(self) -> bool:
        """Whether there are enough runs, and the two least times agree."""
        if len(self.seconds) < LEAST_RUNS:
            return False
        first, second = sorted(self.seconds)[:2]
        return second <= first * (1 + AGREEMENT)


def interleaved(
    functions: Mapping[str, Callable[[], object]],
    *,
    threads: int = 1,
    limit_s: float = 1.0,
    yardstick: str | None = None,
    clock: Callable[[], float] = time.perf_counter,
    thread_clock: Callable[[], float] = time.thread_time,
) -> dict[str, Timing]:
    """Runs functions in turn until the least times of all are settled.

    Args:
        functions: By name.
        threads: How many threads they use; with one, processor time is measured.
        limit_s: Wall time after which no round begins. There is at least one round.
        yardstick: What the others are compared with. If named, functions that are hopelessly slower
            than the fastest run a few times only.
        clock: The wall clock, in seconds.
        thread_clock: Processor time of this thread, in seconds.

    Returns:
        A timing for every name.
    """
    timings = {name: Timing() for name in functions}
    for run in functions.values():
        run()
    start, waiting = clock(), list(functions)
    while True:
        for name in waiting:
            run = functions[name]
            wall, busy = clock(), thread_clock()
            run()
            busy, wall = thread_clock() - busy, clock() - wall
            if threads == 1 and wall > PREEMPTED * busy:
                timings[name].interrupted.append(busy)
            else:
                timings[name].seconds.append(busy if threads == 1 else wall)
        if yardstick is not None:
            least = min(timing.best for timing in timings.values())
            waiting = [
                name
                for name in waiting
                if name == yardstick
                or len(timings[name].seconds) < LEAST_TRIES
                or timings[name].best <= HOPELESS * least
            ]
        settled = all(timings[name].is_settled for name in waiting)
        if settled or waiting == [yardstick] or clock() - start > limit_s:
            return timings
