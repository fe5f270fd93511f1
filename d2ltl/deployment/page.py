"""What the page in the browser says of a trained network, and of a photograph. It knows nothing of Gradio."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jinja2 import Environment, PackageLoader, Template
from PIL import Image

from d2ltl.comparison.runs import Run
from d2ltl.data.photographs import is_single
from d2ltl.deployment.neighbours import Neighbour, Neighbours
from d2ltl.deployment.places import places_of
from d2ltl.errors import ImageFolderError, NetworkError
from d2ltl.files import printable
from d2ltl.training.calibration import SURE
from d2ltl.training.evaluation import predict

CLASSES = 5  # whose probabilities are shown; the most probable ones
NEAREST = 6  # training images
PICTURE, THUMBNAIL = 640, 200  # pixels, the longer side of a picture


class Answer(NamedTuple):
    """The answer of a network for a photograph. Pictures are uint8, shape (height, width, 3).

    Attributes
    ----------
    photograph : array
        The photograph.
    probabilities : list of pairs
        Names of all classes and their probabilities, the most probable first.
    sure : bool
        See `Predictions.sure`.
    where : array, optional
        A picture of the places that speak for the most probable class (`places_of`).
    nearest : list of Neighbour
        The nearest training images.
    """

    photograph: np.ndarray
    probabilities: list[tuple[str, float]]
    sure: bool
    where: np.ndarray | None
    nearest: list[Neighbour]


class Page:
    """The texts and pictures of the page.

    Parameters
    ----------
    net : HybridBlock or OnnxNet
        From `load_net`.
    name : str
        What the network is called on the page.
    record : Run, optional
        The record of its training, with its test accuracy.
    neighbours : Neighbours or str
        The training images, or the reason why there are none.
    """

    def __init__(self, net: Any, name: str, record: Run | None, neighbours: Neighbours | str) -> None:
        self._net, self._name, self._record = net, name, record
        self._neighbours = neighbours
        self._places, self._no_places = None, ""
        try:
            self._places = places_of(net)
        except NetworkError as error:
            self._no_places = str(error)
        self._answer = _template("answer.html")

    @property
    def title(self) -> str:
        """The title of the page."""
        return title_of(self._net.classes)

    def introduction(self) -> str:
        """Return the text at the top as HTML."""
        return introduction(self._net, self._name, self._record)

    def ask(self, file: str) -> Answer:
        """Return the answer for the photograph in a file.

        Raises
        ------
        ImageFolderError
            If the file cannot be read as an image. Archives are not opened.
        """
        try:
            if not is_single(file):
                raise ImageFolderError(f"{file} is an archive.")
            predictions = predict(self._net, file)
        except ImageFolderError as error:
            raise ImageFolderError(
                f"{printable(Path(file).name)} cannot be read as an image. Give a photograph, such as a JPEG or PNG."
            ) from error
        photograph, (probabilities,) = predictions.images.read(0), predictions.probabilities
        order = np.argsort(-probabilities, kind="stable").tolist()
        return Answer(
            photograph,
            [(predictions.classes[i], float(probabilities[i])) for i in order],
            bool(predictions.sure[0]),
            self._places(photograph, order[0]) if self._places else None,
            [] if isinstance(self._neighbours, str) else self._neighbours.nearest(predictions.images, NEAREST),
        )

    def answer(self, file: str) -> str:
        """Return the answer for the photograph in a file as HTML, with all pictures in it, or why there is none."""
        try:
            answer, mistake = self.ask(file), ""
        except ImageFolderError as error:
            answer, mistake = None, str(error)
        return self._answer.render(
            answer=answer,
            mistake=mistake,
            sure_from=SURE,
            most=CLASSES,
            no_places=self._no_places,
            neighbours=self._neighbours,
            picture_side=PICTURE,
            thumbnail_side=THUMBNAIL,
        )


def title_of(classes: Sequence[str]) -> str:
    """Return the title of a page: the classes, or how many they are."""
    return f"{' or '.join(classes)}?" if len(classes) <= 3 else f"Which of {len(classes)} classes?"


def introduction(net: Any, name: str, record: Run | None) -> str:
    """Return a text as HTML: which network, its accuracy beside the yardstick, and its limits; see `Page`."""
    return _template("introduction.html").render(
        title=title_of(net.classes),
        name=name,
        classes=net.classes,
        calibrated=net.calibrated,
        record=record,
        tested=None if record is None else record.confusion.sum(axis=1),
    )


def name_of(file: Path) -> str:
    """Return the last parts of the path of a network, which name a run: ``a/runs/lp-ft-seed0``."""
    return "/".join(file.absolute().with_suffix("").parts[-3:]) if file.parent.name == "runs" else file.name


def _template(file: str) -> Template:
    environment = Environment(loader=PackageLoader("d2ltl", "deployment"), autoescape=True, trim_blocks=True)
    environment.filters.update(percent=_percent, probability=_probability, picture=_picture)
    return environment.get_template(file)


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _probability(share: float) -> str:
    """Return a probability as text: never 0 % or 100 %, since a network excludes nothing."""
    if share < 0.0005:
        return "< 0.1 %"
    return "> 99.9 %" if share >= 0.9995 else _percent(share)


def _picture(pixels: np.ndarray, side: int) -> str:
    """Return a picture as the address of an `img` that contains it, with its longer side at most `side` pixels."""
    image, content = Image.fromarray(pixels), io.BytesIO()
    image.thumbnail((side, side))
    image.save(content, "JPEG", quality=90)
    return f"data:image/jpeg;base64,{base64.b64encode(content.getvalue()).decode()}"
