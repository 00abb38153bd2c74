"""The small convolutional network on which compact feature maps are tried."""

from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import nn

WIDTHS = (32, 64, 64, 128, 128)
"""Channels of the five feature maps."""

IMAGE_SHAPE = (3, 32, 32)


def small_cnn(widths: Sequence[int] = WIDTHS, seed: int = 0) -> nn.Sequential:
    """Five 3 x 3 convolutions, normalised, at 16, 16, 8, 8 and 8 pixels; ten classes.

    Args:
        widths: Channels of the five maps.
        seed: Seeds the weights.
    """
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for i, (inputs, outputs) in enumerate(zip((3, *widths), widths, strict=False), start=1):
            layers[f"conv{i}"] = nn.Conv2d(
                inputs, outputs, 3, stride=2 if i == 1 else 1, padding=1, bias=False
            )
            layers[f"norm{i}"] = nn.BatchNorm2d(outputs)
            layers[f"relu{i}"] = nn.ReLU()
            if i == 2:
                layers[f"pool{i}"] = nn.MaxPool2d(2)
        layers["pool"] = nn.AdaptiveAvgPool2d(1)
        layers["flatten"] = nn.Flatten()
        layers["classes"] = nn.Linear(widths[-1], 10)
    return nn.Sequential(layers)
