"""Many images of one food side by side, to look at."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image
from tqdm.auto import tqdm

from tools.kitchen.render import render_image

COLUMNS = 6


def contact_sheet(food: str, seed: int, number: int, size: int) -> Image.Image:
    """Return so many images of a food in rows of six; image `i` is drawn from (seed, i)."""
    sheet = Image.new("RGB", (COLUMNS * size, -(-number // COLUMNS) * size))
    for i in tqdm(np.arange(number), desc=food):
        image, _ = render_image(food, seed, int(i), size)
        sheet.paste(Image.open(io.BytesIO(image)), (i % COLUMNS * size, i // COLUMNS * size))
    return sheet
