"""Music as numbers: any file that libsndfile reads, and log-mel spectra at three time scales.

The spectra are those of Dance Dance Convolution (Donahue, Lipton, McAuley, ICML 2017, section 5.1):
80 mel bands from 27.5 Hz to 16 kHz, windows of 23, 46 and 93 ms, one frame in 10 ms, logarithms.
"""

import math
import warnings
from functools import cache
from pathlib import Path

import numpy as np
import soundfile
import torch
from numpy.typing import NDArray
from scipy.signal import resample_poly  # type: ignore[attr-defined]
from torch import Tensor
from torch.nn import functional

from hardware_sim.errors import InputError

RATE = 44_100
"""Samples a second of everything below."""

HOP = 441
"""Samples from one frame to the next: 10 ms."""

FRAME_S = HOP / RATE
WINDOWS = (1024, 2048, 4096)
BANDS = 80
LOWEST_HZ, HIGHEST_HZ = 27.5, 16_000.0
FLOOR = 1e-16
"""Added to power before the logarithm."""

SHORTEST_S, LONGEST_S = 2.0, 1800.0
MOST_CHANNELS = 16
MOST_FRAMES = 1 << 27
"""Most samples of a channel: half an hour at 74 kHz."""

SILENCE = 1e-4
"""A song whose peak is below this share of full scale (-80 dB) is silent."""

_CHUNK = 4096
_BLOCK = 1 << 20

Samples = NDArray[np.float32]


def load(path: str | Path) -> tuple[Samples, int]:
    """Reads a song.

    Channels are averaged; other rates are resampled by a polyphase filter.

    Args:
        path: A file of any format that libsndfile reads (Ogg, MP3, FLAC, WAV, ...), between
            :data:`SHORTEST_S` and :data:`LONGEST_S` seconds long.

    Returns:
        Mono samples float32 ``(N,)``, nominally in -1 to 1, and their rate, always :data:`RATE`.

    Raises:
        InputError: There is no such file, it is no audio, ends early, is silent, too short, too
            long, has more than :data:`MOST_CHANNELS` or :data:`MOST_FRAMES`, or holds numbers that
            are not finite.

    Warns:
        UserWarning: The file holds nothing near :data:`HIGHEST_HZ`, as at 8 kHz.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"no audio file {path}")
    try:
        with soundfile.SoundFile(path) as file:
            stated, rate = file.frames, file.samplerate
            _check_length(path, stated / rate)
            _check_size(path, stated, file.channels)
            mono = _mono(path, file)
    except soundfile.LibsndfileError as error:
        raise InputError(f"{path} is not audio that can be read: {error.error_string}") from error
    if len(mono) < stated or _ends_early(path):
        held = len(mono) / rate
        raise InputError(f"{path} is truncated: it breaks off after {held:.1f} s; get it whole")
    if not np.isfinite(mono).all():
        raise InputError(f"{path} holds samples that are not finite numbers")
    if np.abs(mono).max() < SILENCE:
        raise InputError(f"{path} is silent: no sample reaches {SILENCE:g} of full scale")
    if rate < 2 * HIGHEST_HZ:
        warnings.warn(
            f"{path} has {rate} samples a second, so nothing above {rate // 2} Hz: expect worse",
            stacklevel=2,
        )
    return resampled(mono, rate), RATE


def _check_length(path: Path, length_s: float) -> None:
    if length_s < SHORTEST_S:
        raise InputError(
            f"{path} lasts {length_s:.2f} s; a song must last at least {SHORTEST_S:g} s"
        )
    if length_s > LONGEST_S:
        raise InputError(
            f"{path} lasts {length_s / 60:.0f} minutes; at most {LONGEST_S / 60:.0f} are allowed: "
            "cut the mix into songs"
        )


def _check_size(path: Path, frames: int, channels: int) -> None:
    if frames > MOST_FRAMES or channels > MOST_CHANNELS:
        raise InputError(
            f"{path} has {channels} channels of {frames:,} samples; allowed: {MOST_CHANNELS} of "
            f"{MOST_FRAMES:,}"
        )


def _mono(path: Path, file: soundfile.SoundFile) -> Samples:
    """The mean of the channels, read in blocks so that the channels are never held whole."""
    # Not by SoundFile.blocks, which repeats old samples where an MP3 is shorter than it states.
    blocks, count = [np.zeros(0, np.float32)], 0
    while len(block := file.read(_BLOCK, dtype="float32", always_2d=True)):
        count += len(block)
        _check_size(path, count, file.channels)  # a file may hold more than it states
        blocks.append(block.mean(axis=1))
    return np.concatenate(blocks).astype(np.float32)


def _ends_early(path: Path) -> bool:
    """True if an Ogg or WAV file lacks its end, which libsndfile passes over in silence."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(12)
        if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
            stated = int.from_bytes(head[4:8], "little") + 8
            return stated != 0xFFFFFFFF + 8 and stated > size
        if head[:4] == b"OggS":
            file.seek(max(0, size - (1 << 17)))
            tail = file.read()
            page = tail.rfind(b"OggS")
            is_last = page >= 0 and len(tail) > page + 5 and tail[page + 5] & 4
            return not is_last
    return False


