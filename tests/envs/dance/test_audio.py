import os
import struct

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from envs.dance import audio
from hardware_sim.errors import InputError
from tests.envs.dance.sounds import drums


def noise(seconds, rate=audio.RATE, channels=1, seed=0):
    random = np.random.default_rng(seed)
    return 0.1 * random.normal(size=(int(seconds * rate), channels)).astype(np.float32)


@pytest.mark.peers
@pytest.mark.parametrize("channel", range(3))
def test_spectra_are_those_of_librosa(channel):
    import librosa

    samples = noise(3)[:, 0] + drums(120, 0.5, 3)
    size = audio.WINDOWS[channel]
    spectrum = librosa.stft(
        samples,
        n_fft=size,
        hop_length=audio.HOP,
        window=audio.blackman_harris(size),
        pad_mode="constant",
    )
    bank = librosa.filters.mel(
        sr=audio.RATE, n_fft=size, n_mels=80, fmin=27.5, fmax=16_000, htk=True, norm=1
    )
    expected = np.log(bank @ np.abs(spectrum) ** 2 + audio.FLOOR).T
    found = audio.log_mel(samples)[:, :, channel]
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("channel", range(3))
def test_spectra_are_powers_of_windowed_frames_in_bands(channel):
    samples = noise(1)[:, 0] + drums(120, 0.5, 1)
    size = audio.WINDOWS[channel]
    window, bank = audio.blackman_harris(size), audio.mel_bank(size)
    padded = np.pad(samples.astype(np.float64), size // 2 + size)
    expected = []
    for middle in range(0, len(samples) + 1, audio.HOP):
        frame = padded[middle + size : middle + 2 * size] * window
        expected.append(np.log(bank @ np.abs(np.fft.rfft(frame)) ** 2 + audio.FLOOR))
    found = audio.log_mel(samples)[:, :, channel]
    np.testing.assert_allclose(found, expected, atol=1e-4, rtol=0)


def test_a_tone_is_loudest_in_the_band_of_its_pitch():
    for hertz in (110, 440, 1760, 7040):
        mel = 2595 * np.log10(1 + hertz / 700)
        low, high = (2595 * np.log10(1 + edge / 700) for edge in (27.5, 16_000))
        tone = np.sin(2 * np.pi * hertz * np.arange(audio.RATE) / audio.RATE).astype(np.float32)
        loudest = audio.log_mel(tone)[50, :, -1].argmax()
        assert abs(loudest + 1 - (mel - low) / (high - low) * 81) < 1


def test_bands_weigh_one_and_none_is_empty():
    for size in audio.WINDOWS:
        bank = audio.mel_bank(size)
        np.testing.assert_allclose(bank.sum(axis=1), 1, atol=1e-5)
        assert ((bank > 0).sum(axis=1) > 0).all()


@settings(max_examples=8, deadline=None)
@given(samples=st.integers(1, 60_000))
def test_a_frame_in_ten_milliseconds_at_any_length(samples):
    found = audio.log_mel(noise(2)[:samples, 0])
    assert found.shape == (1 + samples // audio.HOP, 80, 3)
    assert np.isfinite(found).all()


def test_spectra_in_parts_are_those_of_the_whole(monkeypatch):
    samples = noise(2)[:, 0]
    whole = audio.log_mel(samples)
    monkeypatch.setattr(audio, "_CHUNK", 7)
    np.testing.assert_allclose(audio.log_mel(samples), whole, atol=1e-5)


@pytest.mark.parametrize(
    ("suffix", "rate", "channels"),
    [("wav", 44_100, 1), ("wav", 48_000, 2), ("flac", 22_050, 6), ("ogg", 44_100, 2),
     ("mp3", 32_000, 2)],
)  # fmt: skip
def test_any_format_rate_and_channels(tmp_path, suffix, rate, channels):
    time_s = np.arange(3 * rate) / rate
    tone = 0.5 * np.sin(2 * np.pi * 440 * time_s)
    path = tmp_path / f"song.{suffix}"
    soundfile.write(path, np.repeat(tone[:, None], channels, axis=1), rate)
    if rate < 32_000:
        with pytest.warns(UserWarning, match="nothing above"):
            samples, found_rate = audio.load(path)
    else:
        samples, found_rate = audio.load(path)
    assert found_rate == audio.RATE
    assert samples.dtype == np.float32
    assert abs(len(samples) / audio.RATE - 3) < 0.1
    middle = samples[audio.RATE : 2 * audio.RATE]
    assert np.abs(np.fft.rfft(middle)).argmax() == 440
    assert abs(np.abs(middle).max() - 0.5) < 0.05


def test_channels_are_averaged(tmp_path):
    left, right = noise(2)[:, 0], noise(2, seed=1)[:, 0]
    path = tmp_path / "song.wav"
    soundfile.write(path, np.stack([left, right], axis=1), audio.RATE, subtype="FLOAT")
    samples, _ = audio.load(path)
    np.testing.assert_allclose(samples, (left + right) / 2, atol=1e-6)


def test_eight_kilohertz_works_with_a_warning(tmp_path):
    path = tmp_path / "phone.wav"
    soundfile.write(path, noise(3, 8000), 8000)
    with pytest.warns(UserWarning, match="8000 samples a second"):
        samples, rate = audio.load(path)
    assert (len(samples), rate) == (3 * audio.RATE, audio.RATE)
    assert np.isfinite(audio.log_mel(samples)).all()


def written(folder, samples, name="song.wav", rate=audio.RATE, **options):
    path = folder / name
    soundfile.write(path, samples, rate, **options)
    return path


def cut(path, share):
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    return path


def broken(folder, samples):
    samples = samples.copy()
    samples[1000] = np.nan
    return written(folder, samples, subtype="FLOAT")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda f: f / "none.ogg", "no audio file"),
        (lambda f: written(f, np.zeros(5 * audio.RATE)), "is silent"),
        (lambda f: written(f, noise(0.5)), "lasts 0.50 s; a song must last at least 2 s"),
        (lambda f: written(f, noise(3700, 400), rate=400), "lasts 62 minutes; at most 30"),
        (lambda f: cut(written(f, noise(5)), 0.5), "truncated: it breaks off after 2.5 s"),
        (lambda f: cut(written(f, noise(5), "song.flac"), 0.5), "."),
        (lambda f: cut(written(f, noise(8), "song.ogg"), 0.7), "truncated"),
        (lambda f: cut(written(f, noise(8), "song.mp3"), 0.5), "truncated"),
        (lambda f: broken(f, noise(3)), "not finite"),
    ],
    ids=["missing", "silence", "short", "hour", "cut wav", "cut flac", "cut ogg", "cut mp3", "nan"],
)
def test_what_is_no_song_is_refused(tmp_path, make, message):
    with pytest.raises(InputError, match=message):
        audio.load(make(tmp_path))


