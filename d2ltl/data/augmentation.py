"""Augmentation: the book's random crop and flip, and transforms with a single effect that can be combined."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import mxnet as mx
import numpy as np
from mxnet.gluon import Block
from mxnet.gluon.data.vision import transforms

from d2ltl.arrays import operators, to_mx
from d2ltl.data.decoding import ENOUGH, Detail
from d2ltl.errors import SettingsError
from d2ltl.runtime import draws

BOOK_AREA = 0.08  # smallest share of the area in a crop: Gluon's default
IMAGENET_MEAN, IMAGENET_STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]  # RGB values between 0 and 1

MOST_ZOOM = 1.5  # maximal magnification
MOST_STRETCH = 4 / 3  # maximal change of the aspect ratio; the book's crop has the same limit
MOST_SHIFT = 0.2  # maximal shift, as a share of the height or width
MOST_BRIGHTNESS = 0.4  # maximal relative change of the brightness
LAMP, DAYLIGHT, SHADE = 3500, 6500, 12000  # kelvin: a warm white lamp, the white point of sRGB, a blue sky

PRIMARIES = np.array([611e-9, 549e-9, 464e-9])  # metres: dominant wavelengths of sRGB's red, green and blue
PLANCK = 0.014388  # metre kelvin: the second radiation constant, hc/k
GAMMA = 2.2  # light intensity is about proportional to the pixel value to this power

mx.image.image.random = draws  # of MXNet's random crop; it has the functions of Python's module random


class Augmentation:
    """Preparation of an image for a network: from uint8 (height, width, 3) to float32 (3, height, width).

    `on_image` are the steps, which map a uint8 image to another. `on_batch` does Gluon's ToTensor and Normalize with
    the mean and standard deviation of ImageNet, for one image or a batch of uint8 images (n, height, width, 3).
    `detail` is what the steps need of a large image.
    """

    def __init__(self, steps: Sequence[Any], detail: Detail = ENOUGH) -> None:
        self.detail = detail
        self.on_image = transforms.Compose(list(steps))

    @staticmethod
    def on_batch(images: Any) -> Any:
        """Return the normalised images: float32, channels first. No second copy of a large batch is made."""
        scaled = operators().image.to_tensor(images)
        return operators().image.normalize(scaled, IMAGENET_MEAN, IMAGENET_STD, out=scaled)

    def __call__(self, image: Any) -> Any:
        """Apply all transforms to one image."""
        return self.on_batch(self.on_image(image))


def train_augs(
    size: int = 224, extra: Sequence[str | Callable[[Any], Any]] = (), *, book: bool = True, area: float = BOOK_AREA
) -> Augmentation:
    """Return the augmentation of training images: the book's random crop and flip (section 13.2), or other transforms.

    The book's augmentation resizes a random crop of 8 to 100 % of the image area, and flips it left to right with
    probability 1/2. The result maps a uint8 image (height, width, 3) to a normalised float32 array (3, `size`, `size`),
    with `size` in pixels.

    Parameters
    ----------
    extra : sequence of str or callables
        Transforms to apply first: keys of `d2ltl.data.augmentation.AUGMENTATIONS` (``'flip'``, ``'zoom'``, ``'shift'``,
        ``'aspect ratio'``, ``'brightness'``, ``'colour temperature'``), or your own functions from a uint8 image to a
        uint8 image.
    book : bool
        Whether to apply the book's crop and flip. If False, the image is resized and cropped like in `test_augs`.
    area : float
        Smallest share of the image area that a crop has, above 0 and at most 1.
    """
    _check_size(size)
    if not 0 < area <= 1:
        raise SettingsError(f"area is {area}; it is above 0, and 1 at most.")
    added = [_augmentation(name) if isinstance(name, str) else name for name in extra]
    if not book:
        return Augmentation([*added, *_whole(size)], ENOUGH if added else _detail_of_whole(size))
    crop = transforms.RandomResizedCrop(size, scale=(area, 1))
    detail = ENOUGH if added else Detail(size, size**2 / area)  # the smallest crop has as many pixels as its result
    return Augmentation([*added, _enlarge_tiny, crop, transforms.RandomFlipLeftRight()], detail)


def _enlarge_tiny(image: Any) -> Any:
    """Repeat the pixels of an image with a side of less than 3 pixels, of which a random crop could have no pixel."""
    factor = math.ceil(3 / min(image.shape[:2]))
    return image if factor == 1 else image.repeat(factor, axis=0).repeat(factor, axis=1)


def _augmentation(name: str) -> Callable[[Any], Any]:
    if name not in AUGMENTATIONS:
        raise SettingsError(f"There is no augmentation {name!r}; choose from {', '.join(AUGMENTATIONS)}.")
    return AUGMENTATIONS[name]()


def test_augs(size: int = 224) -> Augmentation:
    """Return the book's preparation of test images (section 13.2): resize to 256 × 256, crop the central 224 × 224.

    Both numbers are scaled in proportion for another `size`. The input and the output are as for `train_augs`.
    """
    _check_size(size)
    return Augmentation(_whole(size), _detail_of_whole(size))


test_augs.__test__ = False  # type: ignore[attr-defined]  # otherwise pytest would run it as a test


def _whole(size: int) -> list[Any]:
    return [transforms.Resize(resized_side(size)), transforms.CenterCrop(size)]


def _detail_of_whole(size: int) -> Detail:
    return Detail(resized_side(size), resized_side(size) ** 2)


def resized_side(size: int) -> int:
    """Return the height and width, in pixels, of the image of which `test_augs` crops the centre."""
    return round(size * 256 / 224)


def _check_size(size: int) -> None:
    if size < 1:
        raise SettingsError(f"size is {size}; the side of an image is at least 1 pixel.")


class RandomStretch(Block):
    """Crop the centre of an image, magnified by up to `zoom` and stretched by up to `stretch`, both at least 1.

    A later transform resizes the crop to a square. (Gluon's `RandomResizedCrop` combines both effects with a shift;
    this class allows each effect alone.)
    """

    def __init__(self, zoom: float = 1, stretch: float = 1) -> None:
        super().__init__()
        self.zoom = zoom
        self.stretch = stretch

    def forward(self, x: Any) -> Any:
        """Return a random central crop of an image (height, width, 3)."""
        shares = np.full(2, 1 / draws.uniform(1, self.zoom))
        shares[draws.randrange(2)] /= draws.uniform(1, self.stretch)
        height, width = np.maximum(1, np.round(shares * x.shape[:2])).astype(int).tolist()
        top, left = (x.shape[0] - height) // 2, (x.shape[1] - width) // 2
        return x[top : top + height, left : left + width]


class RandomShift(Block):
    """Shift an image in a random direction by up to a share `most` of its sides; the gap repeats its edge."""

    def __init__(self, most: float) -> None:
        super().__init__()
        self.most = most

    def forward(self, x: Any) -> Any:
        """Return the shifted image (height, width, 3)."""
        rows, columns = (self._moved(side) for side in x.shape[:2])
        return to_mx(x.asnumpy()[rows][:, columns])

    def _moved(self, side: int) -> np.ndarray:
        step = round(draws.uniform(-self.most, self.most) * side)
        return np.clip(np.arange(side) + step, 0, side - 1)


class RandomTemperature(Block):
    """Simulate illumination by a black body of random temperature, in kelvin; the green channel stays the same.

    The reciprocal of the temperature is drawn uniformly, because equal steps of it look about equally large. Low
    temperatures are reddish, high ones bluish; 6,500 K leaves the image unchanged.
    """

    def __init__(self, lowest: float, highest: float) -> None:
        super().__init__()
        self.lowest = lowest
        self.highest = highest

    def forward(self, x: Any) -> Any:
        """Return the image in the new light, uint8 of shape (height, width, 3)."""
        kelvin = 1 / draws.uniform(1 / self.highest, 1 / self.lowest)
        return to_mx((x.asnumpy() * light_gains(kelvin)).round().clip(0, 255).astype(np.uint8))


def light_gains(kelvin: float) -> np.ndarray:
    """Return the factors of red, green and blue pixel values at a colour temperature in kelvin, shape (3,).

    They follow from Planck's law, relative to daylight, at one wavelength for each colour and with the gamma of sRGB.
    """
    radiance = np.expm1(PLANCK / (PRIMARIES * DAYLIGHT)) / np.expm1(PLANCK / (PRIMARIES * kelvin))
    return (radiance / radiance[1]) ** (1 / GAMMA)


AUGMENTATIONS: dict[str, Callable[[], Block]] = {
    "flip": transforms.RandomFlipLeftRight,
    "zoom": lambda: RandomStretch(zoom=MOST_ZOOM),
    "shift": lambda: RandomShift(MOST_SHIFT),
    "aspect ratio": lambda: RandomStretch(stretch=MOST_STRETCH),
    "brightness": lambda: transforms.RandomBrightness(MOST_BRIGHTNESS),
    "colour temperature": lambda: RandomTemperature(LAMP, SHADE),
}
"""Constructors of the transforms that `train_augs` accepts by name. Each transform maps a uint8 image to another."""
