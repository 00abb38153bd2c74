"""The masked distribution, over thousands of actions, extreme logits and single legal actions."""

import numpy as np
import pytest
import torch

from agents.policies.masked import MaskedCategorical, masked_logits


def random_mask(rows: int, actions: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    mask = torch.rand(rows, actions, generator=generator) < 0.3
    mask[torch.arange(rows), torch.randint(actions, (rows,), generator=generator)] = True
    return mask


@pytest.mark.parametrize("actions", [2, 17, 1500, 20_000])
@pytest.mark.parametrize("scale", [0.0, 1.0, 50.0, 1e6, 1e30, 3e38])
def test_distribution_is_sound(actions: int, scale: float) -> None:
    torch.manual_seed(0)
    raw = (torch.rand(16, actions) * 2 - 1) * scale
    mask = random_mask(16, actions, seed=1)
    distribution = MaskedCategorical(raw, mask)
    assert torch.isfinite(distribution.logits).all()
    assert (distribution.probs[~mask] == 0).all()
    torch.testing.assert_close(distribution.probs.sum(-1), torch.ones(16), atol=1e-4, rtol=0)
    entropy = distribution.entropy()
    assert (entropy >= -1e-5).all()
    assert (entropy <= mask.sum(-1).float().log() + 1e-3).all()
    for _ in range(20):
        drawn = distribution.sample()
        assert mask.gather(1, drawn.unsqueeze(1)).all()
    assert mask.gather(1, distribution.mode().unsqueeze(1)).all()


def test_agrees_with_softmax_over_the_legal_entries_alone() -> None:
    raw = torch.tensor([[0.3, -2.0, 4.0, 1.0]], dtype=torch.float64)
    mask = np.array([[1, 1, 0, 1]], dtype=np.int8)
    distribution = MaskedCategorical(raw, mask)
    alone = torch.distributions.Categorical(logits=raw[:, [0, 1, 3]])
    torch.testing.assert_close(distribution.probs[:, [0, 1, 3]], alone.probs)
    torch.testing.assert_close(distribution.entropy(), alone.entropy())
    torch.testing.assert_close(
        distribution.log_prob(torch.tensor([3])), alone.log_prob(torch.tensor([2]))
    )
    assert distribution.mode().item() == 3


def test_one_legal_action_is_certain_and_has_no_entropy() -> None:
    raw = torch.full((1, 1200), 3e38)
    mask = torch.zeros(1, 1200)
    mask[0, 700] = 1
    raw[0, 700] = -3e38
    distribution = MaskedCategorical(raw.requires_grad_(), mask)
    assert distribution.sample().item() == 700
    assert distribution.mode().item() == 700
    assert distribution.entropy().item() == 0
    assert distribution.log_prob(torch.tensor([700])).item() == 0
    (distribution.entropy() + distribution.log_prob(torch.tensor([700]))).sum().backward()
    assert torch.isfinite(raw.grad).all()


def test_gradients_are_finite_and_zero_for_illegal_actions() -> None:
    raw = (torch.randn(8, 1500, generator=torch.Generator().manual_seed(3)) * 100).requires_grad_()
    mask = random_mask(8, 1500, seed=4)
    distribution = MaskedCategorical(raw, mask)
    other = MaskedCategorical(raw.detach() * 0.9, mask)
    loss = distribution.log_prob(distribution.mode()) + distribution.entropy()
    (loss + distribution.kl(other)).sum().backward()
    assert torch.isfinite(raw.grad).all()
    assert (raw.grad[~mask] == 0).all()
    assert (raw.grad[mask] != 0).any()


def test_masks_replace_each_other_and_leave_the_logits_pristine() -> None:
    raw = torch.randn(4, 6, generator=torch.Generator().manual_seed(5))
    kept = raw.clone()
    distribution = MaskedCategorical(raw, random_mask(4, 6, seed=6))
    for seed in range(50):
        distribution.apply_masking(random_mask(4, 6, seed=seed))
    distribution.apply_masking(None)
    torch.testing.assert_close(distribution.probs, raw.softmax(-1))
    assert torch.equal(raw, kept)


def test_row_without_legal_action_is_left_unmasked() -> None:
    raw = torch.tensor([[1.0, 2.0], [1.0, 2.0]])
    distribution = MaskedCategorical(raw, torch.tensor([[0, 0], [1, 0]]))
    torch.testing.assert_close(distribution.probs[0], raw[0].softmax(-1))
    assert distribution.probs[1].tolist() == [1, 0]


def test_kl_is_zero_to_itself_and_positive_to_others() -> None:
    mask = random_mask(4, 9, seed=7)
    raw = torch.randn(4, 9, generator=torch.Generator().manual_seed(8))
    one, other = MaskedCategorical(raw, mask), MaskedCategorical(raw * 3, mask)
    assert one.kl(one).abs().max() == 0
    assert (one.kl(other)[mask.sum(-1) > 1] > 0).all()


def test_samples_follow_the_probabilities() -> None:
    raw = torch.tensor([0.0, 1.0, 2.0, 9.0]).expand(40_000, 4)
    distribution = MaskedCategorical(raw, torch.tensor([1, 1, 1, 0]).expand(40_000, 4))
    drawn = distribution.sample(torch.Generator().manual_seed(9))
    frequency = torch.bincount(drawn, minlength=4) / 40_000
    torch.testing.assert_close(frequency, distribution.probs[0], atol=0.01, rtol=0)


def test_half_precision_masks_without_overflow() -> None:
    logits = masked_logits(torch.tensor([6e4, -6e4, 1.0], dtype=torch.float16), [1, 1, 0])
    assert torch.isfinite(logits).all()
    assert logits.softmax(-1).tolist() == [1, 0, 0]


def test_policy_gradient_training_with_masks_stays_finite() -> None:
    """300 large steps over 1100 actions, the setting in which simplex checks fail elsewhere."""
    torch.manual_seed(10)
    raw = torch.zeros(32, 1100, requires_grad=True)
    optimiser = torch.optim.Adam([raw], lr=5.0)
    for step in range(300):
        mask = random_mask(32, 1100, seed=step)
        distribution = MaskedCategorical(raw, mask)
        drawn = distribution.sample()
        assert mask.gather(1, drawn.unsqueeze(1)).all()
        reward = torch.randn(32)
        loss = -(distribution.log_prob(drawn) * reward).mean() - distribution.entropy().mean()
        optimiser.zero_grad()
        loss.backward()
        assert torch.isfinite(raw.grad).all()
        optimiser.step()
