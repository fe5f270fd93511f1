"""The chapter with this library."""

from __future__ import annotations

# isort: off
import benchmarks.workers.busy  # noqa: F401, before d2ltl, which counts the free processors
import d2ltl  # first of all others: it prepares the process for MXNet
# isort: on

import sys
import tempfile
import time
from typing import Any

from benchmarks.workers import beside, layers, several
from benchmarks.workers.protocol import Results, answer, read_task, seconds_of, training_results


def train(task: dict[str, Any]) -> Results:
    """Train from scratch for two epochs."""
    from d2ltl.data.augmentation import train_augs
    from d2ltl.data.batches import loader
    from d2ltl.runtime import threads

    images = d2ltl.load_images(task["folder"])
    ends = [time.perf_counter()]
    d2ltl.train_fine_tuning(
        d2ltl.scratch_net(task["classes"], task["net"]),
        0.01,
        task["batch_size"],
        2,
        data=images,
        size=task["size"],
        callbacks=[lambda _: ends.append(time.perf_counter())],
    )
    batches = loader(images[0], train_augs(task["size"]), task["batch_size"], shuffle=True)
    loading = seconds_of(lambda: [X.wait_to_read() for X, _ in batches])
    return training_results(len(images[0]), ends[1] - ends[0], ends[2] - ends[1], loading) | {"threads": threads()}


def evaluate(task: dict[str, Any]) -> Results:
    """Measure the speed of evaluation on the test images, after a warm-up on the few training images."""
    few, images = d2ltl.load_images(task["folder"])
    net = d2ltl.scratch_net(task["classes"], task["net"])
    options = {"size": task["size"], "batch_size": task["batch_size"]}
    d2ltl.evaluate(net, few, **options)
    return {"images_per_s": len(images) / seconds_of(lambda: d2ltl.evaluate(net, images, **options))}


def frozen(task: dict[str, Any]) -> Results:
    """Do exercise 3 with CNN codes: compute the features of every image once, then fit a linear classifier."""
    from d2ltl import extract_codes, linear_head  # imported before the timer starts, like the book's imports

    train_imgs, test_imgs = d2ltl.load_images(task["folder"])
    net = d2ltl.source_net("resnet18_v2", task["weights"])
    start = time.perf_counter()
    codes, test_codes = (
        extract_codes(net, images, size=task["size"], batch_size=task["batch_size"])
        for images in (train_imgs, test_imgs)
    )
    head = linear_head("svm").fit(codes, train_imgs.labels)
    accuracy = head.score(test_codes, test_imgs.labels)
    return {"seconds": time.perf_counter() - start, "accuracy": accuracy}


def compare(task: dict[str, Any]) -> Results:
    """Measure the time of fine-tuning and of training from scratch with ``python -m d2ltl.compare``."""
    from d2ltl.compare import main

    with tempfile.TemporaryDirectory() as out:
        settings = ["--size", task["size"], "--epochs", task["epochs"], "--batch-size", task["batch_size"]]
        settings += ["--precision", "bfloat16" if task["bfloat16"] else "float32"]
        arguments = ["--data", task["folder"], "--pretrained", task["weights"], *settings, "--out", out]
        start = time.perf_counter()
        if status := main([str(argument) for argument in arguments]):
            sys.exit(status)
        return {"seconds": time.perf_counter() - start}


if __name__ == "__main__":
    task = read_task()
    if task["bfloat16"]:
        d2ltl.use_bfloat16()
    own = {"train": train, "evaluate": evaluate, "frozen": frozen, "compare": compare}
    others = {"start_up": beside.start_up, "unpack": beside.unpack}
    of_several = {"runs": several.runs, "calls": several.calls, "data_parallel": several.data_parallel}
    answer(task, {**own, **others, **of_several, "step": several.step, "steps": layers.steps})
