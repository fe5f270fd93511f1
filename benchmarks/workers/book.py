"""The book's code as published: section 13.2 in MXNet, with the package d2l 1.0.3.

It has two changes, without which it does not run: the alias ``numpy.bool`` that MXNet needs, and a device instead of an
empty list of GPUs.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import numpy

numpy.bool = bool  # `import mxnet` needs it

from d2l import mxnet as d2l  # noqa: E402
from mxnet import gluon, init, npx  # noqa: E402
from mxnet.gluon.data.vision import ImageFolderDataset, transforms  # noqa: E402

from benchmarks.workers.protocol import Results, answer, read_task, seconds_of, training_results  # noqa: E402

npx.set_np()
resnet18_v2 = gluon.model_zoo.vision.resnet18_v2


def devices() -> list[Any]:
    """Return the GPUs, or the CPU if there is no GPU, as documented for the book's `try_all_gpus`."""
    return d2l.try_all_gpus() or [npx.cpu()]


def loaders(task: dict[str, Any]) -> tuple[Any, Any]:
    """Return the loaders of the training and of the test images."""
    size = task["size"]
    normalize = transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    train_augs = transforms.Compose(
        [transforms.RandomResizedCrop(size), transforms.RandomFlipLeftRight(), transforms.ToTensor(), normalize]
    )
    test_augs = transforms.Compose(
        [transforms.Resize(round(size * 256 / 224)), transforms.CenterCrop(size), transforms.ToTensor(), normalize]
    )
    train_imgs = ImageFolderDataset(os.path.join(task["folder"], "train"))
    test_imgs = ImageFolderDataset(os.path.join(task["folder"], "test"))
    train_iter = gluon.data.DataLoader(train_imgs.transform_first(train_augs), task["batch_size"], shuffle=True)
    return train_iter, gluon.data.DataLoader(test_imgs.transform_first(test_augs), task["batch_size"])


def scratch_net(task: dict[str, Any]) -> Any:
    """Return the chapter's network for training from scratch."""
    net = resnet18_v2(classes=task["classes"])
    net.initialize(init=init.Xavier())
    return net


def finetune_net(task: dict[str, Any]) -> Any:
    """Return the chapter's network for fine-tuning, with the source model from a file."""
    source_classes = json.loads(Path(task["weights"]).with_suffix(".json").read_text("utf-8"))
    pretrained_net = resnet18_v2(classes=len(source_classes))
    pretrained_net.load_parameters(task["weights"], cast_dtype=True)  # the file is of half precision
    net = resnet18_v2(classes=task["classes"])
    net.features = pretrained_net.features
    net.output.initialize(init.Xavier())
    net.output.collect_params().setattr("lr_mult", 10)
    return net


def train_fine_tuning(net: Any, learning_rate: float, num_epochs: int, task: dict[str, Any]) -> tuple[list, float]:
    """Train as in the chapter; return the seconds of every epoch, and the test accuracy.

    An epoch is the same as in `d2l.train_ch13`, with the evaluation and without drawing. (Drawing costs time, and needs
    at least five batches.)
    """
    train_iter, test_iter = loaders(task)
    net.collect_params().reset_ctx(devices())
    net.hybridize()
    loss = gluon.loss.SoftmaxCrossEntropyLoss()
    trainer = gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": learning_rate, "wd": 0.001})
    seconds, accuracy = [], 0.0
    for _ in range(num_epochs):
        start = time.perf_counter()
        for features, labels in train_iter:
            d2l.train_batch_ch13(net, features, labels, loss, trainer, devices())
        accuracy = d2l.evaluate_accuracy_gpus(net, test_iter)
        seconds.append(time.perf_counter() - start)
    return seconds, accuracy


def train(task: dict[str, Any]) -> Results:
    """Train from scratch for two epochs."""
    (first, epoch), _ = train_fine_tuning(scratch_net(task), 0.01, 2, task)
    train_iter = loaders(task)[0]
    loading = seconds_of(lambda: [features.wait_to_read() for features, _ in train_iter])
    return training_results(len(train_iter._dataset), first, epoch, loading)


def evaluate(task: dict[str, Any]) -> Results:
    """Measure the speed of evaluation on the test images, after a warm-up on the few training images."""
    net = scratch_net(task)
    net.collect_params().reset_ctx(devices())
    net.hybridize()
    train_iter, test_iter = loaders(task)
    d2l.evaluate_accuracy_gpus(net, train_iter)
    seconds = seconds_of(lambda: d2l.evaluate_accuracy_gpus(net, test_iter))
    return {"images_per_s": len(test_iter._dataset) / seconds}


def frozen(task: dict[str, Any]) -> Results:
    """Do exercise 3: train only the output layer."""
    net = finetune_net(task)
    net.features.collect_params().setattr("grad_req", "null")
    seconds, accuracy = train_fine_tuning(net, 0.01, task["epochs"], task)
    return {"seconds": sum(seconds), "accuracy": accuracy}


def compare(task: dict[str, Any]) -> Results:
    """Measure the time of fine-tuning and of training from scratch."""
    fine_tuned, _ = train_fine_tuning(finetune_net(task), 0.01, task["epochs"], task)
    scratch, _ = train_fine_tuning(scratch_net(task), 0.1, task["epochs"], task)
    return {"seconds": sum(fine_tuned + scratch)}


if __name__ == "__main__":
    answer(read_task(), {"train": train, "evaluate": evaluate, "frozen": frozen, "compare": compare})
