"""Many processes at once, processes that die, caches that cannot be written, disks that are full."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Callable

import http_server
import pytest
from http_server import Server, files_below, good, sha1, stall, zip_of

import data_hub
from data_hub import DataHubError, download, download_extract, extract, main, open_archive, register

cache, server = http_server.cache, http_server.server

FILES = {f"set/{i}": f"{i}".encode() * 50 for i in range(100)}
CONTENT = zip_of(FILES)
UNPACKED = {f"unpacked/{name}" for name in FILES} | {"unpacked.json"}

ASK = """
import os, sys, data_hub
data_hub.register("set", sys.argv[1], sys.argv[2])
print(data_hub.download("set"))
print(folder := data_hub.download_extract("set"), os.stat(folder).st_ino)
"""


def start(*args: str) -> subprocess.Popen[str]:
    env = {**os.environ, "PYTHONPATH": str(Path(data_hub.__file__).parent)}
    return subprocess.Popen([sys.executable, *args], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def answer(cache: Path) -> str:
    """What a process must print; were the archive unpacked twice, two folders would differ by their numbers."""
    home = cache / sha1(CONTENT)
    return f"{home}/set.zip\n{home}/unpacked/set {(home / 'unpacked' / 'set').stat().st_ino}\n"


def until(condition: Callable[[], object], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


# Many


@pytest.mark.full
def test_thirty_processes_one_download_one_unpacking(server: Server, cache: Path) -> None:
    address = server.give("set.zip", good(CONTENT))
    processes = [start("-c", ASK, address, sha1(CONTENT)) for _ in range(30)]
    assert {process.communicate(timeout=60)[0] for process in processes} == {answer(cache)}
    assert server.asked == ["/set.zip"]
    assert files_below(cache / sha1(CONTENT)) == UNPACKED | {"set.zip"}


def test_the_winner_is_killed_while_it_fetches(server: Server, cache: Path) -> None:
    address = server.give("set.zip", stall(CONTENT), good(CONTENT))
    winner = start("-c", ASK, address, sha1(CONTENT))
    assert server.half_sent.wait(20)
    others = [start("-c", ASK, address, sha1(CONTENT)) for _ in range(3)]
    winner.kill()
    winner.communicate()
    assert (cache / sha1(CONTENT) / ".tmp" / "set.zip").exists()
    assert {process.communicate(timeout=30)[0] for process in others} == {answer(cache)}
    assert server.asked == ["/set.zip"] * 2
    assert files_below(cache / sha1(CONTENT)) == UNPACKED | {"set.zip"}


def test_the_winner_is_killed_while_it_unpacks(cache: Path, tmp_path: Path) -> None:
    files = {f"set/{i}": b"data" for i in range(5000)}
    (tmp_path / "set.zip").write_bytes(zip_of(files))
    home = cache / sha1((tmp_path / "set.zip").read_bytes())
    winner = start("-c", "import sys, data_hub; data_hub.open_archive(sys.argv[1])", str(tmp_path / "set.zip"))
    until((home / ".tmp/unpacked/set/9").exists)
    winner.kill()
    winner.communicate()
    assert (home / ".tmp").exists()
    assert not (home / "unpacked").exists()
    open_archive(tmp_path / "set.zip")
    assert files_below(home) == {"unpacked.json", *(f"unpacked/{name}" for name in files)}
    assert main(["verify"]) == 0


def test_a_process_that_never_ends(
    server: Server, cache: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("_data_hub.cache.LOCK_TIMEOUT", 0.1)
    address = server.give("set.zip", stall(CONTENT))
    winner = start("-c", ASK, address, sha1(CONTENT))
    assert server.half_sent.wait(20)
    with pytest.raises(DataHubError, match=rf"{sha1(CONTENT)}\.lock' could not be acquired"):
        download(address, sha1_hash=sha1(CONTENT))
    assert [record.getMessage() for record in caplog.records] == [
        f"waiting for another process to finish its work in {cache / sha1(CONTENT)}"
    ]
    winner.kill()
    winner.communicate()


def test_ctrl_c_leaves_nothing(server: Server, cache: Path) -> None:
    command = start("-m", "data_hub", "get", server.give("set.zip", stall(CONTENT)))
    assert server.half_sent.wait(20)
    command.send_signal(signal.SIGINT)
    out, err = command.communicate(timeout=20)
    assert command.returncode == 130
    assert out == ""
    assert err.splitlines()[-1].startswith("data_hub: interrupted")
    assert files_below(cache) == set()
    assert [folder.name for folder in next(path for path in cache.iterdir() if path.is_dir()).iterdir()] == []


# Where nothing can be written


@contextlib.contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Take away the right to write to a folder. Permissions do not bind root, who becomes someone else for it."""
    for module in "filelock", "pooch", "requests", "tqdm.auto":
        importlib.import_module(module)  # the other one may have no access to Python itself
    folders = [path for path in (folder, *folder.rglob("*")) if path.is_dir()]
    is_root = os.geteuid() == 0
    try:
        for path in folders:
            path.chmod(0o555)
        if is_root:
            os.seteuid(65534)
        yield
    finally:
        if is_root:
            os.seteuid(0)
        for path in folders:
            path.chmod(0o755)


