"""The entropy model: how many bits quantised latent maps cost, given what was coded before them.

Side information at a sixty-fourth of the resolution comes first. The maps follow in four phases,
the places of each 2x2 square in the order of :data:`ORDER`, and in two groups of channels in each
phase; every one is predicted from the side information and from its neighbours of earlier phases.
What the decoder runs are plain convolutions and rectifiers, which integers can do exactly.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from envs.codec.likelihood import bits, expected, noisy, rounded, scale_of

ORDER = (0, 3, 1, 2)
"""Places of a 2x2 square, row by row, in the order of coding."""

Pad = tuple[int, int, int, int]

SEEN: dict[int, tuple[tuple[int, tuple[int, int], Pad], ...]] = {
    0: (),
    3: ((0, (2, 2), (0, 1, 0, 1)),),
    1: ((0, (1, 2), (0, 1, 0, 0)), (3, (2, 1), (0, 0, 1, 0))),
    2: ((0, (2, 1), (0, 0, 0, 1)), (3, (1, 2), (1, 0, 0, 0)), (1, (2, 2), (1, 0, 0, 1))),
}
"""For each place, its nearest neighbours coded before: their place, height and width, padding."""

SIDE = 64
"""Channels of side information."""

STRIDE = 64
"""Pixels of a picture's side to one place of side information."""

WIDTH = 160
HIDDEN = 128
FIRST = 32
"""Channels of the group that is coded first."""

HIGHEST = 2.0**10
"""Ceiling of the rectifiers and reach of the symbols until they are measured."""

_SLOPE = 0.1


class Rectifier(nn.Module):
    """Values between zero and a ceiling for each channel, above which integers would not reach.

    Args:
        width: Number of channels.
    """

    ceiling: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("ceiling", torch.full((width,), HIGHEST))

    def forward(self, maps: Tensor) -> Tensor:
        """Maps ``(B, C, H, W)`` between the bounds."""
        return torch.minimum(functional.relu(maps), self.ceiling.view(-1, 1, 1).to(maps.dtype))


class SideAnalysis(nn.Module):
    """Latent maps to side information, which only the encoder computes."""

    def __init__(self, latents: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(latents, HIDDEN, 1),
            nn.LeakyReLU(_SLOPE),
            nn.Conv2d(HIDDEN, HIDDEN, 3, stride=2, padding=1),
            nn.LeakyReLU(_SLOPE),
            nn.Conv2d(HIDDEN, SIDE, 3, stride=2, padding=1),
        )

    def forward(self, latents: Tensor) -> Tensor:
        """Side information ``(B, 64, H / 4, W / 4)`` of maps ``(B, M, H, W)``."""
        result: Tensor = self.body(latents)
        return result


class SideSynthesis(nn.Module):
    """Side information to features of each 2x2 square of the latent maps."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(SIDE + 1, 4 * 96, 1),
            nn.PixelShuffle(2),
            Rectifier(96),
            nn.Conv2d(96, WIDTH, 3, padding=1),
            Rectifier(WIDTH),
            nn.Conv2d(WIDTH, WIDTH, 3, padding=1),
            Rectifier(WIDTH),
        )

    def forward(self, side: Tensor, quality: Tensor) -> Tensor:
        """Features ``(B, 160, 2 H, 2 W)``.

        Args:
            side: Integers ``(B, 64, H, W)``.
            quality: ``(B,)``, place in the table of gains.
        """
        level = quality.view(-1, 1, 1, 1).expand(-1, 1, *side.shape[-2:])
        result: Tensor = self.body(torch.cat([side, level], dim=1))
        return result


class Phase(nn.Module):
    """Distributions of the symbols at one place of every 2x2 square.

    Args:
        latents: Latent channels.
        place: Place in the square.
    """

    def __init__(self, latents: int, place: int) -> None:
        super().__init__()
        self.place = place
        self.side = nn.Conv2d(WIDTH, HIDDEN, 1)
        self.near = nn.ModuleList(
            nn.Conv2d(latents, HIDDEN, kernel, bias=False) for _, kernel, _ in SEEN[place]
        )
        self.bound = Rectifier(HIDDEN)
        self.first = nn.Sequential(
            nn.Conv2d(HIDDEN, HIDDEN, 1), Rectifier(HIDDEN), nn.Conv2d(HIDDEN, 2 * FIRST, 1)
        )
        self.group = nn.Conv2d(FIRST, HIDDEN, 1, bias=False)
        self.middle = nn.Conv2d(HIDDEN, HIDDEN, 1)
        self.rest = nn.Sequential(Rectifier(HIDDEN), nn.Conv2d(HIDDEN, 2 * (latents - FIRST), 1))

    def known(self, side: Tensor, coded: dict[int, Tensor]) -> Tensor:
        """Context of the places to come, from side and earlier places, ``(B, 128, H, W)``.

        Args:
            side: Features of the side information ``(B, 160, H, W)``.
            coded: Symbols ``(B, M, H, W)`` of earlier places.
        """
        total: Tensor = self.side(side)
        for (source, _, pad), layer in zip(SEEN[self.place], self.near, strict=True):
            total = total + layer(functional.pad(coded[source], pad))
        result: Tensor = self.bound(total)
        return result

    def of_first(self, known: Tensor) -> Tensor:
        """Means and log-deviations ``(B, 2 * 32, H, W)`` of the first group's symbols."""
        result: Tensor = self.first(known)
        return result

    def of_rest(self, known: Tensor, first: Tensor) -> Tensor:
        """Means and log-deviations of the other symbols, given those of the first group."""
        mixed = self.middle(known) + self.group(first)
        result: Tensor = self.rest(mixed)
        return result


