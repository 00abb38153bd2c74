"""The native adapter against Stable-Baselines3's own copies, step by step and exactly."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from sb3_contrib.common.maskable.utils import get_action_masks, is_masking_supported
from stable_baselines3.common.vec_env import VecEnv

from agents.engines.episodes import CopiesVecEnv, MaskedEpisodes, SeededEpisodes
from agents.engines.vec_adapter import NativeVecEnv, UnsupportedVectorEnvError
from tests.agents.toy import LineEnv, LineVectorEnv

N = 7


def copies(seed: int, **kwargs: Any) -> CopiesVecEnv:
    return CopiesVecEnv(
        [lambda i=i: MaskedEpisodes(LineEnv(**kwargs), i) for i in range(N)], seed=seed
    )


def assert_equal_observations(one: Any, other: Any) -> None:
    assert one.keys() == other.keys()
    for key in one:
        np.testing.assert_array_equal(one[key], other[key], err_msg=key)


def random_legal(masks: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.array([rng.choice(np.flatnonzero(row)) for row in masks])


@pytest.mark.parametrize("seed", [0, 11])
def test_equals_copies_step_by_step(seed: int) -> None:
    native: VecEnv = NativeVecEnv(LineVectorEnv(N), seed=seed)
    other: VecEnv = copies(seed)
    assert native.observation_space == other.observation_space
    assert native.action_space == other.action_space
    assert_equal_observations(native.reset(), other.reset())
    assert native.reset_infos == other.reset_infos
    rng = np.random.default_rng(seed)
    ended = truncated = 0
    for _ in range(200):
        masks = get_action_masks(native)
        np.testing.assert_array_equal(masks, get_action_masks(other))
        actions = random_legal(masks, rng)
        got, wanted = native.step(actions), other.step(actions)
        assert_equal_observations(got[0], wanted[0])
        np.testing.assert_array_equal(got[1].astype(np.float32), wanted[1])
        np.testing.assert_array_equal(got[2], wanted[2])
        for done, info, expected in zip(got[2], got[3], wanted[3], strict=True):
            if not done:
                assert info == {}
                continue
            ended += 1
            truncated += info["TimeLimit.truncated"]
            assert info.keys() == expected.keys()
            assert_equal_observations(
                info["terminal_observation"], expected["terminal_observation"]
            )
            for key in ("TimeLimit.truncated", "score", "is_success", "episode_seed"):
                assert info[key] == expected[key], key
            for key in ("r", "l"):
                assert info["episode"][key] == expected["episode"][key]
        assert native.reset_infos == other.reset_infos
    assert ended > 50
    assert 0 < truncated < ended


def test_no_transition_is_lost_or_invented() -> None:
    """Episode lengths add up to the steps taken, as they would not with an ignored step."""
    env = NativeVecEnv(LineVectorEnv(N), seed=3)
    env.reset()
    rng = np.random.default_rng(3)
    lengths = np.zeros(N, dtype=int)
    running = np.zeros(N, dtype=int)
    for _ in range(150):
        _, _, dones, infos = env.step(random_legal(env.action_masks(), rng))
        running += 1
        for i in np.flatnonzero(dones):
            assert infos[i]["episode"]["l"] == running[i] == infos[i]["score"]
            lengths[i] += running[i]
            running[i] = 0
    assert (lengths + running == 150).all()


def test_returned_arrays_stay_as_they_were() -> None:
    env = NativeVecEnv(LineVectorEnv(N), seed=1)
    before = env.reset()
    kept = {key: value.copy() for key, value in before.items()}
    rng = np.random.default_rng(1)
    for _ in range(30):
        env.step(random_legal(env.action_masks(), rng))
    assert_equal_observations(before, kept)


def test_every_episode_replays_from_its_seed() -> None:
    env = NativeVecEnv(LineVectorEnv(N), seed=5)
    env.reset()
    rng = np.random.default_rng(5)
    log: list[list[int]] = [[] for _ in range(N)]
    seeds = []
    for _ in range(60):
        actions = random_legal(env.action_masks(), rng)
        _, _, dones, infos = env.step(actions)
        for i in range(N):
            log[i].append(int(actions[i]))
        for i in np.flatnonzero(dones):
            single = LineEnv()
            single.reset(seed=infos[i]["episode_seed"])
            rewards = [single.step(action)[1] for action in log[i]]
            assert sum(rewards) == infos[i]["episode"]["r"]
            seeds.append(infos[i]["episode_seed"])
            log[i] = []
    assert len(set(seeds)) == len(seeds) > 20
    assert min(seeds) >= 1_000_000


def test_seed_decides_the_episodes() -> None:
    env = NativeVecEnv(LineVectorEnv(64), seed=0)
    first = env.reset()["cell"]
    env.seed(1)
    assert (env.reset()["cell"] != first).any()
    env.seed(0)
    np.testing.assert_array_equal(env.reset()["cell"], first)


@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.DISABLED])
def test_gymnasiums_sync_vector_env_meets_the_requirement(mode: AutoresetMode) -> None:
    sync = SyncVectorEnv([LineEnv] * N, autoreset_mode=mode)
    native, other = NativeVecEnv(sync, seed=2), copies(2)
    assert_equal_observations(native.reset(), other.reset())
    rng = np.random.default_rng(2)
    for _ in range(60):
        actions = random_legal(get_action_masks(other), rng)
        got, wanted = native.step(actions), other.step(actions)
        assert_equal_observations(got[0], wanted[0])
        np.testing.assert_array_equal(got[2], wanted[2])
    assert is_masking_supported(native)


def test_unfit_vector_classes_are_refused() -> None:
    same_step = SyncVectorEnv([LineEnv], autoreset_mode=AutoresetMode.SAME_STEP)
    with pytest.raises(UnsupportedVectorEnvError, match="SAME_STEP"):
        NativeVecEnv(same_step)
    cart_pole = gym.make_vec("CartPole-v1", 2, vectorization_mode="vector_entry_point")
    with pytest.raises(UnsupportedVectorEnvError, match="list of seeds"):
        NativeVecEnv(cart_pole)


def test_vector_class_that_ignores_the_mask_is_found_out() -> None:
    class ResetsAll(LineVectorEnv):
        def reset(self, *, seed: Any = None, options: Any = None) -> Any:
            return super().reset(seed=[value or 0 for value in seed])

    env = NativeVecEnv(ResetsAll(N), seed=0)
    env.reset()
    rng = np.random.default_rng(0)

    def walk() -> None:
        for _ in range(50):
            env.step(random_legal(env.action_masks(), rng))

    with pytest.raises(UnsupportedVectorEnvError, match="reset_mask"):
        walk()


def test_attributes_methods_and_pictures() -> None:
    env = NativeVecEnv(LineVectorEnv(N, render_mode="rgb_array"), seed=0)
    env.reset()
    assert env.get_attr("noise") == [0.1] * N
    assert env.get_attr("noise", indices=[1, 2]) == [0.1] * 2
    env.set_attr("noise", 0.5)
    assert env.get_attr("noise", indices=0) == [0.5]
    assert len(env.env_method("action_masks", indices=[0, 3])) == 2
    assert env.env_is_wrapped(SeededEpisodes) == [False] * N
    picture = env.render()
    assert picture is not None
    assert picture.shape == (4 * 3, 9 * 3, 3)
    env.close()
    env.close()


def test_masks_come_from_the_observation_where_there_is_no_method() -> None:
    class Unmasked(LineVectorEnv):
        action_masks = property(doc="gone")  # type: ignore[assignment]  # as if not there

        def _observe(self) -> dict[str, Any]:
            mask = np.stack([self.cell > 0, self.cell < 8, self.cell >= 0], axis=1)
            place = np.zeros((self.num_envs, 2), dtype=np.float32)
            return {"place": place, "cell": self.cell, "action_mask": mask.astype(np.int8)}

    env = NativeVecEnv(Unmasked(N), seed=0)
    observation = env.reset()
    assert is_masking_supported(env)
    np.testing.assert_array_equal(get_action_masks(env), observation["action_mask"] == 1)


def test_environment_without_masks_has_none() -> None:
    env = NativeVecEnv(SyncVectorEnv([lambda: gym.make("CartPole-v1")] * 2), seed=0)
    env.reset()
    assert not is_masking_supported(env)


def test_placement_equals_copies_step_by_step() -> None:
    env_id = "envs:DevicePlacement-InceptionV3-v0"
    native: VecEnv = NativeVecEnv(gym.make_vec(env_id, 3), seed=4)
    other: VecEnv = CopiesVecEnv(
        [lambda i=i: MaskedEpisodes(gym.make(env_id), i) for i in range(3)], seed=4
    )
    assert_equal_observations(native.reset(), other.reset())
    rng = np.random.default_rng(4)
    scores = []
    for _ in range(300):
        actions = random_legal(get_action_masks(other), rng)
        got, wanted = native.step(actions), other.step(actions)
        assert_equal_observations(got[0], wanted[0])
        np.testing.assert_array_equal(got[1].astype(np.float32), wanted[1])
        np.testing.assert_array_equal(got[2], wanted[2])
        for i in np.flatnonzero(got[2]):
            assert_equal_observations(
                got[3][i]["terminal_observation"], wanted[3][i]["terminal_observation"]
            )
            for key in ("score", "is_success", "episode_seed", "TimeLimit.truncated"):
                assert got[3][i][key] == wanted[3][i][key], key
            np.testing.assert_array_equal(got[3][i]["placement"], wanted[3][i]["placement"])
            scores.append(got[3][i]["score"])
    assert len(scores) >= 6
    assert len(set(scores)) == len(scores)
