"""Measure what a step of data-parallel training costs: ``python -m tools.data_parallel_cost``.

Fine-tunes a resnet18_v2 on 320 rendered images of 64 × 64 pixels, 32 images a step, with 1 and 2 workers of one thread
each on this machine (Linux). Prints the seconds and the bytes of a step. The bytes are all that this machine has sent
to itself in that time. Run by ``unshare --net sh -c 'ip link set lo up; python -m tools.data_parallel_cost'``, it
counts those of no other program.

``--batch-norm`` compares the losses of 1, 2 and 4 workers, with batch normalisation by the images of each worker and
with fixed statistics. Augmentation is off, so that nothing else differs.
"""

from __future__ import annotations

# isort: off
import d2ltl  # first: it prepares the process for MXNet
# isort: on

import argparse
import os
from pathlib import Path

from d2ltl.data_parallel import launch
from d2ltl.history import History
from d2ltl.runtime import reseed

SIZE, BATCH, IMAGES = 64, 32, 320
EPOCHS = 3


def train(batch_norm: str) -> None:
    """Train as one of the workers; the first one prints the results."""
    from d2ltl.models.freezing import use_running_statistics
    from d2ltl.training.workers import WorkerGroup

    train_imgs, test_imgs = d2ltl.load_images("hotdog-mini")
    sent = []

    def count(_: History) -> None:
        sent.append(loopback_bytes())

    reseed(0)
    net = d2ltl.finetune_net(2, d2ltl.source_net("resnet18_v2", "tinyimagenet"))
    if batch_norm == "fixed":
        use_running_statistics(net)
    augs = d2ltl.test_augs(SIZE)
    history = d2ltl.train_fine_tuning(
        net, 0.01, BATCH, EPOCHS, data=(d2ltl.take(train_imgs, IMAGES // 2), test_imgs), size=SIZE,
        train_augs=augs, test_augs=augs, kvstore="dist_sync", callbacks=[count], verbose=False,
    )  # fmt: skip
    group = WorkerGroup("dist_sync")
    if group.rank == 0:
        steps = IMAGES // BATCH
        seconds = min(epoch.seconds for epoch in history.epochs[1:]) / steps
        moved = (sent[-1] - sent[0]) / (EPOCHS - 1) / steps / 1e6
        losses = " ".join(f"{epoch.loss:.4f}" for epoch in history.epochs)
        print(
            f"{group.number} workers, batch normalisation {batch_norm}: {seconds:.2f} s and {moved:.1f} MB a step, "
            f"{BATCH / seconds:.1f} images/s; losses {losses}; test accuracy {history.epochs[-1].test_acc:.3f}"
        )


def loopback_bytes() -> int:
    """Return the number of bytes that this machine has sent to itself."""
    lines = Path("/proc/net/dev").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.split()[0] == "lo:")


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m tools.data_parallel_cost", description=__doc__)
    parser.add_argument("--batch-norm", action="store_true")
    parser.add_argument("--worker", choices=["own", "fixed"], help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        train(args.worker)
    else:
        os.environ["OMP_NUM_THREADS"] = "1"
        for batch_norm in ("own", "fixed") if args.batch_norm else ("own",):
            for workers in (1, 2, 4) if args.batch_norm else (1, 2):
                launch(["tools.data_parallel_cost", "--worker", batch_norm], workers)


if __name__ == "__main__":
    main()
