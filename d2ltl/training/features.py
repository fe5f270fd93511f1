"""Features (embeddings) of images, computed by a pretrained network. The course notes call them CNN codes."""

from __future__ import annotations

from typing import Any

import numpy as np
from mxnet import gluon

from d2ltl.arrays import concatenate
from d2ltl.data.pairs import Images
from d2ltl.errors import SettingsError
from d2ltl.models.freezing import first_stages, stages
from d2ltl.models.outputs import float32
from d2ltl.training.evaluation import run_on_images


def extract_codes(net: gluon.HybridBlock, data: Images, stage: int | None = None, **options: Any) -> np.ndarray:
    """Return the CNN codes (features, embeddings) of images: float32, shape (N, channels).

    The network is a fixed feature extractor (Sharif Razavian et al. 2014, *CNN Features off-the-shelf*): it runs in
    evaluation mode, once for each image, with the preparation of test images. A feature map (SqueezeNet, and all stages
    except the last) is averaged over height and width.

    Parameters
    ----------
    net : HybridBlock
        A network with `features`, such as a source model or a trained network.
    data, **options
        Images, ``size``, ``batch_size``, ``test_augs`` and ``devices``, as in `predict`, which also lists the errors.
        The codes have the same order as the labels of `predict`.
    stage : int, optional
        Number of the stage whose output is returned, counted from 1 (`d2ltl.models.freezing.stages`); by default the
        output of `net.features`. Early stages respond to edges and textures, late stages to the classes of the source
        set.
    """
    if stage is not None and stage < 1:
        raise SettingsError(f"stage is {stage}; the first is 1.")
    layers = [net.features] if stage is None else first_stages(net, stage)
    return run_on_images(net, [layers], mean_of_map, data, **options)[0]


def codes_by_stage(net: gluon.HybridBlock, data: Images, **options: Any) -> list[np.ndarray]:
    """Return the CNN codes of each stage, first to last, in one pass over the images; see `extract_codes`."""
    channels: list[int] = []

    def means(*maps: Any) -> Any:
        codes = [mean_of_map(features) for features in maps]
        channels[:] = [part.shape[1] for part in codes]
        return concatenate(codes, axis=1)

    together = run_on_images(net, stages(net), means, data, **options)[0]
    return np.split(together, np.cumsum(channels)[:-1], axis=1)


def mean_of_map(features: Any) -> Any:
    """Return features (n, channels) as they are, and maps (n, channels, height, width) averaged; float32."""
    features = float32(features)
    return features.mean(axis=(2, 3)) if features.ndim == 4 else features
