"""Train a source model from scratch. The weights that come with the library were trained by this script.

``python -m tools.pretrain FOLDER OUT.params`` trains Gluon's resnet18_v2 on a folder with ``train/`` and ``val/`` of
class folders. An interrupted run can be resumed with the same command. Two runs give slightly different weights,
because MXNet 1.9.1 computes Nesterov momentum with weight decay on several threads in a varying order.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

# isort: off
import d2ltl  # first: it prepares the process for MXNet
# isort: on

import mxnet as mx
import numpy as np
from mxnet import gluon, init
from mxnet.gluon.data.vision import transforms

from d2ltl import runtime
from d2ltl.data.augmentation import Augmentation
from d2ltl.data.batches import loader
from d2ltl.data.folders import ImageFolder
from d2ltl.files import write_json
from d2ltl.models.parameters import write_parameters
from d2ltl.models.sources import build_net
from d2ltl.training.checkpoint import Checkpoint
from d2ltl.training.evaluation import predict
from d2ltl.training.fine_tuning import losses_by, train_on_batches


class Phase(NamedTuple):
    """A number of epochs with one image size, in pixels."""

    size: int
    epochs: int


PHASES = (Phase(32, 10), Phase(48, 6), Phase(64, 14))  # progressive resizing (Howard 2018)
LEARNING_RATE = 0.25
WARM_UP = 0.12  # share of the steps with linear warm-up to LEARNING_RATE; cosine decay to 0 follows
WEIGHT_DECAY = 2e-4  # applied to weights, not to gamma, beta and bias
MOMENTUM = 0.9  # Nesterov momentum
SMOOTHING = 0.1  # label smoothing


def augmentation(size: int) -> Augmentation:
    """Return the augmentation: a random crop of 30 to 100 % of the area (milder than the book's) and a random flip."""
    crop = transforms.RandomResizedCrop(size, scale=(0.3, 1.0), ratio=(3 / 4, 4 / 3))
    return Augmentation([crop, transforms.RandomFlipLeftRight()])


def whole_image(size: int) -> Augmentation:
    """Return the preparation of validation images, which are resized and not cropped."""
    return Augmentation([transforms.Resize(size)])


def smoothed_cross_entropy(output: Any, label: Any) -> Any:
    """Return the cross-entropy with labels smoothed by `SMOOTHING` (Szegedy et al. 2016), shape (n,)."""
    log_p = mx.nd.log_softmax(output)
    return -(1 - SMOOTHING) * mx.nd.pick(log_p, label) - SMOOTHING * log_p.mean(axis=1)


def new_net(name: str, classes: int) -> gluon.HybridBlock:
    """Return an untrained network with He initialisation (2015), Xavier initialisation for the output layer.

    Weight decay applies to weights only.
    """
    net = build_net(name, classes=classes)
    net.features.initialize(init.MSRAPrelu(slope=0))
    net.output.initialize(init.Xavier())
    for parameter in net.collect_params().values():
        parameter.wd_mult = 1.0 if parameter.name.endswith("weight") else 0.0
    return net


def new_trainer(net: gluon.HybridBlock, num_steps: int) -> gluon.Trainer:
    """Return a trainer: stochastic gradient descent with Nesterov momentum, warm-up and cosine schedule."""
    schedule = mx.lr_scheduler.CosineScheduler(
        num_steps, base_lr=LEARNING_RATE, final_lr=0, warmup_steps=int(WARM_UP * num_steps)
    )
    options = {"learning_rate": LEARNING_RATE, "momentum": MOMENTUM, "wd": WEIGHT_DECAY, "lr_scheduler": schedule}
    return gluon.Trainer(net.collect_params(), "nag", options)


def pretrain(
    data: str,
    out: Path,
    *,
    name: str = "resnet18_v2",
    phases: Sequence[Phase] = PHASES,
    batch_size: int = 256,
    seed: int = 0,
) -> tuple[float, float]:
    """Train a network, write its weights (half precision) and class names, and return its top-1 and top-5 accuracy.

    The accuracies are those of the written weights on the validation images. `data` is a folder with ``train/`` and
    ``val/`` (or ``test/``), each with one folder per class. `out` is the ``.params`` file to write. The names of the
    classes are written to the ``.json`` file of the same name. During the training, the ``.checkpoint`` file of the
    same name contains the state after the last epoch.
    """
    train_imgs, val_imgs = d2ltl.load_images(data)
    runtime.reseed(seed)
    net = new_net(name, len(train_imgs.synsets))
    net.collect_params().reset_ctx(d2ltl.devices())
    net.hybridize(static_alloc=True, static_shape=True)
    steps = -(-len(train_imgs) // batch_size) * sum(phase.epochs for phase in phases)
    trainer = new_trainer(net, steps)
    settings = {"phases": [list(phase) for phase in phases], "batch_size": batch_size, "seed": seed,
                "classes": train_imgs.synsets}  # fmt: skip
    checkpoint = Checkpoint(out.with_suffix(".checkpoint"), net, trainer, settings)
    epochs = 0
    for phase in phases:
        epochs += phase.epochs
        train_iter = loader(train_imgs, augmentation(phase.size), batch_size, shuffle=True)
        val_iter = loader(val_imgs, whole_image(phase.size), batch_size)
        train_on_batches(net, losses_by(net, smoothed_cross_entropy), train_iter, val_iter, trainer, epochs,
                         d2ltl.devices(), seed=seed, checkpoint=checkpoint)  # fmt: skip
    net.cast("float16")
    write_parameters(net, out)
    write_json(out.with_suffix(".json"), train_imgs.synsets)
    checkpoint.path.unlink()
    return top_accuracies(d2ltl.source_net(name, out), val_imgs, phases[-1].size)


def top_accuracies(net: gluon.HybridBlock, images: ImageFolder, size: int) -> tuple[float, float]:
    """Return the top-1 and the top-5 accuracy of a network on images."""
    net.hybridize()
    probabilities, labels = predict(net, images, size=size, test_augs=whole_image(size))
    ranks = (probabilities > probabilities[np.arange(len(labels)), labels][:, None]).sum(axis=1)
    return float((ranks < 1).mean()), float((ranks < 5).mean())


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m tools.pretrain", description=__doc__)
    parser.add_argument("data", help="folder with train/ and val/ of class folders")
    parser.add_argument("out", type=Path, help=".params file to write; run again to go on after a stop")
    parser.add_argument("--net", default="resnet18_v2", help="default: %(default)s")
    parser.add_argument("--phases", type=int, nargs="+", default=[n for phase in PHASES for n in phase],
                        metavar="N", help="size epochs [size epochs ...]; default: %(default)s")  # fmt: skip
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)
    if len(args.phases) % 2:
        parser.error("--phases takes pairs of a size and a number of epochs")
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    phases = [Phase(*pair) for pair in zip(args.phases[::2], args.phases[1::2])]
    top1, top5 = pretrain(args.data, args.out, name=args.net, phases=phases, batch_size=args.batch_size, seed=args.seed)
    print(f"top-1 {top1:.3f}, top-5 {top5:.3f}: {args.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
