"""Parameters of networks: reading and writing files, conversion from and to NumPy arrays."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import mxnet as mx
import numpy as np
from mxnet.gluon import Block, HybridBlock, Parameter

from d2ltl.arrays import to_mx
from d2ltl.errors import WeightsError
from d2ltl.files import atomic_write, printable


def parameters_of(block: Block) -> list[Parameter]:
    """Return all parameters of a block and of the blocks inside it."""
    return list(block.collect_params().values())


def value_of(parameter: Parameter) -> np.ndarray:
    """Return the value of a parameter on its first device as a NumPy array."""
    mx.nd.waitall()  # a convolution that still runs may be changing the memory layout of its weights
    return parameter.data(parameter.list_ctx()[0]).asnumpy()


def set_value(parameter: Parameter, array: np.ndarray) -> None:
    """Set the value of a parameter, cast to its dtype. The parameter is initialised and takes the array's shape."""
    parameter.shape = array.shape
    if parameter._data is None:  # Gluon has no public attribute for this
        parameter.initialize()
    parameter.set_data(to_mx(array.astype(parameter.dtype)))


def parameter_of(block: Block, kind: str) -> Parameter:
    """Return the first parameter of a block whose name ends with `kind`, such as ``'weight'`` or ``'bias'``."""
    return next(parameter for parameter in parameters_of(block) if parameter.name.endswith(kind))


def read_parameters(file: Path) -> dict[str, np.ndarray]:
    """Return the arrays of a ``.params`` file by name. The file may come from either array interface of MXNet."""
    if printable(str(file)) != str(file):
        raise WeightsError(f"{printable(str(file))} is not UTF-8, and MXNet cannot read it. Rename it.")
    if not file.is_file():
        raise WeightsError(f"There is no file {file}. Give 'imagenet' or a .params file with pretrained weights.")
    for np_shape in (False, True):
        # AttributeError: a file of unnamed arrays gives a list, which has no items()
        wrong = contextlib.suppress(mx.MXNetError, UnicodeDecodeError, AttributeError)
        with wrong, mx.util.np_array(False), mx.util.np_shape(np_shape):
            return {name: array.asnumpy() for name, array in mx.nd.load(os.fspath(file)).items()}
    raise WeightsError(f"{file} is not a file of named MXNet parameters, or is damaged. Get it again.")


def write_parameters(net: HybridBlock, file: str | os.PathLike[str]) -> None:
    """Write the parameters of a network to a ``.params`` file, atomically. A full disk raises OSError."""
    with atomic_write(file) as temporary:
        try:
            net.save_parameters(os.fspath(temporary))
        except mx.MXNetError as error:
            raise OSError(f"{file} cannot be written: {str(error).splitlines()[-1]}") from error
