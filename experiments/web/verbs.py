"""``gymworks web``: demonstrations on the web environments, one verb a module."""

import typer

from experiments.verbs import Table, Verbs

VERBS: Table = {
    "record": (
        "experiments.web.record:command",
        "Record episodes as a person plays them; Ctrl-C ends, and keeps the unfinished one.",
    ),
    "replay": (
        "experiments.web.replay:command",
        "Replay demonstrations in a browser; exit with 1 if the pages went another way.",
    ),
    "import": (
        "experiments.web.import_public:command",
        "Import the public MiniWoB++ demonstrations.",
    ),
    "export": (
        "experiments.web.export:command",
        "Export demonstrations as observations and factored actions.",
    ),
    "demonstrate": (
        "experiments.web.demonstrate:command",
        "Let an agent demonstrate episodes, without a browser.",
    ),
}


class Web(Verbs):
    """The verbs of ``gymworks web``."""

    table = VERBS


app = typer.Typer(cls=Web, no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Demonstrations on web pages: record, replay, import, generate and export them."""
