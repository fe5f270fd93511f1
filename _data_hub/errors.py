"""The exceptions of the data hub, and the conversion of other exceptions to them."""

from __future__ import annotations

import contextlib
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Iterator


class D2LTLError(Exception):
    """Base class of all errors of this library. The message says what is wrong and what to do."""


class DataHubError(D2LTLError):
    """Raised if a data set cannot be downloaded, has the wrong SHA1, or cannot be unpacked safely."""


@contextlib.contextmanager
def failures(what: str) -> Iterator[None]:
    """Convert the errors of the block to a `DataHubError` whose message begins with `what`.

    The hub itself raises ValueError for invalid input. The errors of requests and filelock are subclasses of OSError.
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
        inner = getattr(inner, "reason", inner)  # requests wraps an error of urllib3, which wraps the reason
        reason = str(inner if isinstance(inner, Exception) else error) or type(error).__name__
        raise DataHubError(f"{what}: {reason}") from error
