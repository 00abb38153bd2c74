"""Tuning a convolution kernel by measuring variants, a few dozen at most."""

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from envs.convolution.batch import ROOFLINE, Outcome, Settings, TuningBatch
from envs.convolution.drawing import describe, picture
from hardware_sim.errors import InputError, choose

Observation = dict[str, NDArray[Any]]


class ConvTuningEnv(gym.Env[Observation, NDArray[np.integer[Any]]]):
    """Finds the fastest way to compute a convolution, one measured variant a step.

    ## Description

    The convolution of a network's layer can be computed directly, by im2col, by MEC (Cho and
    Brand, ICML 2017), by Winograd's transform with tiles of several sizes (Budden et al., ICML
    2017) or by FFT; with blocks of tiles that fit the cache or do not, and with wider or narrower
    vectors. Which is fastest depends on the layer and on the machine. Each step measures one
    variant, generated C compiled for the machine, against oneDNN with packed weights; an episode
    has a budget of such measurements. What counts is the best variant found.

    ## Action Space

    `MultiDiscrete([13, 5, 4, 2])`: method and tile, block, panels and vector width, listed in
    `hardware_sim.kernels.space`. The mask says which methods and widths are open for the layer;
    every combination of open choices is legal. Methods without tiles ignore the panels.

    ## Observation Space

    A `Dict`:

    | key | shape | type | meaning |
    | --- | --- | --- | --- |
    | `layer` | `(11,)` | float32 | sizes in log2, FLOPs, oneDNN's rate |
    | `machine` | `(5,)` | float32 | caches, vector width, peak |
    | `methods` | `(13, 12)` | float32 | work of each method, its best log speed-up, tries / 4 |
    | `history` | `(8, 26)` | float32 | last tries, newest first: choice one-hot, log speed-up, 1 |
    | `progress` | `(3,)` | float32 | value kept, share of the budget left, 1 unless oneDNN |
    | `action_mask` | `(24,)` | int8 | 1 where a choice is open, dimension after dimension |

    The features are listed in `envs.convolution.features`. A failure shows as a log speed-up of -4.

    ## Rewards

    The value of a variant is its log speed-up over oneDNN, less `memory_weight` times
    `log2(1 + scratch MiB)`; oneDNN itself, which is kept at the start, has value 0. The rewards of
    an episode sum to the value of the best variant (a potential) less its costs.
    `info["reward"]` holds:

    - `speed` and `memory`: growth of the two terms of the value of what is kept;
    - `compile`: `-compile_weight` a second of the compiler, for each library used the first time in
      the episode;
    - `penalty`: `-penalty` for a choice that is masked out, does not compile, crashes or computes
      something wrong. It costs a measurement, too.

    At the last step `info["score"]` is the speed-up over oneDNN of what is kept (1 if oneDNN is),
    `info["share"]` the share of the greatest value in the table that was reached, and
    `info["is_success"]` says whether that is 95 % or more. `info["tried"]` is the speed-up of the
    variant of each step, 0 for a failure, and `info["kept"]` the choice kept at the end, -1 for
    oneDNN.

    ## Starting State

    Nothing is measured but oneDNN. With several layers one is drawn; `options={"layer": name}`
    picks it, `options={"split": "train"}`, `"test"`, `"volumes"` (layers in three dimensions) or
    `"all"` says which are drawn from.

    ## Episode End

    Terminates when the budget is spent. There is no truncation.

    ## Arguments

    - `layers`: names of layers of `hardware_sim.kernels.layers`, or None for all.
    - `split`: which of them are drawn by default, `"train"`, `"test"`, `"volumes"` or `"all"`.
    - `backend`: `"replay"`, a table of measurements made once, deterministic; `"measured"`, which
      compiles, checks and times variants now and needs a C compiler; or `"model"`. Machine, masks
      and work are those of the machine that the table was measured on, wherever the code runs; with
      `"measured"` they are this machine's, while oneDNN's rates stay those of the table.
    - `model`: what the backend `"model"` asks, a function from a problem and a
      `hardware_sim.machine.Machine` to the log speed-up of every choice, or its name; by default
      the roofline.
    - `budget`, `memory_weight`, `compile_weight`, `penalty`: see above.
    - `render_mode`: `"rgb_array"` or `"ansi"`.

    >>> import gymnasium as gym
    >>> env = gym.make("envs:ConvTuning-ResNet2-v0")
    >>> observation, info = env.reset(seed=0)
    >>> observation["methods"].shape
    (13, 12)

    ## Vectorized environment

    `gym.make_vec("envs:ConvTuning-v0", num_envs=64)` makes the native class, whose trajectories are
    the same.

    ## Version History

    - v0: first version.
    """

    metadata: dict[str, Any] = {"render_modes": ["rgb_array", "ansi"], "render_fps": 4}

    def __init__(
        self,
        layers: list[str] | None = None,
        split: str = "all",
        backend: str = "replay",
        model: str | Callable[..., Any] = ROOFLINE,
        budget: int = 32,
        memory_weight: float = 0.01,
        compile_weight: float = 0.001,
        penalty: float = 0.1,
        render_mode: str | None = None,
    ) -> None:
        if render_mode is not None:
            choose("render_mode", render_mode, self.metadata["render_modes"])
        self.render_mode = render_mode
        settings = Settings(budget, memory_weight, compile_weight, penalty)
        self.deterministic = backend != "measured"
        self.core = TuningBatch(layers, split, backend, model, settings, batch=1)
        self.observation_space, self.action_space = self.core.spaces()
        self._ended = True

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Starts an episode.

        Args:
            seed: Seeds the draw of the layer.
            options: ``{"layer": name}`` or ``{"split": name}``.

        Raises:
            InputError: There is no such layer or split among this environment's.
        """
        super().reset(seed=seed)
        table = self.core.draw(self.np_random, options)
        self.core.begin(np.ones(1, np.bool_), np.array([table]))
        self._ended = False
        return self._observation(), {"layer": self.core.names[table]}

    def step(
        self, action: NDArray[np.integer[Any]]
    ) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Measures a variant.

        Raises:
            InputError: The action is not in the action space, or the episode has ended.
        """
        if self._ended:
            raise InputError("the episode has ended; call reset() before step()")
        outcome = self.core.step(np.ones(1, np.bool_), np.asarray(action)[None])
        self._ended = bool(outcome.terminated[0])
        info: dict[str, Any] = {
            "reward": {name: float(part[0]) for name, part in outcome.reward.items()},
            "tried": float(outcome.tried[0]),
        }
        if self._ended:
            info |= {
                "score": float(self.core.score()[0]),
                "share": float(self.core.share()[0]),
                "is_success": bool(self.core.is_success()[0]),
                "kept": self.core.state.kept[0].copy(),
            }
        return self._observation(), float(total(outcome)[0]), self._ended, False, info

    def action_masks(self) -> NDArray[np.bool_]:
        """Which choices are open, bool ``(24,)``, dimension after dimension."""
        return np.array(self.core.masks[self.core.state.table[0]])

    def render(self) -> NDArray[np.uint8] | str | None:  # type: ignore[override]
        """What was tried: a picture, uint8 ``(height, width, 3)``, or text."""
        if self.render_mode is None:
            gym.logger.warn("render() needs a render_mode at construction")
            return None
        return describe(self.core, 0) if self.render_mode == "ansi" else picture(self.core, 0)

    def _observation(self) -> Observation:
        return {key: value[0] for key, value in self.core.observe().items()}


def total(outcome: Outcome) -> NDArray[np.float64]:
    """The rewards, sums of their components, float64 ``(B,)``."""
    speed, memory, compile_, penalty = outcome.reward.values()
    return speed + memory + compile_ + penalty
