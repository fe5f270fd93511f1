"""What a camera makes of light: exposure, white balance, contrast, grain, JPEG."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image


def develop(rng: np.random.Generator, radiance: np.ndarray, light: np.ndarray) -> np.ndarray:
    """Return the picture that a camera takes: uint8, shape (height, width, 3).

    `radiance` is linear red, green and blue, shape (height, width, 3). `light` is the colour of the light, shape (3,).
    The camera's white balance removes it, but seldom completely.
    """
    balanced = radiance / (light / light.max()) ** rng.uniform(0.45, 1)
    # A camera sets the exposure by the mean of the logarithms, and is off by up to a stop.
    level = np.exp(np.log(np.maximum(balanced.mean(-1), 1e-4)).mean())
    exposed = balanced * 0.3 / level * 2 ** rng.normal(0, 0.4)
    iso = np.exp(rng.uniform(np.log(0.002), np.log(0.018)))
    grainy = exposed + rng.normal(size=exposed.shape) * iso * np.sqrt(np.maximum(exposed, 0) + 0.05)
    shoulder = np.clip(grainy, 0, None) ** rng.uniform(1.0, 1.3)
    shoulder = shoulder * (1 + shoulder / 2.2**2) / (1 + shoulder)  # Reinhard's curve: white at 2.2
    grey = shoulder.mean(-1, keepdims=True)
    shoulder = grey + rng.uniform(1.0, 1.35) * (shoulder - grey)
    return (255 * np.clip(1.15 * shoulder, 0, 1) ** (1 / 2.2)).round().astype(np.uint8)


def to_jpeg(picture: np.ndarray, quality: int) -> bytes:
    """Return a picture (height, width, 3) of uint8 as a JPEG file."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=quality)
    return file.getvalue()
