"""Every registered id keeps the contract; a new one is covered by being registered."""

import json
import subprocess
import sys
from functools import cache, partial
from typing import Any

import gymnasium as gym
import pytest
from gymnasium.spaces import flatten, flatten_space, unflatten
from hypothesis import given, settings
from hypothesis import strategies as st

from envs.registration import CURRENT, ENTRIES, has_scale, normalised, references
from envs.testing import CHECKS
from envs.testing.trajectory import leaves

OLD = "envs:ConvTuning-ResNet2-v0"
"""Of the ids that a later version has taken the place of, the one that is still checked."""

IDS = [*(f"envs:{name}" for name in CURRENT), OLD]
BACKENDS = {f"envs:{name}": entry.backend for name, entry in ENTRIES.items()}
SIMULATED = [env_id for env_id in IDS if "browser" not in BACKENDS[env_id]]
BROWSED = [env_id for env_id in IDS if env_id not in SIMULATED]
PICTURES = {"check_render_modes", "check_close", "check_long_rollout_memory"}
"""Checks that look at pictures, which only the browser draws."""

FEWER: dict[str, dict[str, Any]] = {
    "check_masks": {"steps": 30},
    "check_determinism_across_processes": {"steps": 150},
    "check_long_rollout_memory": {"steps": 300, "warm_up": 100},
    "check_naive_play": {"episodes": 1, "constant_episodes": 1, "most": 1},
    "check_vector_equals_single": {"episodes": 1},
}
"""A step in a browser takes a hundred times as long as one of a simulator."""


FIRST = {CURRENT[name].entry_point: f"envs:{name}" for name in reversed(CURRENT)}
"""Of the ids that share a class, the one that is watched longest."""
SHORTER: dict[str, dict[str, Any]] = {
    "check_determinism_across_processes": {"steps": 300},
    "check_long_rollout_memory": {"steps": 2_000, "warm_up": 500},
    "check_vector_equals_single": {"episodes": 1},
}
"""Lengths for the others, which differ from it in their problem alone."""


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("env_id", SIMULATED)
def test_conformance(env_id: str, check: str) -> None:
    shares = env_id not in FIRST.values()
    assert CHECKS[check](env_id, **SHORTER.get(check, {}) if shares else {})


@pytest.mark.parametrize("check", CHECKS)
def test_conformance_in_a_browser(check: str) -> None:
    assert CHECKS[check]("envs:WoB-United-v0", **FEWER.get(check, {}))


@pytest.mark.parametrize("check", sorted(set(CHECKS) - PICTURES))
@pytest.mark.parametrize("env_id", BROWSED)
def test_conformance_without_the_browser(env_id: str, check: str) -> None:
    shorter = SHORTER.get(check, {}) if env_id != BROWSED[0] else {}
    assert CHECKS[check](partial(gym.make, env_id, backend="twin"), **shorter)


@cache
def spaces(env_id: str) -> tuple[gym.Space, gym.Space]:
    env = gym.make(env_id)
    env.close()
    return env.observation_space, env.action_space


@pytest.mark.parametrize("env_id", IDS)
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_samples_lie_in_their_space_and_survive_flattening(env_id: str, seed: int) -> None:
    for space in spaces(env_id):
        space.seed(seed)
        sample = space.sample()
        assert space.contains(sample)
        flat = flatten(space, sample)
        assert flatten_space(space).contains(flat)
        restored = unflatten(space, flat)
        assert space.contains(restored)
        assert list(leaves(restored, "sample")) == list(leaves(sample, "sample"))


@pytest.mark.parametrize("env_id", IDS)
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_the_same_seed_samples_the_same(env_id: str, seed: int) -> None:
    for space in spaces(env_id):
        space.seed(seed)
        first = list(leaves(space.sample(), "sample"))
        space.seed(seed)
        assert list(leaves(space.sample(), "sample")) == first


@pytest.mark.parametrize("env_id", IDS)
def test_reference_scores_name_their_source_and_respect_the_bound(env_id: str) -> None:
    table = references(env_id)
    sign = {"lower": 1.0, "higher": -1.0}[table.pop("better")]
    assert table.pop("unit")
    for endless in ("problems", "shares"):
        table.pop(endless, None)
    assert {"random", "reference"} <= set(table)
    assert all(row["source"] for row in table.values())
    reference, random = sign * table["reference"]["score"], sign * table["random"]["score"]
    assert reference < random
    if "bound" in table and env_id != OLD:  # whose bound is not that of its score
        bound = sign * table["bound"]["score"]
        slack = 1e-9 * abs(bound)
        assert all(bound - slack <= sign * row["score"] for row in table.values())


@pytest.mark.parametrize("env_id", [f"envs:{name}" for name in CURRENT])
def test_every_id_has_a_scale_from_naive_play_to_the_reference(env_id: str) -> None:
    table = references(env_id)
    assert has_scale(env_id)
    rows = table.get("problems") or {"": table["shares"]}
    scales = 0
    for problem, row in rows.items():
        place = {"problem": problem or None, "bound": None if problem else 1.0}
        low, high = (normalised(env_id, row[name], **place) for name in ("floor", "reference"))
        if low is None:
            assert high is None
            continue
        scales += 1
        assert (low, high) == (0.0, 1.0)
        if "bound" in row:
            assert normalised(env_id, row["bound"], **place) >= 1 - 1e-9
    assert scales >= len(rows) / 2
    assert (table["floor"]["normalised"], table["reference"]["normalised"]) == (0.0, 1.0)


def test_a_superseded_id_has_no_scale() -> None:
    assert references(OLD)["unit"] == "times oneDNN"
    assert normalised(OLD, 3.4) is None


def test_an_id_works_without_importing_the_package_first() -> None:
    code = f"import gymnasium; print(gymnasium.make({IDS[0]!r}).reset(seed=0)[1])"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.startswith("{")


@pytest.fixture
def tight(tmp_path):
    """BERT-24 on three GPUs of 2 GB, which it nearly fills: no shipped machine is as small."""
    device = {
        "name": "small",
        "kind": "gpu",
        "peak_tflops": 15.7,
        "memory_gbs": 900.0,
        "memory_gb": 2.0,
        "overhead_us": 10.0,
        "efficiency": {"default": 0.5},
    }
    link = {"link": {"gbs": 10.0, "latency_us": 1.0}, "devices": [0, 1, 2], "sharing": "pair"}
    path = tmp_path / "tight.json"
    path.write_text(json.dumps({"devices": [device] * 3, "interconnect": [link]}))
    return partial(gym.make, "envs:DevicePlacement-BERT24-v0", cluster=str(path))


def test_masks_hold_where_memory_is_short(tight):
    assert "5 masked-out actions tried" in CHECKS["check_masks"](tight)


@pytest.mark.parametrize(
    "check",
    [
        "check_vector_equals_single",
        "check_info_contract",
        "check_bad_actions",
        "check_gymnasium",
        "check_determinism_across_processes",
    ],
)
def test_the_contract_holds_where_memory_is_short(tight, check):
    assert not CHECKS[check](tight).startswith("not applicable")
