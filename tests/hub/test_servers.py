"""The data hub against servers that fail: what is retried, what is not, and what the errors say."""

from __future__ import annotations

import socket
from pathlib import Path

import http_server
import pytest
from http_server import Server, announced, cut, files_below, good, page, redirect, reset, sha1, stall, status, zip_of

import data_hub
from _data_hub import fetching
from data_hub import DataHubError, download, register

cache, server = http_server.cache, http_server.server

RETRY_PAUSES = fetching.RETRY_PAUSES  # which the fixture `cache` replaces by shorter ones
CONTENT = zip_of({"a.jpg": bytes(range(256)) * 400})


@pytest.fixture
def short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("_data_hub.fetching.TIMEOUT", 0.2)


def failed_download(name: str, cache: Path) -> str:
    with pytest.raises(DataHubError) as error:
        download(name)
    assert files_below(cache) == set()
    assert "\n" not in str(error.value)
    home = cache / data_hub.DATA_HUB[name][1]
    assert str(error.value).endswith(f"A copy made by hand belongs at {home / 'set.zip'}")
    return str(error.value)


@pytest.mark.parametrize(
    ("answers", "requests"),
    [
        ([good(CONTENT)], 1),
        ([announced(CONTENT + b"more", len(CONTENT))], 1),
        ([status(500), status(503), good(CONTENT)], 3),
        ([status(429), good(CONTENT)], 2),
        ([cut(CONTENT), cut(CONTENT), cut(CONTENT), good(CONTENT)], 4),
        ([stall(CONTENT), good(CONTENT)], 2),
        ([reset, good(CONTENT)], 2),
        ([redirect("/elsewhere"), good(CONTENT)], 2),
    ],
)
def test_what_may_pass_is_tried_again(
    answers: list[http_server.Answer], requests: int, server: Server, cache: Path, short_patience: None
) -> None:
    server.give("elsewhere", good(CONTENT))
    register("set", server.give("set.zip", *answers), sha1(CONTENT))
    assert Path(download("set")).read_bytes() == CONTENT
    assert len(server.asked) == requests
    assert files_below(cache) == {f"{sha1(CONTENT)}/set.zip"}


@pytest.mark.parametrize(
    ("answer", "reason", "requests"),
    [
        (status(404), "404 Client Error", 1),
        (status(403), "403 Client Error", 1),
        (redirect("/set.zip"), "Exceeded 30 redirects", 31),
        (page, "(it looks like a web page, perhaps for a login)", 1),
        (announced(CONTENT, len(CONTENT) - 9), f"found {sha1(CONTENT[:-9])}", 1),
        (status(500), "500 Server Error", 4),
        (cut(CONTENT), "IncompleteRead", 4),
        (stall(CONTENT), "Read timed out", 4),
        (reset, "Connection", 4),
    ],
)
def test_what_will_not_pass_is_not(
    answer: http_server.Answer, reason: str, requests: int, server: Server, cache: Path, short_patience: None
) -> None:
    address = server.give("set.zip", answer)
    register("set", address, sha1(CONTENT))
    error = failed_download("set", cache)
    assert reason in error.partition(f"{address}: ")[2]
    assert len(server.asked) == requests


def test_pauses_grow_between_attempts(server: Server, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    assert list(RETRY_PAUSES) == sorted({*RETRY_PAUSES})
    monkeypatch.setattr("_data_hub.fetching.RETRY_PAUSES", RETRY_PAUSES)
    monkeypatch.setattr("time.sleep", pauses.append)
    with pytest.raises(DataHubError, match="500"):
        download(server.give("set.zip", status(500)), sha1_hash="a" * 40)
    assert tuple(pauses) == RETRY_PAUSES


def test_a_server_without_a_certificate_is_not_asked_again(
    server: Server, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("time.sleep", pauses.append)
    register("set", server.give("set.zip", good(CONTENT)).replace("http:", "https:"), sha1(CONTENT))
    assert "SSL" in failed_download("set", cache)
    assert pauses == []


def test_no_network(cache: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{unused.getsockname()[1]}/set.zip"
        register("set", address, sha1(CONTENT))
        assert "Connection refused" in failed_download("set", cache).partition(f"{address}: ")[2]


def test_all_addresses_are_listed_with_their_reasons(
    server: Server, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("D2LTL_MIRRORS", f"{tmp_path},{server.root}/a,{server.root}/b")
    server.give("a/set.zip", page)
    server.give("b/set.zip", status(500))
    register("set", f"{server.root}/set.zip", sha1(CONTENT))
    error = failed_download("set", cache)
    for reason in (
        f"{tmp_path}/set.zip: [Errno 2] No such file",
        f"{server.root}/a/set.zip: wrong SHA1, expected",
        f"{server.root}/b/set.zip: 500",
        f"{server.root}/set.zip: 404",
    ):
        assert reason in error


def test_a_proxy_from_the_environment(server: Server, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", server.root)
    server.give("set.zip", good(CONTENT))
    register("set", "http://hub.invalid/set.zip", sha1(CONTENT))
    assert Path(download("set")).read_bytes() == CONTENT
    assert server.asked == ["http://hub.invalid/set.zip"]


def test_a_compressed_file_arrives_as_it_is(server: Server, cache: Path) -> None:
    """Some servers label a .tar.gz `Content-Encoding: gzip` for everyone who can decompress."""
    encodings = []

    def answer(handler: http_server._Handler) -> None:
        encodings.append(handler.headers["Accept-Encoding"])
        good(CONTENT)(handler)

    register("set", server.give("set.tar.gz", answer), sha1(CONTENT))
    download("set")
    assert encodings == ["identity"]
