"""The onset networks of Dance Dance Convolution (Donahue, Lipton, McAuley, ICML 2017).

Frame by frame, from 15 frames of log-mel spectra and the difficulty, the log-odds of a step. The
difficulty joins after the audio has been looked at, so a song is looked at once for all levels.
"""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from envs.dance.audio import BANDS, WINDOWS
from envs.dance.chart import DIFFICULTIES
from hardware_sim.errors import InputError, choose
from hardware_sim.reading import read_arrays

LEVELS = len(DIFFICULTIES)
CHANNELS = len(WINDOWS)
RADIUS = 7
"""Frames of context before and after the frame in question."""

CONTEXT = 2 * RADIUS + 1
DROPOUT = 0.5
_FILTERS = (10, 20)
_AFTER_CONV = 7
_CONV_FEATURES = 160
"""Bands (8) times filters (20) that the convolutions leave of a frame."""


class OnsetNetwork(nn.Module):
    """The base of the paper's networks: normalised spectra in, log-odds of all levels out.

    Attributes:
        mean: Means of the log-mel values, float32 ``(80, 3)``.
        scale: Standard deviations of the log-mel values, float32 ``(80, 3)``.
    """

    mean: Tensor
    scale: Tensor
    part = 2048
    """Frames evaluated at once."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(BANDS, CHANNELS))
        self.register_buffer("scale", torch.ones(BANDS, CHANNELS))

    def forward(self, features: Tensor, levels: Tensor | None = None) -> Tensor:
        """Log-odds of a step.

        Args:
            features: float32 ``(B, T + 14, 80, 3)``: log-mel spectra with :data:`RADIUS` frames
                more at both ends.
            levels: int64 ``(L,)``, the levels in question; all if missing.

        Returns:
            float32 ``(B, L, T)``.
        """
        if levels is None:
            levels = torch.arange(LEVELS, device=features.device)
        return self.log_odds((features - self.mean) / self.scale, levels)

    def log_odds(self, features: Tensor, levels: Tensor) -> Tensor:
        """Log-odds as of :meth:`forward`, from normalised features."""
        raise NotImplementedError

    @torch.no_grad()
    def predict(self, features: NDArray[np.floating]) -> NDArray[np.float32]:
        """Probabilities float32 ``(5, T)`` of a step in each frame of a song ``(T, 80, 3)``."""
        whole = torch.from_numpy(np.asarray(features, np.float32))
        padded = torch.cat([self.mean.expand(RADIUS, -1, -1), whole])
        padded = torch.cat([padded, self.mean.expand(RADIUS, -1, -1)])
        parts = [
            torch.sigmoid(self(padded[None, start : start + self.part + 2 * RADIUS]))[0]
            for start in range(0, len(whole), self.part)
        ]
        found: NDArray[np.float32] = torch.cat(parts, dim=1).numpy()
        return found


class LogisticRegression(OnsetNetwork):
    """One weight an input; the paper's ``LogReg``."""

    def __init__(self) -> None:
        super().__init__()
        self.audio = nn.Conv1d(BANDS * CHANNELS, 1, CONTEXT)
        self.level = nn.Embedding(LEVELS, 1)

    def log_odds(self, features: Tensor, levels: Tensor) -> Tensor:
        """Log-odds as of :meth:`forward`, from normalised features."""
        seen = self.audio(features.flatten(2).transpose(1, 2))
        return torch.as_tensor(seen + self.level(levels)[None])


class _Dense(nn.Module):
    """Hidden layers of 256 and 128, rectified, and the output; the level joins the first one.

    Args:
        inputs: Number of features of the input ``(B, T, inputs)``.
    """

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.first = nn.Linear(inputs, 256)
        self.level = nn.Embedding(LEVELS, 256)
        nn.init.normal_(self.level.weight, std=0.05)
        self.second = nn.Linear(256, 128)
        self.output = nn.Linear(128, 1)

    def forward(self, seen: Tensor, levels: Tensor) -> Tensor:
        sums = self.first(seen)[:, None] + self.level(levels)[None, :, None]
        return self.after(sums)

    def after(self, sums: Tensor) -> Tensor:
        hidden = functional.dropout(sums.relu(), DROPOUT, self.training)
        hidden = functional.dropout(self.second(hidden).relu(), DROPOUT, self.training)
        result: Tensor = self.output(hidden)[..., 0]
        return result


