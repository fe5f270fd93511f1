"""Demonstrations for chapter 4: features by depth, frozen stages, advice, heat maps, negative transfer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from d2ltl import runtime
from d2ltl.advice.advising import advise
from d2ltl.comparison.strategies import Rates
from d2ltl.data.augmentation import test_augs
from d2ltl.data.folders import ImageFolder
from d2ltl.data.pairs import load_images
from d2ltl.data.subsets import sample
from d2ltl.datasets import defaults_of
from d2ltl.models.convolutional import heat_map, to_convolutional
from d2ltl.models.freezing import freeze_stages, reinitialize_stages
from d2ltl.models.networks import scratch_net
from d2ltl.plot import legend_beside, plot_bars, plot_heat_maps, plot_lines
from d2ltl.show.catalogue import Shown
from d2ltl.show.material import DATA, IMAGENET_SIZE, half, imagenet_model, train
from d2ltl.training.evaluation import chance_of
from d2ltl.training.features import codes_by_stage
from d2ltl.training.linear_probe import linear_head

DIGITS_SIZE, EPOCHS = 32, 3
KEPT = (0, 3, 5)  # number of stages to keep, of 5
DIGITS = 1000  # number of training images times number of epochs
SCENES, TILES, HOT_DOGS = 4, 3, 4  # number of scenes; rows and columns of images in a scene; hot dogs in a scene


def codes_by_depth(seed: int) -> Shown:
    """Fit a linear SVM on the CNN codes of each stage, for images similar to the source set and for digits."""
    runtime.reseed(seed)
    source = imagenet_model()
    networks = {"pretrained": source, "random weights": scratch_net(2, source.zoo_name)}
    curves: dict[str, dict[int, float]] = {}
    constant = {}
    verdicts = []
    for name, size in ((DATA, IMAGENET_SIZE), ("digits", DIGITS_SIZE)):
        images, test = load_images(name)
        for network, net in networks.items():
            by_stage = zip(*(codes_by_stage(net, part, size=size) for part in (images, test)))
            curves[f"{name}, {network}"] = {
                stage: linear_head("svm", seed=seed).fit(codes, images.labels).score(test_codes, test.labels)
                for stage, (codes, test_codes) in enumerate(by_stage, 1)
            }
        constant[f"{name}, most frequent class"] = dict.fromkeys(curves[f"{name}, pretrained"], chance_of(test))
        learned, random = (curves[f"{name}, {network}"] for network in networks)
        best, last = max(learned, key=lambda stage: learned[stage]), max(learned)
        verdicts.append(
            f"{name}: best after stage {best} ({learned[best]:.3f}), after the last {learned[last]:.3f}, "
            f"of a network with random weights {max(random.values()):.3f}"
        )
    figure = plot_lines({**curves, **constant}, "stage whose codes are classified", dashed=[*constant])
    return Shown(f"A linear SVM on CNN codes. {'; '.join(verdicts)}.", figure)


def stages_kept(seed: int) -> Shown:
    """Keep the first k stages: frozen with the other layers fine-tuned, or with the other layers reinitialised."""
    images, test = (sample(part, number, seed) for part, number in zip(load_images(DATA), (120, 200)))
    source = imagenet_model()

    def measure(change: Callable[..., None], *settings: Any) -> float:
        changed = {"change": lambda net: change(net, *settings), "rates": Rates()}  # few steps need the book's rate
        options = {**changed, "source": source, "size": IMAGENET_SIZE, "evaluate_every": EPOCHS}
        return train("finetune", (images, test), seed, EPOCHS, **options)[1].curve("test_acc")[-1]

    fixed: dict[int, float] = {k: measure(freeze_stages, k, "fixed") for k in KEPT}
    renewed: dict[int, float] = {k: measure(reinitialize_stages, k) for k in KEPT}
    curves = {"k stages fixed, rest fine-tuned": fixed, "k stages transferred, rest new": renewed}
    verdict = (
        f"After {EPOCHS} epochs on {len(images)} images, for k = 0, 3, 5: first k stages fixed {_row(fixed)}; "
        f"stages after the first k initialised anew {_row(renewed)}. "
        f"Transferring all stages rather than none gains {renewed[5] - renewed[0]:+.3f}. The yardstick: two "
        f"trainings of all pretrained stages, each with a random output layer of its own, differ by "
        f"{abs(renewed[5] - fixed[0]):.3f}."
    )
    return Shown(verdict, plot_lines(curves, "k, the number of stages kept", chance=chance_of(test)))


def _row(curve: dict[int, float]) -> str:
    return ", ".join(f"{value:.3f}" for value in curve.values())


def advice(seed: int) -> Shown:
    """Run `advise` on two target sets, and plot its measurements."""
    source = {"efficientnet_lite0:imagenet": imagenet_model()}
    figure = Figure(figsize=(8.5, 2.8), layout="constrained")
    sentences = []
    for ax, (name, size) in zip(figure.subplots(1, 2, sharey=True), ((DATA, IMAGENET_SIZE), ("digits", DIGITS_SIZE))):
        advised = advise(sample(load_images(name)[0], 160, seed), source, size=size, seed=seed)
        (fit,) = advised.fits
        numbers = range(1, len(fit.by_stage) + 1)
        ax.plot(numbers, fit.by_stage, "-o", label="pretrained")
        ax.plot(numbers, fit.untrained, "--o", label="random weights")
        ax.axhline(advised.scratch, color="C2", label="trained from scratch")
        ax.set(title=f"{name}: {advised.way}", xlabel="codes of stage")
        ax.grid(alpha=0.3)
        sentences.append(
            f"{name}: {advised.way} (codes {fit.accuracy:.3f}, random weights {max(fit.untrained):.3f}, a short "
            f"training from scratch {advised.scratch:.3f})"
        )
    figure.axes[0].set_ylabel("accuracy")
    legend_beside(figure)
    return Shown(f"Advice for 160 images each. {'; '.join(sentences)}.", figure)


def hot_dogs_found(seed: int) -> Shown:
    """Locate hot dogs by heat maps in scenes composed of several images."""
    (images, test), size = load_images(DATA), 96
    net, _ = train("codes-softmax", (images, test), seed, 1, source=imagenet_model(), size=size)
    hot_dog, rng = images.synsets.index("hotdog"), np.random.default_rng(seed)
    convolutional = to_convolutional(net, size)
    scenes, maps, found = [], [], []
    for _ in range(SCENES):
        scene, is_hot_dog = _scene(test, hot_dog, size, rng)
        values = heat_map(convolutional, scene, hot_dog)
        on_tiles = values[::3, ::3]  # the map has a value every 32 pixels; an image has 96
        scenes.append(scene)
        maps.append(values)
        found.append(int(is_hot_dog.ravel()[np.argsort(-on_tiles, axis=None)[:HOT_DOGS]].sum()))
    verdict = (
        f"Each scene shows {HOT_DOGS} hot dogs and {TILES**2 - HOT_DOGS} other foods. Of its {HOT_DOGS} most probable "
        f"places, {', '.join(map(str, found))} hold a hot dog: {sum(found)} of {HOT_DOGS * SCENES}, where chance finds "
        f"{SCENES * HOT_DOGS**2 / TILES**2:.1f}."
    )
    return Shown(verdict, plot_heat_maps(scenes, maps, size))


def _scene(test: ImageFolder, hot_dog: int, size: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return a scene of 3 × 3 images, and a boolean array that marks the hot dogs among them."""
    is_hot_dog = rng.permutation(np.arange(TILES**2) < HOT_DOGS).reshape(TILES, TILES)
    chosen = [rng.choice(np.flatnonzero((test.labels == hot_dog) == kind)) for kind in is_hot_dog.ravel()]
    tiles = [test_augs(size).on_image(test[i][0]).asnumpy() for i in chosen]
    rows = [np.concatenate(tiles[row * TILES :][:TILES], axis=1) for row in range(TILES)]
    return np.concatenate(rows), is_hot_dog


