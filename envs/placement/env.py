"""Device placement, one decision a step (after Mirhoseini et al., ICML 2017)."""

from typing import Any

from envs.placement.batch import PlacementBatch
from envs.placement.drawing import picture
from envs.rows import RowEnv


class DevicePlacementEnv(RowEnv[PlacementBatch]):
    """Places the groups of a network's ops on devices, one by one, so that a step takes least time.

    ## Description

    A neural network's step is a graph of ops, and a cluster has several devices that links
    connect. Each decision puts the next group of co-located ops, in topological order, on a
    device. When everything is placed, a discrete-event simulator runs the step: every device
    works off its ready ops by priority, transfers queue on their links and overlap with compute,
    and memory is tracked over time. Device placement was first learned by Mirhoseini et al.,
    ICML 2017 (arXiv 1706.04972); visiting the groups in order is Placeto's formulation
    (Addanki et al., NeurIPS 2019, arXiv 1906.08879).

    ## Action Space

    `Discrete(D)`: the device of the present group.

    ## Observation Space

    A `Dict` over `N` groups, `E` edges between groups and `D` devices, padded to the largest graph.

    | key | shape | type | meaning |
    | --- | --- | --- | --- |
    | `nodes` | `(N, F)` | float32 | cost, traffic, position, degree, state |
    | `edge_index` | `(E, 2)` | int32 | producer and consumer of each edge |
    | `node_mask` | `(N,)` | int8 | 1 for a group, 0 for padding |
    | `edge_mask` | `(E,)` | int8 | 1 for an edge, 0 for padding |
    | `current` | `(F,)` | float32 | the row of `nodes` to be placed now; zeros at the end |
    | `devices` | `(D, H)` | float32 | estimates for the group on each device |
    | `action_mask` | `(D,)` | int8 | 1 where the device may be chosen |

    `columns()` names the features.

    ## Rewards

    The rewards of an episode sum to `-sqrt(makespan / single)`, where `single` is the time of the
    whole step on the fastest single device. `info["reward"]` holds the two components:

    - `estimate`: the growth of `-sqrt(length / single)` of a schedule that appends each group as
      it is placed. A potential, so it changes no optimum (Ng et al., ICML 1999).
    - `simulator`: at the last step, the simulated `-sqrt(makespan / single)` less the estimates.

    With `reward="final"` the estimate is left out. A placement that exceeds a device's memory
    counts as ten single-device steps, or its makespan if that is longer.

    At the last step `info["score"]` is the makespan in seconds (lower is better),
    `info["is_success"]` is true if the placement fits and beats one device,
    `info["placement"]` holds the device of each group and `info["peak_bytes"]` the peak memory of
    each device.

    ## Starting State

    Nothing is placed. With several graphs one is drawn; `options={"graph": name}` picks it.

    ## Episode End

    Terminates when every group is placed, or at once when a masked-out device is chosen, which
    counts as not fitting. There is no truncation.

    ## Arguments

    - `graphs`: names of shipped graphs or paths to graph files.
    - `cluster`: name of a shipped cluster or path to a cluster file.
    - `out_of_memory`: `"penalty"`, or `"mask"`, which allows a device only while all that was put
      there is sure to fit whatever the order of execution (parameters, outputs and copies
      together); where no device is left, the emptiest one is allowed.
    - `reward`: `"shaped"` or `"final"`.
    - `render_mode`: `"rgb_array"`.

    >>> import gymnasium as gym
    >>> env = gym.make("envs:DevicePlacement-InceptionV3-v0")
    >>> observation, info = env.reset(seed=0)
    >>> observation["devices"].shape
    (5, 7)

    ## Vectorized environment

    `gym.make_vec("envs:DevicePlacement-InceptionV3-v0", num_envs=64)` makes the native class,
    whose trajectories are the same.

    ## Version History

    - v0: first version.
    """

    metadata: dict[str, Any] = {"render_modes": ["rgb_array"], "render_fps": 10}
    drawings = {"rgb_array": picture}

    def __init__(
        self,
        graphs: list[str],
        cluster: str,
        out_of_memory: str = "penalty",
        reward: str = "shaped",
        render_mode: str | None = None,
    ) -> None:
        core = PlacementBatch(graphs, cluster, out_of_memory, reward, batch=1)
        super().__init__(core, render_mode)
