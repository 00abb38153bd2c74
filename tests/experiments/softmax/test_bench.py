"""The softmax bench: its rows and their units; its figures are not judged here."""

import gzip
import json

import numpy as np
import pytest
import torch

from envs.softmax.frequencies import check_counts
from experiments.softmax import bench as softmax_bench
from experiments.softmax import data as softmax_data
from experiments.softmax.text import (
    FullSoftmax,
    Text,
    read_dictionary,
    streams,
    tokenise,
    train,
)
from hardware_sim.errors import InputError


@pytest.fixture
def text():
    random = np.random.default_rng(0)
    counts = np.maximum(1000 // (np.arange(300) + 1), 1)
    tokens = random.choice(300, 30_000, p=counts / counts.sum())
    return Text(counts, tokens[:25_000], tokens[25_000:])


def test_words_are_numbered_by_frequency_and_noise_is_dropped():
    entry = "Bathe \\Bathe\\, v. [1913 Webster] {To bathe} (b[=a]th) the sun's the 12 the\n"
    found = tokenise(entry * 1_000 + "rare words once", vocabulary=8, block=100)
    # the, bathe, comma, v, full stop, to, sun's: each once or more an entry; the rest is one word.
    assert found.counts.tolist() == sorted(found.counts.tolist(), reverse=True)
    assert len(found.counts) == 8
    assert found.counts[0] == (found.train == 0).sum()
    assert found.counts[0] > 1.2 * found.counts[1]
    assert len(found.held_out) == pytest.approx(len(found.train) / 19, rel=0.02)
    check_counts(found.counts)


@pytest.mark.parametrize("vocabulary", [8, 500])
def test_a_short_text_is_refused(vocabulary):
    with pytest.raises(InputError, match="are needed"):
        tokenise(
            "the cat sat on the mat. " * 400, vocabulary, block=2_000 if vocabulary == 8 else 10
        )


def test_texts_are_read_plain_and_compressed(tmp_path):
    (tmp_path / "a.txt").write_text("Bathe, v.")
    (tmp_path / "a.dz").write_bytes(gzip.compress(b"Bathe, v."))
    assert read_dictionary(tmp_path / "a.txt") == read_dictionary(tmp_path / "a.dz") == "Bathe, v."
    with pytest.raises(InputError, match="cannot be read"):
        read_dictionary(tmp_path / "b.txt")


def test_streams_are_consecutive_pieces_of_the_text():
    assert streams(np.arange(11), 2).tolist() == [[0, 5], [1, 6], [2, 7], [3, 8], [4, 9]]


def test_training_lowers_the_held_out_loss(text):
    torch.manual_seed(0)
    found = train(text, FullSoftmax(16, 300), 16, 60, rows=8, length=10, checkpoints=(1,))
    assert set(found.curve) == {1, 60}
    assert found.curve[60] < found.curve[1]
    assert found.perplexity == pytest.approx(np.exp(found.curve[60]))
    probabilities = text.counts / text.counts.sum()
    entropy = -(probabilities * np.log(probabilities)).sum()
    assert entropy - 0.1 < found.curve[60] < np.log(300)
    assert found.step_ms > 0


def test_rows_of_training_are_relative_to_the_full_softmax(text, monkeypatch):
    small = softmax_bench.Scale(16, 16, 16, 4, 2)
    monkeypatch.setitem(softmax_bench.SCALES, "cpu", small)
    rows = softmax_bench.training_rows(text, 2)
    assert [row["layer"] for row in rows][-1] == "full softmax"
    assert rows[-1]["speed_up"] == rows[-1]["perplexity_ratio"] == 1
    assert all(row["cutoffs"] for row in rows[:-1])
    for row in rows:
        assert row["speed_up"] == rows[-1]["step_ms"] / row["step_ms"]
    json.dumps(rows)


def test_a_row_of_cut_offs_has_the_grid_beside_the_choice():
    row = softmax_bench.cutoff_row(600, grid=2)
    assert row["grid"] == 3
    assert row["over_best"] == row["chosen_ms"] / row["grid_best_ms"] - 1
    assert row["chosen"] == sorted(row["chosen"])
    json.dumps(row)


def test_the_papers_ratios_are_those_of_its_minutes():
    rows = {row["text"]: row for row in softmax_bench.paper_rows()}
    assert rows["Text8 (44k)"]["speed_up"] == pytest.approx(2.77, abs=0.01)
    assert rows["Europarl de (143k)"]["speed_up"] == pytest.approx(7.29, abs=0.01)
    assert rows["Europarl de (143k)"]["perplexity_ratio"] < 1


def test_frequencies_fall_and_sum_to_one():
    found = softmax_bench.frequencies(10_000)
    check_counts(found)
    assert found.sum() == pytest.approx(1)


def test_curves_are_written_as_they_are_read(tmp_path):
    counts = tmp_path / "xx.txt"
    counts.write_text("".join(f"w{i} {1_000 // (i + 1)}\n" for i in range(500)))
    softmax_data.curves([f"xx={counts}"], tmp_path / "curves.json")
    curve = json.loads((tmp_path / "curves.json").read_text())["curves"]["xx"]
    assert curve["ranks"][0] == curve["cumulative"][0] == 0
    assert curve["ranks"][-1] == 500
    assert curve["cumulative"][-1] == 1
    with pytest.raises(InputError, match="NAME=FILE"):
        softmax_data.curves([str(counts)], tmp_path / "curves.json")
