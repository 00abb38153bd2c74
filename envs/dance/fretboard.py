"""Guitar charts of Frets on Fire: MIDI files of frets, read as times to step at.

A fret is not a panel: the four lower frets stand for the panels from left to right and the fifth
for the last one again. So the times are a person's, the rows are no choreography.
"""

import io
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from envs.dance.chart import CHART_BYTES, TAP, Chart, Song, rows_of
from envs.dance.timing import TICKS, Timing
from hardware_sim.errors import InputError
from hardware_sim.reading import read_bytes

LOWEST_NOTE = {"Easy": 60, "Medium": 72, "Hard": 84, "Challenge": 96}
"""MIDI note of the lowest fret, by our levels; the game's are Supaeasy, Easy, Medium, Amazing."""

FRETS = 5


def read(path: str | Path) -> Song:
    """Reads a chart of Frets on Fire; its audio is the ``.ogg`` of the same name.

    Args:
        path: A ``.mid`` file.

    Returns:
        The song. Times come from the file's own clock, ticks are the nearest of our grid; of
        notes that fall on one tick the first one's time counts.

    Raises:
        InputError: The file cannot be read, or the MIDI library is missing.
    """
    try:
        mido: Any = import_module("mido")
    except ImportError as error:
        raise InputError("guitar charts need mido: pip install 'gymworks[dance]'") from error
    path = Path(path)
    content = read_bytes(path, CHART_BYTES)
    try:
        file = mido.MidiFile(file=io.BytesIO(content), clip=True)
    except Exception as error:  # the library raises whatever malformed bytes lead it to
        raise InputError(f"{path} cannot be read as MIDI: {error!r}") from error
    if file.ticks_per_beat < 1:
        raise InputError(f"{path} has {file.ticks_per_beat} ticks a beat; allowed: at least 1")
    tempi: dict[float, float] = {}
    pressed: list[tuple[float, int]] = []
    for track in file.tracks:
        at = 0
        for message in track:
            at += message.time
            if message.type == "set_tempo" and not message.tempo:
                raise InputError(f"{path} has a tempo of 0; allowed: at least 1")
            if message.type == "set_tempo":
                tempi[at / file.ticks_per_beat] = mido.tempo2bpm(message.tempo)
            elif message.type == "note_on" and message.velocity > 0:
                pressed.append((at / file.ticks_per_beat, message.note))
    timing = Timing(0.0, tuple(sorted(tempi.items())) or ((0.0, 120.0),))
    charts = tuple(
        chart
        for level, lowest in LOWEST_NOTE.items()
        if len((chart := _chart(pressed, lowest, level, timing)).rows)
    )
    title = path.stem.replace("_", " ")
    return Song(title, "", f"{path.stem}.ogg", timing, charts, path.parent.name, path.stem)


def _chart(pressed: list[tuple[float, int]], lowest: int, level: str, timing: Timing) -> Chart:
    frets: dict[int, set[int]] = {}
    first: dict[int, float] = {}
    for beat, note in sorted(pressed):
        if lowest <= note < lowest + FRETS:
            tick = round(beat * TICKS)
            first.setdefault(tick, beat)
            frets.setdefault(tick, set()).add(min(note - lowest, 3))
    ticks = np.array(sorted(frets), np.int64)
    panels = np.zeros((len(ticks), 4), np.int64)
    for i, tick in enumerate(ticks.tolist()):
        panels[i, list(frets[tick])] = TAP
    times = timing.time_at(np.array([first[tick] for tick in ticks.tolist()]))
    return Chart(ticks, rows_of(panels), times, level, 1)