def good_source(seed: int) -> Shown:
    """Fine-tune an ImageNet model as the book does and by LP-FT, beside a linear classifier on its features."""
    source, data, epochs = imagenet_model(), half(), 2
    defaults = defaults_of(DATA, source.zoo_name)
    options = {"size": IMAGENET_SIZE, "batch_size": defaults.batch_size, "evaluate_every": epochs, "rates": Rates()}
    accuracies = {
        strategy: train(strategy, data, seed, epochs, source=source, **options)[1].curve("test_acc")[-1]
        for strategy in ("finetune", "lp-ft", "codes-softmax")
    }
    numbers = ", ".join(f"{strategy} {accuracy:.3f}" for strategy, accuracy in accuracies.items())
    guess = chance_of(data[1])
    figure = plot_bars({"EfficientNet-Lite0": accuracies}, chance=dict.fromkeys(accuracies, guess))
    verdict = f"Test accuracy of an ImageNet model on {len(data[0])} images (chance {guess:g}): {numbers}."
    return Shown(verdict, figure)


def negative_transfer(seed: int) -> Shown:
    """Transfer from colour photographs to handwritten digits, with 100 and with 1,000 training images."""
    images, test = load_images("digits")
    source = imagenet_model()
    prepare = test_augs(DIGITS_SIZE)  # for training too: no flips, because a mirrored digit is not a digit
    curves: dict[str, dict[int, float]] = {"finetune": {}, "scratch": {}}
    for number in (100, 1000):
        data, epochs = (sample(images, number, seed), test), DIGITS // number
        options = {"size": DIGITS_SIZE, "train_augs": prepare, "evaluate_every": epochs, "rates": Rates()}
        for name, curve in curves.items():
            curve[number] = train(name, data, seed, epochs, source=source, **options)[1].curve("test_acc")[-1]
    tuned, scratch = curves.values()
    gains = ", ".join(f"{tuned[number] - scratch[number]:+.3f} with {number}" for number in tuned)
    hurts = [f"{number}" for number in tuned if tuned[number] < scratch[number]]
    return Shown(
        f"Gain of transfer from colour photographs to digits: {gains} images. "
        f"Transfer hurts with {' and '.join(hurts) + ' images' if hurts else 'neither number'}.",
        plot_lines(curves, "training images", chance=chance_of(test)),
    )
