"""A policy that writes dance charts: it starts as the critics' own and learns what to change."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from agents.policies.masked import MaskedCategorical
from agents.pretrained import pretrained
from agents.view import View, require_parts
from envs.dance.batch import LEAST_CHANCE, LEAST_LOG_PROB
from envs.dance.chart import bag_of_arrows
from envs.dance.levels import LEGAL, PRESSES
from envs.dance.row_critic import PHASES, RowNetwork, seen
from envs.weights import load_weights, shipped

RECENT = 8
"""Rows before that the learned part sees."""

HIDDEN = 192
SEEN = ("onset", "beat", "until", "held", "feet", "level", "density", "progress")


class DanceNetwork(nn.Module):
    """Logits and values for all three dance tasks.

    The logits are the log-probabilities of onset critic and row critic, taken together, plus the
    output of a network that starts at zero: the untrained policy is the supervised one.
    """

    bag: Tensor
    legal: Tensor
    presses: Tensor
    bits: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.rows = RowNetwork().requires_grad_(False)
        load_weights(self.rows, shipped("envs.dance", "dance-rows"))
        bag = torch.from_numpy(bag_of_arrows(np.arange(256, dtype=np.uint8)))
        self.register_buffer("bag", bag, persistent=False)
        legal = torch.from_numpy(LEGAL & (np.arange(len(PRESSES)) > 0))
        self.register_buffer("legal", legal, persistent=False)
        self.register_buffer("presses", torch.from_numpy(PRESSES > 0), persistent=False)
        self.register_buffer("bits", 1 << torch.arange(4), persistent=False)
        width = 16 + 4 + 1 + 4 + 20 + 5 + 2 + 1 + 17 * RECENT + 15 * 3
        self.trunk = nn.Sequential(
            nn.Linear(width, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, HIDDEN), nn.ReLU()
        )
        heads = {2: nn.Linear(HIDDEN, 2), 256: nn.Linear(HIDDEN, 256)}
        for head in heads.values():
            nn.init.zeros_(head.weight)
            nn.init.zeros_(head.bias)
        self.change = nn.ModuleDict({str(actions): head for actions, head in heads.items()})
        self.value = nn.Linear(HIDDEN, 1)

    def forward(self, observation: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Logits ``(B, 256)`` or ``(B, 2)`` and values ``(B,)`` of a batch of observations."""
        features = self.trunk(self._features(observation))
        mask = observation["action_mask"]
        logits = self.supervised(observation) + self.change[str(mask.shape[-1])](features)
        values: Tensor = self.value(features).squeeze(-1)
        return logits, values

    @torch.no_grad()
    def supervised(self, observation: dict[str, Tensor]) -> Tensor:
        """Logits of the supervised policy, ``(B, 256)`` or ``(B, 2)``."""
        chance = observation["onset"][:, 0].float().clamp(LEAST_CHANCE, 1 - LEAST_CHANCE)
        step, nothing = chance.log(), (1 - chance).log()
        mask = observation["action_mask"]
        if mask.shape[-1] == 2:
            return torch.stack([nothing, step], dim=-1)
        logits = self.rows(self._looked_up(observation))
        held = (observation["held"].long() * self.bits).sum(dim=-1)
        rows = logits.masked_fill(~self.legal[held], -torch.inf).log_softmax(dim=-1)
        pressing = rows.masked_fill(~self.presses, -torch.inf).log_softmax(dim=-1)
        ending = rows.masked_fill(self.presses, -torch.inf)
        ending[:, 0] = (-ending.exp().sum(dim=-1).clamp_max(1 - LEAST_CHANCE**2)).log1p()
        either = torch.where(self.presses, step[:, None] + pressing, nothing[:, None] + ending)
        given = mask[:, :1] == 0  # at times of a human chart something must be written
        return torch.where(given, rows, either).clamp_min(LEAST_LOG_PROB)

    def _looked_up(self, observation: dict[str, Tensor]) -> Tensor:
        sine, cosine = observation["beat"][:, 0].double(), observation["beat"][:, 1].double()
        phase = (torch.atan2(sine, cosine) / (2 * torch.pi) * PHASES).round().long() % PHASES
        level = observation["level"].argmax(dim=-1)
        rows, deltas = observation["rows"].to(torch.uint8), observation["deltas"].float()
        arrays = (each.cpu().numpy() for each in (rows, deltas, phase, level))
        return torch.from_numpy(seen(*arrays)[0]).to(rows.device)

    def _features(self, observation: dict[str, Tensor]) -> Tensor:
        recent = observation["rows"][:, -RECENT:].long()
        deltas = observation["deltas"][:, -RECENT:].float()
        loudness = observation["audio"].float().mean(dim=2).flatten(1)
        parts = [observation[name].float() for name in SEEN]
        parts += [self.bag[recent].flatten(1), deltas, loudness]
        return torch.cat(parts, dim=1)


class DanceAgent:
    """Draws from the policy.

    Args:
        view: Of a dance environment.
        weights: A file of the network's parameters; None for the supervised policy.
        greedy: Take the likeliest action instead of drawing.

    Raises:
        InputError: The environment is of another domain, or there are no such weights.
    """

    def __init__(self, view: View, weights: str | None = None, greedy: bool = False) -> None:
        require_parts(view, {*SEEN, "rows"}, f"{type(self).__name__} writes dance charts")
        self.network, self.greedy = DanceNetwork().eval(), greedy
        if weights is not None:
            load_weights(self.network, weights)
        self.generator = torch.Generator()

    def reset(self, seed: int) -> None:
        """Seeds the draws."""
        self.generator.manual_seed(seed)

    @torch.no_grad()
    def act(self, observation: Any, info: dict[str, Any]) -> np.int64:
        """An action drawn from the policy, or the likeliest one."""
        batch = {key: torch.from_numpy(value[None]) for key, value in observation.items()}
        probs = MaskedCategorical(self.network(batch)[0], batch["action_mask"]).probs[0]
        if self.greedy:
            return np.int64(probs.argmax())
        return np.int64(torch.multinomial(probs, 1, generator=self.generator).item())


class Cloned(DanceAgent):
    """The supervised policy: steps and rows drawn from the critics."""

    def __init__(self, view: View) -> None:
        super().__init__(view)


class Pretrained(DanceAgent):
    """The shipped policy, fine-tuned from the supervised one by masked PPO."""

    def __init__(self, view: View) -> None:
        super().__init__(view, str(pretrained("dance-policy")))
