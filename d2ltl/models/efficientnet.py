"""EfficientNet-Lite 0, 1 and 2: networks of inverted residual blocks for small machines.

The networks are those of Tan and Le (2019), *EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks*,
in the Lite variant: no squeeze-and-excitation, ReLU6 in place of swish, and a stem and a head that are not scaled.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import mxnet as mx
from mxnet.gluon import HybridBlock, nn

STEM, HEAD = 32, 1280  # channels; not scaled
EPSILON = 1e-3  # of batch normalisation


class Stage(NamedTuple):
    """A stage of the network: number of blocks, kernel size, stride of the first block, expansion, output channels."""

    blocks: int
    kernel: int
    stride: int
    expansion: int
    channels: int


STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)


class Scale(NamedTuple):
    """The scale of a network: factors of the numbers of channels and of blocks, and the dropout rate of the head."""

    width: float
    depth: float
    dropout: float


SCALES = {
    "efficientnet_lite0": Scale(1.0, 1.0, 0.2),
    "efficientnet_lite1": Scale(1.0, 1.1, 0.2),
    "efficientnet_lite2": Scale(1.1, 1.2, 0.3),
}


class EfficientNetLite(HybridBlock):
    """An EfficientNet-Lite with `features` and `output`, like the networks of Gluon's model zoo.

    The network turns the image upside down and left to right, and turns the last feature map back. Its kernels are
    turned, too. The reason is the padding of TensorFlow, in which the published weights were trained. At stride 2 it
    aligns the windows with the last row and column of the map, and MXNet with the first. In a turned image the two
    agree, for maps of even and odd height and width, without layers for padding.

    Parameters
    ----------
    scale : Scale
        One of `SCALES`.
    classes : int
        Number of outputs.
    """

    def __init__(self, scale: Scale, classes: int = 1000, **options: Any) -> None:
        super().__init__(**options)
        with self.name_scope():
            self.features = nn.HybridSequential(prefix="")
            self.features.add(Rotation(), *_convolution(3, STEM, kernel=3, stride=2), ReLU6())
            inputs = STEM
            for number, stage in enumerate(STAGES):
                scaled = 0 < number < len(STAGES) - 1
                blocks = math.ceil(stage.blocks * scale.depth) if scaled else stage.blocks
                outputs = round_channels(stage.channels * scale.width)
                for block in range(blocks):
                    stride = 1 if block else stage.stride
                    self.features.add(InvertedResidual(inputs, outputs, stage.kernel, stride, stage.expansion))
                    inputs = outputs
            self.features.add(*_convolution(inputs, HEAD, kernel=1), ReLU6(), Rotation())
            self.features.add(nn.GlobalAvgPool2D(), nn.Flatten(), nn.Dropout(scale.dropout))
            self.output = nn.Dense(classes, in_units=HEAD)

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """Return the outputs (n, classes) for images (n, 3, height, width)."""
        return self.output(self.features(x))


class InvertedResidual(HybridBlock):
    """A 1 × 1 convolution that expands the channels, a depthwise one, and a 1 × 1 convolution that projects them.

    The block adds its input to its output if both have the same shape. (Sandler et al. 2018, *MobileNetV2: Inverted
    Residuals and Linear Bottlenecks*.)
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        self.adds_input = stride == 1 and inputs == outputs
        channels = inputs * expansion
        with self.name_scope():
            self.body = nn.HybridSequential(prefix="")
            if expansion > 1:
                self.body.add(*_convolution(inputs, channels, kernel=1), ReLU6())
            self.body.add(*_convolution(channels, channels, kernel, stride, groups=channels), ReLU6())
            self.body.add(*_convolution(channels, outputs, kernel=1))

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """Return the output of the block, shape (n, outputs, height / stride, width / stride)."""
        return self.body(x) + x if self.adds_input else self.body(x)


class ReLU6(HybridBlock):
    """The activation min(max(x, 0), 6)."""

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """Return the activations, of the shape of `x`."""
        return F.np.clip(x, 0, 6) if mx.util.is_np_array() else F.clip(x, 0, 6)


class Rotation(HybridBlock):
    """A rotation of feature maps by 180 degrees."""

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """Return the rotated maps, of the shape of `x`."""
        if mx.util.is_np_array():
            return F.np.flip(x, (2, 3))
        return F.slice(x, (None,) * 4, (None,) * 4, (1, 1, -1, -1))  # three times as fast as F.flip


def _convolution(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> list[HybridBlock]:
    """Return a convolution and its batch normalisation."""
    convolution = nn.Conv2D(outputs, kernel, stride, kernel // 2, groups=groups, use_bias=False, in_channels=inputs)
    return [convolution, nn.BatchNorm(epsilon=EPSILON, in_channels=outputs)]


def round_channels(channels: float) -> int:
    """Return the nearest multiple of 8 that is not more than a tenth below `channels`."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded
