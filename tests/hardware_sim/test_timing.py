"""The stopping rule, the turns and the detection of interruptions, on a clock of our own."""

import time

import pytest
import torch

from hardware_sim.errors import InputError
from hardware_sim.timing import Timing, check_device, clock_of, interleaved, one_thread


class Clock:
    """A wall clock and a processor clock that only the timed functions move."""

    def __init__(self):
        self.wall = self.busy = 0.0
        self.calls = []

    def run(self, name, costs):
        """A function that takes the next of the costs, ``(busy, idle)``; the last repeats."""
        left = list(costs)

        def call():
            busy, idle = left.pop(0) if len(left) > 1 else left[0]
            self.busy += busy
            self.wall += busy + idle
            self.calls.append(name)

        return call

    def time(self, functions, **settings):
        clocks = {"clock": lambda: self.busy, "wall": lambda: self.wall}
        return interleaved(functions, **(clocks | settings))


def test_functions_take_turns_until_both_are_settled():
    clock = Clock()
    slow = clock.run("b", [(1.0, 0)] + [(3.0 - i / 5, 0) for i in range(9)] + [(1.0, 0)])
    timings = clock.time({"a": clock.run("a", [(2.0, 0)]), "b": slow}, limit_s=1e9)
    assert clock.calls == ["a", "b"] * (len(clock.calls) // 2)
    assert timings["a"].best == 2.0
    assert timings["b"].best == 1.0
    assert len(timings["b"].seconds) == 11


def test_an_interrupted_run_does_not_count():
    clock = Clock()
    costs = [(1.0, 0), (0.5, 2.0), (1.0, 0.1)]
    timing = clock.time({"a": clock.run("a", costs)}, limit_s=1e9)["a"]
    assert timing.interrupted == [0.5]
    assert timing.best == 1.0
    assert len(timing.seconds) == 7


def test_there_is_a_figure_even_if_every_run_is_interrupted():
    clock = Clock()
    timing = clock.time({"a": clock.run("a", [(1.0, 9.0)])}, limit_s=25.0)["a"]
    assert timing.seconds == []
    assert timing.best == 1.0
    assert not timing.settled()


def test_the_wall_clock_itself_is_never_interrupted():
    clock = Clock()
    settings = {"clock": lambda: clock.wall, "limit_s": 1e9}
    timing = clock.time({"a": clock.run("a", [(1.0, 3.0)])}, **settings)["a"]
    assert timing.best == 4.0
    assert timing.interrupted == []


def test_settled_means_that_the_two_least_agree():
    assert not Timing([1.0] * 6).settled()
    assert Timing([1.0, 1.02] + [2.0] * 5).settled()
    assert not Timing([1.0, 1.03] + [2.0] * 5).settled()
    assert Timing([1.0, 1.02]).settled(least=2)
    assert Timing([1.0]).settled(least=1)


def test_what_is_hopeless_is_given_up_but_not_the_yardstick():
    clock = Clock()
    costs = {"library": 8.0, "fast": 1.0, "near": 1.25, "far": 1.75}
    functions = {name: clock.run(name, [(cost, 0)]) for name, cost in costs.items()}
    timings = clock.time(functions, limit_s=1e9, yardstick="library")
    assert {name: len(each.seconds) for name, each in timings.items()} == {
        "library": 7, "fast": 7, "near": 7, "far": 3,
    }  # fmt: skip
    assert {name: each.best for name, each in timings.items()} == costs


def test_measuring_ends_when_only_the_yardstick_is_left():
    clock = Clock()
    functions = {"library": clock.run("library", [(1, 0)]), "slow": clock.run("slow", [(2, 0)])}
    timings = clock.time(functions, limit_s=1e9, yardstick="library")
    assert [len(each.seconds) for each in timings.values()] == [3, 3]


def test_many_functions_stop_one_by_one():
    clock = Clock()
    noisy = [(9.0, 0), (8.0, 0), (7.0, 0), (6.0, 0), (5.0, 0), (5.0, 0), (4.0, 0)]
    functions = {"a": clock.run("a", [(2.0, 0)]), "b": clock.run("b", noisy)}
    timings = clock.time(functions, least=2, most=15, limit_s=1e9, separately=True)
    assert "".join(clock.calls) == "ab" + "abab" + "bbb"
    assert [each.best for each in timings.values()] == [2.0, 5.0]


def test_a_short_run_is_repeated_within_its_turn():
    clock, cold = Clock(), [True]

    def short():
        clock.busy += 0.0008 if cold[0] else 0.0005
        cold[0] = False

    def long():
        clock.busy += 1.0
        cold[0] = True

    timings = clock.time({"long": long, "short": short}, turn_s=0.004, least=2, limit_s=1e9)
    assert timings["long"].best == 1.0
    assert timings["short"].best == pytest.approx(0.0005)
    assert len(timings["short"].seconds) == 2


def test_measuring_ends_after_the_most_turns():
    clock = Clock()
    falling = [(2.0**-i, 0) for i in range(99)]
    timing = clock.time({"a": clock.run("a", falling)}, most=4, limit_s=1e9)["a"]
    assert timing.seconds == [1 / 2, 1 / 4, 1 / 8, 1 / 16]
    assert not timing.settled()


def test_work_counts_by_the_clock_of_where_it_is_done():
    assert clock_of() is time.thread_time
    assert clock_of("cpu", threads=2) is time.perf_counter


def test_a_device_that_torch_cannot_use_is_refused():
    assert check_device("cpu") == "cpu"
    for device in ("meta:99x", "cuda:63"):
        with pytest.raises(InputError, match=f"device '{device}' cannot be used here"):
            check_device(device)


def test_torch_gets_its_threads_back():
    before = torch.get_num_threads()
    with one_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before
