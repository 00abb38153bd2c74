"""Networks that choose rows of dance charts as in Dance Dance Convolution.

Donahue, Lipton & McAuley (ICML 2017), table 3: a perceptron on five rows, LSTMs unrolled over 5 and
64, each on rows alone, with the seconds to the neighbouring rows (dt), and with the place in the
beat. Rows go in as bags of arrows. They know neither the level nor which rows are legal.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from agents.dance.batches import Batch
from envs.dance.chart import ROWS, bag_of_arrows
from envs.dance.timing import TICKS

ARROWS = 16
BEAT_BINS = 16
HISTORY = 5
DROPOUT = 0.3


class Selector(nn.Module):
    """Log-odds of the rows at each place of charts.

    Attributes:
        unroll: Places of the parts that training cuts charts into; ``None`` for whole charts.
        needs_looks: True if batches must come with :class:`agents.dance.history.Looks`.
    """

    unroll: int | None = None
    needs_looks = False

    def forward(self, batch: Batch) -> Tensor:
        """Log-odds (B, N, 256) of the rows at every place, given those before."""
        raise NotImplementedError


class Inputs(nn.Module):
    """The paper's inputs.

    Args:
        features: ``""``, ``"dt"`` or ``"dt+beat"``.
    """

    bags: Tensor

    def __init__(self, features: str) -> None:
        super().__init__()
        self.dt, self.beat = "dt" in features, "beat" in features
        self.size = ARROWS + 2 * self.dt + BEAT_BINS * self.beat
        bags = torch.from_numpy(bag_of_arrows(range(ROWS)))
        self.register_buffer("bags", bags, persistent=False)

    def forward(self, batch: Batch) -> Tensor:
        """Features (B, N, size): the row before, and what is asked for of this place."""
        parts = [self.bags[batch.before]]
        if self.dt:
            parts.append(torch.log(batch.seconds + 0.01))
        if self.beat:
            phase = batch.ticks % TICKS * BEAT_BINS // TICKS
            parts.append(functional.one_hot(phase, BEAT_BINS).float())
        return torch.cat(parts, -1)


def recent(inputs: Tensor, size: int) -> Tensor:
    """The last ``size`` inputs (B, N, size, F) up to every place; zeros before the first."""
    padded = functional.pad(inputs, (0, 0, size - 1, 0))
    return padded.unfold(1, size, 1).transpose(2, 3)


class Perceptron(Selector):
    """Two hidden layers, 256 and 128, on the inputs of five places.

    Args:
        features: See :class:`Inputs`.
    """

    def __init__(self, features: str = "") -> None:
        super().__init__()
        self.inputs = Inputs(features)
        self.layers = nn.Sequential(
            nn.Linear(HISTORY * self.inputs.size, 256),
            nn.ReLU(),
            nn.Dropout(DROPOUT),
            nn.Linear(256, 128),
            nn.ReLU(),
            nn.Dropout(DROPOUT),
            nn.Linear(128, ROWS),
        )

    def forward(self, batch: Batch) -> Tensor:
        """See :meth:`Selector.forward`."""
        scores: Tensor = self.layers(recent(self.inputs(batch), HISTORY).flatten(2))
        return scores


class Lstm(Selector):
    """Two layers of 128.

    Training starts from an empty state at every part. Judged, an LSTM unrolled over 5 sees the
    five last places each time; one unrolled over 64 goes on from the state it is in.

    Args:
        unroll: Places a part, 5 or 64.
        features: See :class:`Inputs`.
    """

    def __init__(self, unroll: int, features: str = "") -> None:
        super().__init__()
        self.unroll: int = unroll
        self.inputs = Inputs(features)
        self.lstm = nn.LSTM(self.inputs.size, 128, 2, batch_first=True, dropout=DROPOUT)
        self.out = nn.Sequential(nn.Dropout(DROPOUT), nn.Linear(128, ROWS))

    def forward(self, batch: Batch) -> Tensor:
        """See :meth:`Selector.forward`."""
        inputs = self.inputs(batch)
        if self.unroll > HISTORY or self.training:
            hidden = self.lstm(inputs)[0]
        else:
            charts, places = batch.rows.shape
            windows = recent(inputs, self.unroll).flatten(0, 1)
            hidden = self.lstm(windows)[0][:, -1].reshape(charts, places, -1)
        scores: Tensor = self.out(hidden)
        return scores


PAPER = {
    f"{name}{'+' if features else ''}{features}": (unroll, features)
    for name, unroll in (("mlp5", None), ("lstm5", 5), ("lstm64", 64))
    for features in ("", "dt", "dt+beat")
}
"""The networks of the table, by name: places a part (``None``: the perceptron) and features."""


def paper_network(name: str) -> Selector:
    """A network of the paper's table, one of :data:`PAPER`."""
    unroll, features = PAPER[name]
    return Perceptron(features) if unroll is None else Lstm(unroll, features)
