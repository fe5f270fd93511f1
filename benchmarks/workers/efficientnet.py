"""EfficientNet-Lite0 in PyTorch, with the padding of TensorFlow, in which it was published (Tan and Le 2019)."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import nn

STAGES = (  # blocks, kernel, stride of the first block, expansion, output channels
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)


class InvertedResidual(nn.Module):
    """Expansion, depthwise convolution and projection (Sandler et al. 2018, *MobileNetV2*)."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        self.adds_input = stride == 1 and inputs == outputs
        channels = inputs * expansion
        expand = [*convolution(inputs, channels, 1), nn.ReLU6()] if expansion > 1 else []
        depthwise = [*convolution(channels, channels, kernel, stride, groups=channels), nn.ReLU6()]
        self.body = nn.Sequential(*expand, *depthwise, *convolution(channels, outputs, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the projection, plus the input if the shapes agree."""
        return self.body(x) + x if self.adds_input else self.body(x)


def convolution(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    """Return a convolution and its batch normalisation. Stride 2 pads maps of even size as TensorFlow does."""
    before = (kernel - stride) // 2
    pad = [nn.ZeroPad2d((before, before + 1, before, before + 1))] if stride == 2 else []
    layer = nn.Conv2d(inputs, outputs, kernel, stride, 0 if pad else kernel // 2, groups=groups, bias=False)
    return [*pad, layer, nn.BatchNorm2d(outputs, eps=1e-3)]


def efficientnet_lite0(classes: int) -> nn.Sequential:
    """Return the network with the modules ``features`` and ``output`` and PyTorch's initialisation."""
    layers, inputs = [*convolution(3, 32, 3, 2), nn.ReLU6()], 32
    for blocks, kernel, stride, expansion, outputs in STAGES:
        for block in range(blocks):
            layers.append(InvertedResidual(inputs, outputs, kernel, 1 if block else stride, expansion))
            inputs = outputs
    layers += [*convolution(inputs, 1280, 1), nn.ReLU6(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.2)]
    return nn.Sequential(OrderedDict(features=nn.Sequential(*layers), output=nn.Linear(1280, classes)))
