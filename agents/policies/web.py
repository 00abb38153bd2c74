"""A policy for web pages: an encoder over elements and fields, with pointers as its outputs.

After the element encoders of workflow-guided exploration (Liu et al., ICLR 2018) and DOM-Q-NET (Jia
et al., ICLR 2019), with attention in place of a graph network: elements see each other through
where they stand, and see the instruction's fields through how their texts agree.
"""

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from agents.policies.masked import masked_logits
from envs.web.actions import ACTIONS, MAX_FIELDS
from envs.web.document import MAX_ELEMENTS
from envs.web.elements import ELEMENT_FEATURES, MATCH_FEATURES, PLACES, VOCABULARY
from envs.web.snapshot import KEYS
from hardware_sim.errors import InputError

WORD = 32
WIDTH = 96
HEADS = 4
LAYERS = 3
_PLACE = len(ELEMENT_FEATURES) - len(PLACES)


class WebPolicy(nn.Module):
    """Logits of every action and a value, from observations of :class:`envs.web.env.WebEnv`.

    Only displayed elements are computed with; the others' logits are 0, which the mask hides.
    """

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(VOCABULARY, WORD, padding_idx=0)
        self.element = nn.Linear(len(ELEMENT_FEATURES) + WORD + WIDTH, WIDTH)
        self.field = nn.Linear(2 * WORD, WIDTH)
        self.told = nn.Linear(WORD, WIDTH)
        self.match = nn.Parameter(torch.randn(len(MATCH_FEATURES), WIDTH) / 2)
        self.meaning = nn.Linear(2 * WORD, WIDTH)
        self.relation = nn.Linear(12, HEADS * LAYERS)
        self.layers = nn.ModuleList(_Layer() for _ in range(LAYERS))
        self.touch = nn.Linear(WIDTH, 3)
        self.typed = nn.Linear(WIDTH, WIDTH)
        self.offered = nn.Linear(WIDTH, WIDTH)
        self.agrees = nn.Linear(len(MATCH_FEATURES), 1)
        self.keys = nn.Linear(WIDTH, len(KEYS))
        self.value = nn.Linear(WIDTH, 1)

    def forward(self, observation: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Logits (batch, actions), unmasked, and values (batch,).

        Args:
            observation: The environment's arrays but for pixels, batched.
        """
        shown, index = _displayed(observation["element_mask"])
        elements = _gather(observation["elements"].float(), index)
        match = _gather(observation["match"].float(), index)
        names = self._bag(observation["fields"][..., :2])
        texts = self._bag(observation["fields"][..., 2:])
        fields = torch.cat([names, texts], -1)
        said = self.meaning(fields)[:, :, None] * self.match
        agreement = match.flatten(2) @ said.flatten(1, 2)
        seen = torch.cat([elements, self._bag(_gather(observation["text"], index)), agreement], -1)
        told = self.told(self._bag(observation["instruction"]))[:, None]
        tokens = torch.cat([told, self.field(fields), self.element(seen)], 1)
        known = observation["field_mask"].bool()
        present = torch.cat([torch.ones_like(known[:, :1]), known, shown], 1)
        biases = self._biases(elements, present)
        for layer, bias in zip(self.layers, biases, strict=True):
            tokens = layer(tokens, bias)
        logits = self._logits(tokens, match, index)
        return logits, self.value(tokens[:, 0])[:, 0]

    def _bag(self, ids: Tensor) -> Tensor:
        """The mean of the words' vectors; zero where there is no word."""
        ids = ids.long()
        count = (ids > 0).sum(-1, keepdim=True).clamp(min=1)
        mean: Tensor = self.words(ids).sum(-2) / count
        return mean

    def _biases(self, elements: Tensor, present: Tensor) -> list[Tensor]:
        """What each pair of tokens adds to attention, by where the elements stand."""
        count = present.shape[1]
        left, top, width, height = elements[..., _PLACE : _PLACE + 4].unbind(-1)
        across, down = _differences(left + width / 2), _differences(top + height / 2)
        order = torch.arange(elements.shape[1], device=elements.device).float()
        gap = _differences(order[None]).expand_as(across)
        pairs = torch.stack(
            [
                across.abs(),
                down.abs(),
                across.sign(),
                down.sign(),
                (across.abs() < 0.02).float(),
                (down.abs() < 0.02).float(),
                (down.abs() < 0.06).float() * down.sign(),
                (_differences(left).abs() < 0.01).float(),
                (gap == 1).float(),
                (gap == -1).float(),
                (gap == 0).float(),
                (gap.abs() / 16).clamp(max=2),
            ],
            -1,
        )
        found = self.relation(pairs).permute(0, 3, 1, 2)
        extra = count - elements.shape[1]
        bias = functional.pad(found, (extra, 0, extra, 0))
        bias = bias.masked_fill(~present[:, None, None, :], -1e9)
        return list(bias.split(HEADS, 1))

    def _logits(self, tokens: Tensor, match: Tensor, index: Tensor) -> Tensor:
        batch = len(tokens)
        elements, fields = tokens[:, 1 + MAX_FIELDS :], tokens[:, 1 : 1 + MAX_FIELDS]
        click, grab, drop = self.touch(elements).unbind(-1)
        pointing = self.typed(elements) @ self.offered(fields).transpose(1, 2) / WIDTH**0.5
        typing = pointing + self.agrees(match)[..., 0]
        wide = tokens.new_zeros(batch, MAX_ELEMENTS)
        return torch.cat(
            [
                wide.scatter(1, index, click),
                tokens.new_zeros(batch, MAX_ELEMENTS, MAX_FIELDS)
                .scatter(1, index[..., None].expand_as(typing), typing)
                .flatten(1),
                wide.scatter(1, index, grab),
                wide.scatter(1, index, drop),
                self.keys(tokens[:, 0]),
            ],
            1,
        )


class _Layer(nn.Module):
    """Attention with a bias for each pair, then a small network; both on normalised inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.before = nn.LayerNorm(WIDTH)
        self.mix = nn.Linear(WIDTH, 3 * WIDTH)
        self.out = nn.Linear(WIDTH, WIDTH)
        self.between = nn.LayerNorm(WIDTH)
        self.think = nn.Sequential(
            nn.Linear(WIDTH, 2 * WIDTH), nn.GELU(), nn.Linear(2 * WIDTH, WIDTH)
        )

    def forward(self, tokens: Tensor, bias: Tensor) -> Tensor:
        batch, count, _ = tokens.shape
        parts = self.mix(self.before(tokens)).view(batch, count, 3, HEADS, WIDTH // HEADS)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=bias)
        tokens = tokens + self.out(mixed.transpose(1, 2).flatten(2))
        result: Tensor = tokens + self.think(self.between(tokens))
        return result


def _displayed(mask: Tensor) -> tuple[Tensor, Tensor]:
    """Which places of a shortened list are real (batch, n), and their elements (batch, n)."""
    shown = mask.bool()
    count = max(1, int(shown.sum(1).max()))
    index = torch.sort(shown.to(torch.int8), dim=1, descending=True, stable=True).indices[:, :count]
    return shown.gather(1, index), index


def _differences(places: Tensor) -> Tensor:
    """How far every other element lies from each, (batch, n, n)."""
    return places[:, None, :] - places[:, :, None]


def _gather(array: Tensor, index: Tensor) -> Tensor:
    """Rows ``index`` of the second axis."""
    shape = index.shape + array.shape[2:]
    return array.gather(1, index.view(*index.shape, *[1] * (array.dim() - 2)).expand(shape))


class WebAgent:
    """Acts by a trained policy.

    Args:
        env: A web environment.
        weights: A safetensors file; the shipped one if it is missing.
        deterministic: Takes the most probable legal action; otherwise samples.

    Raises:
        InputError: The environment's actions are not those of web environments.
    """

    def __init__(
        self, env: gym.Env[Any, Any], weights: str | Path | None = None, deterministic: bool = True
    ) -> None:
        if getattr(env.action_space, "n", None) != ACTIONS:
            raise InputError("the web policy needs an environment with the web actions")
        self.policy = WebPolicy()
        path = weights or str(files("agents").joinpath("pretrained", "web.safetensors"))
        state = load_file(path)
        self.policy.load_state_dict({name: part.float() for name, part in state.items()})
        self.policy.eval()
        self.deterministic = deterministic
        self.generator = torch.Generator()

    def reset(self, seed: int) -> None:
        """Seeds the choice of actions."""
        self.generator.manual_seed(seed)

    def act(self, observation: dict[str, Any], info: dict[str, Any]) -> np.int64:
        """The action for an observation."""
        batch = {
            key: torch.as_tensor(np.asarray(part))[None]
            for key, part in observation.items()
            if key != "pixels"
        }
        with torch.inference_mode():
            logits = masked_logits(self.policy(batch)[0], batch["action_mask"])[0]
        if self.deterministic:
            return np.int64(logits.argmax())
        chances = torch.softmax(logits, 0)
        return np.int64(torch.multinomial(chances, 1, generator=self.generator)[0])
