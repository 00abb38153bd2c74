"""Agents in a process of their own, which get what their kind gets and hand back actions.

The process receives a view of the environment, observations, infos and what its kind is given.
What comes back is JSON, and is checked; nothing of it is unpickled. A process is no sandbox: code
that reads another process's memory or files is not kept from it.

Arrays of observations pass through memory that both processes share.
"""

import json
import os
import pickle
import signal
import socket
import subprocess
import sys
import weakref
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from typing import Any, cast

import gymnasium as gym

from agents.actions import decode_action
from agents.agent import Agent
from agents.channel import Channel
from agents.kinds import KINDS, Kind, given
from agents.loading import load_agent
from agents.shared import Layout, SharedArrays, layout_of, memory_file
from agents.view import View
from hardware_sim.errors import InputError, choose

LIMIT_S = 600.0
"""Longest time that an agent may take to be made, to begin an episode or to act, in seconds."""

GRACE_S = 2.0
"""Time that a process has to end by itself."""

LARGEST_REPLY = 2**26
"""Bytes of a reply."""

START = "import sys, json; sys.path[:] = json.loads(sys.argv[1]); from agents import served; "
SERVE = "served.serve(*map(int, sys.argv[2:]))"


class AgentProcess:
    """An agent that acts in a process of its own.

    The environment stays in this process. The agent is shown a view of it, each observation and
    info, legal actions where only a method gives them, and what its kind receives.

    Args:
        name: As of :func:`agents.loading.load_agent`.
        env: The environment that it acts in.
        **options: Further arguments of :func:`agents.loading.make_agent`, by name.

    Attributes:
        kind: The agent's kind, as it states it.
        spent: Evaluations that a planner counted in the present episode.

    Raises:
        InputError: There is no such agent, or it cannot be made.
    """

    def __init__(self, name: str, env: gym.Env[Any, Any], **options: Any) -> None:
        mine, theirs = socket.socketpair()
        self._channel = Channel(mine, LARGEST_REPLY)
        self.wait_at_most(LIMIT_S)
        life, ours = os.pipe()  # it ends when this process does, whatever it is doing
        self._memory = memory_file()
        self._arrays: SharedArrays | None = None
        passed = [theirs.fileno(), self._memory, life]
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-c", START + SERVE, json.dumps(import_path()), *map(str, passed)],
                stdin=subprocess.DEVNULL,
                stdout=2,  # what an agent prints is no result
                pass_fds=passed,
                start_new_session=True,  # an interrupt from the keyboard is for this process
            )
        finally:
            theirs.close()
            os.close(life)
        self.close = weakref.finalize(
            self, _end, self._process, self._channel, [ours, self._memory]
        )
        try:
            self.load(name, env, **options)
        except BaseException:
            self.close()
            raise

    def wait_at_most(self, limit_s: float) -> None:
        """Sets the longest time for each message, in seconds."""
        self._limit_s = limit_s
        self._channel.wait_at_most(limit_s)

    @property
    def ended(self) -> bool:
        """True if the process is gone."""
        return self._process.poll() is not None

    def load(self, name: str, env: gym.Env[Any, Any], **options: Any) -> None:
        """Makes an agent in the process, in the place of the one before.

        Args:
            name: As of the class.
            env: As of the class.
            **options: As of the class.

        Raises:
            InputError: There is no such agent, or it cannot be made.
        """
        self.name, self._env, self._space = name, env, env.action_space
        view = View.of(env)
        in_observation = "action_mask" in getattr(view.observation_space, "spaces", {})
        self._masks = None if in_observation else view.action_masks
        shown = replace(view, action_masks=None)
        reply = self._ask("load", name, shown, self._masks is not None, options)
        self.kind: Kind = cast(Kind, choose("kind of agent", str(reply.get("kind")), list(KINDS)))
        self.spent, self._due, self._follows = 0, False, reply.get("follows") is True

    def reset(self, seed: int) -> None:
        """Starts an episode.

        Raises:
            InputError: The agent failed.
        """
        self._ask("reset", seed)
        self._due, self.spent = self.kind != "agent", 0

    def act(self, observation: Any, info: dict[str, Any]) -> Any:
        """The agent's action, one of the action space.

        Raises:
            InputError: The agent failed, did not end in time, or chose another action.
        """
        told = None
        if self._due:
            told = (given(self.kind, self._env),)
            self._due = self._follows
        masks = None if self._masks is None else self._masks()
        reply = self._ask("act", *self._shared(observation), info, masks, told)
        spent = reply.get("spent")
        self.spent = spent if type(spent) is int and spent >= 0 else 0
        return decode_action(self._space, reply.get("action"))

    def _shared(self, observation: Any) -> tuple[bool, Layout | None, Any]:
        """True if an observation is in memory, its layout if that is another, and it if not."""
        if self._arrays is not None and self._arrays.put(observation):
            return True, None, None
        layout = layout_of(observation)
        if layout is None:
            return False, None, observation
        self._arrays = SharedArrays(self._memory, layout)
        return self._arrays.put(observation), layout, None

    def _ask(self, *message: Any) -> dict[str, Any]:
        """The reply to a message.

        Raises:
            InputError: There is none in time, or it is an error of the agent's.
        """
        try:
            self._channel.send(pickle.dumps(message, protocol=5))
            reply = json.loads(self._channel.receive().decode())
        except TimeoutError:
            self.close()
            raise InputError(
                f"agent {self.name!r} did not {message[0]} within {self._limit_s:g} s"
            ) from None
        except (EOFError, OSError):
            raise InputError(f"the process of agent {self.name!r} {self._ended()}") from None
        except (ValueError, RecursionError):
            self.close()
            raise InputError(f"agent {self.name!r} sent something that is no reply") from None
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise InputError(
                f"an info or space cannot be sent to another process ({error}); "
                "--in-process keeps the agent in this one"
            ) from error
        if not isinstance(reply, dict):
            raise InputError(f"agent {self.name!r} sent something that is no reply")
        if "error" in reply:
            raise InputError(str(reply["error"]))
        return reply

    def _ended(self) -> str:
        """A sentence on the end of the process, which has closed its end of the pipe."""
        try:
            status = self._process.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            return "closed its connection"
        finally:
            self.close()
        return f"ended by itself with status {status}"


@contextmanager
def acting(
    name: str, env: gym.Env[Any, Any], in_process: bool = False
) -> Iterator["AgentProcess | Agent"]:
    """An agent that acts in an environment, in a process that ends with the block.

    Args:
        name: As of :func:`agents.loading.load_agent`.
        env: The environment.
        in_process: The agent runs in this process instead.

    Raises:
        InputError: There is no such agent, or it cannot be made.
    """
    if in_process:
        yield load_agent(name, env)
        return
    with closing(AgentProcess(name, env)) as process:
        yield process


def import_path() -> list[str]:
    """The module path, for a process that may change its folder."""
    return [entry or os.getcwd() for entry in sys.path]


def _end(process: subprocess.Popen[bytes], channel: Channel, descriptors: list[int]) -> None:
    """Ends a process and what it has started, and closes what connects it."""
    channel.close()
    for descriptor in descriptors:
        os.close(descriptor)
    with suppress(subprocess.TimeoutExpired):
        process.wait(GRACE_S)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
