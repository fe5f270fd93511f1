"""Domain-adversarial training (Ganin et al. 2016): labelled images of one domain, unlabelled ones of another."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from mxnet import autograd, gluon, init
from mxnet.gluon import nn
from tqdm.auto import tqdm

from d2ltl import loading, runtime
from d2ltl.data import ImageFolder, Pair, as_pair
from d2ltl.decoding import PathLike, to_mx
from d2ltl.errors import ImageFolderError, SettingsError
from d2ltl.evaluation import evaluate, outputs_of, set_up
from d2ltl.history import Epoch, History
from d2ltl.nets import check_input
from d2ltl.train import WEIGHT_DECAY, check_learning_rate, check_num_epochs, divergence


def train_dann(
    net: gluon.HybridBlock,
    learning_rate: float,
    batch_size: int = 128,
    num_epochs: int = 5,
    *,
    source: PathLike | Pair,
    target: PathLike | Pair,
    size: int = 224,
    train_augs: Callable[[Any], Any] | None = None,
    test_augs: Callable[[Any], Any] | None = None,
    seed: int = 0,
) -> History:
    """Train a network on labelled images of one domain so that it works on another, of which no label is used.

    Beside the output layer, a second classifier on the features learns to tell the two domains apart. Its gradient
    reaches the features reversed: they learn to be of use to the first classifier, and of none to the second (Ganin et
    al. 2016, *Domain-adversarial training of neural networks*).

    Parameters
    ----------
    net : HybridBlock
        From `finetune_net`, with one output per class.
    learning_rate, num_epochs, size, train_augs, test_augs, seed
        Those of `train_fine_tuning`.
    batch_size : int
        Images per step, at least 2: one half of each domain.
    source, target : path or pair of ImageFolder
        A folder, or the pair that `load_images` returns. Used are the training images of both, without the target's
        labels, and the test images of the target, which only measure; these have the source's classes. Images
        without any class folders make a pair as well: ``(d2ltl.UnlabelledImages("photos"), test)``.

    Returns
    -------
    History
        Loss and training accuracy are those of the source, test accuracy is the target's.

    Raises
    ------
    ImageFolderError, NetworkError, SettingsError
        If images, network or a number cannot be used.
    DivergenceError
        If a loss is not finite any more.
    """
    check_learning_rate(learning_rate)
    check_num_epochs(num_epochs)
    labelled, _ = as_pair(source, "The source")
    unlabelled, test = as_pair(target, "The target")
    _check_domains(labelled, unlabelled, test)
    if batch_size < 2:
        raise SettingsError(f"batch_size is {batch_size}; a batch has at least 1 image of each domain.")
    check_input(net, size, len(labelled.synsets))
    both = labelled.subset([])
    both.items = [*labelled.items, *((path, -1) for path, _ in unlabelled.items)]
    half = min(batch_size // 2, len(labelled))

    runtime.reseed(seed)
    device = runtime.devices()[0]
    domain_classifier = nn.HybridSequential()
    domain_classifier.add(nn.Dense(100, activation="relu"), nn.Dense(2))
    domain_classifier.initialize(init.Xavier(), ctx=device)
    domain_classifier.collect_params().setattr("lr_mult", 10)  # as the output layer: both are new
    set_up(net, [device])
    parameters = [*net.collect_params().values(), *domain_classifier.collect_params().values()]
    trainer = gluon.Trainer(parameters, "sgd", {"learning_rate": learning_rate, "wd": WEIGHT_DECAY})
    cross_entropy = gluon.loss.SoftmaxCrossEntropyLoss()
    domains = to_mx(np.repeat([0, 1], half).astype(np.float32)).as_in_context(device)

    history = History([str(device)])
    for number in range(1, num_epochs + 1):
        runtime.reseed(seed, number)
        order = _half_and_half(len(labelled), len(unlabelled), half)
        batches = loading.loader(both.subset(order), train_augs or loading.train_augs(size), 2 * half)
        progress = tqdm(batches, desc=f"epoch {number}/{num_epochs}", unit="batch", disable=None, leave=False)
        totals, start = np.zeros(2), time.perf_counter()
        for batch, (X, y) in enumerate(progress):
            strength = reversal_strength((number - 1 + batch / len(batches)) / num_epochs)
            labels = y[:half].as_in_context(device)
            with autograd.record():
                features = outputs_of(net.features, X.as_in_context(device))
                outputs = outputs_of(net.output, features[:half])
                loss = cross_entropy(outputs, labels).mean()
                domain_loss = cross_entropy(domain_classifier(reverse_gradient(features, strength)), domains).mean()
            autograd.backward([loss, domain_loss])
            trainer.step(1)
            totals += loss.asnumpy().item(), (outputs.asnumpy().argmax(axis=1) == labels.asnumpy()).mean()
            if not np.isfinite(totals[0] + domain_loss.asnumpy().item()):
                raise divergence("not finite", number, batch + 1, learning_rate)
        seconds = time.perf_counter() - start
        mean_loss, train_acc = totals / len(batches)
        test_loss, test_acc, _ = evaluate(net, test, size=size, test_augs=test_augs, devices=[device])
        if not np.isfinite(test_loss):  # the last step's doing, which no loss has shown yet
            raise divergence("no longer finite", number, len(batches), learning_rate)
        history.epochs.append(Epoch(number, mean_loss, train_acc, test_acc, seconds, len(order) / seconds, test_loss))
    return history


def reverse_gradient(x: Any, strength: float) -> Any:
    """Return `x` as it is; in the backward pass its gradient is multiplied by ``-strength``."""
    return (1 + strength) * x.detach() - strength * x


def reversal_strength(progress: float) -> float:
    """Return the paper's lambda: 0 at the beginning of training (`progress` 0), nearly 1 at the end (1)."""
    return 2 / (1 + math.exp(-10 * progress)) - 1


def _check_domains(labelled: ImageFolder, unlabelled: ImageFolder, test: ImageFolder) -> None:
    if labelled.synsets != test.synsets:
        raise ImageFolderError(
            f"The source has the classes {', '.join(labelled.synsets)}, but the target is tested on "
            f"{', '.join(test.synsets)}; they must be the same."
        )
    if common := {path for path, _ in labelled.items} & {path for path, _ in unlabelled.items}:
        raise ImageFolderError(f"{min(common)} is in the source and in the target; two domains are needed.")


def _half_and_half(num_source: int, num_target: int, half: int) -> list[int]:
    """Return numbers of images, shuffled: `half` of the source, `half` of the target (which follows it), and so on."""
    steps = num_source // half
    source = np.random.permutation(num_source)[: steps * half].reshape(steps, half)
    target = num_source + np.resize(np.random.permutation(num_target), (steps, half))
    return np.hstack([source, target]).ravel().tolist()
