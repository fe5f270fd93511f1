"""Steps of training or of evaluation on made-up images, whose layers `benchmarks.roofline` reads from the output."""

from __future__ import annotations

# isort: off
import d2ltl  # first: it prepares the process for MXNet
# isort: on

import json
import math
import os
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import mxnet as mx
import numpy as np
from mxnet import gluon, profiler

from benchmarks.workers.protocol import MARK, Results
from d2ltl.models.efficientnet import ReLU6, Rotation
from d2ltl.models.outputs import for_inference, set_up
from d2ltl.models.parameters import parameters_of
from d2ltl.training.fine_tuning import losses_by
from d2ltl.training.loop import gradient_step, sgd

SECONDS = 3.0  # of steps that are measured
OUTSIDE = ("clip", "_backward_clip", "slice", "_backward_slice", "multi_sgd_update")


def steps(task: dict[str, Any]) -> Results:
    """Measure steps on two classes. A line that is `MARK` stands before those that are measured, and one after them.

    The results also have the seconds of each operator `OUTSIDE` of oneDNN, by MXNet's profiler, and its elements.
    """
    net = d2ltl.scratch_net(2, task["net"])
    X = mx.nd.random.normal(shape=(task["batch_size"], 3, task["size"], task["size"]))
    elements = _elements(net, X)
    step = (_training if task["trains"] else _evaluation)(net, X)
    step()
    start = time.perf_counter()
    step()
    number = math.ceil(SECONDS / (time.perf_counter() - start))
    print(MARK, flush=True)
    start = time.perf_counter()
    for _ in range(number):
        step()
    seconds = (time.perf_counter() - start) / number
    print(MARK, flush=True)
    results = {"steps": number, "step_s": seconds}
    if task["trains"]:
        for name, of_operator in _profile(net, step).items():
            results |= {f"{name}_s": of_operator, f"{name}_elements": elements[name]}
    return results


def _training(net: gluon.HybridBlock, X: Any) -> Callable[[], object]:
    """Return a step of training, as `train_fine_tuning` does it."""
    device = X.context
    set_up(net, [device])
    losses_of = losses_by(net, gluon.loss.SoftmaxCrossEntropyLoss())
    step = gradient_step(net, losses_of, sgd(net, 0.01), [device])
    y = mx.nd.array(np.arange(len(X)) % 2)

    def wait() -> None:
        step(X, y)()
        mx.nd.waitall()

    return wait


def _evaluation(net: gluon.HybridBlock, X: Any) -> Callable[[], object]:
    """Return a step of evaluation, as `predict` does it."""
    fused = for_inference([net], X.context)
    return lambda: fused(X).asnumpy()


def _elements(net: gluon.HybridBlock, X: Any) -> Counter[str]:
    """Return the number of elements that each operator `OUTSIDE` of oneDNN computes in a step."""
    counts: Counter[str] = Counter()

    def hook(name: str) -> Callable[..., None]:
        def count(_block: object, _inputs: object, outputs: Any) -> None:
            counts.update({name: outputs.size, f"_backward_{name}": outputs.size})

        return count

    names = {ReLU6: "clip", Rotation: "slice"}
    handles = []

    def watch(block: gluon.Block) -> None:
        if type(block) in names:
            handles.append(block.register_forward_hook(hook(names[type(block)])))

    net.apply(watch)
    net(X)
    for handle in handles:
        handle.detach()
    counts["multi_sgd_update"] = sum(parameter.data().size for parameter in parameters_of(net))
    return counts


def _profile(net: gluon.HybridBlock, step: Callable[[], object]) -> dict[str, float]:
    """Return the seconds of the operators `OUTSIDE` of oneDNN in a step of training."""
    net.hybridize()  # the profiler sees no operators of a graph that is static
    step()
    options = {"profile_symbolic": True, "profile_imperative": True, "aggregate_stats": True}
    profiler.set_config(**options, filename=os.devnull)
    profiler.set_state("run")
    step()
    profiler.set_state("stop")
    totals: Counter[str] = Counter()
    for operators in json.loads(profiler.dumps(format="json"))["Time"].values():
        for name, statistics in operators.items():
            if name in OUTSIDE:
                totals[name] += statistics["Total"] / 1000
    return dict(totals)
