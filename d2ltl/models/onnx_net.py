"""Networks in ONNX files, run by ONNX Runtime."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np

from d2ltl.arrays import to_mx
from d2ltl.data.augmentation import test_augs
from d2ltl.data.batches import batch_sizes
from d2ltl.data.folders import ImageFolder
from d2ltl.errors import WeightsError, require
from d2ltl.progress import with_progress

INPUT, OUTPUT = "images", "probabilities"  # names in the graph


class OnnxNet:
    """A network that ``python -m d2ltl export`` wrote, for `predict`.

    It maps uint8 RGB images, shape (n, size, size, 3), to probabilities, float32 of shape (n, classes).

    Attributes
    ----------
    classes : list of str
        Names of the classes.
    size : int
        Height and width of its images, in pixels.

    Raises
    ------
    WeightsError, SettingsError
        If the file is missing, damaged, or was not written by this library. If ONNX Runtime is not installed.
    """

    def __init__(self, file: str | os.PathLike[str]) -> None:
        runtime = require("onnxruntime", "onnx")
        if not Path(file).is_file():
            raise WeightsError(f"There is no file {file}.")
        try:
            self._session = runtime.InferenceSession(os.fspath(file), providers=["CPUExecutionProvider"])
            about = self._session.get_modelmeta().custom_metadata_map
            self.classes: list[str] = json.loads(about["classes"])
            self.size = int(about["size"])
        except KeyError as error:
            raise WeightsError(f"{file} was not written by `python -m d2ltl export`: it has no {error}.") from error
        except Exception as error:  # ONNX Runtime's exceptions have no common class
            raise WeightsError(f"{file} is not an ONNX file, or is damaged ({error}).") from error

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Return the probabilities of prepared images."""
        return np.asarray(self._session.run([OUTPUT], {INPUT: images})[0])

    def predict(self, images: ImageFolder, batch_size: int) -> np.ndarray:
        """Return the probabilities of images of any size: float32, shape (N, classes)."""
        prepare = test_augs(self.size).on_image
        indices, probabilities = iter(range(len(images))), []
        for number in with_progress(batch_sizes(len(images), batch_size), "evaluating", "batch"):
            batch = [prepare(to_mx(images.read(next(indices)))).asnumpy() for _ in range(number)]
            probabilities.append(self(np.stack(batch)))
        return np.concatenate(probabilities)
