"""Training strategies by name: how each creates a network for the target task, and how it trains the network."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from mxnet.gluon import HybridBlock

from _data_hub.language import N_, _
from d2ltl import runtime
from d2ltl.data.formats import PathLike
from d2ltl.data.pairs import Data, Pair, as_pair
from d2ltl.datasets import BOOK, defaults_of
from d2ltl.errors import SettingsError
from d2ltl.history import History
from d2ltl.methods.distillation import distill
from d2ltl.methods.lp_ft import train_lp_ft
from d2ltl.models.freezing import freeze, freeze_stages
from d2ltl.models.networks import early_net, finetune_net, scratch_net
from d2ltl.training.fine_tuning import train_fine_tuning
from d2ltl.training.linear_probe import PROBE_OPTIONS, check_dense, train_on_codes

BASELINE = "scratch"  # gains are differences from this strategy
STUDENT = "mobilenet0.25"
EARLY = r"codes-softmax-([1-9][0-9]*)"


class Rates(NamedTuple):
    """Learning rates of pretrained and of untrained networks, by default those of the book; and of ``lp-ft``."""

    lr_finetune: float = BOOK.lr_finetune
    lr_scratch: float = BOOK.lr_scratch
    lr_lp_ft: float = BOOK.lr_lp_ft

    @classmethod
    def of(cls, net: str) -> Rates:
        """Return the default learning rates of a network, given its name (`d2ltl.datasets.defaults_of`)."""
        defaults = defaults_of("", net)
        return cls(*(getattr(defaults, rate) for rate in cls._fields))


class Strategy(NamedTuple):
    """A training strategy: how to create a network for the target task, and how to train it.

    Attributes
    ----------
    make_net : callable
        Function of the number of classes and the source model that returns a network. It does not change the source
        model.
    train : callable
        Function of the network, the source model and the `Rates` that trains the network and returns its `History`.
        It accepts the keyword arguments of `train_fine_tuning`.
    rate : str
        Name of the learning rate in `Rates` that the strategy uses; empty for strategies without gradient descent.
    description : str
        Short description for the report, in English or, of strategies with a number, in the language of the reader.
    """

    make_net: Callable[[int, HybridBlock], HybridBlock]
    train: Callable[..., History]
    rate: str
    description: str


def train_network(
    strategy: str,
    source: HybridBlock,
    *,
    data: Data,
    rates: Rates | None = None,
    seed: int = 0,
    change: Callable[[HybridBlock], object] | None = None,
    **options: Any,
) -> tuple[HybridBlock, History]:
    """Create the network of a strategy, train it, and return the network and its history.

    Parameters
    ----------
    strategy : str
        Name of a strategy; see `find_strategy`.
    source : HybridBlock
        Source model from `source_net`. It is not changed.
    rates : Rates, optional
        Learning rates of pretrained and of untrained networks; by default those of the source model (`Rates.of`).
    seed : int
        Seed of the initialisation of new layers and of the training.
    change : callable, optional
        Function that changes the network before the training, for example freezes some layers.
    data, **options
        Images and further arguments of `train_fine_tuning`, which also lists the errors. Strategies that begin with
        ``codes-`` use only ``size``, ``batch_size``, ``test_augs``, ``balance``, ``devices`` and ``verbose``.
        ``distilled`` has a loss of its own, and its callbacks follow only the small network.
    """
    runtime.reseed(seed)
    return create_and_train(strategy, source, data=as_pair(data), rates=rates, change=change, seed=seed, **options)


def create_and_train(
    strategy: str,
    source: HybridBlock,
    *,
    data: Pair,
    rates: Rates | None = None,
    change: Callable[[HybridBlock], object] | None = None,
    **options: Any,
) -> tuple[HybridBlock, History]:
    """Do what `train_network` does, with new layers initialised from the present state of the random generators."""
    make_net, train, _, _ = find_strategy(strategy)
    net = make_net(len(data[0].synsets), source)
    if change:
        change(net)
    return net, train(net, source, rates or Rates.of(source.zoo_name), data=data, **options)


def _by_gradient(make_net: Callable[[int, HybridBlock], HybridBlock], rate: str, description: str) -> Strategy:
    def train(net: HybridBlock, _: HybridBlock, rates: Rates, **options: Any) -> History:
        return train_fine_tuning(net, getattr(rates, rate), **options)

    return Strategy(make_net, train, rate, description)


def _on_codes(
    head: str, description: str, make_net: Callable[[int, HybridBlock], HybridBlock] | None = None
) -> Strategy:
    used = ("data", "batch_size", "verbose", *PROBE_OPTIONS)

    def train(net: HybridBlock, _: HybridBlock, rates: Rates, **options: Any) -> History:
        return train_on_codes(net, head, **{name: options[name] for name in used if name in options})

    return Strategy(make_net or _probed_net, train, "", description)


def _probed_net(classes: int, source: HybridBlock) -> HybridBlock:
    net = finetune_net(classes, source)
    check_dense(net)
    return net


def _frozen_net(classes: int, source: HybridBlock, batch_norm: str) -> HybridBlock:
    net = finetune_net(classes, source)
    freeze(net.features, batch_norm)
    return net


def _partly_frozen_net(classes: int, source: HybridBlock, k: int) -> HybridBlock:
    net = finetune_net(classes, source)
    freeze_stages(net, k)
    return net


def _probe_and_tune(net: HybridBlock, _: HybridBlock, rates: Rates, **options: Any) -> History:
    return train_lp_ft(net, rates.lr_lp_ft, **options)


def _untrained_net(classes: int, source: HybridBlock) -> HybridBlock:
    return scratch_net(classes, source.zoo_name)


def _student_net(classes: int, _: HybridBlock) -> HybridBlock:
    return scratch_net(classes, STUDENT)


def _distil(
    net: HybridBlock,
    source: HybridBlock,
    rates: Rates,
    *,
    data: Pair,
    checkpoint: PathLike | None = None,
    **options: Any,
) -> History:
    """Train a teacher with the strategy `finetune`, then train the student."""
    kept = Path(checkpoint).with_suffix(".teacher") if checkpoint else None
    teaching = {**options, "callbacks": ()}
    teacher, _ = train_network("finetune", source, data=data, rates=rates, checkpoint=kept, **teaching)
    history = distill(net, teacher, rates.lr_scratch, data=data, checkpoint=checkpoint, **options)
    if kept:
        kept.unlink(missing_ok=True)  # another worker of a data-parallel training may have done so
    return history


def architecture(strategy: str, net: str) -> tuple[str, int | None]:
    """Return the name of the network that a strategy trains, given the source model's, and its last stage if early."""
    early = re.fullmatch(EARLY, strategy)
    return STUDENT if strategy == "distilled" else net, int(early[1]) if early else None


