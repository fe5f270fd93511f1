"""A local HTTP server that answers, or misbehaves, as told, and an empty hub beside it.

A test module takes its fixtures with `cache, server = http_server.cache, http_server.server`.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import socket
import struct
import threading
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Callable
from urllib.parse import unquote, urlsplit

import pytest

import data_hub

Answer = Callable[["_Handler"], None]


class Server(ThreadingHTTPServer):
    """`asked` lists what was asked for, in order: a path, or a whole address by who uses the server as a proxy."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[str] = []
        self.answers: dict[str, list[Answer]] = defaultdict(lambda: [status(404)])
        self.half_sent = threading.Event()
        self.closing = threading.Event()

    @property
    def root(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def give(self, name: str, *answers: Answer) -> str:
        """Answer the requests for a file in turn, the last way from then on; return its address."""
        self.answers[f"/{name}"] = list(answers)
        return f"{self.root}/{name}"


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        answers = self.server.answers[unquote(urlsplit(self.path).path)]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        with contextlib.suppress(ConnectionError):  # the other side may have had enough
            answer(self)
        self.close_connection = True

    def begin(self, length: int, kind: str = "application/zip") -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(length))
        self.send_header("Content-Type", kind)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


def good(content: bytes) -> Answer:
    def answer(handler: _Handler) -> None:
        handler.begin(len(content))
        handler.wfile.write(content)

    return answer


def status(code: int) -> Answer:
    return lambda handler: handler.send_error(code)


def cut(content: bytes) -> Answer:
    """Announce all, send half, hang up."""

    def answer(handler: _Handler) -> None:
        handler.begin(len(content))
        handler.wfile.write(content[: len(content) // 2])

    return answer


def stall(content: bytes) -> Answer:
    """Announce all, send half, and say nothing more."""

    def answer(handler: _Handler) -> None:
        cut(content)(handler)
        handler.server.half_sent.set()
        handler.server.closing.wait()

    return answer


def reset(handler: _Handler) -> None:
    """Break the connection off."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.shutdown(socket.SHUT_RD)


def announced(content: bytes, length: int) -> Answer:
    """Send all, but announce another length."""

    def answer(handler: _Handler) -> None:
        handler.begin(length)
        handler.wfile.write(content)

    return answer


def page(handler: _Handler) -> None:
    """Ask for a password, as the networks of hotels and universities do: with status 200."""
    content = b"\n<!DOCTYPE html>\n<html><body>Please log in</body></html>"
    handler.begin(len(content), "text/html")
    handler.wfile.write(content)


def redirect(to: str) -> Answer:
    def answer(handler: _Handler) -> None:
        handler.send_response(302)
        handler.send_header("Location", to)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


def zip_of(files: dict[str, bytes]) -> bytes:
    """Make a zip archive."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)  # dated 1980: always the same bytes
    return content.getvalue()


def sha1(content: bytes) -> str:
    return hashlib.sha1(content).hexdigest()


def files_below(folder: Path) -> set[str]:
    """Name all files below a folder but the locks, which stay and are empty."""
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if not path.is_dir() and path.suffix != ".lock"
    }


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield server
        server.closing.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Use an empty cache, no mirrors, no proxy, a hub of one's own, and no long pauses."""
    for variable in (
        "D2LTL_MIRRORS",
        "http_proxy",
        "HTTP_PROXY",
        "https_proxy",
        "HTTPS_PROXY",
        "all_proxy",
        "ALL_PROXY",
        "no_proxy",
        "NO_PROXY",
    ):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("D2LTL_DATA", str(tmp_path / "cache"))
    monkeypatch.setattr(data_hub, "DATA_HUB", {"hotdog": data_hub.DATA_HUB["hotdog"]})
    monkeypatch.setattr("_data_hub.fetching.SHIPPED", tmp_path / "shipped")
    monkeypatch.setattr("_data_hub.fetching.RETRY_PAUSES", (0.01, 0.01, 0.01))
    return tmp_path / "cache"