class MultilayerPerceptron(OnsetNetwork):
    """Two hidden layers on the 15 frames; the paper's ``MLP``."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = _Dense(CONTEXT * BANDS * CHANNELS)

    def log_odds(self, features: Tensor, levels: Tensor) -> Tensor:
        """Log-odds as of :meth:`forward`, from normalised features."""
        weight = self.dense.first.weight.view(256, CONTEXT, BANDS * CHANNELS).transpose(1, 2)
        frames = features.flatten(2).transpose(1, 2)
        seen = functional.conv1d(frames, weight, self.dense.first.bias).transpose(1, 2)
        sums = seen[:, None] + self.dense.level(levels)[None, :, None]
        return self.dense.after(sums)


class _Convolutions(nn.Module):
    """Two convolutions with pooling over bands, float32 ``(B, T, 1120)`` a frame's surroundings."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(CHANNELS, _FILTERS[0], (7, 3))
        self.second = nn.Conv2d(_FILTERS[0], _FILTERS[1], (3, 3))

    def forward(self, features: Tensor) -> Tensor:
        """Features of normalised ``(B, T + 14, 80, 3)``; by time, then band, then filter."""
        seen = features.permute(0, 3, 1, 2)
        for layer in (self.first, self.second):
            seen = functional.max_pool2d(layer(seen).relu(), (1, 3))
        frames = seen.permute(0, 2, 3, 1).flatten(2)
        return frames.unfold(1, _AFTER_CONV, 1).transpose(2, 3).flatten(2)


class ConvolutionalNetwork(OnsetNetwork):
    """Two convolutions, two hidden layers; the paper's ``CNN``."""

    def __init__(self) -> None:
        super().__init__()
        self.convolutions = _Convolutions()
        self.dense = _Dense(_AFTER_CONV * _CONV_FEATURES)

    def log_odds(self, features: Tensor, levels: Tensor) -> Tensor:
        """Log-odds as of :meth:`forward`, from normalised features."""
        return torch.as_tensor(self.dense(self.convolutions(features), levels))

    @torch.no_grad()
    def hidden(self, features: Tensor, level: int) -> Tensor:
        """The last hidden layer ``(B, T, 128)`` at a level, as :meth:`forward` takes features."""
        seen = self.convolutions((features - self.mean) / self.scale)
        sums = self.dense.first(seen) + self.dense.level.weight[level]
        return torch.as_tensor(self.dense.second(sums.relu()).relu())


class RecurrentNetwork(OnsetNetwork):
    """Convolutions, two LSTM layers of 200 and two hidden layers; the paper's ``C-LSTM``."""

    part = 1 << 15

    def __init__(self) -> None:
        super().__init__()
        self.convolutions = _Convolutions()
        self.project = nn.Linear(_AFTER_CONV * _CONV_FEATURES, 200)
        self.level = nn.Embedding(LEVELS, 200)
        nn.init.normal_(self.level.weight, std=0.05)
        self.memory = nn.LSTM(200, 200, 2, batch_first=True, dropout=DROPOUT)
        self.first = nn.Linear(200, 256)
        self.second = nn.Linear(256, 128)
        self.output = nn.Linear(128, 1)

    def log_odds(self, features: Tensor, levels: Tensor) -> Tensor:
        """Log-odds as of :meth:`forward`, from normalised features; the memory starts empty."""
        seen = self.project(self.convolutions(features))
        inputs = seen[:, None] + self.level(levels)[None, :, None]
        batch, count, time, width = inputs.shape
        hidden, _ = self.memory(inputs.reshape(batch * count, time, width))
        for layer in (self.first, self.second):
            hidden = functional.dropout(layer(hidden).relu(), DROPOUT, self.training)
        return torch.as_tensor(self.output(hidden).view(batch, count, time))


NETWORKS: dict[str, type[OnsetNetwork]] = {
    "logreg": LogisticRegression,
    "mlp": MultilayerPerceptron,
    "cnn": ConvolutionalNetwork,
    "c-lstm": RecurrentNetwork,
}


def network(name: str) -> OnsetNetwork:
    """A network of the paper, untrained, by its name in :data:`NETWORKS`."""
    return NETWORKS[choose("network", name, tuple(NETWORKS))]()


def authors_network(path: str | Path) -> ConvolutionalNetwork:
    """The paper's CNN with the weights its authors published.

    Args:
        path: ``weights/ddc_onset_placement_cnn.npz`` of the data: the arrays of
            github.com/chrisdonahue/ddc_onset (MIT licence) under their names.

    Raises:
        InputError: The file is missing or holds other arrays.
    """
    try:
        given = {key: torch.from_numpy(array) for key, array in read_arrays(path).items()}
        inputs = _AFTER_CONV * _CONV_FEATURES
        state = {
            "mean": given["norm.mean"],
            "scale": given["norm.std"],
            "convolutions.first.weight": given["cnn.conv0.weight"],
            "convolutions.first.bias": given["cnn.conv0.bias"],
            "convolutions.second.weight": given["cnn.conv1.weight"],
            "convolutions.second.bias": given["cnn.conv1.bias"],
            "dense.first.weight": given["cnn.dense0.weight"][:, :inputs],
            "dense.first.bias": given["cnn.dense0.bias"],
            "dense.level.weight": given["cnn.dense0.weight"][:, inputs:].T,
            "dense.second.weight": given["cnn.dense1.weight"],
            "dense.second.bias": given["cnn.dense1.bias"],
            "dense.output.weight": given["cnn.output.weight"],
            "dense.output.bias": given["cnn.output.bias"],
        }
        loaded = ConvolutionalNetwork()
        loaded.load_state_dict(state)
    except (OSError, KeyError, ValueError, RuntimeError) as error:
        raise InputError(f"{path} does not hold the authors' onset network: {error}") from error
    return loaded.eval()