@pytest.fixture
def public_cache(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Put the cache where others can read it, as pytest's own temporary folders cannot be."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    monkeypatch.setenv("D2LTL_DATA", str(folder))
    yield folder
    shutil.rmtree(folder)


def test_a_read_only_cache_that_holds_the_file(server: Server, public_cache: Path) -> None:
    register("set", server.give("set.zip", good(CONTENT)), sha1(CONTENT))
    folder, path = download_extract("set"), download("set")
    for lock in public_cache.glob("*.lock"):
        lock.unlink()
    with read_only(public_cache):
        assert (download_extract("set"), download("set")) == (folder, path)
        assert main(["verify"]) == 0
    assert server.asked == ["/set.zip"]


def test_a_read_only_cache_that_does_not(server: Server, public_cache: Path) -> None:
    register("set", server.give("set.zip", good(CONTENT)), sha1(CONTENT))
    home = public_cache / sha1(CONTENT)
    with read_only(public_cache), pytest.raises(DataHubError) as error:
        download("set")
    assert str(error.value).startswith(f"{home}/set.zip: no such file, and {home} cannot be changed")
    assert "D2LTL_DATA" in str(error.value)
    with read_only(public_cache), pytest.raises(DataHubError, match=f"{home}/unpacked is not there, or not whole"):
        download_extract("set")
    Path(download("set")).write_bytes(b"damaged")
    with read_only(public_cache), pytest.raises(DataHubError, match=f"expected {sha1(CONTENT)}, found"):
        download("set")
    assert server.asked == ["/set.zip"]


def test_a_cache_that_is_a_file(cache: Path) -> None:
    cache.write_text("")
    with pytest.raises(DataHubError, match="cannot be changed"):
        download("hotdog")


# Full disks


@pytest.fixture(params=["file system", "file size"])
def small_disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A folder on a file system of one megabyte (where that can be mounted), or under a limit for one file."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if request.param == "file system":
        command = ["mount", "-t", "tmpfs", "-o", "size=1m", "d2ltl", str(folder)]
        if not shutil.which("mount") or subprocess.run(command, capture_output=True).returncode:
            pytest.skip("only root can mount a small file system; the other parameter runs everywhere")
        yield folder
        subprocess.run(["umount", str(folder)], check=True)
    else:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, hard))
        yield folder
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_leaves_no_debris(
    server: Server, cache: Path, tmp_path: Path, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("D2LTL_DATA", str(small_disk))
    large = os.urandom(2**21)
    register("large", server.give("large.bin", good(large)), sha1(large))
    with pytest.raises(DataHubError, match="No space left|File too large"):
        download("large")
    growing = zip_of({"set/a": b"a", "set/b": bytes(2**21)})
    register("growing", server.give("growing.zip", good(growing)), sha1(growing))
    with pytest.raises(DataHubError, match=r"growing\.zip: 'set/b': .*(No space left|File too large)"):
        download_extract("growing")
    assert files_below(small_disk) == {f"{sha1(growing)}/growing.zip"}

    shutil.copy(download("growing"), small_disk)
    with pytest.raises(DataHubError, match="No space left|File too large"):
        extract(small_disk / "growing.zip")
    assert files_below(small_disk) == {f"{sha1(growing)}/growing.zip", "growing.zip"}


def test_a_full_disk_where_the_copy_goes(server: Server, cache: Path, small_disk: Path) -> None:
    large = bytes(2**21)
    register("large", server.give("large.bin", good(large)), sha1(large))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    download("large")
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    with pytest.raises(DataHubError, match=r"large\.bin cannot be written: .*(No space left|File too large)"):
        download("large", small_disk)
    assert files_below(small_disk) == set()


def test_an_error_in_between_leaves_no_debris(server: Server, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    register("set", server.give("set.zip", good(CONTENT)), sha1(CONTENT))

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    for owner, name in (json, "dumps"), (Path, "rename"):  # all is unpacked, nothing is in its place
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, interrupted)
            with pytest.raises(KeyboardInterrupt):
                download_extract("set")
        assert files_below(cache) <= {f"{sha1(CONTENT)}/set.zip", f"{sha1(CONTENT)}/unpacked.json"}
    download_extract("set")
    assert files_below(cache / sha1(CONTENT)) == UNPACKED | {"set.zip"}
