"""Compact feature maps, one layer a step (after Wang, Xu, Xu, Tao, ICML 2017)."""

from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from envs.compact.batch import CompactBatch, Outcome
from envs.compact.drawing import picture, text
from hardware_sim.errors import InputError, choose

Observation = dict[str, NDArray[Any]]

BATCHES = (1, 32)
PRICES = (0.1, 0.2, 0.4)
BUDGETS = (1.0, 0.5, 0.25)
SETTINGS = ("batch", "price", "budget")


class CompactFeatureEnv(gym.Env[Observation, np.int64]):
    """Chooses how many channels of each feature map of a network to keep.

    ## Description

    A small convolutional network has learned CIFAR-10. Layer by layer, the agent says which share
    of a feature map's channels to keep; a circulant projection makes the map compact, and the
    convolutions that make and read it are re-configured (Wang, Xu, Xu, Tao, "Beyond Filters:
    Compact Feature Map for Portable Deep Model", ICML 2017; `hardware_sim.compact`). Fewer
    channels are faster and lose accuracy; which layer may lose how much is to be found out, and
    depends on the batch size, on what a point of accuracy is worth, and on how many parameters
    the device can hold.

    ## Action Space

    `Discrete(5)`: keep all of the present map's channels, 3/4, 1/2, 3/8 or 1/4 of them.

    ## Observation Space

    A `Dict` over `L` layers and `C` choices.

    | key | shape | type | meaning |
    | --- | --- | --- | --- |
    | `layers` | `(L, 5)` | float32 | size, state and cost of every layer |
    | `choices` | `(C, 4)` | float32 | what each choice brings; zeros at the end |
    | `context` | `(4,)` | float32 | batch size, price, budget, speed-up so far |
    | `action_mask` | `(C,)` | int8 | 1 where the choice leaves the budget within reach |

    The features are listed in `envs.compact.batch` as `LAYER_FEATURES`, `CHOICE_FEATURES` and
    `CONTEXT_FEATURES`. Accuracy is not seen before the end.

    ## Rewards

    `info["reward"]` holds the components:

    - `speed`: the growth of log2(time of the original / time), the layers to come kept whole.
    - `accuracy`: at the last step, -price * points of validation accuracy lost.
    - `illegal`: -10 for a choice that the mask forbids.

    At the last step `info["score"]` is their sum over the episode, log2(speed-up) - price *
    points lost (higher is better; 0 is the original), `info["kept"]` the channels of each map,
    `info["speedup"]` and `info["points_lost"]` the two figures, `info["regret"]` how much the best
    choice of the replay table would have scored above it (exact, by enumeration), and
    `info["is_success"]` whether that is 0.05 doublings at most.

    ## Starting State

    All maps are whole. Batch size, price and budget are drawn uniformly from the arguments;
    `options={"batch": 1, "price": 0.2, "budget": 0.5}` picks any of them.

    ## Episode End

    Terminates when every layer is decided, or at once when a masked-out choice is made. There is
    no truncation.

    ## Arguments

    - `batches`: sizes of the batch whose time counts; 1 and 32 were measured.
    - `prices`: doublings of speed that a point of accuracy is worth.
    - `budgets`: largest shares of the original's parameters.
    - `backend`: `"replay"` looks times and accuracy up in a table that was measured once (times of
      every block, which add up; accuracy by a surrogate fitted to a part of all choices, whose
      held-out error stands in the table); `"measured"` compacts, tunes and times for real at the
      last step, whose figures depend on the machine.
    - `data`, `network`: for `"measured"`, the folder of CIFAR-10 and the trained weights.
    - `render_mode`: `"rgb_array"` or `"ansi"`.

    >>> import gymnasium as gym
    >>> env = gym.make("envs:CompactFeature-v0")
    >>> observation, info = env.reset(seed=0)
    >>> observation["choices"].shape
    (5, 4)

    ## Vectorized environment

    `gym.make_vec("envs:CompactFeature-v0", num_envs=64)` makes the native class, whose
    trajectories are the same.

    ## Version History

    - v0: first version.
    """

    metadata: dict[str, Any] = {"render_modes": ["rgb_array", "ansi"], "render_fps": 2}

    def __init__(
        self,
        batches: list[int] | tuple[int, ...] = BATCHES,
        prices: list[float] | tuple[float, ...] = PRICES,
        budgets: list[float] | tuple[float, ...] = BUDGETS,
        backend: str = "replay",
        data: str | None = None,
        network: str | None = None,
        render_mode: str | None = None,
    ) -> None:
        if render_mode is not None:
            choose("render_mode", render_mode, self.metadata["render_modes"])
        self.render_mode = render_mode
        self.deterministic = backend != "measured"
        self.core = CompactBatch(batches, prices, budgets, backend, data, network, batch=1)
        self.observation_space, self.action_space = self.core.spaces()
        self.last: Outcome | None = None
        self._ended = True

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Starts an episode.

        Args:
            seed: Seeds the draw of batch size, price and budget.
            options: ``{"batch": ..., "price": ..., "budget": ...}``, any of them, picks them.

        Raises:
            InputError: A value is not among this environment's.
        """
        super().reset(seed=seed)
        setting = draw_setting(self.core, self.np_random, options)
        self.core.begin(np.ones(1, np.bool_), setting[:, None])
        self.last, self._ended = None, False
        return self._observation(), settings(self.core, setting)

    def step(self, action: np.int64 | int) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Decides the present layer.

        Raises:
            InputError: The action is no choice, or the episode has ended.
        """
        if self._ended:
            raise InputError("the episode has ended; call reset() before step()")
        outcome = self.core.step(np.ones(1, np.bool_), np.asarray([action]))
        parts = {name: float(getattr(outcome, name)[0]) for name in REWARDS}
        info: dict[str, Any] = {"reward": parts}
        self._ended = bool(outcome.terminated[0])
        if self._ended:
            self.last = outcome
            info |= {name: getattr(outcome, name)[0].item() for name in RESULTS}
            info["kept"] = outcome.kept[0].copy()
        return self._observation(), total(outcome)[0].item(), self._ended, False, info

    def action_masks(self) -> NDArray[np.bool_]:
        """Which choices are allowed now, bool ``(C,)``."""
        return np.array(self.core.mask()[0])

    def render(self) -> NDArray[np.uint8] | str | None:  # type: ignore[override]
        """The maps as bars, original and kept: uint8 ``(height, width, 3)``, or lines of text."""
        if self.render_mode is None:
            gym.logger.warn("render() needs a render_mode at construction")
            return None
        draw = picture if self.render_mode == "rgb_array" else text
        return draw(self.core, 0, self.last)

    def _observation(self) -> Observation:
        return {key: value[0] for key, value in self.core.observe().items()}


