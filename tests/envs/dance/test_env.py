"""The dance environments: legality, rewards that a person can recompute, songs of one's own."""

import json
from collections import Counter
from itertools import cycle, pairwise

import gymnasium as gym
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envs.dance.batch import ILLEGAL_REWARD, LEAST_CHANCE, LONGEST_S
from envs.dance.chart import DIFFICULTIES, Chart, check_holds, held_before, legal_rows, states
from envs.dance.feet import feet
from envs.dance.levels import HELD_AFTER, LEGAL, MOST_PANELS, PRESSES
from envs.dance.rewards import centred, conditional
from envs.dance.tracks import SHIPPED, tracks
from envs.registration import references
from hardware_sim.errors import InputError

TASKS = ("Choreography-v0", "StepPlacement-v0", "StepSelection-v1", "StepSelection-v0")


class Uniform:
    """A critic that finds all rows alike."""

    def log_probs(self, rows, deltas, phase, level):
        found = np.full((len(rows), 256), -np.log(255), np.float32)
        found[:, 0] = -np.inf
        return found


def played(env, seed, choose, **options):
    """Observations, actions, rewards and infos of an episode."""
    observation, info = env.reset(seed=seed, options=options)
    steps, ended = [], False
    random = np.random.default_rng(seed)
    while not ended:
        action = choose(observation, random)
        following, reward, ended, _, info = env.step(action)
        steps.append((observation, action, reward, info))
        observation = following
    return steps


def any_legal(observation, random):
    return np.int64(random.choice(np.flatnonzero(observation["action_mask"])))


def sparse(observation, random):
    """Seldom a row, and mostly one that ends what is held."""
    legal = np.flatnonzero(observation["action_mask"])
    if legal[0] == 0 and random.random() < 0.7:
        return np.int64(0)
    return np.int64(random.choice(legal))


@pytest.mark.parametrize("name", TASKS)
def test_rewards_sum_up_and_the_score_follows(name):
    env = gym.make(f"envs:{name}", critic=Uniform())
    steps = played(env, 1, any_legal)
    for _, _, reward, info in steps:
        assert reward == pytest.approx(sum(info["reward"].values()), abs=1e-12)
    last = steps[-1][3]
    mean = sum(reward for _, _, reward, _ in steps) / len(steps)
    assert last["score"] == pytest.approx(last["f1"] if name == "StepPlacement-v0" else mean)


def test_variety_is_the_entropy_of_the_charts_own_rows():
    env = gym.make("envs:StepSelection-v1", critic=None, variety=2.0)
    for seed, choose in enumerate((any_legal, sparse)):
        steps = played(env, seed, choose)
        rows = [int(action) for _, action, _, _ in steps]
        pairs = list(pairwise([0, *rows]))
        count, before = Counter(pairs), Counter(a for a, _ in pairs)
        entropy = -sum(n * np.log(n / before[a]) for (a, _), n in count.items())
        paid = [info["reward"]["variety"] for *_, info in steps]
        assert sum(paid) == pytest.approx(2.0 * entropy)
        assert min(paid) >= 0
    assert "variety" not in played(gym.make("envs:StepSelection-v0"), 0, any_legal)[-1][3]["reward"]


def goes_round(rows):
    """Plays rows again and again."""
    left = cycle(rows)
    return lambda observation, random: np.int64(next(left))


@pytest.mark.parametrize("rows", [(1,), (4,), (1, 64), (1, 4, 16, 64)])
def test_charts_that_go_round_have_no_variety(rows):
    env = gym.make("envs:StepSelection-v1", critic=None)
    steps = played(env, 0, goes_round(rows), song="metal_madness", level="Medium")
    assert sum(info["reward"]["variety"] for *_, info in steps) == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("level", ["Medium", "Hard", "Challenge"])
def test_neither_one_row_nor_two_that_alternate_reach_the_reference(level):
    found = {}
    for version in (0, 1):
        env = gym.make(f"envs:StepSelection-v{version}")
        for rows in ((1,), (1, 64)):
            steps = played(env, 0, goes_round(rows), song="metal_madness", level=level)
            found[version, len(rows)] = steps[-1][3]["score"]
    reference = [
        references(f"envs:StepSelection-v{version}")["problems"][f"metal_madness, {level}"]
        for version in (0, 1)
    ]
    assert found[0, 2] > reference[0]["reference"]  # which is why there is a v1
    assert found[1, 2] < reference[1]["reference"] - 0.2
    assert found[1, 1] <= reference[1]["floor"] + 1e-9 < reference[1]["reference"] - 1


