"""An adaptive softmax that is cut for the words, the layer and the machine at hand."""

from collections.abc import Sequence

from numpy.typing import ArrayLike
from torch import nn

from envs.softmax.costs import CostTable
from envs.softmax.frequencies import FrequencyCurve
from envs.softmax.plan import LOSS_PRICE, MOST_TAILS, Plan, SoftmaxProblem, optimum
from envs.softmax.timing import measure
from hardware_sim.errors import InputError
from hardware_sim.timing import check_device

CANDIDATES = 128
"""Places for a cut: with 128 log-spaced ones neighbours are 10 % apart for a million words."""


class AdaptiveSoftmax(nn.AdaptiveLogSoftmaxWithLoss):
    """``torch.nn.AdaptiveLogSoftmaxWithLoss`` with the plan that it was cut by.

    Words must be numbered by falling frequency, word 0 the most frequent.

    >>> import numpy as np, torch
    >>> counts = 1e6 / (1 + np.arange(20_000))
    >>> softmax = AdaptiveSoftmax.fit(counts, hidden=32, batch=64)
    >>> loss = softmax(torch.randn(64, 32), torch.randint(20_000, (64,))).loss
    >>> softmax.plan.speed_up > 1
    True

    Args:
        hidden: Width of the hidden states.
        plan: The plan with the cut-offs.
        head_bias: Whether the head has a bias, as in torch.

    Attributes:
        plan: The plan.
    """

    def __init__(self, hidden: int, plan: Plan, head_bias: bool = False) -> None:
        cutoffs = list(plan.cutoffs)
        super().__init__(hidden, plan.vocabulary, cutoffs, plan.div_value, head_bias)
        self.plan = plan

    @classmethod
    def fit(
        cls,
        word_counts: ArrayLike,
        hidden: int,
        batch: int,
        device: str = "cpu",
        *,
        div_value: float = 4.0,
        tails: Sequence[int] = range(1, MOST_TAILS + 1),
        loss_price: float = LOSS_PRICE,
        kind: str = "training",
        head_bias: bool = False,
        table: CostTable | None = None,
    ) -> "AdaptiveSoftmax":
        """Measures this device, finds the best cut-offs and makes the module, ready to train.

        Layers of a few dozen sizes are timed, which takes up to a minute for wide layers and large
        vocabularies; then dynamic programming finds the best cut-offs among 128 log-spaced places,
        by expected time (Grave et al., arXiv 1609.04309, equation 7) and estimated loss, exactly.

        Args:
            word_counts: ``(V,)``, occurrences of each word of the training text, falling.
            hidden: Width ``d`` of the hidden states, at least 1.
            batch: Hidden states at a time, sequences times length, at least 1.
            device: Device of torch; it is measured with as many threads as torch uses.
            div_value: Tail ``i`` works in ``d // div_value ** i`` dimensions, at least 1. A smaller
                one keeps more capacity for rare words.
            tails: Numbers of tail clusters to choose among, 1 to 4.
            loss_price: Price of a nat of estimated loss, in logarithm of training time (see
                :mod:`envs.softmax.plan`); 0 is the paper's search for speed alone.
            kind: The pass that shall be fast, ``"training"`` or ``"forward"``.
            head_bias: Whether the head has a bias, as in torch.
            table: Takes the place of the measurement.

        Returns:
            The module, on the device, its plan in ``.plan``.

        Raises:
            InputError: The counts are not falling finite numbers of 0 or more, there are as many
                clusters as words, or another argument is out of range.
        """
        curve = FrequencyCurve.of_counts("counts", word_counts)
        if hidden < 1 or batch < 1:
            raise InputError(f"hidden is {hidden} and batch {batch}; allowed: at least 1")
        if not div_value >= 1:
            raise InputError(f"div_value is {div_value}; allowed: at least 1")
        if not loss_price >= 0:
            raise InputError(f"loss_price is {loss_price}; allowed: at least 0")
        if not tails or not 1 <= min(tails) <= max(tails) <= MOST_TAILS:
            raise InputError(f"tails are {list(tails)}; allowed: numbers from 1 to {MOST_TAILS}")
        if min(tails) >= curve.words:
            raise InputError(
                f"{min(tails)} tails and a head are more clusters than {curve.words} words"
            )
        check_device(device)
        if table is None:
            table = measure_for(curve.words, hidden, batch, div_value, kind, device)
        problem = SoftmaxProblem(curve, curve.words, batch, hidden, table)
        plan = optimum(problem, problem.candidates(CANDIDATES), [div_value], tails, loss_price)
        return cls(hidden, plan, head_bias).to(device)


def measure_for(
    vocabulary: int, hidden: int, batch: int, div_value: float, kind: str, device: str
) -> CostTable:
    """The cost table of the layers that plans for one problem may have.

    Args:
        vocabulary: Words.
        hidden: Width of the head.
        batch: Rows of the head.
        div_value: Divisor of the tails' widths.
        kind: ``"training"`` or ``"forward"``.
        device: Device of torch.

    Raises:
        InputError: An argument is out of range, or the device cannot be used.
    """
    widths = {int(hidden // div_value**level) for level in range(MOST_TAILS + 1)} - {0}
    return measure(
        sorted(widths), powers(1, batch), powers(min(4, vocabulary), vocabulary), kind, device
    )


def powers(first: int, last: int, factor: int = 4) -> list[int]:
    """``first``, its products with powers of ``factor`` below ``last``, and ``last``."""
    sizes = [first]
    while sizes[-1] * factor < last:
        sizes.append(sizes[-1] * factor)
    return sizes if sizes[-1] == last else [*sizes, last]
