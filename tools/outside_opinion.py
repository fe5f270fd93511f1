"""``python -m tools.outside_opinion FOLDER``: test how well an ImageNet model recognises the hot dogs of a data set.

The model is the SqueezeNet of the package ndf (extra ``imagenet-offline``).
"""

# isort: off
import d2ltl  # first: it prepares the process for MXNet
# isort: on

import argparse

import numpy as np
from sklearn.metrics import roc_auc_score

from d2ltl.data.folders import ImageFolder

HOT_DOG = 934  # index of the hot dog among the ImageNet classes


def outside_opinion(folder: str) -> tuple[float, float]:
    """Return two scores of ImageNet class 934 (hot dog) for the images of a folder: AUC, and share in the top 5.

    The AUC is the area under the ROC curve of the probability, with the folder's first class as positive class. The
    share is that of the images of the first class with class 934 among the five most probable classes.
    """
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
