"""A child process serves many requests; its end in the middle of one is a value."""

import gc
import os
import signal

import psutil
import pytest

from hardware_sim.kernels import KernelError
from hardware_sim.kernels.worker import Worker

MODULE = "tests.hardware_sim.kernels.obedient"
ENOUGH_S = 100.0


@pytest.fixture
def worker():
    made = Worker(MODULE, {"OBEDIENT": "yes"})
    yield made
    made.close()


def test_one_process_answers_many_requests(worker):
    first, pid = worker.ask({"any": ["JSON", None, 1.5]}, ENOUGH_S)
    assert first == {"any": ["JSON", None, 1.5]}
    assert pid != os.getpid()
    assert worker.ask("again", ENOUGH_S) == ["again", pid]
    assert worker.ask("print", ENOUGH_S) == ["print", pid]
    assert worker.ask("variable", ENOUGH_S) == "yes"


@pytest.mark.parametrize(
    ("asked", "detail"),
    [("crash", "signal 11"), ("raise", "RuntimeError: refused"), ("exit", "left early")],
)
def test_an_end_in_the_middle_is_a_crash_and_the_next_request_is_answered(worker, asked, detail):
    _, pid = worker.ask("before", ENOUGH_S)
    for _ in range(2):
        with pytest.raises(KernelError, match=f"crashed: (?s:.*){detail}"):
            worker.ask(asked, ENOUGH_S)
    assert not psutil.pid_exists(pid)
    assert worker.ask("after", ENOUGH_S)[1] != pid


def test_no_answer_in_time_is_a_hang_and_the_next_request_is_answered(worker):
    _, pid = worker.ask("before", ENOUGH_S)
    with pytest.raises(KernelError, match=r"hung: it did not end within 0\.2 s"):
        worker.ask("hang", 0.2)
    assert not psutil.pid_exists(pid)
    assert worker.ask("after", ENOUGH_S)[0] == "after"


def test_an_end_between_requests_is_not_the_next_ones_doing(worker):
    _, pid = worker.ask("before", ENOUGH_S)
    child = psutil.Process(pid)
    child.send_signal(signal.SIGKILL)
    while child.status() != psutil.STATUS_ZOMBIE:
        pass
    assert worker.ask("after", ENOUGH_S)[0] == "after"


def test_an_interrupt_leaves_no_stale_answer(worker):
    _, pid = worker.ask("before", ENOUGH_S)
    with pytest.raises(KeyboardInterrupt):
        worker.ask("interrupt", ENOUGH_S)
    assert not psutil.pid_exists(pid)
    assert worker.ask("after", ENOUGH_S)[0] == "after"


def test_a_module_that_does_not_start_is_a_crash():
    worker = Worker("tests.hardware_sim.kernels.nowhere", {})
    with pytest.raises(KernelError, match=r"crashed: .*nowhere"):
        worker.ask("anything", ENOUGH_S)


def test_closing_leaves_no_process_and_the_next_request_starts_one(worker):
    worker.close()
    _, pid = worker.ask("before", ENOUGH_S)
    worker.close()
    worker.close()
    assert not psutil.pid_exists(pid)
    assert worker.ask("after", ENOUGH_S)[0] == "after"


def test_a_forgotten_worker_leaves_no_process():
    worker = Worker(MODULE, {})
    _, pid = worker.ask("before", ENOUGH_S)
    del worker
    gc.collect()
    assert not psutil.pid_exists(pid)
