"""What can go wrong, by kind: every error names the file or value and says what to do."""

from data_hub import D2LTLError

__all__ = [
    "CheckpointError",
    "D2LTLError",
    "DeviceError",
    "DivergenceError",
    "ImageFolderError",
    "MissingMXNetError",
    "NetworkError",
    "SettingsError",
    "WeightsError",
]


class ImageFolderError(D2LTLError):
    """A folder of images that cannot be used, or an image in it that cannot be read."""


class WeightsError(D2LTLError):
    """Pretrained weights that are missing, damaged, or those of another network."""


class NetworkError(D2LTLError):
    """A network that does not exist, or that cannot run on this input or array interface."""


class DeviceError(D2LTLError):
    """A device that this machine does not have."""


class SettingsError(D2LTLError):
    """A value of an argument that makes no sense."""


class DivergenceError(D2LTLError):
    """A training loss that is no longer a finite number."""


class CheckpointError(D2LTLError):
    """A checkpoint or output folder that belongs to other settings."""


class MissingMXNetError(D2LTLError, ModuleNotFoundError):
    """MXNet is not installed."""

    def __init__(self) -> None:
        super().__init__(
            "d2ltl needs MXNet 1.9.1, which is not installed. Install it with: pip install mxnet==1.9.1 "
            "(the extra cpu), or mxnet-cu112==1.9.1 (the extra cu112) for NVIDIA GPUs and CUDA 11.2."
        )
