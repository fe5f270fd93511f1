"""``python -m tools.outside_opinion FOLDER``: what ImageNet's SqueezeNet makes of images of hot dogs and of other food.

Needs the package ndf (the extra ``imagenet-offline``) and scikit-learn.
"""

# isort: off
import d2ltl  # first: it prepares the process for MXNet
# isort: on

import argparse

import numpy as np
from sklearn.metrics import roc_auc_score

from d2ltl.data import ImageFolder

HOT_DOG = 934  # its index among ImageNet's classes


def outside_opinion(folder: str) -> tuple[float, float]:
    """Return the AUC of the class 934 for the first class of a folder, and its share with 934 among the top five."""
    images = ImageFolder(folder)
    probabilities, labels = d2ltl.predict(d2ltl.source_net("squeezenet1.1", "imagenet"), images)
    ranks = (probabilities > probabilities[:, HOT_DOG, None]).sum(axis=1)
    return float(roc_auc_score(labels == 0, probabilities[:, HOT_DOG])), float(np.mean(ranks[labels == 0] < 5))


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m tools.outside_opinion", description=__doc__)
    parser.add_argument("folder", help="folder of hotdog/ and not-hotdog/")
    auc, top5 = outside_opinion(parser.parse_args().folder)
    print(f"class {HOT_DOG}, hotdog: AUC {auc:.3f}; among the five most probable of {top5:.1%} of the hot dogs")


if __name__ == "__main__":
    main()
