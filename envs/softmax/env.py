"""Cutting a vocabulary for an adaptive softmax, one cut a step (after Grave et al., ICML 2017)."""

from typing import Any

from envs.rows import RowEnv
from envs.softmax.batch import SoftmaxBatch
from envs.softmax.drawing import picture, text
from envs.softmax.plan import LOSS_PRICE


class AdaptiveSoftmaxEnv(RowEnv[SoftmaxBatch]):
    """Cuts a vocabulary into a head and up to four tails, so that training takes least time.

    ## Description

    The last layer of a language model scores every word. An adaptive softmax (Grave, Joulin,
    Cisse, Grangier, Jegou, ICML 2017, arXiv 1609.04309) scores the frequent words of the *head*
    for every prediction, and the rare ones of a *tail* only when the next word is in it, in fewer
    dimensions. Each episode draws a language, a vocabulary, a batch and a width; the agent chooses
    where the vocabulary is cut and how fast the tails narrow. The expected time is the paper's
    equation 7 over a table of measured times of one processor core, which ships with the package,
    so that everything is deterministic. The optimum is known exactly, by dynamic programming.

    ## Action Space

    `MultiDiscrete([25, 4])`: the place of the next cut, the 24 places lying log-spaced between
    word 10 and four fifths of the vocabulary, or 24 to stop; and the divisor (1, 2, 4 or 8) of the
    widths, tail `i` working in `hidden // divisor ** i` dimensions. Cuts rise. The divisor is
    chosen with the first cut; later its mask allows only that one.

    ## Observation Space

    A `Dict`:

    | key | shape | type | meaning |
    | --- | --- | --- | --- |
    | `coverage` | `(64,)` | float32 | text covered by the first words, at log-spaced ranks |
    | `costs` | `(4, 4, 16)` | float32 | log of the time of layers over the full softmax's |
    | `sizes` | `(3,)` | float32 | log2 of vocabulary, batch and width |
    | `progress` | `(9,)` | float32 | what is decided; `columns()` names the figures |
    | `outlook` | `(4, 24)` | float32 | what each next cut would add to the return, were it last |
    | `action_mask` | `(29,)` | int8 | 1 where a place, stopping, or a divisor may be chosen |

    The layers of `costs` have widths, batches and vocabularies of the problem's own over 1, 4, 16
    and 64, over 1, 4, 16 and 64, and log-spaced from 10 words to all. `outlook` is 0 where a cut is
    illegal.

    ## Rewards

    The rewards of an episode sum to the log of the speed-up over the full softmax to equal loss,
    `log(full time / time) - loss_price * loss`. Each step brings the growth of this value of the
    plan so far; before the first cut the plan is the full softmax, whose value is 0.
    `info["reward"]` holds the components:

    - `time`: growth of `log(full time / time)`.
    - `quality`: growth of `-loss_price * loss`, where the loss in nats a word is estimated from
      the paper's perplexities: `envs.softmax.plan` has the figures and their sources.
    - `illegal`: -5 for an illegal action, which ends the episode.

    At the last step `info["regret"]` is the exact optimum's return less this one's,
    `info["score"]` is `exp(-regret)`, the share of the best possible speed-up that was reached (0
    after an illegal action), and `info["is_success"]` is true if the regret is at most 0.05.
    `info["cutoffs"]` (padded by 0), `info["div_value"]` and `info["speed_up"]` (in time alone)
    describe the plan.

    ## Starting State

    Nothing is cut. `options={"split": "train"}` or `"test"` names the split that the problem is
    drawn from: the languages, vocabularies, batches and widths of one are not in the other.
    `options={"problem": name}` picks one; `info["problem"]` has its name.

    ## Episode End

    Terminates with the stop action, when no further cut is possible, or at an illegal action.
    There is no truncation.

    ## Arguments

    - `split`: the split of episodes that ask for none.
    - `loss_price`: what a nat of loss is worth, in logarithm of time.
    - `render_mode`: `"rgb_array"` or `"ansi"`.

    >>> import gymnasium as gym
    >>> env = gym.make("envs:AdaptiveSoftmax-v0")
    >>> observation, info = env.reset(seed=0, options={"problem": "en-50000-b256-d1024"})
    >>> observation["outlook"].shape
    (4, 24)

    ## Vectorized environment

    `gym.make_vec("envs:AdaptiveSoftmax-v0", num_envs=64)` makes the native class, whose
    trajectories are the same.

    ## Version History

    - v0: first version.
    """

    metadata: dict[str, Any] = {"render_modes": ["rgb_array", "ansi"], "render_fps": 2}
    drawings = {"rgb_array": picture, "ansi": text}

    def __init__(
        self,
        split: str = "train",
        loss_price: float = LOSS_PRICE,
        render_mode: str | None = None,
    ) -> None:
        super().__init__(SoftmaxBatch(split, loss_price, batch=1), render_mode)
