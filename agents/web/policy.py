"""A policy for web pages: an encoder over elements and fields, with pointers as its outputs.

After the element encoders of workflow-guided exploration (Liu et al., ICLR 2018) and DOM-Q-NET (Jia
et al., ICLR 2019), with attention in place of a graph network: elements see each other through
where they stand, and see the instruction's fields through how their texts agree.
"""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from agents.policies.masked import masked_logits
from agents.pretrained import pretrained
from agents.view import View
from envs.web.actions import ACTIONS, KEY, MAX_FIELDS
from envs.web.document import MAX_ELEMENTS
from envs.web.elements import ELEMENT_FEATURES, MATCH_FEATURES, PLACES, VOCABULARY
from envs.web.snapshot import KEYS
from envs.weights import load_weights
from hardware_sim.errors import InputError, choose

WORD = 32
WIDTH = 64
HEADS = 4
LAYERS = 3
Situation = tuple[bytes, ...]
"""A page as it is observed, but for its pixels."""

PATIENCE = {KEY + KEYS.index(key): 4 for key in ("ArrowUp", "ArrowDown")}
"""Times that an arrow key may be pressed in one situation: the option that it brings is only
observed if it agrees with a field."""

SIGHTS = ("dom", "pixels", "both")
_PLACE = len(ELEMENT_FEATURES) - len(PLACES)


