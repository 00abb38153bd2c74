"""Measures how large the values in the entropy model become, for the integers' sake."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from envs.codec.entropy import HIGHEST, Rectifier
from envs.codec.network import FINEST, CodecNetwork

LEAST_REACH = 15
QUALITIES = (0.0, FINEST / 3, 2 * FINEST / 3, float(FINEST))
LEAST = 0.1
"""Least ceiling, that of a silent unit say, as a share of the mean of its layer."""


@torch.no_grad()
def lift_ceilings(network: CodecNetwork) -> None:
    """Takes the bounds away that were measured, so that training is free of them."""
    for each in network.modules():
        if isinstance(each, Rectifier):
            each.ceiling.fill_(HIGHEST)
    network.entropy.reach.fill_(HIGHEST)


@torch.no_grad()
def measure_ceilings(network: CodecNetwork, pictures: Sequence[Tensor]) -> None:
    """Sets rectifiers' ceilings and the reach of symbols to the largest values that occur.

    Args:
        network: The network to change.
        pictures: Pictures ``(3, H, W)`` to code, each at four qualities.
    """
    largest: dict[nn.Module, Tensor] = {}

    def note(module: nn.Module, inputs: tuple[Tensor]) -> None:
        found = inputs[0].detach().float().amax(dim=(0, 2, 3))
        largest[module] = torch.maximum(largest.get(module, found), found)

    def note_symbols(module: nn.Module, inputs: tuple[Tensor, Tensor]) -> None:
        found = inputs[0].abs().amax(dim=(0, 2, 3)).ceil()
        network.entropy.reach.copy_(torch.maximum(network.entropy.reach, found))

    rectifiers = [each for each in network.modules() if isinstance(each, Rectifier)]
    lift_ceilings(network)
    network.entropy.reach.fill_(LEAST_REACH)
    hooks = [network.entropy.register_forward_pre_hook(note_symbols)]
    hooks += [each.register_forward_pre_hook(note) for each in rectifiers]
    network.eval()
    for picture in pictures:
        for quality in QUALITIES:
            network(picture[None], torch.tensor([quality]))
    for hook in hooks:
        hook.remove()
    network.entropy.reach.clamp_max_(HIGHEST)
    for each in rectifiers:
        found = largest[each].relu()
        each.ceiling.copy_(torch.maximum(found, LEAST * found.mean()))
