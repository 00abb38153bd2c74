"""Onsets from the beat: a network over the slots of a song's beat grid.

Features of the audio at each slot (by the convolutions of Dance Dance Convolution's authors, by
layers of its own, or both) go through dilated convolutions whose strides are musical: neighbouring
slots first, then quarters of a beat over several bars, then slots again. All five levels come out
at once. A step can only fall on a slot, so found steps need no snapping.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from envs.dance.audio import BANDS, FRAME_S, WINDOWS
from envs.dance.frame_networks import LEVELS, RADIUS, ConvolutionalNetwork
from envs.dance.grid import QUARTER, SLOTS, Grid
from envs.weights import load_weights
from envs.weights import shipped as weights_file
from hardware_sim.errors import choose

NAME = "dance-placement"
STYLES = ("pad", "guitar")
"""Devices that charts are played on, an input of the network."""

EARS = ("authors", "spectra", "both")
"""Inputs of the network: the authors' convolutional network, the spectra, or both."""

WIDTH = 64
DROPOUT = 0.15
USUAL_BEAT_S = 0.35
_FINE = len(QUARTER)
HIDDEN = 128 + LEVELS
"""Values a frame that come from the authors' network, before the spectra."""
_SPECTRUM = BANDS * len(WINDOWS)
_SPREAD = 2.5
"""Typical deviation of log-mel values within a band."""

_HARDEST = LEVELS - 1


@dataclass(frozen=True, eq=False)
class Heard:
    """A song as the network takes it.

    Attributes:
        sounds: float32 ``(T, K)``, features of each frame; see :func:`hear`.
        places: float32 ``(S,)``, the slots' times in frames.
        beat: float32 ``(S,)``, logarithm of a beat's length over :data:`USUAL_BEAT_S`.
        slot: int64 ``(S,)``, slots since beat 0.
    """

    sounds: Tensor
    places: Tensor
    beat: Tensor
    slot: Tensor


def hear(features: NDArray[np.floating], grid: Grid, authors: ConvolutionalNetwork | None) -> Heard:
    """A song as the network takes it.

    Args:
        features: Log-mel spectra ``(T, 80, 3)``.
        grid: The song's slots.
        authors: The authors' network, whose last hidden layer (at the hardest level) and log-odds
            (at all levels) come first in each frame of sounds; left out if missing.
    """
    spectra = torch.from_numpy(np.asarray(features, np.float32))
    parts = [] if authors is None else [_of_authors(spectra, authors)]
    level = spectra.flatten(1)
    parts.append(((level - level.mean(dim=0)) / _SPREAD).clamp(-4, 4))
    return Heard(
        torch.cat(parts, dim=1),
        torch.from_numpy(grid.times / FRAME_S).float(),
        torch.from_numpy(np.log(grid.beat_s / USUAL_BEAT_S)).float(),
        torch.from_numpy(grid.ticks * 0 + np.arange(len(grid.ticks))),
    )


@torch.no_grad()
def _of_authors(spectra: Tensor, authors: ConvolutionalNetwork) -> Tensor:
    edge = authors.mean.expand(RADIUS, -1, -1)
    padded = torch.cat([edge, spectra, edge])
    parts = []
    for start in range(0, len(spectra), 2048):
        part = padded[None, start : start + 2048 + 2 * RADIUS]
        parts.append(torch.cat([authors.hidden(part, _HARDEST)[0], authors(part)[0].T], dim=1))
    return torch.cat(parts) / 3


class _Block(nn.Module):
    """A gated dilated convolution over the last axis, added to its input."""

    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(1, width)
        self.mix = nn.Conv1d(width, 2 * width, 3, padding=dilation, dilation=dilation)
        self.out = nn.Conv1d(width, width, 1)

    def forward(self, slots: Tensor) -> Tensor:
        gated = functional.glu(self.mix(self.norm(slots)), dim=1)
        result: Tensor = slots + functional.dropout(self.out(gated), DROPOUT, self.training)
        return result