@pytest.mark.parametrize("name", ["Choreography-v0", "StepSelection-v1"])
def test_charts_are_sound_and_within_the_level(name):
    env = gym.make(f"envs:{name}", critic=None)
    for seed in range(5):
        played(env, seed, sparse)
        ticks, times, rows = env.unwrapped.chart()
        core = env.unwrapped.core
        level = core.episodes.level[core.episode[0]]
        check_holds(Chart(ticks, rows, times, DIFFICULTIES[level], 1))
        assert (PRESSES[rows] <= MOST_PANELS[level]).all()
        assert (held_before(np.append(rows, np.uint8(0))).sum(axis=1) <= 2).all()
        if name == "Choreography-v0":
            gaps = np.diff(times[PRESSES[rows] > 0])
            assert (gaps >= (0.4, 0.2, 0.1, 0.075, 0.05)[level] - 1e-6).all()


def test_effort_is_that_of_the_feet_over_the_whole_chart():
    env = gym.make("envs:Choreography-v0", critic=None, playability=0.5)
    steps = played(env, 3, sparse, level="Hard")
    _, times, rows = env.unwrapped.chart()
    cost = feet(rows, times).costs.sum()
    paid = sum(info["reward"]["playability"] for *_, info in steps)
    assert paid == pytest.approx(-0.5 * cost)
    count = int((PRESSES[rows] > 0).sum())
    assert steps[-1][3]["effort"] == pytest.approx(100 * cost / count)


def test_onset_reward_is_the_centred_log_probability():
    env = gym.make("envs:StepPlacement-v0", density=0.0)
    for observation, action, reward, _ in played(env, 0, any_legal)[:200]:
        chance = np.clip(float(observation["onset"][0]), LEAST_CHANCE, 1 - LEAST_CHANCE)
        entropy = -(chance * np.log(chance) + (1 - chance) * np.log(1 - chance))
        expected = np.log(chance if action else 1 - chance) + entropy
        assert reward == pytest.approx(expected, abs=1e-5)


def test_density_adds_up_to_the_error_at_the_end():
    env = gym.make("envs:StepPlacement-v0", density=7.0)
    steps = played(env, 5, any_legal)
    paid = sum(info["reward"]["density"] for *_, info in steps)
    assert paid == pytest.approx(-7.0 * steps[-1][3]["density_error"])


def test_imitating_the_human_chart_earns_every_time():
    env = gym.make("envs:StepPlacement-v0", imitation=1.0, density=0.0)
    env.reset(seed=0, options={"song": "metal_madness", "level": "Medium"})
    core = env.unwrapped.core
    human = core.episodes.human[core.episode[0]]
    ended, agreed = False, 0.0
    while not ended:
        action = np.int64(human[core.place[0]] != 0 and core.legal[0, 1])
        _, _, ended, _, info = env.step(action)
        agreed += info["reward"]["imitation"]
    assert info["f1"] > 0.95
    assert agreed >= 0.98 * len(human[: core.episodes.length[core.episode[0]]])


def test_an_illegal_row_ends_the_episode():
    env = gym.make("envs:Choreography-v0", critic=None)
    observation, _ = env.reset(seed=0)
    illegal = int(np.flatnonzero(observation["action_mask"] == 0)[0])
    _, reward, terminated, _, info = env.step(np.int64(illegal))
    assert terminated
    assert reward == ILLEGAL_REWARD == info["reward"]["illegal"]
    with pytest.raises(InputError, match="has ended"):
        env.step(np.int64(0))


@given(st.integers(0, 15), st.integers(0, 255))
def test_legal_rows_agree_with_charts(held, code):
    before = (held >> np.arange(4)) & 1 == 1
    after = (before & (states(code) != 3)) | (states(code) == 2)
    assert HELD_AFTER[held, code].tolist() == after.tolist()
    assert LEGAL[held, code] == (legal_rows(before)[code] and after.sum() <= 2)


