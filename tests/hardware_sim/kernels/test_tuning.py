"""Plans and how they are tuned, with a real compiler."""

import json
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from hardware_sim.errors import InputError
from hardware_sim.host import this_machine
from hardware_sim.kernels import Outcome, Problem, Variant, candidates, tuning
from hardware_sim.kernels.model_layers import convolutions
from hardware_sim.kernels.network_plan import GAIN, Entry, Measurement, NetworkPlan
from hardware_sim.kernels.tuning import pending, plan_for, ranked, tune, unconfirmed

HERE = this_machine()
SMALL = Problem(4, 8, (6, 7), 3, padding=1)
LARGE = Problem(16, 32, (12, 12), 3, padding=1)


def ticking(step=1.0):
    """A clock that advances each time it is read."""
    now = [0.0]

    def clock():
        now[0] += step
        return now[0]

    return clock


def test_every_candidate_is_ranked_once_the_winograd_of_four_first():
    order = ranked(LARGE, HERE, 1)
    assert sorted(order, key=repr) == sorted(candidates(LARGE, HERE), key=repr)
    assert order[0] == Variant("winograd", (4, 4))


def test_several_threads_also_try_divided_outputs():
    order = ranked(LARGE, HERE, 2)
    assert {each.threads for each in order} == {2}
    assert {each.splits for each in order if each.is_transformed} == {1, 2}
    assert {each.splits for each in order if not each.is_transformed} == {1}


def test_what_matters_most_is_measured_first():
    plan = plan_for([(SMALL, ["a"]), (LARGE, ["b"])], HERE)
    queue = pending(plan)
    assert [entry.problem for entry, _ in queue[:2]] == [LARGE, SMALL]
    assert queue[0][1] == ranked(LARGE, HERE, 1)[0]


def test_a_budget_stops_tuning_and_the_next_run_goes_on():
    plan, seen = plan_for([(SMALL, ["a"])], HERE), []

    def note(entry, measurement):
        seen.append(measurement)

    assert tune(plan, budget_s=3.0, limit_s=0.01, report=note, clock=ticking())
    assert [each.variant for each in seen] == ranked(SMALL, HERE, 1)[:2]
    assert all(each.status == "ok" and each.speedup > 0 for each in seen)
    assert all(0 <= each.error < 1e-4 for each in seen)
    assert tune(plan, budget_s=1.5, limit_s=0.01, report=note, clock=ticking())
    assert [each.variant for each in seen] == ranked(SMALL, HERE, 1)[:3]
    assert plan.entries[SMALL].measured == seen


def test_winners_are_measured_again_until_one_stands(monkeypatch):
    """The first winner was lucky; the second stands."""
    first, second = ranked(SMALL, HERE, 1)[:2]
    speeds = {variant: [1.0] for variant in ranked(SMALL, HERE, 1)} | {
        first: [3, 1.5],
        second: [2, 1.9],
    }

    def measured(problem, variant, machine, limit_s, outcome):
        seen.append((variant, limit_s))
        return Measurement(variant, "ok", "", 0.0, 1.0, speeds[variant].pop(0))

    plan, seen = plan_for([(SMALL, ["a"])], HERE), []
    monkeypatch.setattr(tuning, "measure", measured)
    monkeypatch.setattr(tuning, "verify", lambda problem, variant, machine: Outcome("ok"))
    reports = []
    assert tune(plan, budget_s=1e9, limit_s=1.0, report=lambda *each: reports.append(each))
    assert seen[-2:] == [(first, 2.0), (second, 2.0)]
    assert len(seen) == len(reports) == len(speeds) + 2
    best = plan.entries[SMALL].best
    assert (best.variant, best.speedup, best.again) == (second, 1.9, True)
    assert len(plan.entries[SMALL].measured) == len(speeds)
    assert unconfirmed(plan) == []


def test_nothing_is_measured_without_a_compiler(monkeypatch):
    monkeypatch.setenv("CC", "no-such-compiler")
    plan = plan_for([(SMALL, ["a"])], HERE)
    outcome = tune(plan, budget_s=9)
    assert outcome.status == "no compiler"
    assert "no-such-compiler" in outcome.detail
    assert plan.entries[SMALL].measured == []
    assert plan.variant(SMALL) is None


