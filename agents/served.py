"""The other side of :mod:`agents.process`: makes an agent and asks it for actions."""

import json
import os
import pickle
import socket
import sys
import threading
import traceback
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.actions import encode_action
from agents.channel import Channel
from agents.kinds import kind_of
from agents.loading import make_agent
from agents.shared import Layout, SharedArrays
from agents.view import View
from hardware_sim.errors import InputError


class Masks:
    """The legal actions that came with the present observation."""

    now: NDArray[np.bool_]

    def __call__(self) -> NDArray[np.bool_]:
        """The legal actions."""
        return self.now


class Server:
    """Carries out what the other process asks for.

    Args:
        memory: Descriptor of the memory of observations.
    """

    def __init__(self, memory: int) -> None:
        self.memory, self.masks = memory, Masks()
        self.agent: Any = None
        self.informed = False
        self.view: View
        self.arrays: SharedArrays

    def reply(self, message: bytearray) -> bytes:
        """The reply to a message, JSON."""
        try:
            verb, *arguments = pickle.loads(message)
            return json.dumps(getattr(self, verb)(*arguments)).encode()
        except InputError as error:
            failure = str(error)
        except Exception as error:  # an agent may raise anything
            traceback.print_exc(file=sys.stderr)
            failure = f"the agent raised {type(error).__name__}: {error}"
        return json.dumps({"error": failure}).encode()

    def load(self, name: str, view: View, masked: bool, options: dict[str, Any]) -> dict[str, Any]:
        """Makes the agent."""
        view.action_masks = self.masks if masked else None
        self.view, self.agent = view, make_agent(name, view, **options)
        kind = kind_of(self.agent)
        self.informed = kind != "agent"
        return {"kind": kind, "follows": self.informed and bool(self.agent.follows)}

    def reset(self, seed: int) -> dict[str, Any]:
        """Starts an episode."""
        self.agent.reset(seed)
        return {}

    def act(
        self,
        in_memory: bool,
        layout: Layout | None,
        observation: Any,
        info: dict[str, Any],
        masks: Any,
        told: tuple[Any] | None,
    ) -> dict[str, Any]:
        """The agent's action."""
        if layout is not None:
            self.arrays = SharedArrays(self.memory, layout)
        if in_memory:
            observation = self.arrays.get()
        self.masks.now = masks
        if told is not None:
            self.agent.know(*told)
        action = self.agent.act(observation, info)
        reply = {"action": encode_action(self.view.action_space, action)}
        return {**reply, "spent": int(self.agent.spent)} if self.informed else reply


def serve(descriptor: int, memory: int, life: int) -> None:
    """Answers messages until there are no more.

    Args:
        descriptor: Of the socket to the other process.
        memory: Of the memory shared with it.
        life: Of a pipe that closes when the other process ends.
    """
    threading.Thread(target=_outlive, args=(life,), daemon=True).start()
    server = Server(memory)
    channel = Channel(socket.socket(fileno=descriptor))
    # The other process may be gone while a reply is on its way to it.
    with suppress(EOFError, ConnectionError):
        while True:
            channel.send(server.reply(channel.receive()))


def _outlive(life: int) -> None:
    """Ends this process with the other one."""
    os.read(life, 1)
    os._exit(0)
