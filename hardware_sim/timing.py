"""Times functions against each other on a machine that does other things, too.

One thread is timed by its processor time, several threads and a GPU by the wall clock. The
functions take turns (A B A B), so that a slow second hits all of them; each counts by its least
time.
"""

import math
import time
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from hardware_sim.errors import InputError

Name = TypeVar("Name", bound=Hashable)
Clock = Callable[[], float]

AGREEMENT = 0.02
"""The two least times of a function must agree so far before measuring stops."""
PREEMPTED = 1.3
"""Ratio of wall to processor time beyond which a run was interrupted and is repeated."""
LEAST_TURNS = 7
HOPELESS = 1.5
"""Ratio to the fastest beyond which a function is given up where there is a yardstick."""
LEAST_TRIES = 3
"""Turns before a function is given up."""
MOST_RUNS = 20
"""Runs of a short function within a turn."""


@dataclass
class Timing:
    """Times of one function.

    Attributes:
        seconds: The least time of every turn with a run that was not interrupted.
        interrupted: The least time of every other turn.
    """

    seconds: list[float] = field(default_factory=list)
    interrupted: list[float] = field(default_factory=list)

    @property
    def best(self) -> float:
        """The least time in seconds; of interrupted runs if there is no other."""
        return min(self.seconds or self.interrupted)

    def settled(self, least: int = LEAST_TURNS) -> bool:
        """True if there are so many turns or more, and the two least times agree."""
        if len(self.seconds) < least:
            return False
        first, *others = sorted(self.seconds)
        return not others or others[0] <= first * (1 + AGREEMENT)


def clock_of(device: str = "cpu", threads: int = 1) -> Clock:
    """The clock of what a device does for this thread, in seconds.

    On one thread of a CPU it is the thread's processor time, which other programs disturb least; on
    several threads the wall time, and on a GPU the wall time once its queue is empty.

    Args:
        device: Of torch.
        threads: How many threads of a CPU do the work.
    """
    if not device.startswith("cuda"):
        return time.thread_time if threads == 1 else time.perf_counter
    import torch

    def synchronised() -> float:
        torch.cuda.synchronize(device)
        return time.perf_counter()

    return synchronised


def check_device(device: str) -> str:
    """The device, if torch can compute on it here.

    Raises:
        InputError: It cannot.
    """
    import torch

    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).partition("\n")[0]
        raise InputError(f"device {device!r} cannot be used here: {reason}") from None
    return device


@contextmanager
def one_thread() -> Iterator[None]:
    """Torch on one thread, whose processor time is what is measured."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def interleaved(
    functions: Mapping[Name, Callable[[], object]],
    *,
    clock: Clock = time.thread_time,
    wall: Clock = time.perf_counter,
    turn_s: float = 0.0,
    least: int = LEAST_TURNS,
    most: int | None = None,
    limit_s: float = 1.0,
    yardstick: Name | None = None,
    separately: bool = False,
) -> dict[Name, Timing]:
    """Runs functions in turn until the least times of all are settled.

    Args:
        functions: By name. Each runs once before it is timed.
        clock: What is measured, in seconds; see :func:`clock_of`.
        wall: The wall clock, in seconds, by which runs that were interrupted are recognised; the
            clock that is measured, if they shall count like others.
        turn_s: Time that a turn takes at least: it repeats a short function, :data:`MOST_RUNS`
            times at most, and counts by its least run. By default a turn is one run.
        least: Turns before a function is settled.
        most: Turns after which measuring stops, if it has not before.
        limit_s: Wall time after which no turn begins. There is at least one.
        yardstick: What the others are compared with. If named, functions that are hopelessly slower
            than the fastest run a few times only.
        separately: Whether each stops once it is settled itself: for many functions that are not
            compared.

    Returns:
        A timing for every name.
    """
    timings = {name: Timing() for name in functions}
    for run in functions.values():
        run()
    start, waiting, turns = wall(), list(functions), 0
    while True:
        for name in waiting:
            _take_turn(functions[name], timings[name], clock, wall, turn_s)
        turns += 1
        if yardstick is not None:
            waiting = _promising(waiting, timings, yardstick)
        unsettled = [name for name in waiting if not timings[name].settled(least)]
        over = turns == most or wall() - start > limit_s
        if not unsettled or waiting == [yardstick] or over:
            return timings
        if separately:
            waiting = unsettled


def _take_turn(
    run: Callable[[], object], timing: Timing, clock: Clock, wall: Clock, turn_s: float
) -> None:
    """Runs a function, again and again until the turn is over, and keeps the least time."""
    clean, interrupted, spent = math.inf, math.inf, 0.0
    for _ in range(MOST_RUNS):
        began, began_wall = clock(), wall()
        run()
        passed, took = wall() - began_wall, clock() - began
        if passed > PREEMPTED * took:
            interrupted = min(interrupted, took)
        else:
            clean = min(clean, took)
        spent += took
        if spent >= turn_s:
            break
    if clean < math.inf:
        timing.seconds.append(clean)
    else:
        timing.interrupted.append(interrupted)


def _promising(waiting: list[Name], timings: Mapping[Name, Timing], yardstick: Name) -> list[Name]:
    """Those that are not given up yet."""
    fastest = min(timing.best for timing in timings.values())
    return [
        name
        for name in waiting
        if name == yardstick
        or len(timings[name].seconds) < LEAST_TRIES
        or timings[name].best <= HOPELESS * fastest
    ]