# fmt: off
STRATEGIES = {
    "finetune": _by_gradient(finetune_net, "lr_finetune",
                             N_("pretrained features, new output layer; all layers are trained")),
    "scratch": _by_gradient(_untrained_net, "lr_scratch", N_("the same architecture, untrained")),
    "frozen": _by_gradient(partial(_frozen_net, batch_norm="book"), "lr_finetune",
                           N_("pretrained features frozen, new output layer trained")),
    "fixed": _by_gradient(partial(_frozen_net, batch_norm="fixed"), "lr_finetune",
                          N_("like frozen, and batch normalisation uses its running statistics")),
    "lp-ft": Strategy(_probed_net, _probe_and_tune, "lr_lp_ft",
                      N_("linear probe first, then the last stages fine-tuned gently")),
    "codes-svm": _on_codes("svm", N_("linear SVM on the CNN codes of the source model")),
    "codes-softmax": _on_codes("softmax", N_("logistic regression on the CNN codes of the source model")),
    "distilled": Strategy(_student_net, _distil, "lr_scratch",
                          N_("untrained mobilenet0.25 that learns from a fine-tuned network")),
}
# fmt: on


def find_strategy(name: str) -> Strategy:
    """Return a training strategy by its name.

    ===================  ==========================================================================================
    ``finetune``         pretrained features, new output layer; all layers are trained
    ``scratch``          the same architecture, untrained
    ``frozen``           pretrained features frozen, new output layer trained (exercise 3 of section 13.2)
    ``fixed``            like ``frozen``, and batch normalisation uses its running statistics (see `freeze`)
    ``lp-ft``            linear probe first, then the last stages fine-tuned gently (see `train_lp_ft`)
    ``freeze-K``         the first K stages frozen, the other layers fine-tuned (``freeze-2``; see `freeze_stages`)
    ``codes-svm``        linear SVM on the CNN codes of the source model (see `train_on_codes`)
    ``codes-softmax``    logistic regression on the CNN codes of the source model (see `train_on_codes`)
    ``codes-softmax-K``  logistic regression on the CNN codes of stage K of the source model (see `early_net`)
    ``distilled``        untrained mobilenet0.25 that learns from a fine-tuned network (see `distill`)
    ===================  ==========================================================================================
    """
    if name in STRATEGIES:
        return STRATEGIES[name]
    if freeze_k := re.fullmatch(r"freeze-([1-9][0-9]*)", name):
        make_net = partial(_partly_frozen_net, k=int(freeze_k[1]))
        description = _("the first {number} stages frozen, the other layers fine-tuned").format(number=freeze_k[1])
        return _by_gradient(make_net, "lr_finetune", description)
    if codes_k := re.fullmatch(EARLY, name):
        description = _("logistic regression on the CNN codes of stage {stage} of the source model").format(
            stage=codes_k[1]
        )
        return _on_codes("softmax", description, partial(early_net, k=int(codes_k[1])))
    choice = (
        f"{', '.join(STRATEGIES)}, or freeze-1, freeze-2, … to freeze so many stages, or codes-softmax-1, "
        "codes-softmax-2, … for the codes of that stage"
    )
    raise SettingsError(f"There is no strategy {name!r}; choose from {choice}.")
