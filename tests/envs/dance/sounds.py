"""Sounds of which everything is known."""

import numpy as np
import soundfile

from envs.dance.audio import RATE
from envs.dance.chart import Chart, Song
from envs.dance.simfiles import write_ssc
from envs.dance.timing import TICKS, Timing


def drums(bpm, offset_s, seconds=30.0, kind="click", loud=(1.0, 0.6, 0.6, 0.6)):
    """One hit a beat from ``offset_s`` on, the first of a bar louder; float32 samples."""
    random = np.random.default_rng(0)
    samples = 1e-4 * random.normal(size=int(seconds * RATE))
    time_s = np.arange(4000) / RATE
    for beat in range(int((seconds - offset_s - 0.1) * bpm / 60)):
        start = round((offset_s + beat * 60 / bpm) * RATE)
        hit = {
            "click": np.exp(-200 * time_s) * np.sin(2000 * np.pi * time_s),
            "noise": np.exp(-60 * time_s) * random.normal(size=4000) / 3,
            "kick": np.exp(-30 * time_s)
            * np.sin(2 * np.pi * (60 + 100 * np.exp(-40 * time_s)) * time_s),
        }[kind]
        samples[start : start + 4000] += loud[beat % len(loud)] * hit
    return samples.astype(np.float32)


def vorbis(path, samples):
    """Writes samples as Ogg Vorbis, a second at a time: long writes crash the encoder."""
    with soundfile.SoundFile(path, "w", RATE, 1, format="OGG", subtype="VORBIS") as file:
        for start in range(0, len(samples), RATE):
            file.write(samples[start : start + RATE])


def song_of_clicks(place):
    """A folder with a song of ten seconds and its chart, which goes round the panels on Medium."""
    place.mkdir(parents=True)
    soundfile.write(place / "clicks.wav", drums(120.0, 0.5, 10.0), RATE)
    timing = Timing.constant(120.0, -0.5)
    ticks = np.arange(16) * TICKS
    rows = np.resize(np.array([1, 4, 16, 64], np.uint8), 16)
    chart = Chart(ticks, rows, timing.time_at(ticks / TICKS), "Medium", 3)
    write_ssc(Song("clicks", "", "clicks.wav", timing, (chart,)), place / "clicks.ssc")