class BeatNetwork(nn.Module):
    """Log-odds of a step at each slot and level.

    Args:
        ears: One of :data:`EARS`; the sounds of :func:`hear` must have these inputs.
        width: Number of channels.

    Raises:
        InputError: There are no such ears.
    """

    def __init__(self, ears: str = "both", width: int = WIDTH) -> None:
        super().__init__()
        self.ears = choose("ears", ears, EARS)
        inputs = {"authors": HIDDEN, "spectra": _SPECTRUM, "both": HIDDEN + _SPECTRUM}[ears]
        self.listen = nn.Linear(inputs, width)
        self.near = nn.Conv1d(width, width, 5, padding=2)
        self.slot = nn.Embedding(SLOTS, width)
        self.bar = nn.Embedding(4, width)
        self.style = nn.Embedding(len(STYLES), width)
        self.tempo = nn.Linear(1, width)
        self.before = nn.Sequential(*(_Block(width, each) for each in (1, 2)))
        self.gather = nn.Conv1d(_FINE * width, width, 1)
        self.wide = nn.Sequential(*(_Block(width, each) for each in (1, 2, 4, 8, 16, 32)))
        self.scatter = nn.Conv1d(width, _FINE * width, 1)
        self.after = nn.Sequential(*(_Block(width, each) for each in (1, 4)))
        self.head = nn.Sequential(nn.GroupNorm(1, width), nn.GELU(), nn.Conv1d(width, LEVELS, 1))
        self.habit = nn.Embedding(len(STYLES) * SLOTS, LEVELS)
        nn.init.constant_(self.habit.weight, -2.5)

    def forward(self, heard: Heard, style: int, turn: int = 0) -> Tensor:
        """Log-odds float32 ``(5, S)``.

        Args:
            heard: A song or a stretch of whole beats of one.
            style: Index in :data:`STYLES`.
            turn: Beats by which bars start late, 0 to 3.
        """
        sounds = heard.sounds
        if self.ears == "spectra":
            sounds = sounds[:, -_SPECTRUM:]
        elif self.ears == "authors":
            sounds = sounds[:, :HIDDEN]
        frames = self.listen(sounds)
        frames = frames + self.near(functional.gelu(frames).T[None])[0].T
        low = heard.places.floor().long().clamp(0, len(frames) - 2)
        share = (heard.places - low)[:, None].clamp(0, 1)
        at_slots = frames[low] * (1 - share) + frames[low + 1] * share
        in_beat, beat = heard.slot % SLOTS, heard.slot // SLOTS + turn
        at_slots = at_slots + self.slot(in_beat) + self.bar(beat % 4) + self.style.weight[style]
        at_slots = at_slots + self.tempo(heard.beat[:, None])
        log_odds = self.head(self._mixed(at_slots.T[None]))[0]
        result: Tensor = log_odds + self.habit(in_beat + SLOTS * style).T
        return result

    def _mixed(self, features: Tensor) -> Tensor:
        """Features ``(1, width, S)`` after all convolutions."""
        features = self.before(features)
        batch, width, slots = features.shape
        quarters = features.view(batch, width, slots // _FINE, _FINE).transpose(2, 3)
        coarse = self.wide(self.gather(quarters.reshape(batch, width * _FINE, slots // _FINE)))
        back = self.scatter(coarse).view(batch, width, _FINE, slots // _FINE).transpose(2, 3)
        result: Tensor = self.after(features + back.reshape(batch, width, slots))
        return result

    @torch.no_grad()
    def predict(self, heard: Heard, style: str = "pad") -> NDArray[np.float64]:
        """Probabilities float64 ``(5, S)`` of a step at each slot and level."""
        index = STYLES.index(choose("style", style, STYLES))
        found: NDArray[np.float64] = torch.sigmoid(self(heard, index)).double().numpy()
        return found


class OnsetModel(nn.Module):
    """The shipped model: the authors' network and, on its outputs, ours.

    Attributes:
        authors: The authors' network, whose outputs are inputs besides the spectra.
        beats: The network over slots, which predicts.
    """

    def __init__(self) -> None:
        super().__init__()
        self.authors = ConvolutionalNetwork()
        self.beats = BeatNetwork("both")

    def predict(
        self, features: NDArray[np.floating], grid: Grid, style: str = "pad"
    ) -> NDArray[np.float64]:
        """Probabilities float64 ``(5, S)`` of a step at each slot and level.

        Args:
            features: Log-mel spectra ``(T, 80, 3)``; see :func:`envs.dance.audio.log_mel`.
            grid: The song's slots.
            style: One of :data:`STYLES`.
        """
        return self.beats.predict(hear(features, grid, self.authors), style)


@cache
def shipped() -> OnsetModel:
    """The pretrained model."""
    model = OnsetModel()
    load_weights(model, weights_file("envs.dance", NAME))
    return model.eval()
