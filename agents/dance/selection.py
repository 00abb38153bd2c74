"""Our network that chooses rows of dance charts, and the shipped ones.

At every place it sees the last 16 rows with their rhythm, the rhythm of the chart from 8 rows
before to 16 rows after, how long ago each panel was hit, the level, and what came next at the best
repeats so far (:mod:`agents.dance.history`). Nothing recurs in it, so that one place costs
the same wherever it is, and all places of a chart are learned from at once.
"""

from collections.abc import Sequence
from functools import cache

import torch
from torch import Tensor, nn
from torch.nn import functional

from agents.dance.batches import CORPORA, Batch, exchange
from agents.dance.history import LAGS, LONGEST
from agents.dance.paper import ARROWS, Selector, recent
from agents.pretrained import pretrained
from envs.dance.chart import MIRRORS, ROWS, bag_of_arrows, legal_rows
from envs.dance.timing import TICKS
from envs.weights import load_weights

NAME = "dance-selection"

RHYTHM = 48
"""Features of a place's rhythm."""

PAST, AHEAD = 8, 16
"""Rows whose rhythm a place sees."""

WINDOW = 16
"""Rows a place sees."""

PHRASE = 16
"""Beats after which the number of a beat starts again."""

INTERVALS = (24, 48, 12, 96, 192, 36, 72, 144, 16, 6, 384, 8, 32, 120, 60, 288, 20, 4, 168, 240)
"""Ticks between rows that are distinguished exactly, the commonest first."""

_MANY = 1024
"""Ticks; longer intervals count as this."""


