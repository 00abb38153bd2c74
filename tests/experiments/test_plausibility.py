"""Results that runs of their own agent make improbable are remarked upon; honest ones are not."""

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from experiments.cli import app as root
from experiments.evaluate import evaluate
from experiments.plausibility import IMPROBABLE, chances, improbable
from experiments.results import Result, aggregate_of, digest
from experiments.seeds import Seeds, named
from hardware_sim.files import write_json

GRAPH, SETTINGS, LAYER = (
    "DevicePlacement-BERT24-v0",
    "CompactFeature-v0",
    "ConvTuning-ResNet5-v1",
)
PLAYED = 40


def picked(env_id: str, count: int = 5) -> Result:
    """The best of the seeds that were played, sealed as if nobody had chosen them."""
    options = named(env_id, "test").options
    result = evaluate(
        env_id, "random", Seeds(tuple(range(PLAYED)), options=options), in_process=True
    )
    best = sorted(result["episodes"], key=lambda episode: -episode["score"])[:count]
    seeds = Seeds(tuple(episode["seed"] for episode in best), options=options)
    result |= {"episodes": best, "seeds": seeds.to_json()}
    result["aggregate"] = aggregate_of(result)
    return result | {"digest": digest(result)}


@pytest.mark.parametrize("env_id", [SETTINGS, LAYER])
def test_the_official_seeds_are_probable_and_the_best_5_of_40_are_not(env_id: str) -> None:
    assert improbable(evaluate(env_id, "random", named(env_id, "test"), in_process=True)) == []
    remarks = improbable(picked(env_id))
    assert any(
        each.startswith("improbably good: the mean of its 5 episodes is ") for each in remarks
    )
    assert all("of 60 runs of 'random' now " in each for each in remarks)


def test_less_is_better_where_the_id_says_so() -> None:
    result = evaluate("DevicePlacement-BERT24-v0", "random", Seeds((0, 1, 2)), in_process=True)
    for factor, remarked in ((0.6, True), (1.5, False)):
        episodes = [{**each, "score": factor * each["score"]} for each in result["episodes"]]
        remarks = improbable({**result, "episodes": episodes})
        assert any("improbably good" in each for each in remarks) == remarked


def test_nothing_is_said_where_nothing_can_be_compared() -> None:
    for env_id, agent in (("CartPole-v1", "random"), (SETTINGS, "oracle")):
        assert improbable(evaluate(env_id, agent, Seeds((0, 1)))) == []


def test_honest_sets_are_probable_whatever_their_distribution() -> None:
    rng = np.random.default_rng(1)
    for draw in (rng.normal, rng.standard_cauchy, lambda size: rng.random(size) < 0.1):
        found = np.array(
            [chances(*np.split(np.asarray(draw(size=65), float), [5])) for _ in range(20)]
        )
        assert (found >= IMPROBABLE).all()
        assert found.mean() > 0.3
    assert chances(np.ones(5), np.arange(30.0) / 30)[0] < 1e-4
    assert chances(np.full(5, 0.5), np.arange(30.0) / 30)[1] < 1e-4
    assert chances(np.ones(5), np.ones(30)) == (1.0, 1.0)


def test_verify_and_report_print_the_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_json(tmp_path / "picked.json", picked(SETTINGS))
    shown = CliRunner().invoke(root, ["verify", "picked.json"])
    assert shown.exit_code == 0, shown.output
    assert "verified: 5 episodes replayed exactly; 5 seeds, played in the" in shown.output
    assert "\nwarning: improbably good: the mean of its 5 episodes is " in shown.output
    written = CliRunner().invoke(root, ["report", "picked.json"])
    assert "warning: random on" in written.output
    assert "1 of 5 replayed; improbably good" in (tmp_path / "report.html").read_text()
