"""Tuning a convolution kernel by measuring variants, a few dozen at most."""

from collections.abc import Callable
from typing import Any

from envs.convolution.batch import ROOFLINE, TuningBatch
from envs.convolution.drawing import describe, picture
from envs.rows import RowEnv


class ConvTuningEnv(RowEnv[TuningBatch]):
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
    `hardware_sim.kernels.space`. The mask marks the methods and widths that are open for the layer;
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

    `columns()` names the features. A failure shows as a log speed-up of -4.

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

    The share is the value kept over the greatest value in the table, 0 while oneDNN is kept. At the
    last step `info["score"]` is the mean, over the measurements of the budget, of the share reached
    by then: the area under the curve of the best so far, from 0 to 1, which pays for finding fast.
    (The rewards, undiscounted, pay for what is found alone; the score weighs each of them by the
    part of the budget that is left.) `info["share"]` is the share at the end, `info["speedup"]` the
    speed-up over oneDNN of what is kept (1 if oneDNN is), and `info["is_success"]` is true if the
    share is 95 % or more. `info["tried"]` is the speed-up of the
    variant of each step, 0 for a failure, and `info["kept"]` the choice kept at the end, -1 for
    oneDNN.

    ## Starting State

    Nothing is measured but oneDNN. With several layers one is drawn; `options={"layer": name}`
    picks it, `options={"split": "train"}`, `"test"`, `"volumes"` (layers in three dimensions) or
    `"all"` names those that are drawn from.

    ## Episode End

    Terminates when the budget is spent. There is no truncation.

    ## Arguments

    - `layers`: names of layers of `hardware_sim.kernels.layers`, or None for all.
    - `split`: which of them are drawn by default, `"train"`, `"test"`, `"volumes"` or `"all"`.
    - `backend`: `"replay"`, a table of measurements made once, deterministic; `"measured"`, which
      compiles, checks and times variants now and needs a C compiler; or `"model"`. Machine, masks
      and work are those of the machine that the table was measured on, wherever the code runs; with
      `"measured"` they are this machine's, while oneDNN's rates stay those of the table.
    - `model`: predicts for the backend `"model"`, a function from a problem and a
      `hardware_sim.machine.Machine` to the log speed-up of every choice, or the name of one of
      ours; by default the roofline.
    - `budget`, `memory_weight`, `compile_weight`, `penalty`: see above.
    - `score`: `"anytime"`, as above, or `"speed-up"`, that of what is kept, as in v0.
    - `render_mode`: `"rgb_array"` or `"ansi"`.

    >>> import gymnasium as gym
    >>> env = gym.make("envs:ConvTuning-ResNet2-v1")
    >>> observation, info = env.reset(seed=0)
    >>> observation["methods"].shape
    (13, 12)

    ## Vectorized environment

    `gym.make_vec("envs:ConvTuning-v1", num_envs=64)` makes the native class, whose trajectories are
    the same.

    ## Version History

    - v1: the score is the area under the curve of the best so far; spaces, observations and
      rewards are those of v0.
    - v0: the score was the speed-up of what is kept, which random play nearly reaches and which
      layers with much to gain dominate. It stays registered, so that its results replay.
    """

    metadata: dict[str, Any] = {"render_modes": ["rgb_array", "ansi"], "render_fps": 4}
    drawings = {"rgb_array": picture, "ansi": describe}

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
        score: str = "speed-up",
        render_mode: str | None = None,
    ) -> None:
        weights = (memory_weight, compile_weight, penalty)
        core = TuningBatch(layers, split, backend, model, budget, *weights, score=score, batch=1)
        super().__init__(core, render_mode)
        self.deterministic = backend != "measured"
