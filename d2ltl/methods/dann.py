"""Domain-adversarial training of neural networks, DANN (Ganin et al. 2016)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import mxnet as mx
import numpy as np
from mxnet import autograd, gluon, init
from mxnet.gluon import nn
from mxnet.gluon.data import Sampler

from d2ltl import runtime
from d2ltl.arrays import concatenate, to_mx
from d2ltl.data import augmentation
from d2ltl.data.batches import loader
from d2ltl.data.folders import ImageFolder
from d2ltl.data.formats import PathLike
from d2ltl.data.pairs import Data, as_pair
from d2ltl.errors import ImageFolderError, SettingsError
from d2ltl.history import History
from d2ltl.models.outputs import check_devices, discard_graph, outputs_of, set_up, shards_of
from d2ltl.models.shapes import check_input
from d2ltl.models.trained import note_training
from d2ltl.training.checkpoint import Checkpoint
from d2ltl.training.evaluation import evaluate_batches
from d2ltl.training.loop import Step, Sums, clear_gradients, fit, sgd, start_or_resume


def train_dann(
    net: gluon.HybridBlock,
    learning_rate: float,
    batch_size: int = 128,
    num_epochs: int = 5,
    *,
    source: Data,
    target: Data,
    size: int = 224,
    train_augs: Callable[[Any], Any] | None = None,
    test_augs: Callable[[Any], Any] | None = None,
    seed: int = 0,
    devices: Sequence[mx.Context] | None = None,
    checkpoint: PathLike | None = None,
    **options: Any,
) -> History:
    """Train a network for a target domain without target labels, by domain-adversarial training (DANN).

    The network learns to classify labelled images of a source domain. In addition, a domain classifier learns to
    distinguish the features of source and target images. Its gradient is reversed before it reaches the features, so
    they become useful for the classes and useless for distinguishing the domains (Ganin et al. 2016,
    *Domain-adversarial training of neural networks*). In the history, the loss and the training accuracy are measured
    on the source, the test accuracy and the test loss on the target.

    Parameters
    ----------
    net : HybridBlock
        Network from `finetune_net`, with one output per class. It is trained in place.
    batch_size : int
        Number of images per step, at least 2. Half of them are source images, half target images.
    source, target : str, path or pair of ImageFolder
        See the `data` of `train_fine_tuning`. The training images of the source are used with their labels, those of
        the target without. The test images of the target are only used for evaluation; they have the classes of the
        source. A folder without class folders can be the first part of the target: ``(d2ltl.UnlabelledImages("photos"),
        test)``.
    learning_rate, num_epochs, size, train_augs, test_augs, seed, devices, checkpoint, **options
        See `train_fine_tuning`, also for the errors. The options are ``callbacks``, ``evaluate_every`` and ``verbose``.
    """
    labelled, _ = as_pair(source, "The source")
    unlabelled, test = as_pair(target, "The target")
    _check_domains(labelled, unlabelled, test)
    if batch_size < 2:
        raise SettingsError(f"batch_size is {batch_size}; a batch has at least 1 image of each domain.")
    check_input(net, size, len(labelled.synsets))
    note_training(net, labelled, size)
    devices = check_devices(devices)
    half = min(batch_size // 2, len(labelled))
    everything = labelled.subset([])
    everything.items = [*labelled.items, *((path, -1) for path, _ in unlabelled.items)]
    order = _HalfAndHalf(len(labelled), len(unlabelled), half)
    batches = loader(everything, train_augs or augmentation.train_augs(size), 2 * half, sampler=order)
    test_batches = loader(test, test_augs or augmentation.test_augs(size), batch_size)

    runtime.reseed(seed)
    both = gluon.Block()  # makes the trainer and the checkpoint include both networks
    both.net, both.domain_classifier = net, _domain_classifier(devices)
    set_up(net, devices)
    trainer = sgd(both, learning_rate)
    settings = {"learning_rate": learning_rate, "half": half, "size": size, "seed": seed, "classes": labelled.synsets,
                "images": [len(labelled), len(unlabelled), len(test)], "num_epochs": num_epochs}  # fmt: skip
    saved = Checkpoint(checkpoint, both, trainer, settings) if checkpoint else None
    history = start_or_resume(saved, devices)
    done = itertools.count(len(history) * len(batches))  # number of batches so far

    def strength() -> float:
        return reversal_strength(next(done) / len(batches) / num_epochs)

    step = _adversarial_step(both, trainer, devices, half, strength)
    evaluate = partial(evaluate_batches, net, test_batches, devices)
    fit(step, batches, trainer, num_epochs, history, evaluate, seed=seed, checkpoint=saved, **options)
    discard_graph(net)
    return history


def _domain_classifier(devices: Sequence[mx.Context]) -> nn.HybridSequential:
    classifier = nn.HybridSequential()
    classifier.add(nn.Dense(100, activation="relu"), nn.Dense(2))
    classifier.initialize(init.Xavier(), ctx=devices)
    classifier.collect_params().setattr("lr_mult", 10)  # like the output layer, which is new too
    return classifier


class _HalfAndHalf(Sampler):
    """The order of the images: `half` of the source, `half` of the target (which follows it), and so on, shuffled."""

    def __init__(self, num_source: int, num_target: int, half: int) -> None:
        self.num_source, self.num_target, self.half = num_source, num_target, half
        self.steps = num_source // half

    def __len__(self) -> int:
        return 2 * self.half * self.steps

    def __iter__(self) -> Iterator[int]:
        shape = self.steps, self.half
        source = np.random.permutation(self.num_source)[: self.steps * self.half].reshape(shape)
        target = self.num_source + np.resize(np.random.permutation(self.num_target), shape)
        return iter(np.hstack([source, target]).ravel().tolist())


def _adversarial_step(
    both: gluon.Block, trainer: gluon.Trainer, devices: Sequence[mx.Context], half: int, strength: Callable[[], float]
) -> Step:
    """Return a training step for `fit` that trains the network and the domain classifier."""
    cross_entropy = gluon.loss.SoftmaxCrossEntropyLoss()

    def losses_of(X: Any, of_target: Any, y: Any, reversal: float) -> tuple[Any, Any, Any]:
        """Return the class loss, the domain loss (both divided by the batch size) and the outputs on one device."""
        domains = to_mx(np.repeat([0, 1], len(y)).astype(np.float32)).as_in_context(y.ctx)
        features = outputs_of(both.net.features, concatenate([X, of_target]))
        outputs = outputs_of(both.net.output, features[: len(y)])
        domain_outputs = both.domain_classifier(reverse_gradient(features, reversal))
        share = len(y) / half  # share of the batch on this device
        return share * cross_entropy(outputs, y).mean(), share * cross_entropy(domain_outputs, domains).mean(), outputs

    def step(X: Any, y: Any) -> Callable[[], Sums]:
        shards = list(zip(*(shards_of(part, devices) for part in (X[:half], X[half:], y[:half]))))
        clear_gradients(both, devices[len(shards) :])
        reversal = strength()
        with autograd.record():
            results = [losses_of(of_source, of_target, labels, reversal) for of_source, of_target, labels in shards]
        autograd.backward([loss for losses in results for loss in losses[:2]])
        trainer.step(1, ignore_stale_grad=True)

        def sums() -> Sums:
            loss, domain_loss = (sum(losses[i].asnumpy().item() for losses in results) for i in (0, 1))
            right = sum(
                int((outputs.asnumpy().argmax(axis=1) == labels.asnumpy()).sum())
                for (*_, outputs), (*_, labels) in zip(results, shards)
            )
            return len(X) * loss if math.isfinite(domain_loss) else domain_loss, 2 * right, len(X)

        return sums

    return step


def reverse_gradient(x: Any, strength: float) -> Any:
    """Return `x` unchanged; in the backward pass, multiply its gradient by ``-strength``."""
    return (1 + strength) * x.detach() - strength * x


def reversal_strength(progress: float) -> float:
    """Return the gradient reversal's strength, the paper's lambda: 0 at `progress` 0, nearly 1 at `progress` 1."""
    return 2 / (1 + math.exp(-10 * progress)) - 1


def _check_domains(labelled: ImageFolder, unlabelled: ImageFolder, test: ImageFolder) -> None:
    if labelled.synsets != test.synsets:
        raise ImageFolderError(
            f"The source has the classes {', '.join(labelled.synsets)}, but the target is tested on "
            f"{', '.join(test.synsets)}; they must be the same."
        )
    if common := {path for path, _ in labelled.items} & {path for path, _ in unlabelled.items}:
        raise ImageFolderError(f"{min(common)} is in the source and in the target; two domains are needed.")
