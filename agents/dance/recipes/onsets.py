"""Trains the networks that find onsets: ``python -m agents.dance.recipes.onsets COMMAND``.

``folds`` trains every model on all songs but one and keeps what it finds in the one left out;
``experiments/dance/onset_report.py`` scores it. ``final`` trains the shipped network on all
songs. What a folder holds already is not trained again, so a run that was stopped goes on.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from agents.dance.onsets import chosen
from envs.dance import scoring
from envs.dance.audio import BANDS, FRAME_S
from envs.dance.corpus import data_folder
from envs.dance.frame_networks import (
    LEVELS,
    RADIUS,
    ConvolutionalNetwork,
    OnsetNetwork,
    authors_network,
    network,
)
from envs.dance.grid import SLOTS, Grid, grid
from envs.dance.onset_network import (
    HIDDEN,
    STYLES,
    BeatNetwork,
    Heard,
    OnsetModel,
    hear,
)
from envs.dance.recordings import Recording, recordings
from envs.weights import save_weights
from hardware_sim.commands import run
from hardware_sim.errors import choose
from hardware_sim.files import write_atomic

AUTHORS = "weights/ddc_onset_placement_cnn.npz"
"""The authors' published network, in the folder of the data."""

BEAT_MODELS = {"beat": "both", "beat-authors": "authors", "beat-spectra": "spectra"}
"""Our networks and their ears."""

MODELS = (
    "authors",
    "authors-grid",
    "beat",
    "cnn",
    "logreg",
    "c-lstm",
    "mlp",
    "beat-spectra",
    "beat-authors",
)
"""In the order of training; ``authors-grid`` is the authors' network given the beat grid."""

EPOCHS = 15
UPDATES = {"logreg": 2000, "mlp": 250, "cnn": 350, "c-lstm": 120}
"""About as many as half a minute to a minute of one core allows; our networks take a minute too."""

RATE = {"logreg": 2e-3, "mlp": 1e-3, "cnn": 1e-3, "c-lstm": 2e-3}
GAP_S = 0.035
"""Least seconds between two steps found by our networks."""

BARS = 12
CROP = {"logreg": (4, 600), "mlp": (4, 600), "cnn": (4, 400), "c-lstm": (16, 100)}
"""Stretches in a batch of the paper's networks, and frames of each."""

_NEIGHBOURS = 2

app = typer.Typer(no_args_is_help=True, add_completion=False)
Candidates = list[tuple[NDArray[np.float64], NDArray[np.float64]]]
"""Times of each level at which steps may be, ascending in seconds, and their heights."""

Find = Callable[["Example"], Candidates]
"""A trained model as a function that finds candidates in a song."""


@dataclass(frozen=True, eq=False)
class Example:
    """A recording with everything that networks learn from.

    Attributes:
        recording: The song.
        grid: Its slots.
        heard: Inputs of our networks.
        features: Inputs of the paper's networks, float32 ``(T + 14, 80, 3)``.
        frames: Targets of frames, float32 ``(5, T)``, NaN where none is given.
        slots: Targets of slots, float32 ``(5, S)``, NaN where none is given.
    """

    recording: Recording
    grid: Grid
    heard: Heard
    features: Tensor
    frames: Tensor
    slots: Tensor

    @property
    def style(self) -> int:
        """Index in ``STYLES``."""
        return STYLES.index(self.recording.style)


def examples(folder: str | Path | None = None) -> list[Example]:
    """All songs with audio.

    Args:
        folder: See :func:`envs.dance.corpus.data_folder`.

    Raises:
        InputError: Something is missing there.
    """
    authors = authors_network(data_folder(folder) / AUTHORS)
    return [_example(each, authors) for each in recordings(folder=folder)]


def _example(recording: Recording, authors: ConvolutionalNetwork) -> Example:
    beats = grid(recording.song.timing, len(recording.features) * FRAME_S, recording.lag_s)
    slots = torch.full((LEVELS, len(beats.ticks)), torch.nan)
    for level, chart in recording.charts.items():
        slots[level] = 0
        slots[level, beats.nearest(chart.ticks)] = 1
    features = torch.from_numpy(recording.features.astype(np.float32))
    edge = features.mean(dim=0).expand(RADIUS, -1, -1)
    return Example(
        recording,
        beats,
        hear(recording.features, beats, authors),
        torch.cat([edge, features, edge]),
        asked(torch.from_numpy(recording.targets())),
        slots,
    )


def asked(targets: Tensor) -> Tensor:
    """Targets ``(5, T)`` without the two frames on either side of a step, which become NaN."""
    width = 2 * _NEIGHBOURS + 1
    near = functional.max_pool1d(targets.nan_to_num()[None], width, 1, _NEIGHBOURS)[0]
    return targets.masked_fill((near == 1) & (targets == 0), torch.nan)


