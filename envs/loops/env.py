"""Loop scheduling with a cursor (after LoopTune, Grubisic et al. 2023)."""

from typing import Any

from envs.loops.batch import LoopBatch
from envs.loops.drawing import picture
from envs.rows import RowEnv


class LoopScheduleEnv(RowEnv[LoopBatch]):
    """Reorders, splits, vectorises and unrolls the loops of a kernel so that it runs fast.

    ## Description

    A matrix product or a layer of a convolutional network is a nest of loops. Edits at a cursor
    turn it into other nests that compute the same: loops change places, are split in two,
    vectorised, unrolled or run in parallel, and sums are kept in accumulators. A good nest is tens
    of times as fast as the one to begin with. Tuning loops by a cursor is LoopTune's formulation
    (Grubisic, Wasti, Cummins, Mellor-Crummey and Zlateski 2023, arXiv 2309.01825), whose nests
    have no accumulators; schedules are Halide's (Ragan-Kelley et al., PLDI 2013).

    One of two backends gives the time of a nest:

    - `"model"`: the slowest of issuing the instructions and filling each cache, with misses
      estimated from footprints (`envs.loops.cost`, `hardware_sim.cache`); deterministic.
    - `"measured"`: Halide compiles the nest for this machine; its result is checked against numpy,
      and it is timed in turn with the unscheduled nest, all in a child process. Needs
      `pip install "gymworks[loops]"`. Figures of the processor in the observation and the roofline
      are those of `processor`.

    ## Action Space

    `Discrete(17)`, see `envs.loops.nest.ACTIONS`; the rules are those of `Nest.legal`.

    | action | effect |
    | --- | --- |
    | 0, 1 | cursor up or down |
    | 2, 3 | the loop at the cursor changes places with the one around it or in it |
    | 4 to 11 | it is split, the inner part having 2, 3, 4, 7, 8, 16, 32 or 64 iterations |
    | 12 | it is vectorised and becomes innermost |
    | 13 | it is unrolled |
    | 14 | it is run in parallel |
    | 15 | from it inwards, sums are kept in accumulators |
    | 16 | stop |

    Actions 12 to 15 undo themselves when repeated.

    ## Observation Space

    A `Dict`; `columns()` names the features.

    | key | shape | type | meaning |
    | --- | --- | --- | --- |
    | `loops` | `(12, 17)` | float32 | extents, strides, kinds, cursor; outermost first |
    | `problem` | `(10,)` | float32 | extents, operations, bytes |
    | `machine` | `(10,)` | float32 | peak, vectors, threads, caches |
    | `progress` | `(4,)` | float32 | speed-up now and at best, share of the roofline, steps left |
    | `action_mask` | `(17,)` | int8 | 1 where the action is legal |

    ## Rewards

    `info["reward"]` holds the components, which sum to the reward:

    - `speed`: growth of the logarithm of the best speed-up over the unscheduled nest so far.
    - `steps`: -0.005 a step.
    - `illegal`: -0.1 for an illegal action, which changes nothing else.

    With `"measured"`, `info["outcome"]` is `"ok"`, or what became of the present nest instead of a
    time: `"crashed"`, `"hung"` (it was not compiled, checked and timed within two minutes) or
    `"wrong"`. Such a nest earns nothing, its speed-up in `progress` is the least there is, and
    further edits lead on from it.

    At the last step `info["score"]` is the rate of the best nest in GFLOP/s (higher is better),
    `info["speedup"]` its speed-up, `info["roofline"]` the rate in GFLOP/s that none can exceed, and
    `info["is_success"]` is true if the best reached 80 % of it.

    ## Starting State

    The unscheduled nest of a problem drawn from the training split: products of matrices of 64 to
    512 rows and columns, and layers of known networks. `options={"split": "test"}` draws others,
    whose sizes and layers are in no training problem; `options={"problem": name}` sets one, such as
    `"matmul-200x300x400"` or `"conv-56x56x64-64-3x3"` (height, width, channels, filters, window).
    `info["problem"]` names it.

    ## Episode End

    Terminates with `stop`; truncated after 48 steps.

    ## Arguments

    - `operations`: some of `"matmul"` and `"conv"`.
    - `backend`: `"model"` or `"measured"`.
    - `processor`: name of a shipped processor (`hardware_sim.processors.names()`).
    - `threads`: cores that a parallel loop may use; with one, no loop may be parallel.
    - `render_mode`: `"rgb_array"` or `"ansi"`.

    >>> import gymnasium as gym
    >>> env = gym.make("envs:LoopSchedule-v0", render_mode="ansi")
    >>> observation, info = env.reset(seed=0, options={"problem": "matmul-64x64x64"})
    >>> print(env.render().splitlines()[1])
    > for i in 64

    ## Vectorized environment

    `gym.make_vec("envs:LoopSchedule-v0", num_envs=64)` makes the native class, whose trajectories
    are the same.

    ## Version History

    - v0: first version.
    """

    metadata: dict[str, Any] = {"render_modes": ["rgb_array", "ansi"], "render_fps": 4}
    drawings = {"rgb_array": picture, "ansi": LoopBatch.text}

    def __init__(
        self,
        operations: list[str],
        backend: str = "model",
        processor: str = "zen4",
        threads: int = 2,
        render_mode: str | None = None,
    ) -> None:
        core = LoopBatch(operations, backend, processor, threads, batch=1)
        super().__init__(core, render_mode)
        self.deterministic = backend != "measured"
