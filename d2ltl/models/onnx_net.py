"""Networks in ONNX files, run by ONNX Runtime."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np

from d2ltl.errors import WeightsError, require

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
    calibrated : bool
        Whether its probabilities are calibrated.
    levels : pair of float, optional
        The pixels that are black and white, of images with more than 8 bits.

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
            self.calibrated = json.loads(about["calibrated"])
            self.levels = json.loads(about["levels"])
        except KeyError as error:
            raise WeightsError(f"{file} was not written by `python -m d2ltl export`: it has no {error}.") from error
        except Exception as error:  # ONNX Runtime's exceptions have no common class
            raise WeightsError(f"{file} is not an ONNX file, or is damaged ({error}).") from error

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Return the probabilities of prepared images."""
        return np.asarray(self._session.run([OUTPUT], {INPUT: images})[0])
