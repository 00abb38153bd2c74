"""``gymworks web``: demonstrations on the web environments, one verb a module."""

import typer

from experiments import web_demonstrate, web_export, web_import, web_record, web_replay

app = typer.Typer(no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Demonstrations on web pages: record, replay, import, generate and export them."""


app.command("record")(web_record.command)
app.command("replay")(web_replay.command)
app.command("import")(web_import.command)
app.command("export")(web_export.command)
app.command("demonstrate")(web_demonstrate.command)
