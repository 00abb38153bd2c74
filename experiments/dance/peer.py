"""Chart files beside another parser: ``python -m experiments.dance.peer NODE_FOLDER``.

The folder is one in which ``npm install simfile-parser`` was run. Every chart file of the corpora
is read and written by us, as .sm and .ssc in turn, and what was written is read by that parser;
.dwi files it reads as they are. A chart agrees if the same arrows stand on the same panels, as far
apart.
"""

import json
import subprocess
import tarfile
import tempfile
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import track

from envs.dance import simfiles
from envs.dance.chart import HEAD, TAP, Chart, Song, states
from envs.dance.corpus import ARCHIVES, data_folder
from envs.dance.notes import MEASURE
from experiments.options import printer
from hardware_sim.commands import run
from hardware_sim.errors import InputError

LEVELS = {
    "Beginner": "beginner",
    "Easy": "basic",
    "Medium": "difficult",
    "Hard": "expert",
    "Challenge": "challenge",
}
"""The other parser's names of levels."""

READER = """
import {parseSong} from 'simfile-parser';
import fs from 'fs';
const found = {};
for (const folder of fs.readFileSync(0, 'utf8').split('\\n')) {
  try { found[folder] = parseSong(folder).charts; } catch { found[folder] = {}; }
}
console.log(JSON.stringify(found));
"""

Arrows = set[tuple[int, int]]


def command(
    node: Annotated[Path, typer.Argument(help="A folder with node_modules/simfile-parser.")],
) -> None:
    """Compares our chart files with what another parser reads in them."""
    console = printer(soft_wrap=False)
    if not (node / "node_modules" / "simfile-parser").is_dir():
        raise InputError(f"{node} has no simfile-parser: run npm install simfile-parser there")
    with tempfile.TemporaryDirectory(dir=node) as scratch:
        ours = dict(_written(Path(scratch), console))
        script = Path(scratch, "reader.mjs")
        script.write_text(READER)
        answer = subprocess.run(
            ["node", str(script)],
            input="\n".join(ours),
            capture_output=True,
            text=True,
            check=True,
        )
    theirs = json.loads(answer.stdout)
    seen: Counter[str] = Counter()
    for folder, (kind, song) in ours.items():
        for chart in song.charts:
            peer = theirs[folder].get(f"single-{LEVELS.get(chart.difficulty, 'edit')}")
            alone = sum(each.difficulty == chart.difficulty for each in song.charts) == 1
            if peer is None or not alone or chart.level < 0:
                seen[f"{kind}: not read by the other"] += 1
            else:
                agrees = _since_first(_arrows(chart)) == _since_first(_peer_arrows(peer))
                seen[f"{kind}: {'the same' if agrees else 'different'}"] += 1
    for what, count in sorted(seen.items()):
        console.print(f"{what}: {count} charts", highlight=False)


def _written(scratch: Path, console: Console) -> Any:
    """Folders of one song each, what kind of file is in it, and the song as we read it."""
    for name, place in ARCHIVES.items():
        with tarfile.open(data_folder() / place) as archive:
            for number, member in enumerate(track(archive, name, console=console)):
                kind = Path(member.name).suffix.lower()
                file = archive.extractfile(member) if kind in simfiles.SUFFIXES else None
                if file is None:
                    continue
                content = file.read()
                try:
                    song = simfiles.loads(content, f"song{kind}", repair=True)
                except InputError:
                    continue
                folder = scratch / f"{name}-{number}"
                folder.mkdir()
                yield str(folder), (_write(song, kind, content, folder, number), song)


def _write(song: Song, kind: str, content: bytes, folder: Path, number: int) -> str:
    if kind == ".dwi":
        (folder / "song.dwi").write_bytes(content)
        return kind
    if number % 2 and not song.timing.warps and not any(each.timing for each in song.charts):
        return simfiles.write_sm(song, folder / "song.sm").suffix
    return simfiles.write_ssc(song, folder / "song.ssc").suffix


def _arrows(chart: Chart) -> Arrows:
    panel = states(chart.rows)
    there = zip(*((panel == TAP) | (panel == HEAD)).nonzero(), strict=True)
    return {(int(chart.ticks[row]), int(column)) for row, column in there}


def _peer_arrows(chart: dict[str, Any]) -> Arrows:
    return {
        (round(row["offset"] * MEASURE), column)
        for row in chart["arrows"]
        for column, character in enumerate(row["direction"][:4])
        if character in "124"
    }


def _since_first(arrows: Arrows) -> Arrows:
    """Arrows counted from the first one, as the other parser counts them."""
    first = min((tick for tick, _ in arrows), default=0)
    return {(tick - first, panel) for tick, panel in arrows}


if __name__ == "__main__":
    run(command)
