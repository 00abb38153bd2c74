"""VGG-16 and ResNet-50 in plain PyTorch, with random weights: networks to measure on."""

import torch
from torch import nn

IMAGE = (1, 3, 224, 224)
VGG16 = (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512, 0)
"""Channels of the convolutions of VGG-16 (Simonyan and Zisserman 2015, arXiv 1409.1556, table 1,
column D); 0 is max-pooling."""
RESNET50 = ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2))
"""Width, blocks and stride of the stages of ResNet-50 (He et al. 2016, arXiv 1512.03385,
table 1)."""


def vgg16() -> tuple[nn.Module, torch.Tensor]:
    """VGG-16 for a thousand classes, and an image of random numbers."""
    layers: list[nn.Module] = []
    channels = 3
    for width in VGG16:
        if width:
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(inplace=True)]
            channels = width
        else:
            layers.append(nn.MaxPool2d(2))
    head = [
        nn.Linear(512 * 7 * 7, 4096), nn.ReLU(inplace=True), nn.Dropout(),
        nn.Linear(4096, 4096), nn.ReLU(inplace=True), nn.Dropout(), nn.Linear(4096, 1000),
    ]  # fmt: skip
    return initialised(nn.Sequential(*layers, nn.Flatten(), *head))


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions beside a shortcut; the 3x3 one has the stride."""

    def __init__(self, channels: int, width: int, stride: int) -> None:
        """Makes a block from ``channels`` to ``4 * width`` channels."""
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, 4 * width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * width)
        self.relu = nn.ReLU(inplace=True)
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or channels != 4 * width:
            self.downsample = nn.Sequential(
                nn.Conv2d(channels, 4 * width, 1, stride, bias=False), nn.BatchNorm2d(4 * width)
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Of ``(N, channels, H, W)``."""
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        y += self.downsample(x)
        result: torch.Tensor = self.relu(y)
        return result


def resnet50() -> tuple[nn.Module, torch.Tensor]:
    """ResNet-50 for a thousand classes, and an image of random numbers."""
    blocks: list[nn.Module] = []
    channels = 64
    for width, count, stride in RESNET50:
        for i in range(count):
            blocks.append(Bottleneck(channels, width, stride if i == 0 else 1))
            channels = 4 * width
    stem = [
        nn.Conv2d(3, 64, 7, 2, padding=3, bias=False), nn.BatchNorm2d(64),
        nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, padding=1),
    ]  # fmt: skip
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 1000)]
    return initialised(nn.Sequential(*stem, *blocks, *head))


def initialised(model: nn.Module) -> tuple[nn.Module, torch.Tensor]:
    """The model with weights and statistics that keep activations in range, and an input."""
    generator = torch.Generator().manual_seed(0)
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=generator)
        elif isinstance(layer, nn.BatchNorm2d):
            for tensor in (layer.weight, layer.running_var):
                assert tensor is not None
                nn.init.uniform_(tensor, 0.5, 1.5, generator=generator)
            for tensor in (layer.bias, layer.running_mean):
                assert tensor is not None
                nn.init.uniform_(tensor, -0.1, 0.1, generator=generator)
    return model.eval(), torch.randn(IMAGE, generator=generator)
