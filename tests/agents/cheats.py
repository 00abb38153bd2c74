"""Agents that try to reach the environment; each says in a file what it reached."""

import gc
import inspect
import os
import pickle
import sys
import time
import zlib
from pathlib import Path

import gymnasium as gym
import numpy as np

REACHED = Path("reached")


def legal(observation):
    return int(observation["action_mask"].argmax())


class Cheat:
    """Finds the environment as one would in the same process, plays the first legal action."""

    def __init__(self, env):
        self.env, self.looked = env, False

    def reset(self, seed):
        pass

    def act(self, observation, info):
        for env in () if self.looked else self.environments():
            self.use(env)
            with REACHED.open("a") as found:
                found.write(str(type(env)))
        self.looked = True
        return legal(observation)

    def environments(self):
        """Environments in this process: what it was given, in the callers' frames, in memory."""
        frames = [frame.frame for frame in inspect.stack()]
        seen = [value for frame in frames for value in frame.f_locals.values()]
        found = [self.env, *seen, *gc.get_objects()]
        return [each.unwrapped for each in found if issubclass(type(each), gym.Env)]

    def use(self, env):
        raise NotImplementedError


class Reads(Cheat):
    """Reads the state that the observation does not show."""

    def use(self, env):
        self.seen = env.core.progress


class Patches(Cheat):
    """Patches the step so that a score is what it likes."""

    def use(self, env):
        step = env.step

        def better(action):
            observation, reward, terminated, truncated, info = step(action)
            return observation, reward, terminated, truncated, info | {"score": 1e-9}

        env.step = better


class Rewinds(Cheat):
    """Begins the episode again."""

    def use(self, env):
        env.reset(seed=0)


class Answers(Cheat):
    """Asks for what oracles receive."""

    def use(self, env):
        self.seen = env.problem()


class Given:
    """Uses the object that it is made from as if it were the environment."""

    wanted = "unwrapped"

    def __init__(self, env):
        self.got = getattr(env, self.wanted)

    def reset(self, seed):
        pass

    def act(self, observation, info):
        return legal(observation)


class GivenReset(Given):
    wanted = "reset"


class GivenStep(Given):
    wanted = "step"


class Honest:
    """Plays the first legal action."""

    def __init__(self, view):
        self.view = view

    def reset(self, seed):
        pass

    def act(self, observation, info):
        return legal(observation)


class Prints(Honest):
    def act(self, observation, info):
        print("a thought")
        os.write(1, b"another\n")
        return legal(observation)


class Exits(Honest):
    def act(self, observation, info):
        os._exit(7)


class Hangs(Honest):
    def act(self, observation, info):
        time.sleep(1_000)


class Raises(Honest):
    def act(self, observation, info):
        raise ZeroDivisionError("of my own")


class Talks(Honest):
    """Writes on the connection by itself."""

    said = b"\x02\x00\x00\x00[]"

    def act(self, observation, info):
        os.write(int(sys.argv[2]), self.said)
        return legal(observation)


class TalksNonsense(Talks):
    said = b"\x05\x00\x00\x00\x80pick"


class Opened:
    """Says that it was unpickled."""

    def __reduce__(self):
        return Path.touch, (REACHED,)


class TalksPickled(Talks):
    pickled = pickle.dumps(Opened())
    said = len(pickled).to_bytes(4, "little") + pickled


class TalksDeep(Talks):
    said = (200_000).to_bytes(4, "little") + b"[" * 200_000


class TalksLong(Talks):
    said = b"\xff\xff\xff\xff"


class ChoosesBeyond(Talks):
    said = len(b'{"action": 99}').to_bytes(4, "little") + b'{"action": 99}'


class Claims(Honest):
    """States a kind that there is not."""

    kind = "king"


class Empty(Honest):
    """Says that it is a planner, and has nothing to take the problem."""

    kind = "planner"


class Masked(Honest):
    """Asks for the legal actions as trained policies do."""

    def act(self, observation, info):
        mask = self.view.get_wrapper_attr("action_masks")()
        assert self.view.has_wrapper_attr("action_masks")
        return int(mask.argmax())


class Sums:
    """Acts by a sum over all that it received."""

    def __init__(self, view):
        self.kept = []

    def reset(self, seed):
        pass

    def act(self, observation, info):
        self.kept.append((observation, info))  # what came before stays as it was
        return total(self.kept)


def total(received):
    """A number that names types, order, shapes and values."""
    return zlib.crc32(repr([[named(part) for part in moment] for moment in received]).encode())


def named(part):
    if isinstance(part, dict):
        return [(key, named(value)) for key, value in part.items()]
    if isinstance(part, np.ndarray):
        return type(part), part.dtype.str, part.shape, part.tolist()
    return type(part), part


def described(view):
    """An agent that writes down its view."""
    REACHED.write_text(f"{view.spec} {view.action_space} {view.metadata}")
    return Honest(view)
