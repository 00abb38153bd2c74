"""The table of networks that choose rows of dance charts."""

import json
import math

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from agents.dance.batches import collate, with_looks
from agents.dance.paper import paper_network
from agents.dance.selection import log_probabilities
from envs.dance.chart import held_before, legal_rows
from experiments.dance import selection_report
from tests.agents.dance.charts import chart


def test_summaries_weigh_rows_and_resample_songs():
    song = np.repeat([0, 1], [30, 10])
    nats = np.where(song == 0, math.log(2), math.log(8))
    hits = song == 1
    found = selection_report.summary(nats, hits, song)
    assert found["perplexity"] == pytest.approx(2 ** (0.75 + 0.25 * 3))
    assert found["perplexity_interval"] == pytest.approx([2, 8])
    assert found["accuracy"] == 0.25
    assert found["accuracy_interval"] == [0, 1]


def test_probability_of_what_holds_forbid_is_shared_out():
    torch.manual_seed(0)
    network = paper_network("lstm64+dt").eval()
    batch = collate(with_looks([chart(1), chart(2)]))
    log_probs = log_probabilities([network], batch)
    found = selection_report.within_holds(log_probs, batch)
    for i in range(2):
        legal = legal_rows(held_before(batch.rows[i].numpy()))
        legal[:, 0] = False
        chances = log_probs[i].exp().numpy() * legal
        expected = chances / chances.sum(-1, keepdims=True)
        np.testing.assert_allclose(found[i].exp().numpy(), expected, atol=1e-5)


def test_the_table_shows_what_was_measured(tmp_path):
    line = {
        "perplexity": 4.25,
        "perplexity_interval": [4.0, 4.5],
        "accuracy": 0.4,
        "accuracy_interval": [0.35, 0.45],
    }
    file = tmp_path / "results.json"
    file.write_text(json.dumps({"data": "2 charts", "lines": {"kn5": line, "ours": line}}))
    found = CliRunner().invoke(selection_report.app, ["table", str(file)])
    assert found.exit_code == 0
    assert "4.250 (4.000 to 4.500)" in found.output
    assert "5.847" in found.output
    assert "2 charts" in found.output