def train_onsets(name: str, songs: list[Example], seed: int) -> OnsetNetwork:
    """One of the paper's networks, trained on stretches of songs, all their levels at once.

    Steps and the rest weigh the same in the loss, as classes are balanced there.
    """
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    model = network(name)
    joined = torch.cat([each.features for each in songs])
    model.mean.copy_(joined.mean(dim=0))
    model.scale.copy_(joined.std(dim=0))
    optimiser = torch.optim.Adam(model.parameters(), lr=RATE[name])
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE[name], UPDATES[name] + 1)
    labels = torch.cat([each.frames.flatten() for each in songs])
    weight = (labels == 0).sum() / (labels == 1).sum()
    for _ in range(UPDATES[name]):
        features, targets = _frames(songs, *CROP[name], random)
        log_odds = model(features)
        is_asked = ~targets.isnan()
        loss = functional.binary_cross_entropy_with_logits(
            log_odds[is_asked], targets[is_asked], pos_weight=weight
        )
        _update(model, optimiser, loss, 5.0)
        schedule.step()
    return model.eval()


def _frames(
    songs: list[Example], count: int, frames: int, random: np.random.Generator
) -> tuple[Tensor, Tensor]:
    lengths = np.array([each.frames.shape[1] for each in songs], np.float64)
    features, targets = [], []
    for i in random.choice(len(songs), count, p=lengths / lengths.sum()):
        start = int(random.integers(songs[i].frames.shape[1] - frames))
        features.append(songs[i].features[start : start + frames + 2 * RADIUS])
        targets.append(songs[i].frames[:, start : start + frames])
    return torch.stack(features), torch.stack(targets)


def _update(model: nn.Module, optimiser: torch.optim.Optimizer, loss: Tensor, clip: float) -> None:
    optimiser.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), clip)
    optimiser.step()


