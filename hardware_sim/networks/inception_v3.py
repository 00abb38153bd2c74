"""Inception-V3, the network that the device-placement literature measures itself on.

The architecture of Szegedy et al., "Rethinking the Inception Architecture for Computer Vision"
(CVPR 2016, arXiv 1512.00567), in the widely used variant: 299x299 images, 94 units of convolution,
batch norm and ReLU, 1000 classes. The auxiliary head, which only training uses, is left out.
"""

import torch
from torch import Tensor, nn

Size = int | tuple[int, int]


class Unit(nn.Sequential):
    """Convolution without bias, batch norm, ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: Size, stride: int = 1, pad: Size = 0):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, pad, bias=False)
        self.bn = nn.BatchNorm2d(outputs, eps=0.001)
        self.relu = nn.ReLU(inplace=True)


class Parallel(nn.ModuleDict):
    """Branches that read the same tensor; their outputs are concatenated along the channels."""

    def forward(self, x: Tensor) -> Tensor:
        """Maps ``(B, C, H, W)`` to ``(B, sum of the branches' channels, H', W')``."""
        return torch.cat([branch(x) for branch in self.values()], dim=1)


class InceptionV3(nn.Sequential):
    """Maps float images ``(B, 3, 299, 299)`` to logits ``(B, classes)``; 23,834,568 parameters.

    Args:
        classes: Number of logits.
    """

    def __init__(self, classes: int = 1000):
        super().__init__()
        self.Conv2d_1a_3x3 = Unit(3, 32, 3, stride=2)
        self.Conv2d_2a_3x3 = Unit(32, 32, 3)
        self.Conv2d_2b_3x3 = Unit(32, 64, 3, pad=1)
        self.maxpool1 = nn.MaxPool2d(3, stride=2)
        self.Conv2d_3b_1x1 = Unit(64, 80, 1)
        self.Conv2d_4a_3x3 = Unit(80, 192, 3)
        self.maxpool2 = nn.MaxPool2d(3, stride=2)
        self.Mixed_5b = _grid35(192, pool=32)
        self.Mixed_5c = _grid35(256, pool=64)
        self.Mixed_5d = _grid35(288, pool=64)
        self.Mixed_6a = _reduce35(288)
        self.Mixed_6b = _grid17(768, middle=128)
        self.Mixed_6c = _grid17(768, middle=160)
        self.Mixed_6d = _grid17(768, middle=160)
        self.Mixed_6e = _grid17(768, middle=192)
        self.Mixed_7a = _reduce17(768)
        self.Mixed_7b = _grid8(1280)
        self.Mixed_7c = _grid8(2048)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout()
        self.flatten = nn.Flatten()
        self.fc = nn.Linear(2048, classes)


def _pooled(inputs: int, outputs: int) -> nn.Sequential:
    """3x3 average pooling at stride 1, then a 1x1 convolution."""
    return nn.Sequential(nn.AvgPool2d(3, stride=1, padding=1), Unit(inputs, outputs, 1))


def _grid35(inputs: int, pool: int) -> Parallel:
    """The module of the 35x35 grid (figure 5 of the paper); 224 + ``pool`` channels out."""
    return Parallel(
        {
            "b1x1": Unit(inputs, 64, 1),
            "b5x5": nn.Sequential(Unit(inputs, 48, 1), Unit(48, 64, 5, pad=2)),
            "b3x3dbl": nn.Sequential(
                Unit(inputs, 64, 1), Unit(64, 96, 3, pad=1), Unit(96, 96, 3, pad=1)
            ),
            "bpool": _pooled(inputs, pool),
        }
    )


def _reduce35(inputs: int) -> Parallel:
    """From the 35x35 to the 17x17 grid (figure 10); 480 + ``inputs`` channels out."""
    return Parallel(
        {
            "b3x3": Unit(inputs, 384, 3, stride=2),
            "b3x3dbl": nn.Sequential(
                Unit(inputs, 64, 1), Unit(64, 96, 3, pad=1), Unit(96, 96, 3, stride=2)
            ),
            "bpool": nn.MaxPool2d(3, stride=2),
        }
    )


def _grid17(inputs: int, middle: int) -> Parallel:
    """The module of the 17x17 grid, 7x7 filters factorised (figure 6); 768 channels out."""
    wide, tall = ((1, 7), (0, 3)), ((7, 1), (3, 0))
    return Parallel(
        {
            "b1x1": Unit(inputs, 192, 1),
            "b7x7": nn.Sequential(
                Unit(inputs, middle, 1),
                Unit(middle, middle, wide[0], pad=wide[1]),
                Unit(middle, 192, tall[0], pad=tall[1]),
            ),
            "b7x7dbl": nn.Sequential(
                Unit(inputs, middle, 1),
                Unit(middle, middle, tall[0], pad=tall[1]),
                Unit(middle, middle, wide[0], pad=wide[1]),
                Unit(middle, middle, tall[0], pad=tall[1]),
                Unit(middle, 192, wide[0], pad=wide[1]),
            ),
            "bpool": _pooled(inputs, 192),
        }
    )


def _reduce17(inputs: int) -> Parallel:
    """From the 17x17 to the 8x8 grid; 512 + ``inputs`` channels out."""
    return Parallel(
        {
            "b3x3": nn.Sequential(Unit(inputs, 192, 1), Unit(192, 320, 3, stride=2)),
            "b7x7x3": nn.Sequential(
                Unit(inputs, 192, 1),
                Unit(192, 192, (1, 7), pad=(0, 3)),
                Unit(192, 192, (7, 1), pad=(3, 0)),
                Unit(192, 192, 3, stride=2),
            ),
            "bpool": nn.MaxPool2d(3, stride=2),
        }
    )


def _grid8(inputs: int) -> Parallel:
    """The module of the 8x8 grid, outputs expanded (figure 7); 2048 channels out."""
    return Parallel(
        {
            "b1x1": Unit(inputs, 320, 1),
            "b3x3": nn.Sequential(Unit(inputs, 384, 1), _fork()),
            "b3x3dbl": nn.Sequential(Unit(inputs, 448, 1), Unit(448, 384, 3, pad=1), _fork()),
            "bpool": _pooled(inputs, 192),
        }
    )


def _fork() -> Parallel:
    """1x3 and 3x1 convolutions side by side, 384 channels in, 768 out."""
    return Parallel(
        {
            "b1x3": Unit(384, 384, (1, 3), pad=(0, 1)),
            "b3x1": Unit(384, 384, (3, 1), pad=(1, 0)),
        }
    )
