"""``gymworks dance``: charts of steps to songs, one verb a module or function."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import Progress, TaskID

from experiments.options import Quiet, aside, printer
from experiments.verbs import Table, Verbs

VERBS: Table = {
    "chart": ("experiments.dance.chart:command", "Write step charts for a song."),
    "preview": (
        "experiments.dance.preview:command",
        "Write one HTML page that plays the song with scrolling arrows, feet and waveform.",
    ),
    "judge": (
        "experiments.dance.judge:command",
        "Judge the charts of a song: playability, difficulty, sync, each with reasons.",
    ),
    "ratings": (
        "experiments.dance.ratings:command",
        "Sum up the ratings of charts that people saved from previews.",
    ),
    "picture": (
        "experiments.dance.picture:command",
        "Draw a chart: arrows coloured by note type, holds, mines, feet and techniques.",
    ),
    "quantiles": (
        "experiments.dance.figures:command",
        "Compute the quantiles of human charts and the meter model from the corpora.",
    ),
}


class SongFirst(Verbs):
    """Takes a first word that is no verb for a song to chart: ``gymworks dance song.ogg``."""

    table = VERBS

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The verb, which is ``chart`` if none is named."""
        named = args if args[0] in self.commands else ["chart", *args]
        return super().resolve_command(ctx, named)


app = typer.Typer(cls=SongFirst, no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Dance charts: gymworks dance SONG writes them; judge, play or draw any; fetch human ones."""


@app.command("data")
def data(
    corpora: Annotated[
        list[str] | None, typer.Argument(help="Which to fetch; all of them by default.")
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option(help="Where to; by default $GYMWORKS_DANCE_DATA or ~/.cache/gymworks/dance."),
    ] = None,
    mirror: Annotated[
        str, typer.Option(help="A server with the same paths as the public ones.")
    ] = "",
    quiet: Quiet = False,
) -> None:
    """Fetch human charts from their public sources, and print their licences."""
    from envs.dance import fetching
    from envs.dance.corpus import data_folder
    from hardware_sim.errors import choose
    from hardware_sim.files import check_folder

    console = printer(silent=quiet)
    place = check_folder(data_folder(folder))
    chosen = [choose("corpus", name, fetching.FETCHED) for name in corpora or fetching.FETCHED]
    for name in chosen:
        source = fetching.sources()[name]
        home = f"{source['home']} @ {source.get('commit', 'bookworm')}"
        console.print(f"[bold]{name}[/bold]: {home}")
        console.print(f"  licence: {source['licence']}")
    with Progress(console=aside(quiet), disable=quiet) as progress:
        for name in chosen:
            task = progress.add_task(name, total=None)

            def show(done: int, of: int, task: TaskID = task) -> None:
                progress.update(task, completed=done, total=of)

            fetching.fetch(name, place, mirror, show)
    console.print(f"They are in {place}")