class Rhythm(nn.Module):
    """From times, ticks and level to features of rhythm."""

    kinds: Tensor

    def __init__(self) -> None:
        super().__init__()
        kinds = torch.full((_MANY + 1,), len(INTERVALS))
        kinds[list(INTERVALS)] = torch.arange(len(INTERVALS))
        self.register_buffer("kinds", kinds, persistent=False)
        self.interval = nn.Embedding(len(INTERVALS) + 1, RHYTHM)
        self.phase = nn.Embedding(TICKS, RHYTHM)
        self.beat = nn.Embedding(PHRASE, RHYTHM)
        self.level = nn.Embedding(5, RHYTHM)
        self.corpus = nn.Embedding(len(CORPORA), RHYTHM)
        self.amounts = nn.Linear(2, RHYTHM)

    def forward(self, batch: Batch) -> Tensor:
        """Features (B, N, RHYTHM); zero beyond the charts' ends."""
        seconds = torch.log(batch.seconds[..., 0] + 0.01)
        beats = torch.log(batch.between.clamp(min=1) / TICKS)
        found = self.interval(self.kinds[batch.between.clamp(0, _MANY)])
        found = found + self.phase(batch.ticks % TICKS) + self.beat(batch.ticks // TICKS % PHRASE)
        found = found + self.amounts(torch.stack([seconds, beats], -1))
        found = found + (self.level(batch.level) + self.corpus(batch.corpus))[:, None]
        features: Tensor = found * batch.mask[..., None]
        return features


class Block(nn.Module):
    """A residual layer.

    Args:
        width: Of what passes through; inside it is twice as wide.
        dropout: Share of features left out in training.
    """

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, 2 * width),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(2 * width, width),
            nn.Dropout(dropout),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Features (..., width)."""
        added: Tensor = self.layers(features)
        return features + added


class RepeatNet(Selector):
    """Our network.

    Args:
        width: Features inside.
        blocks: Residual layers.
        dropout: Share of features left out in training.
    """

    needs_looks = True
    bags: Tensor
    legal: Tensor

    def __init__(self, width: int = 192, blocks: int = 2, dropout: float = 0.3) -> None:
        super().__init__()
        bags = torch.from_numpy(bag_of_arrows(range(ROWS)))
        bags[0] = 0.0
        self.register_buffer("bags", bags, persistent=False)
        legal = torch.from_numpy(legal_rows((torch.arange(16)[:, None] >> torch.arange(4)) & 1))
        legal[:, 0] = False
        self.register_buffer("legal", legal, persistent=False)
        self.rhythm = Rhythm()
        self.around = nn.Conv1d(RHYTHM, width, PAST + 1 + AHEAD)
        self.window = nn.Linear(WINDOW * (ARROWS + RHYTHM), width)
        self.panels = nn.Linear(12, width, bias=False)
        self.repeats = nn.Linear(len(MIRRORS) * (2 * ARROWS + LONGEST + 1), width, bias=False)
        self.copies = nn.Linear(len(LAGS) * (ARROWS + LONGEST + 1), width, bias=False)
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.Sequential(*(Block(width, dropout) for _ in range(blocks)))
        self.out = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, ROWS))

    def forward(self, batch: Batch) -> Tensor:
        """See :meth:`Selector.forward`; rows that holds forbid, and no row, get -1e9."""
        around, rhythm = self.surroundings(batch)
        # The row before goes with its own rhythm, that is, that of the place before.
        earlier = functional.pad(rhythm, (0, 0, 1, 0))[:, :-1]
        window = recent(torch.cat([self.bags[batch.before], earlier], -1), WINDOW)
        return self.decide(around, window.flatten(2), batch.looks or {})

    def surroundings(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Features that no row changes: of the rhythm around (B, N, width), of places (B, N, F)."""
        rhythm: Tensor = self.rhythm(batch)
        around = self.around(functional.pad(rhythm.transpose(1, 2), (PAST, AHEAD))).transpose(1, 2)
        return around, rhythm

    def decide(self, around: Tensor, window: Tensor, looks: dict[str, Tensor]) -> Tensor:
        """Log-odds (..., 256) of rows.

        Args:
            around: (..., width), of the rhythm around the places.
            window: (..., WINDOW * (ARROWS + RHYTHM)), the last rows and their rhythm.
            looks: Fields of :class:`agents.dance.history.Looks`, (..., ...).
        """
        held = looks["held"]
        features = around + self.window(window)
        features = features + self.panels(
            torch.cat([held.float(), looks["since"], looks["steps"]], -1)
        )
        repeat = self.bags[looks["repeat"]]
        even = looks["even"][..., None] / LONGEST
        length = functional.one_hot(looks["length"], LONGEST + 1)
        features = features + self.repeats(
            torch.cat([repeat, repeat * even, length], -1).flatten(-2)
        )
        copied = functional.one_hot(looks["copied"], LONGEST + 1)
        features = features + self.copies(
            torch.cat([self.bags[looks["copy"]], copied], -1).flatten(-2)
        )
        scores: Tensor = self.out(self.blocks(self.dropout(features)))
        number = (held * torch.tensor([1, 2, 4, 8], device=held.device)).sum(-1)
        return scores.masked_fill(~self.legal[number], -1e9)


def log_probabilities(
    networks: Sequence[Selector], batch: Batch, mirrors: Sequence[int] = (0,)
) -> Tensor:
    """Log of the mean of networks' predictions for a batch and its mirror images, turned back.

    Args:
        networks: All in evaluation mode.
        batch: Charts with all that the networks need.
        mirrors: Numbers of the mirrors; 0 alone for the charts as they are.

    Returns:
        (B, N, 256) float32.
    """
    found = []
    with torch.no_grad():
        for mirror in mirrors:
            seen = batch.mirrored(torch.full((len(batch.rows),), mirror)) if mirror else batch
            found += [exchange(torch.log_softmax(each(seen), -1), mirror) for each in networks]
    if len(found) == 1:
        return found[0]
    return torch.logsumexp(torch.stack(found), 0) - torch.log(torch.tensor(len(found)))


@cache
def shipped() -> RepeatNet:
    """The pretrained network, in evaluation mode."""
    network = RepeatNet()
    load_weights(network, pretrained(NAME))
    return network.eval()
