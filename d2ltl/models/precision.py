"""bfloat16 precision: half the bits of float32 with the same range. It is faster on processors that support it."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

from d2ltl.errors import SettingsError

# Linux on x86-64: arch_prctl(ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA)
ASK_FOR_TILES = (158, 0x1023, 18)

ISA, WITH_TILES = "DNNL_MAX_CPU_ISA", "AVX512_CORE_AMX"  # the instructions that oneDNN may use

_precision = "float32"


def current_precision() -> str:
    """Return the precision of computations: 'float32', or 'bfloat16' after `use_bfloat16`."""
    return _precision


def use_bfloat16() -> None:
    """Compute convolutions and dense layers in bfloat16 in this process; parameters stay float32.

    Call this function before creating the first network. It patches MXNet (`mxnet.contrib.amp`) and cannot be undone.
    The processor must support bfloat16, MXNet must see no GPU, and MXNet's np interface must not be active. (With the
    np interface, MXNet 1.9.1 would silently compute in float32.)
    """
    global _precision
    import mxnet as mx

    if not has_bfloat16():
        raise SettingsError("This processor has no bfloat16 arithmetic (avx512_bf16); stay with float32.")
    if mx.context.num_gpus():
        raise SettingsError("bfloat16 is for processors, and this machine computes on its GPUs; stay with float32.")
    _use_tiles()
    from mxnet.contrib import amp

    amp.init("bfloat16")
    _precision = "bfloat16"
    check_interface()


def has_bfloat16() -> bool:
    """Return whether the processor has bfloat16 arithmetic; False if that is not known."""
    return "avx512_bf16" in _processor_flags()


def use_precision(name: str) -> None:
    """Compute in a precision, given its name; raise SettingsError if it is float32 after `use_bfloat16`."""
    if name == _precision:
        return
    if name == "float32":
        raise SettingsError("This process computes in bfloat16, which cannot be undone. Start a new one for float32.")
    use_bfloat16()


def check_interface() -> None:
    """Raise SettingsError if `use_bfloat16` was called and MXNet's np interface is active, which would ignore it."""
    import mxnet as mx

    if _precision == "bfloat16" and mx.util.is_np_array():
        raise SettingsError("bfloat16 does nothing under MXNet's np interface; call npx.reset_np(), or use float32.")


def uses_tiles() -> bool:
    """Return whether this process computes in bfloat16 with the processor's AMX tile registers."""
    return _precision == "bfloat16" and os.environ.get(ISA) == WITH_TILES


def _use_tiles() -> None:
    """Let oneDNN use the processor's AMX tile registers, which multiply bfloat16 matrices several times as fast.

    MXNet's oneDNN 2.4 uses AMX only if the environment variable allows it. It would crash if Linux had not granted
    this process the permission to use the tile registers.
    """
    if "amx_bf16" in _processor_flags() and ctypes.CDLL(None).syscall(*ASK_FOR_TILES) == 0:
        os.environ.setdefault(ISA, WITH_TILES)


def _processor_flags() -> set[str]:
    cpuinfo = Path("/proc/cpuinfo")  # Linux only; on other systems the flags are unknown
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    return next((set(line.split()) for line in lines if line.startswith("flags")), set())
