"""What data-parallel training changes in the results: ``python -m tools.batch_norm_of_workers``.

Fine-tunes a resnet18_v2 on 320 rendered images of 64 × 64 pixels, 32 images a step, with 1, 2 and 4 workers of one
thread each on this machine. Batch normalisation uses the images of each worker, or fixed statistics. Augmentation is
off, so that nothing else differs. docs/howto/cluster.md contains the results.
"""

from __future__ import annotations

# isort: off
import d2ltl  # first: it prepares the process for MXNet
# isort: on

import argparse
import os

from d2ltl.data_parallel import launch
from d2ltl.runtime import reseed

SIZE, BATCH, IMAGES, EPOCHS = 64, 32, 320, 3
WORKERS = (1, 2, 4)


def train(batch_norm: str) -> None:
    """Train as one of the workers; the first one prints the results."""
    from d2ltl.models.freezing import use_running_statistics
    from d2ltl.training.workers import WorkerGroup

    train_imgs, test_imgs = d2ltl.load_images("hotdog-mini")
    reseed(0)
    net = d2ltl.finetune_net(2, d2ltl.source_net("resnet18_v2", "tinyimagenet"))
    if batch_norm == "fixed":
        use_running_statistics(net)
    augs = d2ltl.test_augs(SIZE)
    history = d2ltl.train_fine_tuning(
        net, 0.01, BATCH, EPOCHS, data=(d2ltl.take(train_imgs, IMAGES // 2), test_imgs), size=SIZE,
        train_augs=augs, test_augs=augs, kvstore="dist_sync", verbose=False,
    )  # fmt: skip
    group, last = WorkerGroup("dist_sync"), history.epochs[-1]
    if group.rank == 0:
        result = f"loss {last.loss:.4f}, test acc {last.test_acc:.3f}"
        print(f"{group.number} workers, batch normalisation {batch_norm}: {result}")


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m tools.batch_norm_of_workers", description=__doc__)
    parser.add_argument("--worker", choices=["own", "fixed"], help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        train(args.worker)
        return
    os.environ["OMP_NUM_THREADS"] = "1"
    for batch_norm in ("own", "fixed"):
        for workers in WORKERS:
            launch(["tools.batch_norm_of_workers", "--worker", batch_norm], workers)


if __name__ == "__main__":
    main()
