"""Tempo and beats of a song of steady tempo, fitted to its onsets, with the rival readings ranked.

Human steps follow a beat grid to the millisecond, so an estimate must be finer than a frame of the
spectra: onsets are measured 490 times a second, and the tempo maximises how well they agree with
the grid over the whole song. Which multiple of it people count is a matter of taste, so half,
double, two thirds and three halves of a tempo are offered as well.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from envs.dance.audio import RATE, Samples
from hardware_sim.errors import InputError

CURVE_HOP = 90
CURVE_RATE = RATE / CURVE_HOP
"""Points of an onset curve a second."""

SLOWEST_BPM, FASTEST_BPM = 30.0, 400.0
RATIOS = (1.0, 2.0, 1 / 2, 3 / 2, 2 / 3, 4 / 3, 3 / 4)
"""Readings of a tempo that are offered, as multiples of it."""

HARMONICS = (1, 2, 3, 4, 6, 8)
"""Divisions of a beat whose regularity counts in the fit."""

USUAL_BPM, USUAL_OCTAVES = 140.0, 0.55
"""Middle and spread of the log-normal prior over tempi, for ranking only."""

STEADY = 0.77
"""Below this steadiness a tempo counts as varying."""

WHOLE = 0.9
"""Share of the agreement that must remain for a whole number of beats a minute to be taken."""

ACCENT = 4.0
"""Weight of the difference between every other beat in finding the beat; set on ten songs."""

BAR = 4
GREATEST_LAG_S = 0.1
_WINDOW = 512
_LOW_BINS = 2
_PLACES = 192
_NEARBY = 41
_FOLD_S, _BLUR_S = 0.001, 0.004
_NEAR = 15
_REACH = 16
_LEAD_S = 0.0019
"""Seconds by which an onset curve peaks earlier than its sharp sound."""
_CHUNK = 16_384
_SECTION_S = 10.0
"""Length of the parts of a song whose beats are compared for steadiness."""

Curve = NDArray[np.float64]


@dataclass(frozen=True)
class Tempo:
    """A reading of a song's beat.

    Attributes:
        bpm: Beats a minute.
        offset_s: Time of the first downbeat at or after the start, in seconds.
        score: Agreement of the onsets times the tempo's prior; the best of a list has 1.
        steadiness: From 1, one grid fits every part of the song, down to 0; see :data:`STEADY`.
    """

    bpm: float
    offset_s: float
    score: float
    steadiness: float

    @property
    def is_steady(self) -> bool:
        """True if one tempo holds throughout."""
        return self.steadiness >= STEADY


@dataclass(frozen=True)
class Onsets:
    """Strength of onsets over time, over all frequencies and below 200 Hz.

    Attributes:
        full: float64 ``(N,)``, :data:`CURVE_RATE` points a second, mean 0, deviation 1.
        low: The same curve of low frequencies.
    """

    full: Curve
    low: Curve

    @property
    def both(self) -> Curve:
        """The sum of both, in which onsets of low frequencies, as of a bass drum, count twice."""
        return self.full + self.low


def onsets(samples: Samples) -> Onsets:
    """The onset curves of mono samples ``(N,)`` at :data:`RATE`: rectified log-spectral flux."""
    signal = torch.from_numpy(np.ascontiguousarray(samples, np.float32))
    window = torch.hann_window(_WINDOW)
    padded = torch.nn.functional.pad(signal, (_WINDOW // 2, _WINDOW // 2))
    count = 1 + (len(padded) - _WINDOW) // CURVE_HOP
    full, low = np.zeros(count), np.zeros(count)
    for start in range(0, count, _CHUNK):
        first = max(start - 2, 0)
        last = min(start + _CHUNK, count)
        part = padded[first * CURVE_HOP : (last - 1) * CURVE_HOP + _WINDOW]
        spectrum = torch.stft(
            part, _WINDOW, CURVE_HOP, window=window, center=False, return_complex=True
        )
        level = (1 + 100 * spectrum.abs()).log()
        flux = (level[:, 2:] - level[:, :-2]).clamp(min=0)
        full[first + 2 : last] = flux.sum(0).numpy()
        low[first + 2 : last] = flux[: 1 + _LOW_BINS].sum(0).numpy()
    return Onsets(_standard(full), _standard(low))


def _standard(curve: Curve) -> Curve:
    """A curve less its slow movement, of deviation 1."""
    width = int(CURVE_RATE / 2)
    slow = np.convolve(curve, np.ones(width) / width, "same")
    rest = curve - slow
    result: Curve = rest / (rest.std() + 1e-9)
    return result


def estimate(samples: Samples, bpm: float | None = None) -> list[Tempo]:
    """Readings of a song's tempo, the most likely first.

    Args:
        samples: Mono, float32 ``(N,)``, at :data:`RATE`.
        bpm: The tempo where it is known; then only the offset is estimated.

    Returns:
        At least one reading; one exactly if ``bpm`` is given.

    Raises:
        InputError: ``bpm`` is not between :data:`SLOWEST_BPM` and :data:`FASTEST_BPM`, or nothing
            in the song repeats.
    """
    if bpm is not None and not SLOWEST_BPM <= bpm <= FASTEST_BPM:
        raise InputError(
            f"a tempo of {bpm:g} BPM is not between {SLOWEST_BPM:g} and {FASTEST_BPM:g}"
        )
    curves = onsets(samples)
    if bpm is not None:
        return [_reading(curves, bpm, 1.0)]
    found = _candidates(curves)
    best = max(found.values())
    ranked = sorted(found, key=lambda each: -found[each])
    return [_reading(curves, each, found[each] / best) for each in ranked]


def _candidates(curves: Onsets) -> dict[float, float]:
    """Tempi in BPM and their scores: the best few, fitted, and their multiples."""
    size = 1 << (len(curves.full) - 1).bit_length() + 3
    spectrum = np.abs(np.fft.rfft(curves.both, size))
    step = 60 * CURVE_RATE / size
    bpm = np.arange(SLOWEST_BPM, FASTEST_BPM, step / 2)
    places = bpm[:, None] * np.array(HARMONICS) / step
    comb = spectrum[np.rint(places).astype(int)]
    salience = comb.mean(axis=1) * prior(bpm)
    base = fitted(curves, float(bpm[salience.argmax()]))
    found: dict[float, float] = {}
    for ratio in RATIOS:
        each = base * ratio
        if SLOWEST_BPM <= each <= FASTEST_BPM:
            found[each] = agreement(curves, each) * float(prior(np.array(each)))
    if not max(found.values()) > 0:
        raise InputError("no tempo found: nothing in the song repeats; give one (--bpm)")
    return found


def prior(bpm: NDArray[np.float64]) -> NDArray[np.float64]:
    """The prior over tempi, at most 1."""
    octaves = np.log2(bpm / USUAL_BPM) / USUAL_OCTAVES
    result: NDArray[np.float64] = np.exp(-0.5 * octaves**2)
    return result


def coefficients(curve: Curve, bpm: float, section: int | None = None) -> NDArray[np.complex128]:
    """Fourier coefficients of a curve at the :data:`HARMONICS` of a tempo.

    Args:
        curve: float64 ``(N,)``.
        bpm: The tempo.
        section: Points of the parts into which the curve is cut; one part if missing.

    Returns:
        ``(parts, harmonics)``.
    """
    index = np.arange(len(curve))
    place = (index * (bpm / 60 / CURVE_RATE * _PLACES)).astype(int) % _PLACES
    part = index // (section or len(curve))
    parts = int(part[-1]) + 1
    folded = np.bincount(part * _PLACES + place, curve, parts * _PLACES)
    spectrum: NDArray[np.complex128] = np.fft.rfft(folded.reshape(parts, _PLACES))
    return spectrum[:, HARMONICS] / len(curve)


def agreement(curves: Onsets, bpm: float) -> float:
    """Strength with which onsets repeat with the divisions of a beat."""
    return float(np.abs(coefficients(curves.both, bpm)).mean())


def fitted(curves: Onsets, bpm: float) -> float:
    """The tempo near ``bpm`` with which the onsets agree most, to 0.001 BPM.

    A whole number of beats a minute, usual where music is made on computers, is taken if it is
    almost as good; see :data:`WHOLE`.
    """
    width = 60 / (len(curves.full) / CURVE_RATE) / 2
    while width > 5e-4:
        near = bpm + np.linspace(-width, width, 9)
        bpm = float(near[np.argmax([agreement(curves, each) for each in near])])
        width /= 3
    whole = round(bpm)
    is_whole = agreement(curves, whole) >= WHOLE * agreement(curves, bpm)
    return float(whole) if is_whole else bpm


def _reading(curves: Onsets, bpm: float, score: float) -> Tempo:
    return Tempo(bpm, offset(curves, bpm), score, steadiness(curves, bpm))


def offset(curves: Onsets, bpm: float) -> float:
    """Time of the first downbeat, in seconds, 0 up to a bar, to about 1 ms.

    The beat is where onsets gather when the song is folded to one beat, and where every other beat
    differs most, as bass drum and snare do: off-beats are alike. The downbeat is the one of four
    with most.
    """
    beat_s = 60 / bpm
    places = round(beat_s / _FOLD_S)
    bar = folded(curves.both, BAR * beat_s, BAR * places).reshape(BAR, places)
    beat = bar.mean(axis=0)
    accent = np.abs(bar[0::2].mean(axis=0) - bar[1::2].mean(axis=0)) / 2
    about = int((beat + ACCENT * accent).argmax())
    near = np.arange(about - _NEAR, about + _NEAR + 1) % places
    top = int(near[beat[near].argmax()])
    left, middle, right = beat[top - 1], beat[top], beat[(top + 1) % places]
    bend = left - 2 * middle + right
    top_s = (top + (0.5 * (left - right) / bend if bend < 0 else 0)) * beat_s / places
    down = int(bar[:, top].argmax())
    return float((top_s + down * beat_s + _LEAD_S) % (BAR * beat_s))


def folded(curve: Curve, period_s: float, places: int) -> Curve:
    """Mean of a curve at each place ``(places,)`` of a period, smoothed by :data:`_BLUR_S`."""
    time_s = np.arange(len(curve)) / CURVE_RATE
    position = time_s / period_s % 1 * places
    low = position.astype(int)
    share = position - low
    total = np.bincount(low, curve * (1 - share), places)
    total += np.bincount((low + 1) % places, curve * share, places)
    weight = np.bincount(low, 1 - share, places) + np.bincount((low + 1) % places, share, places)
    frequency = np.fft.rfftfreq(places, period_s / places)
    blur = np.exp(-2 * (np.pi * frequency * _BLUR_S) ** 2)
    smooth = np.fft.irfft(np.fft.rfft(total) * blur, places)
    sampled = np.fft.irfft(np.fft.rfft(weight) * blur, places)
    result: Curve = smooth / np.maximum(sampled, 1e-3 * weight.mean())
    return result


def steadiness(curves: Onsets, bpm: float) -> float:
    """Degree to which one grid fits all parts of a song, 0 to 1.

    The length of the sum of the parts' Fourier coefficients, over the sum of the greatest lengths
    that each part has at a tempo up to a tenth away; for the harmonic that fits best.
    """
    section = round(_SECTION_S * CURVE_RATE)
    sums = coefficients(curves.both, bpm, section)
    near = [
        np.abs(coefficients(curves.both, each, section))
        for each in bpm * np.linspace(0.9, 1.1, _NEARBY)
    ]
    possible = np.max(near, axis=0).sum(axis=0)
    return float((np.abs(sums.sum(axis=0)) / (possible + 1e-12)).max())


def lag(curve: Curve, times: NDArray[np.float64]) -> float:
    """Lag of a chart behind its song, to be taken from its times so that they meet the onsets.

    Args:
        curve: The song's onset curve, as :func:`onsets` gives it.
        times: Times of the chart's steps, in seconds, ``(N,)``.

    Returns:
        Seconds, at most :data:`GREATEST_LAG_S` either way; positive if the chart is late.

    Raises:
        InputError: There are no times.
    """
    if not len(times):
        raise InputError("the lag of a chart without steps cannot be measured")
    reach = np.arange(-_REACH, _REACH + 1) / CURVE_RATE
    smooth = np.convolve(curve, np.exp(-0.5 * (reach / (2 * _BLUR_S)) ** 2), "same")
    shifts = np.arange(-GREATEST_LAG_S, GREATEST_LAG_S + 1e-9, _FOLD_S)
    places = (times[None] - shifts[:, None] - _LEAD_S) * CURVE_RATE
    found = np.interp(places, np.arange(len(smooth)), smooth, left=0.0, right=0.0)
    return float(shifts[found.mean(axis=1).argmax()])
