"""The chapter in PyTorch, as in the book's PyTorch edition, or ``tuned`` for speed on a CPU.

The tuned version uses the memory format channels last, a fused optimizer, 2 or no worker processes for loading
(whichever is faster) and decoding of large JPEG files at a reduced size. The option ``bfloat16`` changes the precision.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import torch
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader

from benchmarks.workers.efficientnet import efficientnet_lite0
from benchmarks.workers.protocol import Results, answer, read_task, seconds_of, training_results
from benchmarks.workers.resnet import forward_gflop, resnet18_v2

try:
    from torchvision import datasets, transforms
except RuntimeError:  # torchvision for GPUs with PyTorch for CPUs lacks two operators, which are not used here
    for name in ("nms", "qnms"):
        torch.library.define(f"torchvision::{name}", "(Tensor boxes, Tensor scores, float threshold) -> Tensor")
    from torchvision import datasets, transforms

LEARNING_RATE, WEIGHT_DECAY = 5e-5, 0.001  # from the book's PyTorch edition
LIMIT_BATCH, LIMIT_SECONDS = 32, 1.0
NETWORKS = {"resnet18_v2": resnet18_v2, "efficientnet_lite0": efficientnet_lite0}


def read_reduced(size: int, path: str) -> Image.Image:
    """Return an image; the decoder reduces large JPEG files by 2, 4 or 8, to at least `size` pixels on both sides."""
    with Image.open(path) as image:
        image.draft("RGB", (size, size))
        return image.convert("RGB")


def loader(task: dict[str, Any], part: str, workers: int = 0) -> DataLoader:
    """Return the loader of the training or of the test images."""
    size = task["size"]
    crop = {
        "train": [transforms.RandomResizedCrop(size), transforms.RandomHorizontalFlip()],
        "test": [transforms.Resize([round(size * 256 / 224)] * 2), transforms.CenterCrop(size)],
    }[part]
    normalize = transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    options = {"loader": partial(read_reduced, size)} if task["tuned"] else {}
    augs = transforms.Compose([*crop, transforms.ToTensor(), normalize])
    images = datasets.ImageFolder(os.path.join(task["folder"], part), augs, **options)
    return DataLoader(
        images, task["batch_size"], shuffle=part == "train", num_workers=workers, persistent_workers=workers > 0
    )


class Network:
    """The network with its trainer. It uses ``net``, ``classes``, ``tuned`` and ``bfloat16`` of the task."""

    def __init__(self, task: dict[str, Any]) -> None:
        self.format = torch.channels_last if task["tuned"] else torch.contiguous_format
        self.autocast = partial(torch.autocast, "cpu", torch.bfloat16, enabled=task["bfloat16"])
        self.net = NETWORKS[task["net"]](task["classes"]).to(memory_format=self.format)
        self.loss = nn.CrossEntropyLoss(reduction="none")
        output = {"params": self.net.output.parameters(), "lr": 10 * LEARNING_RATE}
        self.trainer = torch.optim.SGD(
            [{"params": self.net.features.parameters()}, output],
            lr=LEARNING_RATE,
            weight_decay=WEIGHT_DECAY,
            **({"fused": True} if task["tuned"] else {}),
        )

    def train_batch(self, X: torch.Tensor, y: torch.Tensor) -> tuple[float, float]:
        """Do one training step like the book's `train_batch_ch13`; return the loss and the correct predictions."""
        self.net.train()
        self.trainer.zero_grad()
        with self.autocast():
            outputs = self.net(X.to(memory_format=self.format))
            loss = self.loss(outputs, y).sum()
        loss.backward()
        self.trainer.step()
        return loss.item(), (outputs.argmax(dim=1) == y).sum().item()

    def accuracy(self, batches: DataLoader) -> float:
        """Return the share of images whose most probable class is the true class."""
        self.net.eval()
        with torch.inference_mode(), self.autocast():
            correct = [(self.net(X.to(memory_format=self.format)).argmax(dim=1) == y).sum().item() for X, y in batches]
        return sum(correct) / len(batches.dataset)


def loaders_tried(task: dict[str, Any], part: str) -> list[DataLoader]:
    """Return the loaders to try: the book's, or with 2 and with no worker processes if the task is tuned."""
    return [loader(task, part, workers) for workers in ((2, 0) if task["tuned"] else (0,))]


def train(task: dict[str, Any]) -> Results:
    """Train for one epoch, then for one more epoch with each loader."""
    network, test_iter = Network(task), loader(task, "test")

    def epoch(batches: Iterable) -> None:
        for X, y in batches:
            network.train_batch(X, y)
        network.accuracy(test_iter)

    tried = loaders_tried(task, "train")
    first = seconds_of(lambda: epoch(tried[0]))
    seconds = [seconds_of(partial(epoch, batches)) for batches in tried]
    best = tried[seconds.index(min(seconds))]
    loading = seconds_of(lambda: deque(best, maxlen=0))
    return training_results(len(best.dataset), first, min(seconds), loading)


def evaluate(task: dict[str, Any], make: Callable[[dict[str, Any]], Network] = Network) -> Results:
    """Measure the speed of evaluation on the test images, after a warm-up on the few training images."""
    network = make(task)
    network.accuracy(loader(task, "train"))
    tried = loaders_tried(task, "test")
    seconds = min(seconds_of(partial(network.accuracy, batches)) for batches in tried)
    return {"images_per_s": len(tried[0].dataset) / seconds}


def limit(task: dict[str, Any]) -> Results:
    """Measure the highest rate of large convolutions, and the training speed that it would allow.

    The estimate counts a training step as three forward passes.
    """
    rates = [_convolution_rate(task, channels, side) for channels, side in [(64, 56), (128, 28), (256, 14), (512, 7)]]
    per_image = forward_gflop(resnet18_v2(task["classes"]), task["size"])
    return {
        "gflop_per_s": max(rates),
        "forward_gflop_per_image": per_image,
        "images_per_s": max(rates) / (3 * per_image),
    }


def _convolution_rate(task: dict[str, Any], channels: int, side: int) -> float:
    """Return the highest rate of a 3 × 3 convolution, in 10⁹ operations per second."""
    dtype = torch.bfloat16 if task["bfloat16"] else torch.float32
    options = {"dtype": dtype, "memory_format": torch.channels_last}
    X = torch.randn(LIMIT_BATCH, channels, side, side).to(**options)
    convolution = nn.Conv2d(channels, channels, 3, padding=1, bias=False).to(**options)
    gflop = 2 * LIMIT_BATCH * side**2 * 9 * channels**2 / 1e9
    best, end = 0.0, time.perf_counter() + LIMIT_SECONDS
    with torch.inference_mode():
        while time.perf_counter() < end:
            best = max(best, gflop / seconds_of(lambda: convolution(X)))
    return best


if __name__ == "__main__":
    answer(read_task(), {"train": train, "evaluate": evaluate, "limit": limit})
