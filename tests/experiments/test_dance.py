"""``gymworks dance``: its verbs on real and on bad input."""

import pytest
from typer.testing import CliRunner

from experiments.cli import app
from hardware_sim.errors import InputError


def run(*arguments):
    return CliRunner().invoke(app, ["dance", *map(str, arguments)])


def test_data_says_where_from_and_under_which_licence(tmp_path):
    result = run("data", "stepmania5", "--folder", tmp_path, "--mirror", "http://127.0.0.1:9")
    assert isinstance(result.exception, InputError)
    assert "itgmania/itgmania @ 5d4f9dcb" in result.output
    assert "licence: CC-NC" in result.output


def test_an_unknown_corpus_is_refused(tmp_path):
    result = run("data", "stepmania", "--folder", tmp_path)
    with pytest.raises(InputError, match="did you mean 'stepmania5'"):
        raise result.exception
