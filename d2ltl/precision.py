"""bfloat16: half the bits of float32, the same range; on processors that have it, networks train sooner."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

from d2ltl.errors import SettingsError

# Linux on x86-64: arch_prctl(ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA)
ASK_FOR_TILES = (158, 0x1023, 18)

_precision = "float32"


def precision() -> str:
    """Return what networks compute in: 'float32', or 'bfloat16' after `use_bfloat16`."""
    return _precision


def use_bfloat16() -> None:
    """Compute convolutions and dense layers in bfloat16 for the rest of this process; parameters stay float32.

    Call it before the first network is made: it patches MXNet (`mxnet.contrib.amp`), which cannot be undone.

    Raises
    ------
    SettingsError
        If the processor has no bfloat16 arithmetic, a GPU is to be used, or the np interface is active, under which
        MXNet 1.9.1 goes on in float32 without a word.
    """
    global _precision
    import mxnet as mx

    if "avx512_bf16" not in _processor_flags():
        raise SettingsError("This processor has no bfloat16 arithmetic (avx512_bf16); stay with float32.")
    if mx.context.num_gpus():
        raise SettingsError("bfloat16 is for processors, and this machine computes on its GPUs; stay with float32.")
    _use_tiles()
    from mxnet.contrib import amp

    amp.init("bfloat16")
    _precision = "bfloat16"
    check_interface()


def check_interface() -> None:
    """Raise SettingsError where bfloat16 was asked for and MXNet's np interface would not do it."""
    import mxnet as mx

    if _precision == "bfloat16" and mx.util.is_np_array():
        raise SettingsError("bfloat16 does nothing under MXNet's np interface; call npx.reset_np(), or use float32.")


def _use_tiles() -> None:
    """Let oneDNN use the processor's tile registers (AMX), which multiply bfloat16 matrices several times as fast.

    The oneDNN 2.4 in MXNet does so only where this variable says so, and would crash without Linux's permission.
    """
    if "amx_bf16" in _processor_flags() and ctypes.CDLL(None).syscall(*ASK_FOR_TILES) == 0:
        os.environ.setdefault("DNNL_MAX_CPU_ISA", "AVX512_CORE_AMX")


def _processor_flags() -> set[str]:
    cpuinfo = Path("/proc/cpuinfo")  # Linux; elsewhere there is no telling
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    return next((set(line.split()) for line in lines if line.startswith("flags")), set())
