"""``python -m tools.digits digits.zip``: write scikit-learn's handwritten digits as images in the book's layout.

The 1,797 images of 8 × 8 grey values come from `sklearn.datasets.load_digits`. The last fifth are the test images.
"""

import argparse
import io
import zipfile

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

DATE = (1980, 1, 1, 0, 0, 0)  # date of every file, so that the archive is reproducible byte by byte
WHITE = 16  # highest grey value in the data


def write_archive(path: str) -> None:
    """Write the zip archive with the files ``digits/{train,test}/{0…9}/NNNN.png``."""
    digits = load_digits()
    last_fifth = round(0.8 * len(digits.images))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for i, (image, label) in enumerate(zip(digits.images, digits.target)):
            part = "train" if i < last_fifth else "test"
            png = io.BytesIO()
            Image.fromarray((image * (255 / WHITE)).round().astype(np.uint8)).save(png, "PNG", optimize=True)
            archive.writestr(zipfile.ZipInfo(f"digits/{part}/{label}/{i:04}.png", DATE), png.getvalue())


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m tools.digits", description=__doc__)
    parser.add_argument("archive", help="file to write")
    write_archive(parser.parse_args().archive)


if __name__ == "__main__":
    main()