@settings(max_examples=50)
@given(st.integers(0, 2**32 - 1))
def test_whoever_draws_from_a_critic_earns_nothing_on_average(seed):
    random = np.random.default_rng(seed)
    log_probs = np.log(random.dirichlet(np.full(256, 0.1), 2) + 1e-12)
    log_probs -= np.log(np.exp(log_probs).sum(axis=1, keepdims=True))
    paid = np.stack([centred(log_probs, np.full(2, row)) for row in range(256)], axis=1)
    assert (np.exp(log_probs) * paid).sum(axis=1) == pytest.approx(0.0, abs=1e-9)


@settings(max_examples=50)
@given(st.integers(0, 2**32 - 1))
def test_what_a_critic_expects_given_presses_is_a_distribution(seed):
    random = np.random.default_rng(seed)
    chances = random.dirichlet(np.full(255, 0.1), 4)
    with np.errstate(divide="ignore"):
        log_probs = np.log(np.concatenate([np.zeros((4, 1)), chances], axis=1))
    pressing = np.array([True, True, False, False])
    found = np.exp(conditional(log_probs, pressing))
    assert found.sum(axis=1) == pytest.approx(1.0)
    assert (found[:2, PRESSES == 0] == 0).all()
    assert (found[2:, PRESSES > 0] == 0).all()


def test_shipped_songs_are_split_and_their_times_are_heard():
    found = {track.name: track for track in tracks(SHIPPED)}
    assert {track.split for track in found.values()} == {"train", "test"}
    for track in found.values():
        assert track.mel.shape[0] >= track.times[-1] * 100
        assert track.mel.mean() == pytest.approx(0.0, abs=1e-3)
        assert np.diff(track.times) == pytest.approx(np.diff(track.times)[0])
        assert (track.human[4] == -1).sum() > 100
        assert track.onset.shape == track.human.shape


def test_a_human_steps_where_the_onset_critic_expects_it():
    for track in tracks(SHIPPED):
        stepped = track.onset[4][track.human[4] == -1].mean()
        assert stepped > track.onset[4][track.human[4] == 0].mean() + 0.1


def test_the_vector_class_paid_what_single_ones_pay_is_fast_enough_to_count():
    single = gym.make("envs:StepSelection-v1", critic=Uniform())
    vector = gym.make_vec("envs:StepSelection-v1", num_envs=2, critic=Uniform())
    observations, _ = vector.reset(seed=4)
    observation, _ = single.reset(seed=5)
    for _ in range(50):
        actions = observations["action_mask"].argmax(axis=1)
        observations, rewards, *_ = vector.step(actions)
        observation, reward, *_ = single.step(np.int64(observation["action_mask"].argmax()))
        assert rewards[1] == reward


@pytest.fixture
def folder(tmp_path):
    """A folder with one song of eight seconds and a human chart."""
    from tests.envs.dance.sounds import song_of_clicks

    song_of_clicks(tmp_path / "songs" / "clicks")
    return tmp_path / "songs"


def test_songs_of_ones_own(folder):
    track = tracks(str(folder))[0]
    env = gym.make("envs:StepSelection-v1", songs=str(folder), split=track.split, imitation=1.0)
    observation, info = env.reset(seed=0)
    assert info == {"song": "clicks", "level": "Medium"}
    assert observation["deltas"][-1] == LONGEST_S
    total = 0.0
    for row in np.resize([1, 4, 16, 64], 16):
        observation, _, ended, _, info = env.step(np.int64(row))
        total += info["reward"]["imitation"]
    assert ended
    assert total == 16.0
    assert info["f1"] == 1.0


def test_bad_arguments(tmp_path):
    for wrong, message in (
        ({"task": "dancing"}, "task"),
        ({"songs": str(tmp_path)}, "no chart file"),
        ({"split": "validation"}, "split"),
        ({"critic": "json:JSONDecoder"}, "is none of ours"),
        ({"critic": json.JSONDecoder()}, "no method log_probs"),
        ({"playability": -1.0}, "at least 0"),
        ({"variety": np.inf}, "finite"),
    ):
        with pytest.raises(InputError, match=message):
            gym.make("envs:Choreography-v0", **wrong)
    env = gym.make("envs:Choreography-v0")
    with pytest.raises(InputError, match="level"):
        env.reset(options={"level": "Expert"})
    with pytest.raises(InputError, match="song"):
        env.reset(options={"song": "silence"})