def test_nothing_is_measured_where_no_cache_can_be(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GYMWORKS_KERNEL_CACHE", str(tmp_path / "file"))
    assert tune(plan_for([(SMALL, ["a"])], HERE), budget_s=9).status == "no cache"


def test_failures_that_may_be_cured_are_tried_again():
    old, plan = plan_for([(SMALL, ["a"])], HERE), plan_for([(SMALL, ["a"])], HERE)
    first, second, third, fourth = ranked(SMALL, HERE, 1)[:4]
    old.entries[SMALL].measured += [
        Measurement(first, "ok", "", 0.0, 1.0, 2.0),
        Measurement(second, "compile failed", "no space left"),
        Measurement(third, "hung", "it did not end"),
        Measurement(fourth, "wrong", "error"),
    ]
    assert plan.take(old) == 2
    assert [each.variant for each in plan.entries[SMALL].measured] == [first, fourth]
    assert [variant for _, variant in pending(plan)][:2] == [second, third]


def test_a_plan_keeps_what_only_an_earlier_one_has():
    old = plan_for([(SMALL, ["a"]), (LARGE, ["b"])], HERE)
    plan = plan_for([(LARGE, ["c"])], HERE)
    whole = plan.beside(old)
    assert [*whole.entries] == [SMALL, LARGE]
    assert whole.entries[SMALL] is old.entries[SMALL]
    assert whole.entries[LARGE] is plan.entries[LARGE]
    assert [*plan.entries] == [LARGE]


@given(
    st.lists(
        st.tuples(st.floats(1e-6, 1), st.floats(1e-6, 1)),
        min_size=1,
        max_size=len(candidates(SMALL, HERE)),
    )
)
def test_the_fastest_is_chosen_if_it_gains(times):
    measured = [
        Measurement(variant, "ok", "", 0.0, kernel_s, torch_s)
        for variant, (kernel_s, torch_s) in zip(candidates(SMALL, HERE), times, strict=False)
    ]
    best = Entry(SMALL, ["a"], measured).best
    gains = [torch_s / kernel_s for kernel_s, torch_s in times]
    assert (best.speedup if best else None) == (max(gains) if max(gains) >= GAIN else None)


def test_a_plan_survives_its_file(tmp_path):
    volume = Problem(2, 3, (4, 5, 6), (1, 3, 3), stride=(1, 2, 1), padding=(0, 1, 1), batch=2)
    plan = plan_for([(LARGE, ["a", "b"]), (volume, ["c"])], HERE, threads=2)
    variant = Variant("winograd", (4, 4), threads=2, splits=2)
    plan.entries[LARGE].measured += [
        Measurement(variant, "ok", "", 1e-6, 0.5, 1.0),
        Measurement(Variant("direct"), "hung", "it did not end"),
    ]
    read = NetworkPlan.load(plan.save(tmp_path / "plan.json"))
    assert read == plan
    assert read.variant(LARGE) == variant
    assert read.variant(volume) is None
    assert read.stale(2, HERE) == ""
    assert [*tmp_path.iterdir()] == [tmp_path / "plan.json"]
    written = json.loads((tmp_path / "plan.json").read_text())
    assert [each["use"] for each in written["convolutions"]][1] == "torch"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"machine": replace(HERE, processor="Z80")}, "another machine"),
        ({"machine": replace(HERE, l2_bytes=1)}, "another machine: l2_bytes 1, here"),
        ({"torch_version": "0.1"}, "torch 0.1"),
        ({"threads": 3}, "3 threads"),
    ],
)
def test_a_plan_from_elsewhere_is_stale(changes, reason):
    plan = replace(plan_for([(SMALL, ["a"])], HERE), **changes)
    assert reason in plan.stale(1, HERE)
    assert bool(plan.foreign(HERE)) == ("machine" in changes)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 9}', '{"format": 1}', "\xff"])
def test_a_file_that_is_no_plan_is_refused(tmp_path, text):
    (tmp_path / "plan.json").write_text(text, encoding="latin-1")
    with pytest.raises(InputError, match=r"plan\.json"):
        NetworkPlan.load(tmp_path / "plan.json")


def test_layers_are_found_with_their_sizes():
    shared = nn.Conv2d(4, 4, 3, padding="same")
    model = nn.Sequential(
        shared,
        nn.ReLU(),
        shared,
        nn.Conv2d(4, 4, 3, padding=1),
        nn.Conv2d(4, 4, 3, padding=1, padding_mode="circular"),
        nn.Conv2d(4, 4, 4, padding="same"),
        nn.ConvTranspose2d(4, 4, 3),
    ).train()
    found = convolutions(model, (torch.randn(2, 4, 9, 8),))
    assert found.names == {Problem(4, 4, (9, 8), (3, 3), padding=(1, 1), batch=2): ["0", "3"]}
    assert set(found.unsupported) == {"4", "5"}
    assert model.training
    assert not any(layer._forward_pre_hooks for layer in model)
