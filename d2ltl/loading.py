"""Augmentation, and batches of augmented images; plain pixels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from mxnet.gluon.data import DataLoader
from mxnet.gluon.data.dataloader import default_batchify_fn
from mxnet.gluon.data.vision import ImageFolderDataset, transforms
from PIL import Image

from d2ltl.augmentations import AUGMENTATIONS
from d2ltl.data import unlabelled
from d2ltl.decoding import PathLike, to_mx
from d2ltl.errors import SettingsError

IMAGENET_MEAN, IMAGENET_STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]  # RGB, of values between 0 and 1


class Augmentation:
    """What happens to an image before a network sees it, from uint8 (height, width, 3) to float32 (3, height, width).

    Parameters
    ----------
    steps : sequence of transforms
        From a uint8 image to another. ToTensor and Normalize, for ImageNet's mean and deviation, follow.

    Attributes
    ----------
    on_image, on_batch : Compose
        The steps, and the rest, which a whole batch of uint8 images (n, height, width, 3) can go through as well.
    """

    def __init__(self, steps: Sequence[Any]) -> None:
        self.on_image = transforms.Compose(list(steps))
        self.on_batch = transforms.Compose([transforms.ToTensor(), transforms.Normalize(IMAGENET_MEAN, IMAGENET_STD)])

    def __call__(self, image: Any) -> Any:
        """Do all of it to one image."""
        return self.on_batch(self.on_image(image))


def train_augs(size: int = 224, extra: Sequence[str | Callable[[Any], Any]] = (), *, book: bool = True) -> Augmentation:
    """Return the book's augmentation of training images (13.2), with others added to it or instead of it.

    A random crop of 8 to 100 % of the area is resized, and flipped every other time.
    It takes an image (height, width, 3) of uint8 to a normalised float32 array (3, `size`, `size`).

    Parameters
    ----------
    size : int
        Height and width of the result, in pixels.
    extra : sequence of str or callables
        What to do to an image before that: keys of `d2ltl.augmentations.AUGMENTATIONS` (``'flip'``, ``'zoom'``,
        ``'shift'``, ``'aspect ratio'``, ``'brightness'``, ``'colour temperature'``), or transforms of your own, from
        one uint8 image to another.
    book : bool
        Whether the book's crop and flip follow; else the image is prepared as `test_augs` prepares it.

    Raises
    ------
    SettingsError
        If the size is less than 1, or a name unknown.
    """
    _check_size(size)
    added = [_augmentation(name) if isinstance(name, str) else name for name in extra]
    if not book:
        return Augmentation([*added, *_whole(size)])
    return Augmentation([*added, transforms.RandomResizedCrop(size), transforms.RandomFlipLeftRight()])


def _augmentation(name: str) -> Callable[[Any], Any]:
    if name not in AUGMENTATIONS:
        raise SettingsError(f"There is no augmentation {name!r}; choose from {', '.join(AUGMENTATIONS)}.")
    return AUGMENTATIONS[name]()


def test_augs(size: int = 224) -> Augmentation:
    """Return the book's preparation of test images (13.2): resize to 256 × 256 and crop the centre, 224 × 224.

    Other sizes are in proportion. Input and output are those of `train_augs`.
    """
    _check_size(size)
    return Augmentation(_whole(size))


test_augs.__test__ = False  # type: ignore[attr-defined]  # not a test, whatever pytest makes of its name


def _whole(size: int) -> list[Any]:
    return [transforms.Resize(round(size * 256 / 224)), transforms.CenterCrop(size)]


def _check_size(size: int) -> None:
    if size < 1:
        raise SettingsError(f"size is {size}; the side of an image is at least 1 pixel.")


def loader(
    images: ImageFolderDataset, augs: Callable[[Any], Any], batch_size: int, *, shuffle: bool = False
) -> DataLoader:
    """Return batches of augmented images, float32 (n, 3, height, width), and their labels, shape (n,).

    They are made in this process and in order, so that one seed gives the same batches everywhere. What an
    `Augmentation` does to batches is done to whole batches: the same numbers, sooner.
    """
    if batch_size < 1:
        raise SettingsError(f"batch_size is {batch_size}; a batch has at least 1 image.")
    if not isinstance(augs, Augmentation):
        return DataLoader(images.transform_first(augs), batch_size, shuffle=shuffle)
    batchify = partial(_batch, augs.on_batch)
    return DataLoader(images.transform_first(augs.on_image), batch_size, shuffle=shuffle, batchify_fn=batchify)


def _batch(on_batch: Callable[[Any], Any], samples: Sequence[tuple[Any, int]]) -> list[Any]:
    images, labels = zip(*samples)
    pixels = np.stack([image.asnumpy() for image in images])  # MXNet's own stack takes ten times as long
    return [on_batch(to_mx(pixels)), default_batchify_fn(labels)]


def read_pixels(images: PathLike | ImageFolderDataset, size: int) -> np.ndarray:
    """Return images resized to `size` × `size`: float32 between 0 and 1, shape (N, size, size, 3).

    Parameters
    ----------
    images : path or ImageFolder
        A folder, which stands for all images in it and in the folders in it, hidden ones excepted; or a data set.
    size : int

    Raises
    ------
    ImageFolderError
        If there is no image.
    """
    pictures = (Image.fromarray(image.asnumpy()) for image, _ in unlabelled(images))
    resized = [np.asarray(picture.resize((size, size), Image.Resampling.BILINEAR)) for picture in pictures]
    return np.stack(resized).astype(np.float32) / 255