class EntropyModel(nn.Module):
    """Costs of latent maps and what their symbols stand for.

    Args:
        latents: Latent channels.

    Attributes:
        reach: Magnitude ``(M,)`` as which larger symbols of a channel count where they predict
            others.
    """

    reach: Tensor

    def __init__(self, latents: int) -> None:
        super().__init__()
        self.register_buffer("reach", torch.full((latents,), HIGHEST))
        self.side_analysis = SideAnalysis(latents)
        self.side_mean = nn.Parameter(torch.zeros(SIDE))
        self.side_scale = nn.Parameter(torch.zeros(SIDE))
        self.side_synthesis = SideSynthesis()
        self.phases = nn.ModuleList(Phase(latents, place) for place in ORDER)

    def forward(self, latents: Tensor, quality: Tensor) -> tuple[Tensor, Tensor]:
        """Latent maps after quantisation, and bits ``(B,)`` of each picture.

        In training a gradient passes through the quantisation as if it were nothing, and the bits
        are those of maps with noise.

        Args:
            latents: float32 ``(B, M, H, W)`` in steps of the quantiser, sides multiples of 4.
            quality: float32 ``(B,)``, place in the table of gains.
        """
        side = self.side_analysis(latents).float()
        side_symbols, symbols = rounded(side), rounded(latents)
        features = self.side_synthesis(side_symbols, quality)
        mean, logarithm = self.distributions(features, symbols)
        scale = scale_of(logarithm)
        cost = bits(noisy(latents) if self.training else symbols, mean, scale).sum(dim=(1, 2, 3))
        side_cost = bits(
            noisy(side) if self.training else side_symbols,
            self.side_mean.view(-1, 1, 1),
            scale_of(self.side_scale).view(-1, 1, 1),
        )
        found = expected(symbols, mean, scale)
        passed = latents + (found - latents).detach()
        return passed, cost + side_cost.sum(dim=(1, 2, 3))

    @torch.no_grad()
    def expect(self, spread: Tensor) -> None:
        """Makes an untrained model expect symbols of these deviations ``(M,)``."""
        for phase in self.in_order():
            for layer, part in (
                (phase.first[2], spread[:FIRST]),
                (phase.rest[1], spread[FIRST:]),
            ):
                assert isinstance(layer.bias, Tensor)
                layer.bias[len(part) :] = part.log()

    def in_order(self) -> list[Phase]:
        """The networks of the phases, in the order of coding."""
        return [phase for phase in self.phases if isinstance(phase, Phase)]

    def distributions(self, features: Tensor, symbols: Tensor) -> tuple[Tensor, Tensor]:
        """Means and log-deviations float32 ``(B, M, H, W)`` of all symbols, each from earlier ones.

        Args:
            features: Of the side information, ``(B, 160, H / 2, W / 2)``.
            symbols: ``(B, M, H, W)``.
        """
        batch, channels, height, width = symbols.shape
        reach = self.reach.view(-1, 1, 1)
        seen = torch.maximum(torch.minimum(symbols, reach), -reach)
        squares = functional.pixel_unshuffle(seen, 2)
        squares = squares.view(batch, channels, 4, height // 2, width // 2)
        coded: dict[int, Tensor] = {}
        found: dict[int, Tensor] = {}
        for phase in self.in_order():
            place = phase.place
            here = squares[:, :, place]
            known = phase.known(features, coded)
            mean_1, scale_1 = phase.of_first(known).float().chunk(2, dim=1)
            mean_2, scale_2 = phase.of_rest(known, here[:, :FIRST]).float().chunk(2, dim=1)
            found[place] = torch.cat([mean_1, mean_2, scale_1, scale_2], dim=1)
            coded[place] = here
        joined = torch.stack([found[place] for place in range(4)], dim=2)
        joined = joined.reshape(batch, 8 * channels, height // 2, width // 2)
        mean, logarithm = functional.pixel_shuffle(joined, 2).chunk(2, dim=1)
        return mean, logarithm