class WebPolicy(nn.Module):
    """Logits of every action and a value, from observations of :class:`envs.web.env.WebEnv`.

    Only displayed elements are computed with; the others' logits are 0, which the mask hides.

    Args:
        sees: Inputs about an element besides its box: ``"dom"``, the page's attributes of it;
            ``"pixels"``, the screen there, as the paper's agent; or ``"both"``.

    Raises:
        InputError: ``sees`` is none of these.
    """

    def __init__(self, sees: str = "dom") -> None:
        super().__init__()
        self.sees = choose("sees", sees, SIGHTS)
        self.words = nn.Embedding(VOCABULARY, WORD, padding_idx=0)
        self.field = nn.Linear(2 * WORD, WIDTH)
        self.told = nn.Linear(WORD, WIDTH)
        self.relation = nn.Parameter(torch.randn(HEADS, len(RELATIONS)) / 4)
        self.layers = nn.ModuleList(_Layer() for _ in range(LAYERS))
        self.touch = nn.Linear(WIDTH, 3)
        self.typed = nn.Linear(WIDTH, WIDTH)
        self.offered = nn.Linear(WIDTH, WIDTH)
        self.keys = nn.Linear(WIDTH, len(KEYS))
        self.value = nn.Linear(WIDTH, 1)
        if sees != "pixels":
            self.element = nn.Linear(len(ELEMENT_FEATURES) + WORD + WIDTH, WIDTH)
            self.match = nn.Parameter(torch.randn(len(MATCH_FEATURES), WIDTH) / 2)
            self.meaning = nn.Linear(2 * WORD, WIDTH)
            self.agrees = nn.Linear(len(MATCH_FEATURES), 1)
        if sees != "dom":
            self.screen = Screen()
            self.shown = nn.Linear(self.screen.features_dim + 4, WIDTH)

    def forward(self, observation: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Logits (batch, actions), unmasked, and values (batch,).

        Args:
            observation: The environment's arrays, batched; pixels only if it sees them.
        """
        shown, index = _displayed(observation["element_mask"])
        elements = _gather(observation["elements"].float(), index)
        match = _gather(observation["match"].float(), index)
        names = self._bag(observation["fields"][..., :2])
        texts = self._bag(observation["fields"][..., 2:])
        fields = torch.cat([names, texts], -1)
        seen = torch.zeros_like(elements[..., :1])
        if self.sees != "pixels":
            meaning = self.meaning(fields)[:, :, None] * self.match
            agreement = match.flatten(2) @ meaning.flatten(1, 2)
            text = self._bag(_gather(observation["text"], index))
            seen = seen + self.element(torch.cat([elements, text, agreement], -1))
        if self.sees != "dom":
            places = elements[..., _PLACE : _PLACE + 4]
            looks = self.screen(observation["pixels"], places)
            seen = seen + self.shown(torch.cat([looks, places], -1))
        instruction = self.told(self._bag(observation["instruction"]))[:, None]
        tokens = torch.cat([instruction, self.field(fields), seen], 1)
        known = observation["field_mask"].bool()
        present = torch.cat([torch.ones_like(known[:, :1]), known, shown], 1)
        bias = self._bias(elements, present)
        for layer in self.layers:
            tokens = layer(tokens, bias)
        logits = self._logits(tokens, match, index)
        return logits, self.value(tokens[:, 0])[:, 0]

    def _bag(self, ids: Tensor) -> Tensor:
        """The mean of the words' vectors; zero where there is no word."""
        ids = ids.long()
        count = (ids > 0).sum(-1, keepdim=True).clamp(min=1)
        mean: Tensor = self.words(ids).sum(-2) / count
        return mean

    def _bias(self, elements: Tensor, present: Tensor) -> Tensor:
        """Bias of attention for each pair of tokens, by places of elements: (b, heads, n, n)."""
        pairs = relations(elements[..., _PLACE : _PLACE + 4])
        batch, _, count, _ = pairs.shape
        found = (self.relation @ pairs.flatten(2)).view(batch, HEADS, count, count)
        extra = present.shape[1] - count
        bias = functional.pad(found, (extra, 0, extra, 0))
        return bias.masked_fill(~present[:, None, None, :], -1e9)

    def _logits(self, tokens: Tensor, match: Tensor, index: Tensor) -> Tensor:
        batch = len(tokens)
        elements, fields = tokens[:, 1 + MAX_FIELDS :], tokens[:, 1 : 1 + MAX_FIELDS]
        click, grab, drop = self.touch(elements).unbind(-1)
        typing = self.typed(elements) @ self.offered(fields).transpose(1, 2) / WIDTH**0.5
        if self.sees != "pixels":
            typing = typing + self.agrees(match)[..., 0]
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


RELATIONS = (
    "across",
    "down",
    "left or right",
    "above or below",
    "same column",
    "same line",
    "next line",
    "same left edge",
    "following",
    "preceding",
    "itself",
    "distance in the document",
)
"""Names of the relations of two elements that :func:`relations` computes."""


def relations(places: Tensor) -> Tensor:
    """Relations of elements, (batch, relations, n, n), from left, top, width and height."""
    left, top, width, height = places.unbind(-1)
    across, down = _differences(left + width / 2), _differences(top + height / 2)
    order = torch.arange(places.shape[1], device=places.device).float()
    gap = _differences(order[None]).expand_as(across)
    return torch.stack(
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
        1,
    )


class Screen(nn.Module):
    """Features of the screen around places, by a convolutional network at half resolution."""

    features_dim = 96

    def __init__(self) -> None:
        super().__init__()
        self.near = nn.Sequential(
            nn.Conv2d(3, 16, 4, 2, 1), nn.ReLU(), nn.Conv2d(16, 32, 3, 2, 1), nn.ReLU()
        )
        self.wide = nn.Sequential(nn.Conv2d(32, 64, 3, 2, 1), nn.ReLU())

    def forward(self, pixels: Tensor, places: Tensor) -> Tensor:
        """Features (batch, n, features_dim) at the middles of boxes.

        Args:
            pixels: uint8 (batch, height, width, 3).
            places: Left, top, width and height (batch, n, 4), as shares of the screen.
        """
        picture = pixels.permute(0, 3, 1, 2).float() / 127.5 - 1
        near = self.near(functional.avg_pool2d(picture, 2))
        middles = places[..., :2] + places[..., 2:] / 2
        grid = (2 * middles - 1)[:, :, None]
        found = [
            functional.grid_sample(each, grid, align_corners=False)[..., 0].transpose(1, 2)
            for each in (near, self.wide(near))
        ]
        return torch.cat(found, -1)


def _displayed(mask: Tensor) -> tuple[Tensor, Tensor]:
    """True (batch, n) at the real places of a shortened list, and their elements (batch, n)."""
    shown = mask.bool()
    count = max(1, int(shown.sum(1).max()))
    index = torch.sort(shown.to(torch.int8), dim=1, descending=True, stable=True).indices[:, :count]
    return shown.gather(1, index), index


def _differences(places: Tensor) -> Tensor:
    """Distance of every other element from each, (batch, n, n)."""
    return places[:, None, :] - places[:, :, None]


def _gather(array: Tensor, index: Tensor) -> Tensor:
    """Rows ``index`` of the second axis."""
    shape = index.shape + array.shape[2:]
    return array.gather(1, index.view(*index.shape, *[1] * (array.dim() - 2)).expand(shape))


class WebAgent:
    """Acts by a trained policy, but never does the same thing twice in the same situation.

    What led back to a page that looks as before would do so for ever. Among what has not been tried
    there, it takes the most probable act.

    Args:
        view: Of a web environment.
        weights: A safetensors file; the first of the shipped ones if it is missing.
        sees: As of :class:`WebPolicy`; with pixels the environment must have them, too.
        deterministic: Takes the most probable legal action; otherwise samples.

    Raises:
        InputError: The environment's actions are not those of web environments.
    """

    def __init__(
        self,
        view: View,
        weights: str | Path | None = None,
        sees: str = "dom",
        deterministic: bool = True,
    ) -> None:
        if getattr(view.action_space, "n", None) != ACTIONS:
            raise InputError("the web policy needs an environment with the web actions")
        seen = view.observation_space
        if sees != "dom" and not (isinstance(seen, gym.spaces.Dict) and "pixels" in seen.spaces):
            raise InputError("a policy that sees pixels needs an environment with pixels=True")
        self.policy = WebPolicy(sees)
        load_weights(self.policy, weights or pretrained("web-0"))
        self.policy.eval()
        self.deterministic = deterministic
        self.generator = torch.Generator()
        self.tried: dict[Situation, Counter[int]] = {}

    def reset(self, seed: int) -> None:
        """Seeds the choice of actions and forgets what was tried."""
        self.generator.manual_seed(seed)
        self.tried = {}

    def act(self, observation: dict[str, Any], info: dict[str, Any]) -> np.int64:
        """The action for an observation."""
        batch = {
            key: torch.as_tensor(np.asarray(part))[None]
            for key, part in observation.items()
            if key != "pixels" or self.policy.sees != "dom"
        }
        with torch.no_grad():
            logits = masked_logits(self.policy(batch)[0], batch["action_mask"])[0]
        situation = tuple(part.tobytes() for key, part in observation.items() if key != "pixels")
        tried = self.tried.setdefault(situation, Counter())
        spent = [action for action, times in tried.items() if times >= PATIENCE.get(action, 1)]
        if len(spent) < int(batch["action_mask"].sum()):
            logits[spent] = torch.finfo(logits.dtype).min
        if self.deterministic:
            action = int(logits.argmax())
        else:
            chances = torch.softmax(logits, 0)
            action = int(torch.multinomial(chances, 1, generator=self.generator)[0])
        tried[action] += 1
        return np.int64(action)
