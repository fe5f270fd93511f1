from . import exercises as exercises
from . import plot as plot
from . import runtime as runtime
from .advice.advising import advise as advise
from .advice.transferability import (
    label_entropy as label_entropy,
)
from .advice.transferability import (
    leep as leep,
)
from .advice.transferability import (
    log_me as log_me,
)
from .advice.transferability import (
    probe_accuracy as probe_accuracy,
)
from .advice.transferability import (
    proxy_a_distance as proxy_a_distance,
)
from .advice.verdict import Advice as Advice
from .comparison.report import write_report as write_report
from .comparison.result import Comparison as Comparison
from .comparison.running import run_comparison as run_comparison
from .comparison.strategies import find_strategy as find_strategy
from .comparison.strategies import train_network as train_network
from .data.augmentation import test_augs as test_augs
from .data.augmentation import train_augs as train_augs
from .data.batches import read_pixels as read_pixels
from .data.folders import UnlabelledImages as UnlabelledImages
from .data.labels import read_labels as read_labels
from .data.labels import relabel_by as relabel_by
from .data.pairs import load_images as load_images
from .data.subsets import imbalanced as imbalanced
from .data.subsets import sample as sample
from .data.subsets import split as split
from .data.subsets import take as take
from .deployment.exporting import export_onnx as export_onnx
from .deployment.loading import load_net as load_net
from .deployment.web import export_web as export_web
from .errors import (
    CheckpointError as CheckpointError,
)
from .errors import (
    ClusterError as ClusterError,
)
from .errors import (
    D2LTLError as D2LTLError,
)
from .errors import (
    DeviceError as DeviceError,
)
from .errors import (
    DivergenceError as DivergenceError,
)
from .errors import (
    ImageFolderError as ImageFolderError,
)
from .errors import (
    MissingLibraryError as MissingLibraryError,
)
from .errors import (
    MissingMXNetError as MissingMXNetError,
)
from .errors import (
    NetworkError as NetworkError,
)
from .errors import (
    SettingsError as SettingsError,
)
from .errors import (
    WeightsError as WeightsError,
)
from .errors import (
    WorkerError as WorkerError,
)
from .history import History as History
from .methods.clustering import agreement as agreement
from .methods.clustering import cluster_with_help as cluster_with_help
from .methods.dann import train_dann as train_dann
from .methods.distillation import distill as distill
from .methods.lp_ft import train_lp_ft as train_lp_ft
from .methods.multitask import MultiTask as MultiTask
from .methods.multitask import train_multitask as train_multitask
from .methods.self_taught import learn_features as learn_features
from .methods.self_taught import train_self_taught as train_self_taught
from .methods.zero_shot import ZeroShot as ZeroShot
from .methods.zero_shot import recognise_unseen as recognise_unseen
from .models.convolutional import heat_map as heat_map
from .models.convolutional import to_convolutional as to_convolutional
from .models.freezing import (
    decay_rates as decay_rates,
)
from .models.freezing import (
    freeze as freeze,
)
from .models.freezing import (
    freeze_layers as freeze_layers,
)
from .models.freezing import (
    freeze_stages as freeze_stages,
)
from .models.freezing import (
    reinitialize_stages as reinitialize_stages,
)
from .models.freezing import (
    use_running_statistics as use_running_statistics,
)
from .models.networks import class_row as class_row
from .models.networks import early_net as early_net
from .models.networks import finetune_net as finetune_net
from .models.networks import scratch_net as scratch_net
from .models.precision import use_bfloat16 as use_bfloat16
from .models.sources import source_net as source_net
from .models.trained import save_net as save_net
from .plot import (
    plot_bars as plot_bars,
)
from .plot import (
    plot_confusion as plot_confusion,
)
from .plot import (
    plot_curves as plot_curves,
)
from .plot import (
    plot_heat_maps as plot_heat_maps,
)
from .plot import (
    plot_lines as plot_lines,
)
from .plot import (
    show_images as show_images,
)
from .runtime import __version__ as __version__
from .runtime import devices as devices
from .training.calibration import calibrate as calibrate
from .training.evaluation import evaluate as evaluate
from .training.evaluation import predict as predict
from .training.evaluation import profile as profile
from .training.evaluation import weigh as weigh
from .training.features import codes_by_stage as codes_by_stage
from .training.features import extract_codes as extract_codes
from .training.fine_tuning import train_fine_tuning as train_fine_tuning
from .training.linear_probe import (
    accuracy_by_labels as accuracy_by_labels,
)
from .training.linear_probe import (
    linear_head as linear_head,
)
from .training.linear_probe import (
    train_on_codes as train_on_codes,
)
from .training.predictions import Predictions as Predictions
