"""d2ltl: the fine-tuning chapter of *Dive into Deep Learning*, run and measured.

``import d2ltl`` prepares the process for MXNet (see `d2ltl.runtime`) without loading it; the first use of a
public name does. Import d2ltl before mxnet.
"""

from __future__ import annotations

import importlib
from typing import Any

from d2ltl import runtime
from d2ltl.errors import MissingMXNetError

__version__ = "0.1.0"

_MODULE_OF = {
    "devices": "runtime",
    "load_images": "data",
    "UnlabelledImages": "data",
    "read_pixels": "loading",
    "read_labels": "labels",
    "take": "subsets",
    "imbalanced": "subsets",
    "train_augs": "loading",
    "test_augs": "loading",
    "show_images": "plot",
    "plot_curves": "plot",
    "plot_confusion": "plot",
    "plot_heat_maps": "plot",
    "use_bfloat16": "precision",
    "source_net": "zoo",
    "finetune_net": "nets",
    "scratch_net": "nets",
    "freeze": "nets",
    "freeze_stages": "nets",
    "freeze_layers": "nets",
    "reinitialize_stages": "nets",
    "class_row": "nets",
    "train_fine_tuning": "train",
    "evaluate": "evaluation",
    "predict": "evaluation",
    "extract_codes": "codes",
    "codes_by_stage": "codes",
    "linear_head": "codes",
    "accuracy_by_labels": "codes",
    "train_on_codes": "codes",
    "train_multitask": "methods.multitask",
    "MultiTask": "methods.multitask",
    "train_dann": "methods.dann",
    "recognise_unseen": "methods.zero_shot",
    "ZeroShot": "methods.zero_shot",
    "train_self_taught": "methods.self_taught",
    "learn_features": "methods.self_taught",
    "cluster_with_help": "methods.clustering",
    "agreement": "methods.clustering",
    "distill": "methods.distillation",
    "weigh": "methods.distillation",
    "log_me": "transferability",
    "leep": "transferability",
    "label_entropy": "transferability",
    "probe_accuracy": "transferability",
    "proxy_a_distance": "transferability",
    "advise": "advice",
    "Advice": "advice",
    "to_convolutional": "convolutional",
    "heat_map": "convolutional",
    "History": "history",
    "Comparison": "comparison",
    "run_comparison": "comparison",
    "write_report": "report",
    "D2LTLError": "errors",
    "CheckpointError": "errors",
    "DeviceError": "errors",
    "DivergenceError": "errors",
    "ImageFolderError": "errors",
    "MissingMXNetError": "errors",
    "NetworkError": "errors",
    "SettingsError": "errors",
    "WeightsError": "errors",
}
__all__ = [*_MODULE_OF]

runtime.prepare()


def __getattr__(name: str) -> Any:
    """Load a public name from its module at its first use (PEP 562)."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'd2ltl' has no attribute {name!r}")
    try:
        value = getattr(importlib.import_module(f"d2ltl.{_MODULE_OF[name]}"), name)
    except ModuleNotFoundError as error:
        if error.name != "mxnet":
            raise
        raise MissingMXNetError from None
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
