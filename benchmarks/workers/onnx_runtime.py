"""Evaluation in ONNX Runtime, of the PyTorch network; the images are loaded as by PyTorch tuned for speed."""

from __future__ import annotations

import io
from typing import Any

import onnxruntime
import torch

from benchmarks.workers.protocol import answer, read_task
from benchmarks.workers.pytorch import Network, evaluate


class Exported(torch.nn.Module):
    """A network that ONNX Runtime runs in evaluation mode."""

    def __init__(self, net: torch.nn.Module, size: int) -> None:
        super().__init__()
        file = io.BytesIO()
        axes = {"images": {0: "n"}}
        options = {"input_names": ["images"], "dynamic_axes": axes, "dynamo": False}  # dynamo needs another package
        torch.onnx.export(net.eval(), torch.zeros(1, 3, size, size), file, **options)
        self.session = onnxruntime.InferenceSession(file.getvalue(), providers=["CPUExecutionProvider"])

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        """Return the outputs (n, classes) for images (n, 3, size, size)."""
        return torch.from_numpy(self.session.run(None, {"images": X.numpy()})[0])


class ExportedNetwork(Network):
    """The network of a task, run by ONNX Runtime."""

    def __init__(self, task: dict[str, Any]) -> None:
        super().__init__(task)
        self.net, self.format = Exported(self.net, task["size"]), torch.contiguous_format


if __name__ == "__main__":
    answer(read_task(), {"evaluate": lambda task: evaluate(task, ExportedNetwork)})
