"""MiniWoB++'s own environment, for a benchmark; runs where ``miniwob`` is installed whole.

Reads a JSON object a line from standard input and answers each with one on standard output:

- ``{"do": "open", "task": t, "pixels": bool}``: makes the environment and the first observation;
  answers ``{"seconds": s}``.
- ``{"do": "episode", "seed": n, "points": [[x, y], ...], "action": "element" or "coords"}``: resets
  and clicks, the smallest element around a point or the point itself; answers ``{"utterance": u,
  "reset": ms, "steps": [ms, ...]}``, fewer steps where the episode has ended before.
- ``{"do": "close"}``: closes the environment; answers ``{}``.

It imports nothing of this project, as the project is not installed beside it.
"""

import json
import os
import sys
import time
from typing import Any

os.environ |= {"SE_OFFLINE": "true", "SE_AVOID_STATS": "true"}


class Peer:
    """Answers the messages above."""

    def __init__(self) -> None:
        self.env: Any = None
        self.options: dict[str, Any] = {}

    def open(self, task: str, pixels: bool) -> dict[str, Any]:
        """Makes an environment; the time is that until the first observation."""
        import gymnasium as gym
        import miniwob

        gym.register_envs(miniwob)
        began = time.perf_counter()
        self.env = gym.make(f"miniwob/{task}-v1", disable_env_checker=True).unwrapped
        self.options = {"record_screenshots": pixels}
        self.env.reset(seed=0, options=self.options)
        return {"seconds": time.perf_counter() - began}

    def episode(self, seed: int, points: list[list[int]], action: str) -> dict[str, Any]:
        """Plays an episode of clicks."""
        from miniwob.action import ActionTypes

        began = time.perf_counter()
        observation, _ = self.env.reset(seed=seed, options=self.options)
        reset = time.perf_counter() - began
        utterance, steps = observation["utterance"], []
        for x, y in points:
            if action == "coords":
                act = self.env.create_action(ActionTypes.CLICK_COORDS, coords=[x, y])
            else:
                ref = smallest(observation["dom_elements"], x, y)
                act = self.env.create_action(ActionTypes.CLICK_ELEMENT, ref=ref)
            began = time.perf_counter()
            observation, _, done, _, _ = self.env.step(act)
            steps.append(1000 * (time.perf_counter() - began))
            if done:
                break
        return {"utterance": utterance, "reset": 1000 * reset, "steps": steps}

    def close(self) -> dict[str, Any]:
        """Closes the environment."""
        if self.env is not None:
            self.env.close()
            self.env = None
        return {}


def smallest(elements: Any, x: int, y: int) -> int:
    """The ref of the smallest element around a point; text pieces have none that can be clicked."""
    around = [
        (float(each["width"][0] * each["height"][0]), int(each["ref"]))
        for each in elements
        if each["ref"] > 0
        and each["left"][0] <= x < each["left"][0] + each["width"][0]
        and each["top"][0] <= y < each["top"][0] + each["height"][0]
    ]
    return min(around)[1] if around else 1


def main() -> None:
    """Answers until standard input ends."""
    peer, answers = Peer(), os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever libraries print must not reach the answers
    for line in sys.stdin:
        message = json.loads(line)
        answer = getattr(peer, message.pop("do"))(**message)
        print(json.dumps(answer), file=answers, flush=True)
    peer.close()


if __name__ == "__main__":
    main()
