"""Batches of augmented images, and images as arrays of raw pixels."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
from mxnet.gluon.data import RandomSampler, Sampler, SequentialSampler
from mxnet.gluon.data.dataloader import default_batchify_fn
from mxnet.gluon.data.vision import ImageFolderDataset
from PIL import Image

from d2ltl import runtime
from d2ltl.arrays import to_mx
from d2ltl.data.augmentation import Augmentation
from d2ltl.data.decoding import ENOUGH, Detail
from d2ltl.data.folders import ImageFolder
from d2ltl.data.formats import PathLike
from d2ltl.data.pairs import unlabelled
from d2ltl.errors import SettingsError


def loader(
    images: ImageFolderDataset,
    augs: Callable[[Any], Any],
    batch_size: int,
    *,
    shuffle: bool = False,
    sampler: Sampler | None = None,
    devices: int = 1,
    part: tuple[int, int] = (0, 1),
) -> Batches:
    """Return a loader of augmented images, float32 (n, 3, height, width), and their labels, shape (n,).

    It uses no worker processes, so the same seed always gives the same batches. `batch_sizes` are the sizes of the
    batches, which `devices` devices share. `Augmentation.on_batch` is applied to whole batches, which is faster and
    gives the same values.

    `part` is (r, n) for worker r of n: the loader then gives part r of every batch. Workers with the same random state
    share out the same batches, and draw different random numbers for the augmentation. SettingsError is raised if a
    batch has fewer images than there are workers.
    """
    if sampler is None:
        sampler = RandomSampler(len(images)) if shuffle else SequentialSampler(len(images))
    indices = _Indices(sampler, batch_sizes(len(sampler), batch_size, devices), part)
    images = ImageFolder.of(images).in_detail(augs.detail if isinstance(augs, Augmentation) else ENOUGH)
    if not isinstance(augs, Augmentation):
        return Batches(images.transform_first(augs), indices, default_batchify_fn)
    return Batches(images.transform_first(augs.on_image), indices, partial(_batch, augs.on_batch))


class Batches:
    """The batches (X, y) of one pass over some samples, made one after another; every pass makes them anew.

    Gluon's DataLoader does the same without worker processes. But when it is made, it waits for all of MXNet's
    computations and collects garbage, which takes a tenth of a second in a large process.
    """

    def __init__(self, samples: Sequence[Any], indices: Sampler, batchify: Callable[[Sequence[Any]], Any]) -> None:
        self.samples, self.indices, self.batchify = samples, indices, batchify

    def __len__(self) -> int:
        """Return the number of batches in a pass."""
        return len(self.indices)

    def __iter__(self) -> Iterator[Any]:
        """Make the batches of a pass."""
        return (self.batchify([self.samples[index] for index in batch]) for batch in self.indices)


def batch_sizes(number: int, batch_size: int, devices: int = 1) -> list[int]:
    """Return the sizes of the batches of `number` images, each of which is divided among devices.

    If a quarter of a batch or more is left over, it is the last batch (2,000 images in batches of 128 leave 80). A
    smaller remainder is spread over the other batches, and so is one with less than two images for each device: batch
    normalisation could not estimate statistics from so few images.
    """
    if batch_size < 1:
        raise SettingsError(f"batch_size is {batch_size}; a batch has at least 1 image.")
    batches, remainder = divmod(number, batch_size)
    if batches and remainder < max(2 * devices, batch_size / 4):
        return [number // batches + (i < number % batches) for i in range(batches)]
    return [batch_size] * batches + [remainder] * (remainder > 0)


class _Indices(Sampler):
    """The indices of the images of each batch, or of a worker's part of it, in the order of another sampler."""

    def __init__(self, order: Sampler, sizes: Sequence[int], part: tuple[int, int]) -> None:
        self.order, self.sizes, self.part = order, sizes, part
        if min(sizes, default=0) < part[1] > 1:
            raise SettingsError(
                f"{part[1]} workers cannot share a batch of {min(sizes, default=0)} images. Take fewer workers, or a "
                "larger batch_size."
            )

    def __len__(self) -> int:
        return len(self.sizes)

    def __iter__(self) -> Iterator[list[int]]:
        indices = iter(self.order)
        rank, workers = self.part
        if workers > 1:
            indices = iter(list(indices))  # drawn before the random states of the workers become different
            runtime.reseed(int(np.random.randint(2**31)), rank)
        batches = (list(itertools.islice(indices, size)) for size in self.sizes)
        return (batch[len(batch) * rank // workers : len(batch) * (rank + 1) // workers] for batch in batches)


def _batch(on_batch: Callable[[Any], Any], samples: Sequence[tuple[Any, int]]) -> list[Any]:
    images, labels = zip(*samples)
    pixels = np.stack([image.asnumpy() for image in images])  # ten times as fast as MXNet's stack
    return [on_batch(to_mx(pixels)), default_batchify_fn(labels)]


def read_pixels(images: PathLike | ImageFolderDataset, size: int) -> np.ndarray:
    """Return the pixels of images resized to `size` × `size`: float32 between 0 and 1, shape (N, size, size, 3).

    `images` is a data set or a folder. Of a folder, all images in it and in its subfolders are read, except hidden
    ones.
    """
    data = unlabelled(images).in_detail(Detail(size, size**2))
    pictures = (Image.fromarray(data.read(i)) for i in range(len(data)))
    resized = [np.asarray(picture.resize((size, size), Image.Resampling.BILINEAR)) for picture in pictures]
    return np.stack(resized).astype(np.float32) / 255
