"""A short soak of the real browser, and what a soak would complain of."""

from typer.testing import CliRunner

from experiments.web import soak as web_soak
from experiments.web.soak import Memory, Soak, copies_memory, soak


def test_a_short_soak_leaves_nothing():
    result = soak("envs:WoB-Login-v0", 20, 60, "shell")
    assert result.resets >= 20
    assert result.steps >= 60
    assert result.left == result.lost == []
    assert len(result.memory) >= 10
    assert all(sample.browser_private > 10 for sample in result.memory)
    assert all(sample.python_private > 10 for sample in result.memory)


def test_growth_losses_and_leftovers_are_problems():
    steady = [Memory(100, 200, 50, 8)] * 20
    assert Soak(memory=steady).problems() == []
    grown = steady[:10] + [Memory(106, 200, 50, 8)] * 10
    assert Soak(memory=grown).problems() == ["browser private memory grew by 6.0%"]
    bad = Soak(memory=steady, lost=["it has ended"], left=["chromium (7)"])
    assert bad.problems() == ["chromium (7) is left", "an episode was lost: it has ended"]


def test_the_command_fails_where_there_are_problems(monkeypatch):
    app = web_soak.typer.Typer()
    app.command()(web_soak.command)
    sample = Memory(100, 200, 50, 8)
    found = Soak(20, 20, lost=[], memory=[sample] * 20)
    monkeypatch.setattr(web_soak, "soak", lambda *settings: found)
    assert CliRunner().invoke(app, []).exit_code == 0
    found.lost.append("it has ended")
    outcome = CliRunner().invoke(app, [])
    assert outcome.exit_code == 1
    assert "it has ended" in outcome.output


def test_environments_of_one_process_share_a_browser():
    one, three = copies_memory("envs:WoB-Login-v0", "shell", (1, 3))
    assert three.processes == one.processes + 2
    assert three.browser_pss < 3 * one.browser_pss