@pytest.mark.parametrize("content", [b"", b"MThd a midi file", b"#TITLE:chart;" * 100])
def test_what_is_no_audio_is_refused(tmp_path, content):
    path = tmp_path / "song.ogg"
    path.write_bytes(content)
    with pytest.raises(InputError, match="not audio that can be read"):
        audio.load(path)


def test_spectra_of_other_rates_and_shapes_are_refused():
    with pytest.raises(InputError, match="44100 samples a second, not 8000"):
        audio.log_mel(noise(2)[:, 0], 8000)
    with pytest.raises(InputError, match="mono"):
        audio.log_mel(noise(2))


def test_small_files_of_too_many_samples_are_refused(tmp_path):
    wide = written(tmp_path, np.zeros((24_000, audio.MOST_CHANNELS + 1)), "wide.wav", 8_000)
    with pytest.raises(InputError, match="has 17 channels of 24,000 samples; allowed: 16 of"):
        audio.load(wide)
    long, rate, frames = tmp_path / "long.wav", 192_000, audio.MOST_FRAMES + 2
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, rate, rate, 1, 8)
    head = b"WAVE" + form + struct.pack("<4sI", b"data", frames)
    long.write_bytes(struct.pack("<4sI", b"RIFF", len(head) + frames) + head)
    os.truncate(long, len(head) + 8 + frames)  # a hole, which takes no room
    with pytest.raises(InputError, match=f"has 1 channels of {frames:,} samples; allowed"):
        audio.load(long)
