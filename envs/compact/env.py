"""Compact feature maps, one layer a step (after Wang, Xu, Xu, Tao, ICML 2017)."""

from typing import Any

from envs.compact.batch import CompactBatch
from envs.compact.drawing import picture, text
from envs.rows import RowEnv

BATCHES = (1, 32)
PRICES = (0.1, 0.2, 0.4)
BUDGETS = (1.0, 0.5, 0.25)


class CompactFeatureEnv(RowEnv[CompactBatch]):
    """Chooses how many channels of each feature map of a network to keep.

    ## Description

    A small convolutional network has learned CIFAR-10. Layer by layer, the agent chooses the share
    of a feature map's channels to keep; a circulant projection makes the map compact, and the
    convolutions that make and read it are re-configured (Wang, Xu, Xu, Tao, "Beyond Filters:
    Compact Feature Map for Portable Deep Model", ICML 2017; `envs.compact.compaction`). Fewer
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

    `columns()` names the features. Accuracy is not seen before the end.

    ## Rewards

    `info["reward"]` holds the components:

    - `speed`: the growth of log2(time of the original / time), the layers to come kept whole.
    - `accuracy`: at the last step, -price * points of validation accuracy lost.
    - `illegal`: -10 for a choice that the mask forbids.

    At the last step `info["score"]` is their sum over the episode, log2(speed-up) - price *
    points lost (higher is better; 0 is the original), `info["kept"]` the channels of each map,
    `info["speedup"]` and `info["points_lost"]` the two figures, `info["regret"]` the distance to
    the score of the best choice in the replay table (exact, by enumeration), and
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
    drawings = {"rgb_array": picture, "ansi": text}

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
        core = CompactBatch(batches, prices, budgets, backend, data, network, batch=1)
        super().__init__(core, render_mode)
        self.deterministic = backend != "measured"
