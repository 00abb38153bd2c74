"""Rollouts in other processes, which are kept for the next."""

import atexit
import json
import os
import pickle
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from subprocess import PIPE, Popen
from typing import Any

from envs.testing.subject import Subject
from envs.testing.trajectory import Record, rollout


class ReplayError(Exception):
    """A process cannot make or step the environment; the message is the last line it printed."""


class Replayer:
    """A process that makes environments anew and rolls them out, one after the other.

    Args:
        hash_seed: Its ``PYTHONHASHSEED``.
    """

    def __init__(self, hash_seed: str) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115, as it stays open
        self._process = Popen(
            [sys.executable, "-c", "from envs.testing import replay; replay.answer_all()"],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(_path()), "PYTHONHASHSEED": hash_seed},
            stdin=PIPE,
            stdout=PIPE,
            stderr=self._errors,
        )
        self.owner = os.getpid()

    @property
    def usable(self) -> bool:
        """True while it runs, in the process that started it."""
        return self.owner == os.getpid() and self._process.poll() is None

    def rollout(self, subject: Subject, seed: int, steps: int) -> list[Record]:
        """The records of a rollout there, with this process's folder, path and variables.

        Raises:
            ReplayError: It could not be made or stepped, or the process ended.
        """
        questions, answers = self._process.stdin, self._process.stdout
        assert questions is not None
        assert answers is not None
        task = (os.getcwd(), _path(), dict(os.environ), subject.to_bytes(), seed, steps)
        answer: dict[str, Any] = {}
        try:
            pickle.dump(task, questions)
            questions.flush()
            answer = json.loads(answers.readline() or "{}")
        except BrokenPipeError:
            pass  # it has ended
        if "records" not in answer:
            raise ReplayError(answer.get("error") or self._last_line())
        records: list[Record] = answer["records"]
        return records

    def _last_line(self) -> str:
        self._errors.seek(0)
        return (self._errors.read().decode().strip().splitlines() or ["no message"])[-1]

    def end(self) -> None:
        """Ends the process."""
        self._process.kill()
        self._process.communicate()
        self._errors.close()


_replayers: dict[str, Replayer] = {}


def rollouts(
    subject: Subject, seed: int, steps: int, hash_seeds: Sequence[str], timeout_s: float
) -> list[list[Record]]:
    """The rollouts of one process for each hash seed, which run at the same time.

    Raises:
        ReplayError: A process cannot make or step the environment, or not in time.
    """
    if not all(replayer.usable for replayer in _replayers.values()):
        end_replayers()
    for hash_seed in hash_seeds:
        if hash_seed not in _replayers:
            _replayers[hash_seed] = Replayer(hash_seed)
    used = [_replayers[hash_seed] for hash_seed in hash_seeds]
    with ThreadPoolExecutor(len(used)) as pool:
        running = [pool.submit(each.rollout, subject, seed, steps) for each in used]
        _, late = wait(running, timeout_s)
        if late:
            end_replayers()
            raise ReplayError(f"no answer in {timeout_s:g} s")
        return [each.result() for each in running]


@atexit.register
def end_replayers() -> None:
    """Ends the processes that are kept."""
    while _replayers:
        _, replayer = _replayers.popitem()
        if replayer.owner == os.getpid():
            replayer.end()


def _path() -> list[str]:
    """The module path, for a process that may start in another folder."""
    return [entry or os.getcwd() for entry in sys.path]


def answer_all() -> None:
    """Answers each pickled task of standard input with a line of JSON, until there is no more."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what environments print is no answer
    while True:
        try:
            folder, path, variables, target, seed, steps = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        os.chdir(folder)
        sys.path[:] = path
        os.environ.clear()
        os.environ.update(variables)
        try:
            env = Subject.make_from_bytes(target)
            answer: dict[str, Any] = {"records": rollout(env, seed, steps)}
            env.close()
        except Exception as error:  # a stranger's environment may raise anything
            answer = {"error": f"{type(error).__name__}: {error}".strip().splitlines()[-1]}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