def train_beats(ears: str, songs: list[Example], seed: int) -> BeatNetwork:
    """Our network, trained on stretches of :data:`BARS` bars of songs that are made to vary."""
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    model = BeatNetwork(ears)
    length = BARS * 4 * SLOTS
    slots = np.array([len(each.grid.ticks) for each in songs], np.float64)
    updates = int(EPOCHS * slots.sum() / length / 4)
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.03)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-3, updates + 1)
    for _ in range(updates):
        losses = []
        for i in random.choice(len(songs), 4, p=slots / slots.sum()):
            start = SLOTS * int(random.integers(max(1, (slots[i] - length) // SLOTS)))
            targets = songs[i].slots[:, start : start + length]
            heard = varied(stretch(songs[i].heard, start, start + length), random)
            turn = int(random.integers(4)) if random.random() < 0.2 else 0
            log_odds = model(heard, songs[i].style, turn)
            is_asked = ~targets.isnan()
            losses.append(
                functional.binary_cross_entropy_with_logits(log_odds[is_asked], targets[is_asked])
            )
        _update(model, optimiser, torch.stack(losses).mean(), 1.0)
        schedule.step()
    return model.eval()


def stretch(heard: Heard, start: int, end: int) -> Heard:
    """The slots from ``start`` to ``end`` of a song and the sounds around them."""
    places = heard.places[start:end]
    first = max(0, int(places[0]) - 20)
    sounds = heard.sounds[first : int(places[-1]) + 20]
    return Heard(sounds, places - first, heard.beat[start:end], heard.slot[start:end])


def varied(heard: Heard, random: np.random.Generator) -> Heard:
    """The same music otherwise recorded: shifted by some ms, of other loudness and tone, noisy.

    A band of up to 15 neighbouring mel bands falls silent, and a tenth of the features of the
    authors' network is left out.
    """
    count = len(heard.sounds)
    loudness = 0.15 * torch.randn(1)
    tone = functional.interpolate(0.2 * torch.randn(1, 1, 6), size=BANDS, mode="linear")[0, 0]
    spectra = heard.sounds[:, HIDDEN:].view(count, BANDS, -1) + (loudness + tone)[:, None]
    spectra = spectra + 0.15 * torch.randn_like(spectra)
    lowest, width = int(random.integers(70)), int(random.integers(16))
    spectra[:, lowest : lowest + width] = 0
    hidden = heard.sounds[:, :HIDDEN]
    hidden = functional.dropout(hidden + 0.05 * torch.randn_like(hidden), 0.1)
    sounds = torch.cat([hidden, spectra.flatten(1)], dim=1)
    return Heard(sounds, heard.places + 0.4 * float(random.normal()), heard.beat, heard.slot)


def trained(name: str, songs: list[Example], seed: int, folder: str | Path | None) -> Find:
    """Trains a model on songs; returns a function that finds candidates in others."""
    if name in BEAT_MODELS:
        beats = train_beats(BEAT_MODELS[name], songs, seed)
        return lambda song: slot_candidates(beats, song)
    if name == "authors-grid":
        authors = authors_network(data_folder(folder) / AUTHORS)
        return lambda song: on_grid(authors.predict(song.recording.features), song.grid)
    if name == "authors":
        onsets: OnsetNetwork = authors_network(data_folder(folder) / AUTHORS)
    else:
        onsets = train_onsets(name, songs, seed)
    return lambda song: [
        scoring.peaks(scores) for scores in onsets.predict(song.recording.features)
    ]


def slot_candidates(model: BeatNetwork, song: Example) -> Candidates:
    """Times and probabilities of slots that may carry steps, ascending, level by level."""
    return _apart(model.predict(song.heard, song.recording.style), song.grid)


def on_grid(scores: NDArray[np.floating], beats: Grid) -> Candidates:
    """Slots with the smoothed scores ``(5, T)`` of frames that fall on them."""
    frames = np.arange(scores.shape[1]) * FRAME_S
    levels = [np.interp(beats.times, frames, scoring.smoothed(each)) for each in scores]
    return _apart(np.stack(levels), beats)


def _apart(heights: NDArray[np.float64], beats: Grid) -> Candidates:
    """Slots no nearer than :data:`GAP_S` to a higher one, level by level."""
    kept = [np.sort(chosen(height, beats.times, GAP_S)) for height in heights]
    return [(beats.times[each], height[each]) for each, height in zip(kept, heights, strict=True)]


def within(
    times: NDArray[np.float64], heights: NDArray[np.float64], true: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Candidates between a chart's first and last step; there is no truth about the others."""
    reach = scoring.TOLERANCE_S
    is_in = (times >= true[0] - reach) & (times <= true[-1] + reach)
    return times[is_in], heights[is_in]


def thresholds(songs: list[Example], found: list[Candidates], style: str) -> NDArray[np.float64]:
    """Heights ``(5,)`` from which on candidates in songs are best taken; NaN at levels of none.

    Songs of a style count if there are any with the level.
    """
    result = np.full(LEVELS, np.nan)
    for level in range(LEVELS):
        pairs = [
            each for each in zip(songs, found, strict=True) if level in each[0].recording.charts
        ]
        alike = [each for each in pairs if each[0].recording.style == style]
        heights, right, steps = [], [], 0
        for song, candidates in alike or pairs:
            true = song.recording.times(level)
            times, height = within(*candidates[level], true)
            heights.append(height)
            right.append(scoring.hits(times, height, true))
            steps += len(true)
        if steps:
            joined = np.concatenate(heights), np.concatenate(right)
            result[level] = scoring.best_threshold(*joined, steps)
    return result


@app.command()
def folds(
    run: Annotated[Path, typer.Argument(help="Folder of what is found.")],
    models: Annotated[str, typer.Option(help="Names, in the order of training.")] = ",".join(
        MODELS
    ),
    data: Annotated[Path | None, typer.Option(help="Folder of the data.")] = None,
    seed: Annotated[int, typer.Option(help="Seeds everything.")] = 0,
) -> None:
    """Trains models on all songs but one, and looks for steps in that, song after song."""
    torch.set_num_threads(1)
    names = [choose("model", name, MODELS) for name in models.split(",")]
    songs = examples(data)
    for name, song in product(names, songs):
        path = run / name / f"{song.recording.name}.npz"
        if path.exists():
            continue
        started_s = time.process_time()
        rest = [other for other in songs if other is not song]
        find = trained(name, rest, seed, data)
        spent_s = time.process_time() - started_s
        limits = thresholds(rest, [find(other) for other in rest], song.recording.style)
        _keep(path, find(song), limits, spent_s)
        typer.echo(f"{name} without {song.recording.name}: {spent_s:.0f} CPU s")


def _keep(
    path: Path,
    found: Candidates,
    limits: NDArray[np.float64],
    spent_s: float,
) -> None:
    arrays: dict[str, Any] = {"thresholds": limits, "spent_s": np.array(spent_s)}
    for level, (times, heights) in enumerate(found):
        arrays[f"times_{level}"] = times
        arrays[f"heights_{level}"] = heights.astype(np.float32)
    write_atomic(path, lambda file: np.savez(file, **arrays))


@app.command()
def final(
    output: Annotated[Path, typer.Argument(help="File of the weights.")],
    data: Annotated[Path | None, typer.Option(help="Folder of the data.")] = None,
    seed: Annotated[int, typer.Option(help="Seeds everything.")] = 0,
) -> None:
    """Trains the shipped model on all songs."""
    torch.set_num_threads(1)
    model = OnsetModel()
    model.authors = authors_network(data_folder(data) / AUTHORS)
    model.beats = train_beats(model.beats.ears, examples(data), seed)
    save_weights(model, output)


if __name__ == "__main__":
    run(app)
