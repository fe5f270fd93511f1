"""Gluon's resnet18_v2 in PyTorch (torchvision only has version 1 of ResNet-18), and its number of operations."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import nn


class BasicBlock(nn.Module):
    """Residual block with pre-activation (He et al. 2016, *Identity Mappings in Deep Residual Networks*)."""

    def __init__(self, before: int, channels: int, stride: int) -> None:
        super().__init__()
        self.bn1, self.bn2 = nn.BatchNorm2d(before), nn.BatchNorm2d(channels)
        self.conv1 = nn.Conv2d(before, channels, 3, stride, padding=1, bias=False)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.downsample = None if before == channels else nn.Conv2d(before, channels, 1, stride, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the sum of the shortcut and the residual."""
        active = self.bn1(x).relu()
        residual = self.downsample(active) if self.downsample else x
        return residual + self.conv2(self.bn2(self.conv1(active)).relu())


def resnet18_v2(classes: int) -> nn.Sequential:
    """Return Gluon's resnet18_v2 with the modules ``features`` and ``output`` and PyTorch's initialisation."""
    layers = [nn.BatchNorm2d(3, affine=False), nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU()]
    layers.append(nn.MaxPool2d(3, 2, 1))
    for before, channels in [(64, 64), (64, 128), (128, 256), (256, 512)]:
        layers += [BasicBlock(before, channels, channels // before), BasicBlock(channels, channels, 1)]
    layers += [nn.BatchNorm2d(512), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(OrderedDict(features=nn.Sequential(*layers), output=nn.Linear(512, classes)))


def forward_gflop(net: nn.Module, size: int) -> float:
    """Return the operations per image in convolutions and dense layers, in 10⁹; a multiply-add counts as 2."""
    counts: list[int] = []

    def count(layer: nn.Module, _: object, output: torch.Tensor) -> None:
        counts.append(2 * output.numel() * layer.weight[0].numel())

    hooks = [m.register_forward_hook(count) for m in net.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    with torch.no_grad():
        net(torch.zeros(2, 3, size, size))
    for hook in hooks:
        hook.remove()
    return sum(counts) / 2 / 1e9
