"""What chapter 4 shows, in small: codes by depth, stages kept and renewed, advice, heat maps, negative transfer."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from d2ltl.show.demonstration import Demonstration, Shown
from d2ltl.show.material import RATES, SIZE, data_set, draw, every, line_chart, source_model, train

if TYPE_CHECKING:
    from d2ltl.data import ImageFolder

TOPIC = "When and how to transfer"
DIGITS_SIZE, EPOCHS = 32, 4
KEPT = (0, 3, 5)  # stages of 5
DIGITS = 1000  # that a network sees in training, however few there are
SCENES, TILES, HOT_DOGS = 4, 3, 4  # to be searched; images in a row, and rows, of each; hot dogs among them


def _some(images: ImageFolder, number: int, seed: int) -> ImageFolder:
    return images.subset(sorted(draw(images, number, seed)))


def codes_by_depth(seed: int) -> Shown:
    """Fit a linear SVM on the codes of each stage, for images like those of the source set and for digits."""
    import d2ltl

    d2ltl.runtime.reseed(seed)
    networks = {"pretrained": source_model(), "random weights": d2ltl.scratch_net(2)}
    curves: dict[str, dict[int, float]] = {}
    verdicts = []
    for name, size in (("hotdog-mini", SIZE), ("digits", DIGITS_SIZE)):
        images, test = data_set(name)
        for network, net in networks.items():
            by_stage = zip(*(d2ltl.codes_by_stage(net, part, size=size) for part in (images, test)))
            curves[f"{name}, {network}"] = {
                stage: d2ltl.linear_head("svm", seed=seed).fit(codes, images.labels).score(test_codes, test.labels)
                for stage, (codes, test_codes) in enumerate(by_stage, 1)
            }
        learned, random = (curves[f"{name}, {network}"] for network in networks)
        best, last = max(learned, key=lambda stage: learned[stage]), max(learned)
        verdicts.append(
            f"{name}: best after stage {best} ({learned[best]:.3f}), after the last {learned[last]:.3f}, "
            f"of a network with random weights {max(random.values()):.3f}"
        )
    figure = line_chart(curves, "stage whose codes are classified")
    return Shown(f"A linear SVM on CNN codes. {'; '.join(verdicts)}.", figure)


def stages_kept(seed: int) -> Shown:
    """Keep the first k stages: fixed, with the rest fine-tuned; or transferred, with the rest initialised anew."""
    import d2ltl

    images, test = (_some(part, number, seed) for part, number in zip(data_set(), (160, 200)))
    data_meanwhile = images, every(10, test)  # all are tested below

    def measure(change: Callable[..., None], *settings: Any) -> float:
        net, _ = train("fine-tuned", data_meanwhile, seed, EPOCHS, lambda net: change(net, *settings))
        return d2ltl.evaluate(net, test, size=SIZE)[1]

    fixed: dict[int, float] = {k: measure(d2ltl.freeze_stages, k, "fixed") for k in KEPT}
    renewed: dict[int, float] = {k: measure(d2ltl.reinitialize_stages, k) for k in KEPT}
    curves = {"k stages fixed, rest fine-tuned": fixed, "k stages transferred, rest new": renewed}
    verdict = (
        f"After {EPOCHS} epochs on {len(images)} images, k = 0, 3, 5: fixed {_row(fixed)}; the rest new "
        f"{_row(renewed)}. Transferring all stages rather than none gains {renewed[5] - renewed[0]:+.3f}."
    )
    return Shown(verdict, line_chart(curves, "k, the number of stages kept"))


def _row(curve: dict[int, float]) -> str:
    return ", ".join(f"{value:.3f}" for value in curve.values())


def advice(seed: int) -> Shown:
    """Ask for advice on two target sets: which way, and why."""
    from matplotlib.figure import Figure

    import d2ltl

    source = {"resnet18_v2:tinyimagenet": source_model()}
    figure = Figure(figsize=(7, 2.8), layout="constrained")
    sentences = []
    for ax, (name, size) in zip(figure.subplots(1, 2, sharey=True), (("hotdog-mini", SIZE), ("digits", DIGITS_SIZE))):
        advised = d2ltl.advise(_some(data_set(name)[0], 160, seed), source, size=size, seed=seed)
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
    """Find the hot dogs in scenes made of several images."""
    import d2ltl
    from d2ltl.trials import quiet

    (images, test), size = data_set(), 96
    net = d2ltl.finetune_net(2, source_model())
    with quiet():
        d2ltl.train_on_codes(net, "softmax", data=(images, test), size=size, seed=seed)
    hot_dog, rng = images.synsets.index("hotdog"), np.random.default_rng(seed)
    convolutional = d2ltl.to_convolutional(net, size)
    scenes, maps, found = [], [], []
    for _ in range(SCENES):
        scene, is_hot_dog = _scene(test, hot_dog, size, rng)
        values = d2ltl.heat_map(convolutional, scene, hot_dog)
        on_tiles = values[::3, ::3]  # a value for every 32 pixels, an image for every 96
        scenes.append(scene)
        maps.append(values)
        found.append(int(is_hot_dog.ravel()[np.argsort(-on_tiles, axis=None)[:HOT_DOGS]].sum()))
    verdict = (
        f"Each scene shows {HOT_DOGS} hot dogs and {TILES**2 - HOT_DOGS} other foods. Of its {HOT_DOGS} most probable "
        f"places, {', '.join(map(str, found))} hold a hot dog: {sum(found)} of {HOT_DOGS * SCENES}, where chance finds "
        f"{SCENES * HOT_DOGS**2 / TILES**2:.1f}."
    )
    return Shown(verdict, d2ltl.plot_heat_maps(scenes, maps, size))


def _scene(test: ImageFolder, hot_dog: int, size: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return one image made of several, and which of them are hot dogs."""
    import d2ltl

    is_hot_dog = rng.permutation(np.arange(TILES**2) < HOT_DOGS).reshape(TILES, TILES)
    chosen = [rng.choice(np.flatnonzero((test.labels == hot_dog) == kind)) for kind in is_hot_dog.ravel()]
    tiles = [d2ltl.test_augs(size).on_image(test[i][0]).asnumpy() for i in chosen]
    rows = [np.concatenate(tiles[row * TILES :][:TILES], axis=1) for row in range(TILES)]
    return np.concatenate(rows), is_hot_dog


