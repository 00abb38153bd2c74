"""Actions as choices, against numbers worked out one choice at a time."""

import gymnasium as gym
import numpy as np
import pytest
import torch

from agents.algorithms.choices import Choices
from hardware_sim.errors import InputError

ONE = gym.spaces.Discrete(4)
TWO = gym.spaces.MultiDiscrete([3, 2])
MASKS = {4: np.array([0, 1, 1, 0], np.int8), 5: np.array([0, 1, 1, 1, 0], np.int8)}


@pytest.mark.parametrize("space", [ONE, TWO])
def test_drawn_actions_are_legal_and_all_legal_ones_are_drawn(space):
    choices, random = Choices(space), np.random.default_rng(0)
    mask = MASKS[sum(choices.sizes)]
    drawn = [choices.draw(mask, random) for _ in range(50)]
    assert all(space.contains(np.asarray(action, np.int64)[()]) for action in drawn)
    assert all(choices.allows(mask, action) for action in drawn)
    assert {np.reshape(action, -1)[0].item() for action in drawn} == {1, 2}


def test_a_choice_without_a_legal_option_is_drawn_from_all():
    random = np.random.default_rng(0)
    drawn = [Choices(TWO).draw(np.array([0, 0, 0, 0, 1]), random).tolist() for _ in range(50)]
    assert {first for first, _ in drawn} == {0, 1, 2}
    assert {second for _, second in drawn} == {1}


def test_without_a_mask_all_is_legal():
    choices, random = Choices(ONE), np.random.default_rng(0)
    assert {int(choices.draw(None, random)) for _ in range(50)} == {0, 1, 2, 3}
    assert all(choices.allows(None, action) for action in range(4))


def test_actions_outside_the_space_are_not_allowed():
    for action in (-1, 4, [1, 1]):
        assert not Choices(ONE).allows(None, action)
    for action in (1, [1, 2], [1, -1], [1, 1, 1]):
        assert not Choices(TWO).allows(None, action)


def test_the_best_action_is_each_choices_best_legal_option():
    logits = torch.tensor([[9.0, 1.0, 2.0, 0.0, 5.0]])
    mask = torch.as_tensor(MASKS[5])[None]
    assert Choices(TWO).best(logits, mask).tolist() == [[2, 0]]
    assert Choices(TWO).best(logits, None).tolist() == [[0, 1]]
    assert Choices(ONE).best(logits[:, :4], None).tolist() == [0]


def test_the_loss_is_the_mean_of_the_choices_negative_log_likelihoods():
    logits = torch.randn(6, 5, generator=torch.Generator().manual_seed(0))
    mask = torch.as_tensor(MASKS[5]).expand(6, -1)
    actions = torch.tensor([[1, 0], [2, 0], [1, 0], [2, 0], [2, 0], [1, 0]])
    legal = logits[:, 1:3]  # the second choice has one legal option, whose probability is 1
    expected = (legal.logsumexp(1) - legal[torch.arange(6), actions[:, 0] - 1]).mean()
    assert torch.allclose(Choices(TWO).loss(logits, mask, actions), expected)


@pytest.mark.parametrize(
    "space",
    [
        gym.spaces.Box(-1, 1, (2,)),
        gym.spaces.Discrete(3, start=1),
        gym.spaces.MultiDiscrete([[2, 3], [4, 5]]),
    ],
)
def test_other_spaces_are_refused(space):
    with pytest.raises(InputError, match="expected Discrete"):
        Choices(space)
