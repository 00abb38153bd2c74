"""Word frequencies: counts that people bring, and the curves that ship with the package."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.resources import files
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hardware_sim.errors import InputError, choose
from hardware_sim.reading import FILE_BYTES, read_bytes, read_lines


def check_counts(counts: ArrayLike) -> NDArray[np.float64]:
    """Word counts as float64 ``(V,)``, after a check that they are what the plans need.

    Args:
        counts: Number of times each word occurs, ``V >= 2`` finite numbers of 0 or more in falling
            order, not all 0: word 0 is the most frequent, as the words of the text are numbered.

    Raises:
        InputError: They are not; the message names the first word at fault.
    """
    try:
        array = np.asarray(counts, np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"word counts must be numbers: {error}") from None
    if array.ndim != 1 or len(array) < 2:
        raise InputError(f"word counts have shape {array.shape}; allowed: (V,) with V >= 2")
    wrong = np.flatnonzero(~np.isfinite(array) | (array < 0))
    if len(wrong):
        raise InputError(
            f"word count {wrong[0]} is {array[wrong[0]]}; allowed: finite numbers, 0 or more"
        )
    rising = np.flatnonzero(np.diff(array) > 0)
    if len(rising):
        i = int(rising[0])
        raise InputError(
            f"word counts rise from {array[i]:g} to {array[i + 1]:g} at word {i + 1}; they must "
            "fall: number the words by frequency, the most frequent 0"
        )
    if array[0] == 0:
        raise InputError("word counts are all 0; at least one word must occur")
    return array


@dataclass(frozen=True, eq=False)
class FrequencyCurve:
    """Cumulative word frequency at a few ranks.

    Attributes:
        name: Name of the curve, such as ``"en"``.
        ranks: float64 ``(N,)``, rising from 0 to the number of words.
        cumulative: float64 ``(N,)``, share of the text that the first ``rank`` words cover, 0 to 1.
    """

    name: str
    ranks: NDArray[np.float64]
    cumulative: NDArray[np.float64]

    @classmethod
    def of_counts(cls, name: str, counts: ArrayLike, points: int | None = None) -> "FrequencyCurve":
        """The curve of word counts, whole or at about so many log-spaced ranks.

        Raises:
            InputError: The counts are not what :func:`check_counts` wants, or fewer than 2 points.
        """
        array = check_counts(counts)
        cumulative = np.concatenate([[0.0], np.cumsum(array) / array.sum()])
        ranks = np.arange(len(cumulative))
        if points is not None:
            if points < 2:
                raise InputError(f"points is {points}; allowed: at least 2")
            ranks = np.unique(np.geomspace(1, len(array), points).round().astype(np.int64))
            ranks = np.concatenate([[0], ranks])
        cumulative[-1] = 1.0
        return cls(name, ranks.astype(np.float64), cumulative[ranks])

    @property
    def words(self) -> int:
        """The number of words."""
        return int(self.ranks[-1])

    def coverage(self, ranks: ArrayLike, vocabulary: int) -> NDArray[np.float64]:
        """Share of the text that the first words cover, of a vocabulary of the most frequent ones.

        Between the curve's points the share is interpolated linearly in the logarithm of the rank.

        Args:
            ranks: Numbers of words, 0 to ``vocabulary``.
            vocabulary: Words kept; rarer ones count as absent.

        Returns:
            float64 of the shape of ``ranks``, 0 to 1.

        Raises:
            InputError: The curve has fewer words than the vocabulary.
        """
        if not 2 <= vocabulary <= self.words:
            raise InputError(
                f"vocabulary is {vocabulary}; the curve {self.name!r} allows 2 to {self.words}"
            )
        # Below rank 1 there is nothing to interpolate: log(1) = 0 stands for both.
        at = np.log(np.maximum(np.asarray(ranks, np.float64), 1.0))
        shares = np.interp(at, np.log(self.ranks[1:]), self.cumulative[1:])
        whole = np.interp(np.log(vocabulary), np.log(self.ranks[1:]), self.cumulative[1:])
        return np.where(np.asarray(ranks) < 1, 0.0, shares / whole)


def read_counts(path: str | Path) -> tuple[list[str], NDArray[np.float64]]:
    """Words and counts from a file, the most frequent first.

    Two formats are read: text with a word and its count on each line (the lists of
    github.com/hermitdave/FrequencyWords, plain, ``.gz`` or ``.xz``), and the binned lists of
    github.com/rspeer/wordfreq (``.msgpack.gz``; they also come with ``pip install wordfreq``, in
    its folder ``data``), where item ``i`` behind the header holds the words of frequency
    ``10 ** (-i / 100)``.

    Raises:
        InputError: The file cannot be read, or a line is no word and count.
    """
    path = Path(path)
    if path.name.endswith(".msgpack.gz"):
        return _read_bins(path)
    words, counts = [], []
    for number, raw in enumerate(read_lines(path, FILE_BYTES), 1):
        try:
            line = raw.decode().strip().replace("\t", " ")
        except UnicodeDecodeError as error:
            raise InputError(f"{path} cannot be read: {error}") from None
        word, _, count = line.rpartition(" ")
        if not line:
            continue
        try:
            counts.append(float(count))
        except ValueError:
            raise InputError(
                f"{path}, line {number}: expected a word and its count; saw {line[:60]!r}"
            ) from None
        words.append(word)
    return _sorted(words, np.array(counts, np.float64))


def _read_bins(path: Path) -> tuple[list[str], NDArray[np.float64]]:
    """Words and frequencies of a wordfreq list."""
    try:
        unpack = import_module("msgpack").unpackb
    except ImportError:
        raise InputError(f"{path} needs the package msgpack: pip install msgpack") from None
    try:
        header, *bins = unpack(read_bytes(path), raw=False)
    except (ValueError, TypeError, RecursionError) as error:
        raise InputError(f"{path} cannot be read: {error}") from None
    if not isinstance(header, dict) or header.get("format") != "cB":
        raise InputError(f"{path} is no wordfreq list: its header is {header!r}")
    words = [word for words in bins for word in words]
    frequencies = np.repeat(10 ** (-np.arange(len(bins)) / 100), [len(words) for words in bins])
    return _sorted(words, frequencies)


def _sorted(
    words: Sequence[str], counts: NDArray[np.float64]
) -> tuple[list[str], NDArray[np.float64]]:
    order = np.argsort(-counts, kind="stable")
    return [words[i] for i in order], counts[order]


@cache
def shipped_curves() -> dict[str, FrequencyCurve]:
    """The curves that ship with the package, by name; ``data/SOURCE.md`` names their sources."""
    text = files("envs.softmax").joinpath("data", "curves.json").read_text()
    curves = {}
    for name, values in json.loads(text)["curves"].items():
        ranks, cumulative = np.array(values["ranks"], float), np.array(values["cumulative"], float)
        assert all(a < b for a, b in pairwise(ranks.tolist()))
        curves[name] = FrequencyCurve(name, ranks, cumulative)
    return curves


def load_curve(name: str) -> FrequencyCurve:
    """A shipped curve by name.

    Raises:
        InputError: There is none of that name.
    """
    return shipped_curves()[choose("frequency curve", name, list(shipped_curves()))]
