"""Each example trains for a few steps, and says what it reached."""

import subprocess
import sys
from pathlib import Path

import gymnasium as gym
import pytest
from stable_baselines3.common.preprocessing import is_image_space

from agents.algorithms.choices import Choices
from envs.registration import ENTRIES

FOLDER = Path(__file__).parents[2] / "experiments" / "examples"
STEPS = {
    "sb3_ppo": 512,
    "sb3_contrib_masked": 512,
    "rllib_tune": 64,
    "cleanrl_ppo": 512,
    "torchrl_masked": 64,
    "skrl_ppo": 512,
    "minari_cloning": 20,
}


def test_every_example_is_tried() -> None:
    written = {path.stem for path in FOLDER.glob("*.py")}
    assert written == {*STEPS, "__init__", "scoring"}


@pytest.mark.peers
@pytest.mark.parametrize("name", STEPS)
def test_an_example_trains(name: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", f"experiments.examples.{name}", "--steps", str(STEPS[name])]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    expected = "best learning rate" if name == "rllib_tune" else " after"
    assert expected in done.stdout.splitlines()[-1]


@pytest.mark.peers
@pytest.mark.parametrize("env_id", ["CompactFeature-v0", "AdaptiveSoftmax-v0", "ConvTuning-v0"])
def test_torchrl_draws_legal_actions_of_both_kinds(env_id: str) -> None:
    from experiments.examples.torchrl_masked import make

    env = make(f"envs:{env_id}")
    seen = env.rollout(40, break_when_any_done=False)
    choices = Choices(env.base_env._env.action_space)
    masks, actions = seen["action_mask"].numpy(), seen["action"].numpy()
    assert not masks.all()
    assert all(map(choices.allows, masks, actions))
    env.close()


def test_only_screens_are_pictures_to_stable_baselines3() -> None:
    pictures = set()
    for env_id, entry in ENTRIES.items():
        env = gym.make(f"envs:{env_id}", **({"pixels": True} if entry.domain == "web" else {}))
        pictures |= {key for key, space in env.observation_space.items() if is_image_space(space)}
        env.close()
    assert pictures == {"pixels"}