def negative_transfer(seed: int) -> Shown:
    """Transfer from colour photographs to handwritten digits, with few and with more of them."""
    import d2ltl

    images, test = data_set("digits")
    prepare = d2ltl.test_augs(DIGITS_SIZE)  # in training too: a mirrored digit is another one, or none
    curves: dict[str, dict[int, float]] = {way: {} for way in RATES}
    for number in (100, 1000):
        data = _some(images, number, seed), every(20, test)  # all are tested below
        for way in RATES:
            net, _ = train(way, data, seed, DIGITS // number, size=DIGITS_SIZE, train_augs=prepare)
            curves[way][number] = d2ltl.evaluate(net, test, size=DIGITS_SIZE)[1]
    tuned, scratch = curves.values()
    gains = ", ".join(f"{tuned[number] - scratch[number]:+.3f} with {number}" for number in tuned)
    hurts = [f"{number}" for number in tuned if tuned[number] < scratch[number]]
    return Shown(
        f"Gain of transfer from colour photographs to digits: {gains} images. "
        f"{'It hurts with ' + ' and '.join(hurts) if hurts else 'It hurts with none of them'}.",
        line_chart(curves, "training images"),
    )


DEMONSTRATIONS = {
    "codes-by-depth": Demonstration(TOPIC, "From which stage are CNN codes best?", codes_by_depth),
    "stages-kept": Demonstration(TOPIC, "How many stages are worth keeping?", stages_kept),
    "advice": Demonstration(TOPIC, "Which way of transferring suits these images?", advice),
    "heat-map": Demonstration(TOPIC, "Where in a larger image is the hot dog?", heat_map),
    "negative-transfer": Demonstration(TOPIC, "Does transfer hurt where source and target differ?", negative_transfer),
}
