"""What chapter 4 shows, in small: codes by depth, stages kept and renewed, advice, heat maps, negative transfer."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from d2ltl.show.demonstration import Demonstration, Shown

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from mxnet.gluon import HybridBlock

    from d2ltl.data import ImageFolder

TOPIC = "When and how to transfer"
SIZE, DIGITS_SIZE, BATCH_SIZE, EPOCHS = 48, 32, 16, 2
RATES = {"fine-tuned": 0.01, "from scratch": 0.1}  # the book's
CHANCE = 0.5  # of hot dog or not
DIGITS = 1200  # that a network sees in training, however few there are
TILES = 3  # images in a row, and rows, of the scene that is searched for hot dogs


def _source() -> HybridBlock:
    import d2ltl

    return d2ltl.source_net("resnet18_v2", "tinyimagenet")


def _images(name: str) -> tuple[ImageFolder, ImageFolder]:
    import d2ltl
    from d2ltl.datasets import find_data

    return d2ltl.load_images(find_data(name))


def _some(images: ImageFolder, number: int, seed: int) -> ImageFolder:
    """Return so many of the images, of each class in proportion."""
    from sklearn.model_selection import train_test_split

    chosen, _ = train_test_split(range(len(images)), train_size=number, stratify=images.labels, random_state=seed)
    return images.subset(sorted(chosen))


def codes_by_depth(seed: int) -> Shown:
    """Fit a linear SVM on the codes of each stage, for images like those of the source set and for digits."""
    import d2ltl

    d2ltl.runtime.reseed(seed)
    networks = {"pretrained": _source(), "random weights": d2ltl.scratch_net(2)}
    curves: dict[str, dict[int, float]] = {}
    verdicts = []
    for name, size in (("hotdog-mini", SIZE), ("digits", DIGITS_SIZE)):
        train, test = _images(name)
        for network, net in networks.items():
            by_stage = zip(*(d2ltl.codes_by_stage(net, part, size=size) for part in (train, test)))
            curves[f"{name}, {network}"] = {
                stage: d2ltl.linear_head("svm", seed=seed).fit(codes, train.labels).score(test_codes, test.labels)
                for stage, (codes, test_codes) in enumerate(by_stage, 1)
            }
        learned, random = (curves[f"{name}, {network}"] for network in networks)
        best, last = max(learned, key=lambda stage: learned[stage]), max(learned)
        verdicts.append(
            f"{name}: best after stage {best} ({learned[best]:.3f}), after the last {learned[last]:.3f}, "
            f"of a network with random weights {max(random.values()):.3f}"
        )
    figure = _curves(curves, "stage whose codes are classified")
    return Shown(f"A linear SVM on CNN codes. {'; '.join(verdicts)}.", figure)


def stages_kept(seed: int) -> Shown:
    """Keep the first k stages: fixed, with the rest fine-tuned; or transferred, with the rest initialised anew."""
    import d2ltl
    from d2ltl.trials import quiet

    source, (train, test) = _source(), _images("hotdog-mini")
    images = _some(train, 200, seed), _some(test, 200, seed)

    def measure(change: Callable[[HybridBlock], None]) -> float:
        d2ltl.runtime.reseed(seed)
        net = d2ltl.finetune_net(2, source)
        change(net)
        with quiet():
            history = d2ltl.train_fine_tuning(net, 0.01, BATCH_SIZE, EPOCHS, data=images, size=SIZE, seed=seed)
        return history.epochs[-1].test_acc

    curves = {
        "k stages fixed, rest fine-tuned": {
            k: measure(lambda net, k=k: d2ltl.freeze_stages(net, k, "fixed"))  # type: ignore[misc]
            for k in (0, 3, 5)
        },
        "k stages transferred, rest new": {
            k: measure(lambda net, k=k: d2ltl.reinitialize_stages(net, k))  # type: ignore[misc]
            for k in (0, 3, 5)
        },
    }
    fixed, renewed = curves.values()
    verdict = (
        f"After {EPOCHS} epochs on {len(images[0])} images, k = 0, 3, 5: fixed {_row(fixed)}; the rest new "
        f"{_row(renewed)}. Transferring all stages rather than none gains {renewed[5] - renewed[0]:+.3f}."
    )
    return Shown(verdict, _curves(curves, "k, the number of stages kept"))


def _row(curve: dict[int, float]) -> str:
    return ", ".join(f"{value:.3f}" for value in curve.values())


def advice(seed: int) -> Shown:
    """Ask for advice on two target sets: which way, and why."""
    from matplotlib.figure import Figure

    import d2ltl

    source = {"resnet18_v2:tinyimagenet": _source()}
    figure = Figure(figsize=(7, 2.8), layout="constrained")
    sentences = []
    for ax, (name, size) in zip(figure.subplots(1, 2, sharey=True), (("hotdog-mini", SIZE), ("digits", DIGITS_SIZE))):
        advised = d2ltl.advise(_some(_images(name)[0], 160, seed), source, size=size, seed=seed)
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
    figure.axes[0].legend(fontsize="small")
    return Shown(f"Advice for 160 images each. {'; '.join(sentences)}.", figure)


def heat_map(seed: int) -> Shown:
    """Find the hot dogs in a scene made of several images."""
    import d2ltl
    from d2ltl.trials import quiet

    (train, test), size = _images("hotdog-mini"), 64
    net = d2ltl.finetune_net(2, _source())
    with quiet():
        d2ltl.train_on_codes(net, "softmax", data=(train, test), size=size, seed=seed)
    chosen = np.random.default_rng(seed).permutation(len(test))[: TILES**2]
    labels = test.labels[chosen].reshape(TILES, TILES)
    tiles = [d2ltl.test_augs(size).on_image(test[i][0]).asnumpy() for i in chosen]
    scene = np.concatenate([np.concatenate(tiles[row * TILES :][:TILES], axis=1) for row in range(TILES)])
    is_hot_dog = labels == train.synsets.index("hotdog")
    values = d2ltl.heat_map(d2ltl.to_convolutional(net, size), scene, train.synsets.index("hotdog"))
    on_tiles = values[::2, ::2]  # a value for every 32 pixels, an image for every 64
    right = int(((on_tiles > CHANCE) == is_hot_dog).sum())
    verdict = (
        f"Probability of a hot dog, on average: {on_tiles[is_hot_dog].mean():.2f} where there is one, "
        f"{on_tiles[~is_hot_dog].mean():.2f} elsewhere; {right} of {labels.size} places are right."
    )
    return Shown(verdict, d2ltl.plot_heat_maps([scene], [values], size))


def negative_transfer(seed: int) -> Shown:
    """Transfer from colour photographs to handwritten digits, with few and with more of them."""
    import d2ltl
    from d2ltl.trials import quiet

    source, (train, test) = _source(), _images("digits")
    prepare = d2ltl.test_augs(DIGITS_SIZE)  # in training too: a mirrored digit is another one, or none
    curves: dict[str, dict[int, float]] = {way: {} for way in RATES}
    for number in (100, 1000):
        for way, rate in RATES.items():
            d2ltl.runtime.reseed(seed)
            net = d2ltl.finetune_net(10, source) if way == "fine-tuned" else d2ltl.scratch_net(10)
            data = _some(train, number, seed), test.subset(range(0, len(test), 20))  # all are tested below
            with quiet():
                d2ltl.train_fine_tuning(net, rate, BATCH_SIZE, DIGITS // number, data=data, size=DIGITS_SIZE,
                                        train_augs=prepare, seed=seed)  # fmt: skip
            curves[way][number] = d2ltl.evaluate(net, test, size=DIGITS_SIZE)[1]
    tuned, scratch = curves.values()
    gains = ", ".join(f"{tuned[number] - scratch[number]:+.3f} with {number}" for number in tuned)
    hurts = [str(number) for number in tuned if tuned[number] < scratch[number]]
    return Shown(
        f"Gain of transfer from colour photographs to digits: {gains} images. "
        f"{'It hurts with ' + ' and '.join(hurts) if hurts else 'It hurts with none of them'}.",
        _curves(curves, "training images"),
    )


def _curves(curves: dict[str, dict[int, float]], label: str) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 3.4), layout="constrained")
    ax = figure.subplots()
    for name, curve in curves.items():
        ax.plot([*curve], [*curve.values()], "-o", label=name)
    ax.set(xlabel=label, ylabel="test accuracy")
    ax.set_xticks([*next(iter(curves.values()))])
    ax.grid(alpha=0.3)
    ax.legend()
    return figure


DEMONSTRATIONS = {
    "codes-by-depth": Demonstration(TOPIC, "From which stage are CNN codes best?", codes_by_depth),
    "stages-kept": Demonstration(TOPIC, "How many stages are worth keeping?", stages_kept),
    "advice": Demonstration(TOPIC, "Which way of transferring suits these images?", advice),
    "heat-map": Demonstration(TOPIC, "Where in a larger image is the hot dog?", heat_map),
    "negative-transfer": Demonstration(TOPIC, "Does transfer hurt where source and target differ?", negative_transfer),
}
