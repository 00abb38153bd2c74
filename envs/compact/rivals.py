"""Other ways to make a trained network smaller, to be compared with."""

from collections.abc import Mapping
from copy import deepcopy

import torch
from torch import Tensor, nn

from envs.compact.structure import check_kept, feature_maps, trace
from hardware_sim.errors import InputError


@torch.no_grad()
def prune_channels(model: nn.Module, kept: Mapping[str, int]) -> nn.Module:
    """Keeps the channels of each map whose filters have the largest L1 norm (Li et al., 2017).

    Args:
        model: A trained network.
        kept: Channels to keep, by the path of the convolution, as for compact maps.

    Raises:
        InputError: A layer cannot be pruned, or a number of channels is out of range.
    """
    pruned = trace(deepcopy(model).eval())
    maps = feature_maps(pruned)
    check_kept(maps, dict(kept))
    for name, channels in kept.items():
        conv = pruned.get_submodule(name)
        assert isinstance(conv, nn.Conv2d)
        index = conv.weight.abs().sum(dim=(1, 2, 3)).topk(channels).indices.sort().values
        _keep(conv, ("weight", "bias"), index, 0)
        conv.out_channels = channels
        norm = maps[name].norm
        if norm is not None:
            module = pruned.get_submodule(norm)
            _keep(module, ("weight", "bias", "running_mean", "running_var"), index, 0)
            assert isinstance(module, nn.BatchNorm2d)
            module.num_features = channels
        for path in maps[name].readers:
            _read_fewer(pruned.get_submodule(path), index, maps[name].channels)
    return pruned


def _read_fewer(reader: nn.Module, index: Tensor, channels: int) -> None:
    """Drops the weights of channels that are gone."""
    if isinstance(reader, nn.Conv2d):
        _keep(reader, ("weight",), index, 1)
        reader.in_channels = len(index)
    elif isinstance(reader, nn.Linear):
        positions = reader.in_features // channels
        flat = (index[:, None] * positions + torch.arange(positions)).flatten()
        _keep(reader, ("weight",), flat, 1)
        reader.in_features = len(flat)


def _keep(module: nn.Module, names: tuple[str, ...], index: Tensor, dim: int) -> None:
    """Keeps entries of a module's tensors."""
    for name in names:
        value = getattr(module, name)
        if value is not None:
            fewer = value.index_select(dim, index)
            setattr(module, name, nn.Parameter(fewer) if isinstance(value, nn.Parameter) else fewer)


@torch.no_grad()
def low_rank(model: nn.Module, ranks: Mapping[str, int]) -> nn.Module:
    """Splits convolutions by singular values: to ``rank`` channels, then 1 x 1 to all.

    The scheme of Zhang et al. (2016, arXiv 1505.06798) without its non-linear refinement.

    Args:
        model: A trained network.
        ranks: The rank of each convolution to be split, by path.

    Raises:
        InputError: A path is no ordinary convolution, or a rank is out of range.
    """
    split = trace(deepcopy(model).eval())
    for path, rank in ranks.items():
        conv = split.get_submodule(path)
        if not isinstance(conv, nn.Conv2d) or conv.groups != 1:
            raise InputError(f"{path!r} is no convolution without groups")
        full = min(conv.out_channels, conv.weight[0].numel())
        if not 1 <= rank <= full:
            raise InputError(f"the rank of {path} is {rank}; allowed: 1 to {full}")
        left, values, right = torch.linalg.svd(conv.weight.flatten(1), full_matrices=False)
        root = values[:rank].sqrt()
        first = nn.Conv2d(
            conv.in_channels, rank, conv.kernel_size, conv.stride, conv.padding, conv.dilation,  # type: ignore[arg-type]
            bias=False,
        )  # fmt: skip
        second = nn.Conv2d(rank, conv.out_channels, 1, bias=conv.bias is not None)
        first.weight.copy_((root[:, None] * right[:rank]).reshape(first.weight.shape))
        second.weight.copy_((left[:, :rank] * root)[:, :, None, None])
        if conv.bias is not None and second.bias is not None:
            second.bias.copy_(conv.bias)
        split.set_submodule(path, nn.Sequential(first, second))
    return trace(split)
