"""Options that many verbs share, and what they make of the output."""

import json

import pytest
from typer.main import get_group
from typer.testing import CliRunner

from experiments.cli import app
from experiments.options import aside, bar, print_json, printer
from experiments.verbs import paths

SCRIPTED = {
    "list", "train", "evaluate", "sweep", "benchmark", "verify", "place", "softmax", "compact",
    "tune", "doctor", "web replay", "web import", "web export", "web demonstrate",
    "dance chart", "dance judge", "convert",
}  # fmt: skip
"""Verbs whose findings a script would read."""

QUIET = (SCRIPTED | {"report", "watch", "demo", "dance preview", "dance data"}) - {
    "list",
    "dance judge",
}
"""Verbs that have more to show than what was asked for."""


def having(option):
    """The verbs that have an option."""
    found = set()
    for words in paths(get_group(app)):
        command = get_group(app)
        for word in words:
            command = command.load(word)
        if any(option in parameter.opts for parameter in command.params):
            found.add(" ".join(words))
    return found


def test_verbs_for_scripts_have_json_and_talkative_ones_quiet():
    assert having("--json") == SCRIPTED
    assert having("--quiet") == QUIET


def test_the_options_say_the_same_everywhere():
    runner = CliRunner()
    for verb in ("evaluate", "place", "web export"):
        text = runner.invoke(app, [*verb.split(), "--help"], env={"COLUMNS": "200"}).output
        assert "No progress, no text, only errors." in text
        assert "One JSON document instead of text." in text


def test_silence_and_the_place_of_what_passes(capsys):
    printer(silent=True).print("nothing")
    aside(quiet=True).print("nothing")
    with bar(quiet=True) as shown:
        shown.add_task("nothing", total=1)
    assert capsys.readouterr() == ("", "")
    printer().print("text " * 40)
    aside().print("progress")
    out, err = capsys.readouterr()
    assert out == "text " * 40 + "\n"
    assert err == "progress\n"


def test_json_is_one_document_of_finite_numbers(capsys):
    print_json({"a": [1.5, None]})
    assert json.loads(capsys.readouterr().out) == {"a": [1.5, None]}
    with pytest.raises(ValueError, match="not JSON compliant"):
        print_json({"a": float("nan")})
