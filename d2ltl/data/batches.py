"""Batches of augmented images, and images as arrays of raw pixels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from mxnet.gluon.data import DataLoader, Sampler
from mxnet.gluon.data.dataloader import default_batchify_fn
from mxnet.gluon.data.vision import ImageFolderDataset
from PIL import Image

from d2ltl.arrays import to_mx
from d2ltl.data.augmentation import Augmentation
from d2ltl.data.decoding import PathLike
from d2ltl.data.pairs import unlabelled
from d2ltl.errors import SettingsError


def loader(
    images: ImageFolderDataset,
    augs: Callable[[Any], Any],
    batch_size: int,
    *,
    shuffle: bool = False,
    sampler: Sampler | None = None,
) -> DataLoader:
    """Return a loader of augmented images, float32 (n, 3, height, width), and their labels, shape (n,).

    It uses no worker processes, so the same seed always gives the same batches. `Augmentation.on_batch` is applied to
    whole batches, which is faster and gives the same values.
    """
    if batch_size < 1:
        raise SettingsError(f"batch_size is {batch_size}; a batch has at least 1 image.")
    order = {"sampler": sampler} if sampler else {"shuffle": shuffle}
    if not isinstance(augs, Augmentation):
        return DataLoader(images.transform_first(augs), batch_size, **order)
    batchify = partial(_batch, augs.on_batch)
    return DataLoader(images.transform_first(augs.on_image), batch_size, batchify_fn=batchify, **order)


def _batch(on_batch: Callable[[Any], Any], samples: Sequence[tuple[Any, int]]) -> list[Any]:
    images, labels = zip(*samples)
    pixels = np.stack([image.asnumpy() for image in images])  # ten times as fast as MXNet's stack
    return [on_batch(to_mx(pixels)), default_batchify_fn(labels)]


def read_pixels(images: PathLike | ImageFolderDataset, size: int) -> np.ndarray:
    """Return the pixels of images resized to `size` × `size`: float32 between 0 and 1, shape (N, size, size, 3).

    `images` is a data set or a folder. Of a folder, all images in it and in its subfolders are read, except hidden
    ones.
    """
    pictures = (Image.fromarray(image.asnumpy()) for image, _ in unlabelled(images))
    resized = [np.asarray(picture.resize((size, size), Image.Resampling.BILINEAR)) for picture in pictures]
    return np.stack(resized).astype(np.float32) / 255
