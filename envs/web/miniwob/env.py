"""The tasks of MiniWoB++ (Liu et al., ICLR 2018) as environments of ours."""

from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from envs.web import observation
from envs.web.actions import ACTIONS, decode, perform, whole_number
from envs.web.browser import release_browsers
from envs.web.devtools import BrowserDiedError
from envs.web.drawing import picture
from envs.web.env import Observation
from envs.web.miniwob.client import SIZE, MiniWoBClient, Start
from envs.web.miniwob.package import reloaded, tasks
from envs.web.observation import Encoder
from envs.web.session import ILLEGAL
from envs.web.snapshot import Snapshot
from hardware_sim.errors import InputError, choose

BACKENDS = ("shell", "chromium")
SPLITS = ("train", "test")


class MiniWoBEnv(gym.Env[Observation, np.int64]):
    """Does a task of an installed MiniWoB++ package, in a real browser.

    ## Description

    The pages of the package are served on the loopback interface, opened by this project's driver
    and acted on with trusted events of pointer and keyboard. Clocks of pages run on virtual time,
    125 ms a step, so that neither rewards nor what is shown depend on the machine's speed, and the
    same seed and actions give the same trajectory. An episode restarts in the open page, as in
    MiniWoB++ itself, except for tasks whose pages remember earlier episodes, which are reloaded.

    ## Action Space

    `Discrete(1445)`, the actions of `WebEnv`. Elements that have been scrolled away are scrolled
    into view before an act. Tasks that need the pointer at places without an element (drawing,
    pointing into a picture), hovering, or text that the instruction does not give cannot be solved
    with these actions.

    ## Observation Space

    The `Dict` of `WebEnv`; `pixels` are `(210, 160, 3)`. Elements are controls, texts and other
    leaves of the page in document order. Of more than 96 the first are kept of what can be handled
    (controls and what can be picked up), then of texts, then of other leaves. Fields are those that
    MiniWoB gives, or else texts found in the instruction: what is quoted, emphasised, a number, a
    date, or follows a verb or preposition.

    ## Rewards

    `raw`: MiniWoB's own reward at the end, -1 to 1, not discounted by time. Unlike the rewards of
    our own tasks it is computed in the page, by MiniWoB's code. `illegal`: -0.05 for an action that
    the mask rules out, which does nothing else. At the last step `info["score"]` is the raw reward,
    `info["is_success"]` whether it is positive, as is usual for MiniWoB, and `info["scaled"]` the
    reward that MiniWoB shrinks by the share of its time limit that has passed on the page's clock.

    ## Starting State

    A problem drawn by MiniWoB from `info["page_seed"]`, with which MiniWoB++'s own environment
    makes the same problem.

    ## Episode End

    Terminates when MiniWoB ends the episode, be it that its time limit of 7 to 60 s has passed on
    the page's clock (raw reward -1). Truncates after `max_steps` steps, or when the browser is
    lost, which `info["lost"]` explains; both without reward.

    ## Arguments

    - `task`: a task's name in the package, such as `"click-button"`.
    - `backend`: `"shell"` (chromium-headless-shell) or `"chromium"`.
    - `pixels`: whether observations have the screen.
    - `max_steps`: steps after which an episode is truncated.
    - `fresh_page`: whether every episode gets a fresh page, which takes ten times as long as a
      restart in the open one; by default only where the task needs it.

    `reset` takes the option `split`, `"train"` or `"test"`, for the tasks with data of both kinds.

    ## Version History

    - v0: first version.
    """

    metadata: dict[str, Any] = {"render_modes": ["rgb_array"], "render_fps": 2}

    def __init__(
        self,
        task: str,
        backend: str = "shell",
        pixels: bool = False,
        max_steps: int = 60,
        fresh_page: bool | None = None,
        render_mode: str | None = None,
    ) -> None:
        if render_mode is not None:
            choose("render_mode", render_mode, self.metadata["render_modes"])
        if not tasks():
            raise InputError("MiniWoB++ is missing; pip install --no-deps miniwob")
        if max_steps < 1:
            raise InputError(f"max_steps is {max_steps}; at least 1 is needed")
        self.task = choose("MiniWoB task", task, tasks())
        self.backend = choose("backend", backend, BACKENDS)
        self.render_mode = render_mode
        self.pixels = pixels
        self.max_steps = max_steps
        self.fresh_page = task in reloaded() if fresh_page is None else fresh_page
        self.observation_space = observation.space(SIZE, pixels)
        self.action_space = gym.spaces.Discrete(ACTIONS)
        self.arrays = {
            key: np.zeros(part.shape or (), part.dtype)
            for key, part in observation.space(SIZE, pixels=False).items()
        }
        self.encoder = Encoder(self.arrays, SIZE)
        self.client: MiniWoBClient | None = None
        self.snapshot: Snapshot
        self.screen = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
        self.steps, self.instruction = 0, ""
        self.ended = True

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Starts an episode.

        Args:
            seed: Seeds the draw of the problem.
            options: ``{"split": "train" or "test"}``.

        Raises:
            InputError: An unknown option or split.
        """
        super().reset(seed=seed)
        given = dict(options or {})
        split = choose("split", given.pop("split", SPLITS[0]), SPLITS)
        for name in given:
            choose("option", name, ("split",))
        page_seed = int(self.np_random.integers(2**31))
        try:
            start = self._begin(page_seed, split)
        except BrowserDiedError:  # since the last step, perhaps; another browser takes over
            self.close()
            start = self._begin(page_seed, split)
        self.steps, self.ended, self.instruction = 0, False, start.instruction
        info = {"instruction": start.instruction, "split": split, "page_seed": page_seed}
        return self._observation(), info

    def _begin(self, page_seed: int, split: str) -> Start:
        """Starts an episode and takes in its page."""
        if self.client is None:
            self.client = MiniWoBClient(self.task, self.backend, self.fresh_page, self.pixels)
        start = self.client.start(page_seed, split)
        self.encoder.begin(start.instruction, start.fields)
        self._take_in(self.client, start.snapshot)
        return start

    def step(self, action: np.int64 | int) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Acts on the page.

        Raises:
            InputError: There is no such action, or the episode has ended.
        """
        number = whole_number(action)
        act = decode(number)
        if self.ended or self.client is None:
            raise InputError("the episode has ended; call reset() before step()")
        self.steps += 1
        legal, lost = bool(self.encoder.mask[number]), ""
        if legal:
            try:
                self._take_in(self.client, perform(self.client, act, self.encoder.texts))
            except BrowserDiedError as error:
                lost = str(error)
        reward, terminated, truncated, info = self._result(0.0 if legal else ILLEGAL, lost)
        return self._observation(), reward, terminated, truncated, info

    def _result(self, illegal: float, lost: str) -> tuple[float, bool, bool, dict[str, Any]]:
        """The step's figures; an episode without MiniWoB's verdict scores 0."""
        assert self.client is not None
        verdict = self.client.verdict
        terminated = verdict.done and not lost
        truncated = not terminated and (bool(lost) or self.steps >= self.max_steps)
        raw = verdict.raw if terminated else 0.0
        info: dict[str, Any] = {"reward": {"raw": raw, "illegal": illegal}}
        self.ended = terminated or truncated
        if self.ended:
            info["score"], info["is_success"] = raw, raw > 0
            info["scaled"] = verdict.scaled if terminated else 0.0
            info["problem"] = self.instruction
        if lost:
            info["lost"] = lost
            self.close()
        return raw + illegal, terminated, truncated, info

    def action_masks(self) -> NDArray[np.bool_]:
        """The legal actions, bool ``(1445,)``."""
        return self.arrays["action_mask"].astype(np.bool_)

    def render(self) -> NDArray[np.uint8] | None:  # type: ignore[override]
        """The screen with the pointer, uint8 ``(210, 160, 3)``; the instruction stands on it."""
        if self.render_mode is None:
            gym.logger.warn('render() needs render_mode="rgb_array" at construction')
            return None
        if self.client is None:
            raise InputError("there is no page; call reset() first")
        return picture(self.client.pixels(), self.client.pointer, "")

    def close(self) -> None:
        """Closes the page, and the browser with the last page."""
        if self.client is not None:
            self.client.close()
            self.client = None
            release_browsers()

    def _take_in(self, client: MiniWoBClient, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.encoder.update(snapshot)
        if self.pixels:
            self.screen = client.pixels()

    def _observation(self) -> Observation:
        shown = {key: array.copy() for key, array in self.arrays.items()}
        if self.pixels:
            shown["pixels"] = self.screen.copy()
        return shown
