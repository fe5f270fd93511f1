"""Download of a file to the cache from the first source that has it."""

from __future__ import annotations

import logging
import os
import shutil
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit
from urllib.request import url2pathname

from _data_hub.cache import Item, fault_of
from _data_hub.errors import DataHubError, failures
from _data_hub.members import CHUNK

SHIPPED = Path(__file__).parent / "shipped"
TIMEOUT = 20.0  # seconds to wait for data from a server
RETRY_PAUSES = (0.5, 1.0, 2.0)  # seconds to wait before each retry

logger = logging.getLogger("data_hub")


def fetch(item: Item, temporary: Path) -> Path:
    """Download a file to its place in the cache from the first source that has it. The caller holds the lock."""
    if not (fault := fault_of(item.path, item.sha1)):
        return item.path  # another process downloaded it while this one waited for the lock
    if item.sha1 is None:
        logger.warning("%s: its content is not checked, because its SHA1 is not given", item.url)
    tried = [f"{item.path}: {fault}"]
    item.path.unlink(missing_ok=True)
    for source in _sources(item):
        try:
            with failures(source):
                _copy(source, temporary / item.file)
                if fault := fault_of(temporary / item.file, item.sha1):
                    raise ValueError(fault)
                return (temporary / item.file).replace(item.path)
        except DataHubError as error:
            logger.info("%s", error)
            tried.append(str(error))
    places = "; ".join(tried)
    raise DataHubError(f"{item.file} cannot be had. {places}. A copy made by hand belongs at {item.path}")


def _sources(item: Item) -> list[str]:
    """Return the paths and addresses to try. Mirrors are used only if a SHA1 can verify their files."""
    mirrors = [mirror.strip() for mirror in os.environ.get("D2LTL_MIRRORS", "").split(",") if mirror.strip()]
    if (SHIPPED / item.file).exists():
        mirrors.append(os.fspath(SHIPPED))
    places = [
        f"{mirror.rstrip('/')}/{quote(item.file)}"
        if "://" in mirror
        else os.fspath(Path(mirror).expanduser() / item.file)
        for mirror in mirrors
    ]
    return [*(places if item.sha1 else []), item.url]


def _copy(source: str, target: Path) -> None:
    """Copy a path or an address to a file; retry after temporary errors."""
    import requests

    for pause in (*RETRY_PAUSES, None):
        try:
            return _copy_once(source, target)
        except requests.RequestException as error:
            if pause is None or not _may_pass(error):
                raise
            logger.info("%s: %s; trying again in %s s", source, error, pause)
            time.sleep(pause)


def _may_pass(error: Any) -> bool:
    """Return whether an error may be temporary, such as a busy server or a broken connection."""
    import requests

    if error.response is not None:
        return bool(error.response.status_code == 429 or error.response.status_code >= 500)
    passing = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)
    return isinstance(error, passing) and not isinstance(error, requests.exceptions.SSLError)


def _copy_once(source: str, target: Path) -> None:
    import pooch
    from tqdm.auto import tqdm
    from tqdm.utils import CallbackIOWrapper

    with target.open("wb") as file, tqdm(desc=target.name, unit="B", unit_scale=True, delay=2) as bar:
        sink = CallbackIOWrapper(bar.update, file, "write")

        def announce(response: Any, **_: Any) -> None:
            bar.total = int(response.headers.get("Content-Length", 0)) or None

        scheme, _, _ = source.lower().rpartition("://")
        if scheme in ("http", "https"):
            # Without "identity", requests would decompress a .tar.gz from servers that declare it as gzip-encoded.
            get = pooch.HTTPDownloader(
                chunk_size=2**16,
                timeout=TIMEOUT,
                hooks={"response": announce},
                headers={"Accept-Encoding": "identity"},
            )
            get(source, sink, None)
        elif scheme in ("file", ""):
            with Path(url2pathname(urlsplit(source).path) if scheme else source).open("rb") as data:
                bar.total = os.fstat(data.fileno()).st_size
                shutil.copyfileobj(data, sink, CHUNK)
        else:
            raise ValueError(f"{scheme}:// is not supported; use http, https, file or a folder")
