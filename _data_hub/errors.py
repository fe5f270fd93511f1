"""The errors of the hub, and the one place that makes them of what fails below."""

from __future__ import annotations

import contextlib
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Iterator


class D2LTLError(Exception):
    """Base of all errors that this library raises; the text says what was wrong and what to do."""


class DataHubError(D2LTLError):
    """A data set cannot be had, is not what it should be, or must not be unpacked."""


@contextlib.contextmanager
def failures(what: str) -> Iterator[None]:
    """Turn every failure from below into a DataHubError that says with `what` it happened.

    No other place does. A ValueError of the hub (something was refused) takes the same way; the errors of
    requests and filelock are OSErrors.
    """
    try:
        yield
    except (
        OSError,
        EOFError,
        ValueError,
        NotImplementedError,
        zipfile.BadZipFile,
        tarfile.TarError,
        zlib.error,
        lzma.LZMAError,
    ) as error:
        inner = error.args[0] if error.args else None
        inner = getattr(inner, "reason", inner)  # requests wraps urllib3's error, which wraps its reason
        reason = str(inner if isinstance(inner, Exception) else error) or type(error).__name__
        raise DataHubError(f"{what}: {reason}") from error
