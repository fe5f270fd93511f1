"""Train a source model from nothing: how the weights that come with the library were made.

``python -m tools.pretrain FOLDER OUT.params`` trains Gluon's resnet18_v2 on any folder of class folders, by the
recipe below, and can be stopped and started again. MXNet 1.9.1 computes Nesterov's momentum with weight decay on
several threads not quite the same each time, so two runs agree closely but not to the bit.
"""

from __future__ import annotations

import argparse
import json
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
from d2ltl.checkpoint import Checkpoint
from d2ltl.data import ImageFolder
from d2ltl.evaluation import predict
from d2ltl.loading import Augmentation, loader
from d2ltl.replacing import replacing
from d2ltl.train import fit
from d2ltl.zoo import build_net, write_parameters


class Phase(NamedTuple):
    """Some epochs at one size."""

    size: int
    epochs: int


PHASES = (Phase(32, 10), Phase(48, 6), Phase(64, 14))  # progressive resizing (Howard 2018): small images train quickly
LEARNING_RATE = 0.25
WARM_UP = 0.12  # share of all steps over which the learning rate rises to that; then it falls to 0 as a cosine
WEIGHT_DECAY = 2e-4  # of weights only, not of gamma, beta and bias
MOMENTUM = 0.9  # Nesterov's
SMOOTHING = 0.1  # of the labels


def augmentation(size: int) -> Augmentation:
    """Return a random crop of 30 to 100 % of the area, flipped at random: milder than the book's, for small images."""
    crop = transforms.RandomResizedCrop(size, scale=(0.3, 1.0), ratio=(3 / 4, 4 / 3))
    return Augmentation([crop, transforms.RandomFlipLeftRight()])


def whole_image(size: int) -> Augmentation:
    """Return the preparation of validation images: resized, nothing cut off."""
    return Augmentation([transforms.Resize(size)])


def smoothed_cross_entropy(output: Any, label: Any) -> Any:
    """Return the cross-entropy with labels smoothed by `SMOOTHING` (Szegedy et al. 2016), shape (n,)."""
    log_p = mx.nd.log_softmax(output)
    return -(1 - SMOOTHING) * mx.nd.pick(log_p, label) - SMOOTHING * log_p.mean(axis=1)


def new_net(name: str, classes: int) -> gluon.HybridBlock:
    """Return an untrained network: He initialisation (2015), Xavier for the output, weight decay on weights only."""
    net = build_net(name, classes=classes)
    net.features.initialize(init.MSRAPrelu(slope=0))
    net.output.initialize(init.Xavier())
    for parameter in net.collect_params().values():
        parameter.wd_mult = 1.0 if parameter.name.endswith("weight") else 0.0
    return net


def new_trainer(net: gluon.HybridBlock, num_steps: int) -> gluon.Trainer:
    """Return stochastic gradient descent with momentum and the learning rate's whole course."""
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
    """Train a network and write its weights in half precision, with the names of the classes beside them.

    Parameters
    ----------
    data : str
        A folder with ``train/`` and ``val/`` (or ``test/``) of class folders.
    out : Path
        The ``.params`` file; ``.checkpoint`` beside it holds the state after the last epoch until the end.
    name, phases, batch_size, seed
        The network, and what it is trained with.

    Returns
    -------
    top1, top5 : float
        Accuracies on the validation images, of the weights as written.
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
        fit(net, train_iter, val_iter, smoothed_cross_entropy, trainer, epochs, d2ltl.devices(),
            seed=seed, checkpoint=checkpoint)  # fmt: skip
    net.cast("float16")
    write_parameters(net, out)
    with replacing(out.with_suffix(".json")) as temporary:
        temporary.write_text(json.dumps(train_imgs.synsets, indent=0, ensure_ascii=False) + "\n", encoding="utf-8")
    checkpoint.path.unlink()
    return top_accuracies(d2ltl.source_net(name, out), val_imgs, phases[-1].size)


def top_accuracies(net: gluon.HybridBlock, images: ImageFolder, size: int) -> tuple[float, float]:
    """Return how often the right class is the network's first choice, and how often among its first five."""
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
