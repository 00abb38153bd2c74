"""Choreographing a song: when to step and on which panels (after Donahue et al., ICML 2017)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.dance.batch import DanceBatch
from envs.dance.drawing import picture, text
from envs.dance.episodes import Task
from envs.dance.rewards import RowCritic, Worth
from envs.rows import RowEnv

CRITIC = "envs.dance.row_critic:RowModel"


class DanceEnv(RowEnv[DanceBatch]):
    """Writes the chart of a song for a dance game with four panels, one time after the other.

    ## Description

    Dance Dance Convolution (Donahue, Lipton, McAuley, ICML 2017, arXiv 1703.06891) writes charts in
    two stages: onsets, which are the times of steps, and the selection of their panels. Here an
    agent goes through a real song, four times a beat, and writes the chart as it hears the song.
    The three tasks are both stages at once (`Choreography-v0`), the first one (`StepPlacement-v0`)
    and the second one at the times of a human chart (`StepSelection-v1`).

    The shipped songs are excerpts of four songs by Carlos Viola Iborra (Frets on Fire), with the
    human charts of that game, whose times count and whose frets do not. `songs="FOLDER"` takes
    songs of your own: a folder for each, with an .sm or .ssc file and its music, as StepMania's.

    ## Action Space

    `Discrete(256)`: a row of the chart, `sum(state[p] * 4 ** p)` over the panels left, down, up and
    right, with states 0 (nothing), 1 (tap), 2 (a hold begins) and 3 (a hold ends); 0 is no row.
    Illegal is what presses a held panel, ends what is not held, holds a third panel, presses more
    panels at once or sooner after the last press than the level allows, and, at the last time,
    leaves a panel held. For `StepPlacement-v0` it is `Discrete(2)`: nothing or a step.

    ## Observation Space

    A `Dict`:

    | key | shape | type | meaning |
    | --- | --- | --- | --- |
    | `audio` | `(15, 80, 3)` | float32 | log-mel frames around now, 10 ms apart, normalised |
    | `onset` | `(16,)` | float32 | onset critic's probability of a step, now and at next times |
    | `beat` | `(4,)` | float32 | sine and cosine of the place in the beat and in the measure |
    | `rows` | `(64,)` | uint8 | rows written before, the last one last; 0 is padding |
    | `deltas` | `(64,)` | float32 | seconds from each row to the next, at last to now; up to 10 |
    | `until` | `(1,)` | float32 | seconds to the next time |
    | `held` | `(4,)` | int8 | panels that are held |
    | `feet` | `(20,)` | int8 | stance of each foot, one of nine, and the foot that stepped last |
    | `level` | `(5,)` | int8 | Beginner, Easy, Medium, Hard or Challenge |
    | `density` | `(2,)` | float32 | rows a second so far, and those that the level wants |
    | `progress` | `(1,)` | float32 | part of the song that is done |
    | `action_mask` | `(256,)` or `(2,)` | int8 | 1 where an action is legal |

    ## Rewards

    In nats; `info["reward"]` holds the components:

    - `onset`: log-probability of stepping or not under the onset critic, less its mean.
    - `row`: log-probability of the row under the row critic, given that panels are pressed or not,
      less its mean; at least -12. Whoever draws from the critics earns 0 on average, so that length
      is not paid.
    - `playability`: minus the cost of the step for the feet, times `playability`.
    - `imitation`: `imitation` for each time at which the chart does as the human one.
    - `density`: minus `density` times the growth, at this time, of the error of the number of steps
      so far, relative to the number that the song wants; over an episode, the error at the end.
    - `variety`, only where its worth is not 0: `variety` times the growth of the chart's own
      entropy, over the chart the sum of `-log(n[a, b] / n[a])`, where `n[a, b]` of the `n[a]` rows
      after a row `a` are `b`. A row that always follows the same one adds nothing.
    - `illegal`: -5 for an illegal action, which ends the episode.

    Because the critics' parts are log-probabilities, an agent trained with an entropy bonus of the
    same weight is held on a leash to the critics: reward plus entropy is minus the divergence of
    the policy from them. The score of one chart has no such entropy in it, so that a chart of one
    row, or of two that take turns, is paid for being likely and pays nothing for saying nothing;
    `StepSelection-v1` adds the chart's own (`variety=1.0`).

    At the last step `info["score"]` is the return over the number of times, in nats; for
    `StepPlacement-v0` the F1 of the times. `info["is_success"]` is true if the number of steps is
    within 10 % of the level's and the score above 0 (F1 above 0.6). `info["f1"]` (NaN without a
    human chart), `info["density_error"]`, `info["effort"]` (of the feet for 100 rows) and
    `info["steps"]` describe the chart, `chart()` returns it.

    ## Starting State

    Nothing is written. `options={"split": "train"}` or `"test"` names the songs to draw from;
    `options={"song": name, "level": "Hard"}` picks. `info["song"]` and `info["level"]` name both.

    ## Episode End

    Terminates after the last time or at an illegal action. There is no truncation.

    ## Arguments

    - `task`: `"choreography"`, `"placement"` (onsets) or `"selection"`.
    - `songs`: `"shipped"`, or a folder.
    - `split`: the split of episodes that ask for none.
    - `critic`: a `envs.dance.rewards.RowCritic`, or the name of one of ours; None for none.
    - `playability`, `density`, `imitation`, `variety`: worth of the components, in nats.
    - `render_mode`: `"rgb_array"` or `"ansi"`.

    >>> import gymnasium as gym
    >>> env = gym.make("envs:Choreography-v0")
    >>> observation, info = env.reset(seed=0, options={"level": "Hard"})
    >>> observation["audio"].shape
    (15, 80, 3)

    ## Vectorized environment

    `gym.make_vec("envs:Choreography-v0", num_envs=64)` makes the native class, whose trajectories
    are the same.

    ## Version History

    - `StepSelection-v1`: `variety=1.0`; spaces, observations and songs are those of v0.
    - v0: first version. Of `StepSelection-v0` left and right in turn earn more than any agent or
      human chart; it is superseded, and its results replay.
    """

    metadata: dict[str, Any] = {"render_modes": ["rgb_array", "ansi"], "render_fps": 8}
    drawings = {"rgb_array": picture, "ansi": text}

    def __init__(
        self,
        task: Task = "choreography",
        songs: str = "shipped",
        split: str = "train",
        critic: RowCritic | str | None = CRITIC,
        playability: float = Worth.playability,
        density: float = Worth.density,
        imitation: float = Worth.imitation,
        variety: float = Worth.variety,
        render_mode: str | None = None,
    ) -> None:
        worth = (playability, density, imitation, variety)
        super().__init__(DanceBatch(task, songs, split, critic, *worth, batch=1), render_mode)

    def chart(self) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.uint8]]:
        """The chart so far: ticks int64 ``(N,)`` (48 a beat), seconds and rows ``(N,)``."""
        return self.core.written(0)