def resampled(samples: Samples, rate: int) -> Samples:
    """Samples of any rate at :data:`RATE`."""
    if rate == RATE:
        return samples
    common = math.gcd(rate, RATE)
    result: Samples = resample_poly(samples, RATE // common, rate // common).astype(np.float32)
    return result


def log_mel(samples: Samples, rate: int = RATE) -> Samples:
    """Log-mel spectra at three time scales.

    Args:
        samples: Mono, float32 ``(N,)``.
        rate: Samples a second; must be :data:`RATE`.

    Returns:
        float32 ``(1 + N // HOP, BANDS, len(WINDOWS))``: natural logarithms of band power, frames
        centred on multiples of :data:`HOP`, beyond the ends silence.

    Raises:
        InputError: Another rate, or samples that are not one-dimensional.
    """
    if rate != RATE:
        raise InputError(f"spectra need {RATE} samples a second, not {rate}: resample first")
    if samples.ndim != 1 or not len(samples):
        raise InputError(f"spectra need mono samples (N,), not the shape {samples.shape}")
    frames = 1 + len(samples) // HOP
    signal = torch.from_numpy(np.ascontiguousarray(samples, np.float32))
    found = np.empty((frames, BANDS, len(WINDOWS)), np.float32)
    for channel, size in enumerate(WINDOWS):
        bank, window = torch.from_numpy(mel_bank(size)), torch.from_numpy(blackman_harris(size))
        for start in range(0, frames, _CHUNK):
            count = min(_CHUNK, frames - start)
            power = _power(signal, size, window, start, count)
            found[start : start + count, :, channel] = (bank @ power + FLOOR).log().T.numpy()
    return found


def _power(signal: Tensor, size: int, window: Tensor, start: int, count: int) -> Tensor:
    """Power spectra float32 ``(size / 2 + 1, count)`` of frames from ``start`` on."""
    first = start * HOP - size // 2
    last = first + (count - 1) * HOP + size
    part = signal[max(first, 0) : max(last, 0)]
    part = functional.pad(part, (max(-first, 0), max(last - len(signal), 0)))
    spectrum = torch.stft(part, size, HOP, window=window, center=False, return_complex=True)
    return torch.view_as_real(spectrum).square().sum(-1)


@cache
def blackman_harris(size: int) -> Samples:
    """The symmetric three-term Blackman-Harris window (62 dB), scaled to the sum 2.

    F. J. Harris, "On the use of windows for harmonic analysis", Proc. IEEE 66 (1978), table 1.
    """
    angle = 2 * np.pi * np.arange(size) / (size - 1)
    window = 0.44959 - 0.49364 * np.cos(angle) + 0.05677 * np.cos(2 * angle)
    scaled: Samples = (2 * window / window.sum()).astype(np.float32)
    return scaled


@cache
def mel_bank(size: int) -> Samples:
    """Weights of spectrum bins in mel bands, float32 ``(BANDS, size / 2 + 1)``.

    Triangles with corners equally spaced in mel = 2595 log10(1 + Hz / 700), each of sum 1.
    """
    lowest, highest = (2595 * math.log10(1 + hertz / 700) for hertz in (LOWEST_HZ, HIGHEST_HZ))
    corners = 700 * (10 ** (np.linspace(lowest, highest, BANDS + 2) / 2595) - 1)
    bins = np.linspace(0, RATE / 2, size // 2 + 1)
    low, middle, high = (corners[i : i + BANDS, None] for i in range(3))
    rising, falling = (bins - low) / (middle - low), (high - bins) / (high - middle)
    triangles = np.minimum(rising, falling).clip(min=0)
    bank: Samples = (triangles / triangles.sum(axis=1, keepdims=True)).astype(np.float32)
    return bank
