"""The stopping rule, the turns and the detection of interruptions, on a clock of our own."""

from hardware_sim.kernels import Timing, interleaved


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
        return interleaved(
            functions, clock=lambda: self.wall, thread_clock=lambda: self.busy, **settings
        )


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
    assert not timing.is_settled


def test_threads_are_timed_by_the_wall():
    clock = Clock()
    timing = clock.time({"a": clock.run("a", [(1.0, 3.0)])}, threads=2, limit_s=1e9)["a"]
    assert timing.best == 4.0
    assert timing.interrupted == []


def test_settled_means_that_the_two_least_agree():
    assert not Timing([1.0] * 6).is_settled
    assert Timing([1.0, 1.02] + [2.0] * 5).is_settled
    assert not Timing([1.0, 1.03] + [2.0] * 5).is_settled


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