REWARDS = ("speed", "accuracy", "illegal")
RESULTS = ("score", "is_success", "speedup", "points_lost", "regret")


def total(outcome: Outcome) -> NDArray[np.float64]:
    """The reward of each row."""
    return outcome.speed + outcome.accuracy + outcome.illegal


def draw_setting(
    core: CompactBatch, random: np.random.Generator, options: dict[str, Any] | None
) -> NDArray[np.int64]:
    """Which batch size, price and budget a new episode has, ``(3,)``: drawn, or as asked for."""
    allowed = dict(zip(SETTINGS, (core.batches, core.prices, core.budgets), strict=True))
    setting = np.array([random.integers(len(values)) for values in allowed.values()])
    for i, (name, values) in enumerate(allowed.items()):
        if options and name in options:
            if options[name] not in values:
                raise InputError(
                    f"{name} is {options[name]!r}; allowed: {', '.join(map(str, values))}"
                )
            setting[i] = values.index(options[name])
    return setting


def settings(core: CompactBatch, setting: NDArray[np.int64]) -> dict[str, Any]:
    """A setting in words, for the info of a reset."""
    size, price, budget = setting.tolist()
    return {
        "batch": core.batches[size],
        "price": core.prices[price],
        "budget": core.budgets[budget],
    }
