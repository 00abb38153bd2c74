"""Tempo and beats found beside those of human charts: ``python -m experiments.dance.tempo_report``.

For every song with audio: the rank of the chart's tempo among the readings offered, how far that
reading's tempo and beats are off, whether the beat taken for the first of a bar is one in the
chart, and the time all of it took. The lag between charts and audio is measured on the charts'
steps and taken off.
"""

import time
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.box import SIMPLE
from rich.table import Table

from envs.dance import audio, tempo
from envs.dance.recordings import Recording, recordings
from experiments.options import printer
from hardware_sim.commands import run

SAME = 1e-3
"""Tempi that differ by less than this share are the same."""


def compared(song: Recording) -> tuple[str, ...]:
    """A line of the table."""
    started_s = time.process_time()
    samples, _ = audio.load(Path(song.song.folder, song.song.music))
    found = tempo.estimate(samples)
    spent_s = time.process_time() - started_s
    bpm = song.song.timing.bpms[0][1]
    ranks = [i for i, each in enumerate(found) if abs(each.bpm / bpm - 1) < SAME]
    best = found[0]
    line = (song.name, f"{bpm:.2f}", f"{best.bpm:.2f}")
    if not ranks:
        return (*line, "none", "", "", "", f"{best.steadiness:.2f}", f"{spent_s:.1f}")
    right = found[ranks[0]]
    beat_s = 60 / bpm
    off_s = right.offset_s - (float(song.song.timing.time_at(0.0)) - song.lag_s)
    halves = round(off_s / (beat_s / 2))
    return (
        *line,
        str(ranks[0] + 1),
        f"{right.bpm - bpm:+.3f}",
        f"{1000 * (off_s - halves * beat_s / 2):+.1f}",
        {0: "downbeat", 1: "offbeat"}.get(halves % 8, "offbeat" if halves % 2 else "beat"),
        f"{right.steadiness:.2f}",
        f"{spent_s:.1f}",
    )


def main(data: Annotated[Path | None, typer.Option(help="Folder of the data.")] = None) -> None:
    """Prints the table."""
    table = Table(box=SIMPLE, title="tempo and beats beside human charts")
    for title in (
        *("song", "BPM", "found", "rank", "error (BPM)", "error (ms)"),
        *("bars start on", "steadiness", "CPU s"),
    ):
        table.add_column(title, justify="left" if title == "song" else "right")
    songs = recordings(folder=data)
    lines = [compared(song) for song in songs]
    for line in lines:
        table.add_row(*line)
    printer(soft_wrap=False).print(table)
    ranks = np.array([line[3] == "1" for line in lines])
    typer.echo(f"right at once for {ranks.sum()} of {len(lines)} songs")


if __name__ == "__main__":
    run(main)
