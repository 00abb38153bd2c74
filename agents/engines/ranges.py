"""Ranges of hyperparameters, in the names of both engines."""

from math import inf, isfinite
from typing import Any, NamedTuple

from hardware_sim.errors import InputError


class Range(NamedTuple):
    """Numbers that a hyperparameter may be.

    Attributes:
        low: The least.
        high: The greatest.
        whole: Only integers.
        above: ``low`` itself is too low.
    """

    low: float
    high: float = inf
    whole: bool = False
    above: bool = False

    def holds(self, value: float) -> bool:
        """True if a number lies in the range."""
        if not isfinite(value) or (self.whole and value != int(value)):
            return False
        return self.low < value <= self.high or (value == self.low and not self.above)

    def __str__(self) -> str:
        """The range for people."""
        kind = "integers" if self.whole else "numbers"
        start = f"above {self.low:g}" if self.above else f"from {self.low:g}"
        return f"{kind} {start}" + ("" if self.high == inf else f" to {self.high:g}")


_POSITIVE, _WEIGHT, _SHARE = Range(0, above=True), Range(0), Range(0, 1)
_COUNT, _UNLESS = Range(1, whole=True), Range(-1, whole=True)
_NAMES = {
    _POSITIVE: "learning_rate lr actor_lr critic_lr alpha_lr clip_range clip_range_vf clip_param "
    "vf_clip_param max_grad_norm grad_clip target_kl kl_target rms_prop_eps",
    _WEIGHT: "ent_coef vf_coef entropy_coeff vf_loss_coeff",
    _SHARE: "gamma gae_lambda lambda_ tau exploration_fraction exploration_initial_eps "
    "exploration_final_eps",
    _COUNT: "n_steps batch_size n_epochs buffer_size train_freq target_update_interval "
    "stats_window_size num_epochs minibatch_size train_batch_size train_batch_size_per_learner",
    _UNLESS: "gradient_steps sde_sample_freq",
    Range(0, whole=True): "learning_starts",
}
RANGES = {name: allowed for allowed, names in _NAMES.items() for name in names.split()}
"""By name; what is not a plain number, such as RLlib's schedules, is left to the engine."""


def check_ranges(values: dict[str, Any]) -> dict[str, Any]:
    """Returns hyperparameters if each number among them lies in its range.

    Raises:
        InputError: One does not.
    """
    for name, value in values.items():
        plain = isinstance(value, int | float) and not isinstance(value, bool)
        if plain and name in RANGES and not RANGES[name].holds(value):
            raise InputError(f"hyperparameter {name} is {value}; allowed: {RANGES[name]}")
    return values
