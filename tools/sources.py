"""``python -m tools.sources DATA``: measure which source model is best, and whether it would have been chosen.

For five source models and four target sets, the script prints the test accuracy of a linear classifier on
the CNN codes, and the scores that are known before any test: LogME, LEEP and the cross-validated accuracy. DATA is a
folder with ``hotdog.zip`` and ``scene15.zip``, photographs; the rendered images and the digits come with d2ltl.
docs/on-photographs.md contains the results. (Kornblith, Shlens and Le 2019, *Do Better ImageNet Models Transfer
Better?*)
"""

from __future__ import annotations

# isort: off
import d2ltl  # first: it prepares the process for MXNet
# isort: on

import argparse
from pathlib import Path

from scipy.stats import spearmanr

from d2ltl.datasets import defaults_of

SOURCES = [
    ("resnet18_v2", "tinyimagenet"),
    ("squeezenet1.1", "imagenet"),
    ("efficientnet_lite0", "imagenet"),
    ("efficientnet_lite1", "imagenet"),
    ("efficientnet_lite2", "imagenet"),
]
PUBLISHED = {  # top-1 accuracy on ImageNet
    "squeezenet1.1": 0.575,  # Iandola et al. 2016
    "efficientnet_lite0": 0.751,  # the authors' repository, as in the model card
    "efficientnet_lite1": 0.767,
    "efficientnet_lite2": 0.776,
}
NUMBER = 1000  # maximal number of training and of test images


def sizes(target: str, net: str) -> int:
    """Return the image size for a target set and a network: photographs are seen at 224 × 224 by ImageNet models."""
    if net == "squeezenet1.1":
        return 224
    return 96 if net == "resnet18_v2" and target not in ("hotdog-mini", "digits") else defaults_of(target, net).size


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m tools.sources", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="DATA")
    args = parser.parse_args()
    targets = {"hotdog-mini": "hotdog-mini", "digits": "digits"}
    targets |= {name: args.folder / f"{name}.zip" for name in ("hotdog", "scene15")}
    for target, data in targets.items():
        pair = [d2ltl.sample(part, min(NUMBER, len(part))) for part in d2ltl.load_images(data)]
        measured = []
        print(
            f"\n{target}, {len(pair[0])} + {len(pair[1])} images\nsource | pixels | test | cv | LogME | LEEP | ImageNet"
        )
        for name, weights in SOURCES:
            net, size = d2ltl.source_net(name, weights), sizes(target, name)
            train, test = (d2ltl.extract_codes(net, part, size=size, batch_size=64) for part in pair)
            probabilities, labels = d2ltl.predict(net, pair[0], size=size, batch_size=64)
            accuracy = d2ltl.linear_head("softmax").fit(train, labels).score(test, pair[1].labels)
            scores = d2ltl.probe_accuracy(train, labels), d2ltl.log_me(train, labels), d2ltl.leep(probabilities, labels)
            measured.append((accuracy, *scores))
            cells = [f"{value:.3f}" for value in (accuracy, *scores)]
            print(" | ".join([f"{name}:{weights}", str(size), *cells, str(PUBLISHED.get(name, "-"))]), flush=True)
        accuracies, *by_score = zip(*measured)
        agreement = [spearmanr(accuracies, values).statistic for values in by_score]
        print("rank correlation with the test accuracy: " + ", ".join(
            f"{name} {value:.2f}" for name, value in zip(("cv", "LogME", "LEEP"), agreement)))  # fmt: skip


if __name__ == "__main__":
    main()
