"""The data hub's main job: names, the cache, mirrors, unpacked folders, and the command line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import http_server
import pytest
from http_server import Server, files_below, good, sha1, status, zip_of
from hypothesis import given, settings
from hypothesis import strategies as st

import data_hub
from _data_hub import fetching
from data_hub import DATA_HUB, DATA_URL, DataHubError, download, download_extract, main, open_archive, register

cache, server = http_server.cache, http_server.server

PHOTOS = {
    f"hotdog/{part}/{kind}/{i}.jpg": f"{part} {kind} {i}".encode() * 9
    for part in ("train", "test")
    for kind in ("hotdog", "not-hotdog")
    for i in range(3)
}
HOTDOG = zip_of(PHOTOS)


def content(folder: str | Path) -> dict[str, bytes]:
    return {name: (Path(folder) / name).read_bytes() for name in files_below(Path(folder))}


@pytest.fixture
def hotdog(server: Server, cache: Path) -> str:
    """Register a small `hotdog`; return its address."""
    register("hotdog", server.give("hotdog.zip", good(HOTDOG)), sha1(HOTDOG))
    return data_hub.DATA_HUB["hotdog"][0]


# The book's use


def test_the_book_s_entry() -> None:
    assert DATA_URL == "http://d2l-data.s3-accelerate.amazonaws.com/"
    assert DATA_HUB["hotdog"] == (DATA_URL + "hotdog.zip", "fba480ffa8aa7e0febbb511d181409f899b9baa5")


def test_download_extract_returns_the_folder_of_the_archive(hotdog: str, cache: Path) -> None:
    folder = download_extract("hotdog")
    assert folder == str(cache / sha1(HOTDOG) / "unpacked" / "hotdog")
    assert content(Path(folder).parent) == PHOTOS
    assert download_extract("hotdog", "hotdog/train") == f"{folder}/train"


def test_download_extract_names_the_folders_there_are(hotdog: str) -> None:
    with pytest.raises(DataHubError, match=r"hotdog\.zip holds no folder 'hot'; it holds hotdog$"):
        download_extract("hotdog", "hot")


def test_a_second_time_nothing_is_fetched_or_unpacked(hotdog: str, server: Server) -> None:
    folder = Path(download_extract("hotdog"))
    photo = folder / "train" / "hotdog" / "0.jpg"
    before = photo.stat()
    Path(download("hotdog")).unlink()  # it is not needed for this
    assert download_extract("hotdog") == str(folder)
    assert photo.stat() == before
    assert server.asked == ["/hotdog.zip"]


def test_an_incomplete_folder_is_unpacked_again(hotdog: str) -> None:
    folder = Path(download_extract("hotdog"))
    (folder / "train" / "hotdog" / "0.jpg").write_bytes(b"")  # what a power cut leaves
    (folder / "train" / "hotdog" / "1.jpg").unlink()
    assert content(Path(download_extract("hotdog")).parent) == PHOTOS


def test_download_into_a_folder(hotdog: str, server: Server, tmp_path: Path) -> None:
    path = Path(download("hotdog", tmp_path / "my" / "data"))
    assert path == tmp_path / "my" / "data" / "hotdog.zip"
    path.write_bytes(b"damaged")
    assert Path(download("hotdog", folder=path.parent)).read_bytes() == HOTDOG
    assert files_below(path.parent) == {"hotdog.zip"}
    assert server.asked == ["/hotdog.zip"]


def test_download_of_an_address(hotdog: str, cache: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert download(hotdog, sha1_hash=sha1(HOTDOG).upper()) == download("hotdog")
    assert not caplog.records
    unchecked = Path(download(hotdog))
    assert unchecked.read_bytes() == HOTDOG
    assert unchecked.parent.name.startswith("url-")
    assert [record.getMessage() for record in caplog.records] == [
        f"{hotdog}: its content is not checked, because its SHA1 is not given"
    ]


@pytest.mark.parametrize("wrong", [b"<!DOCTYPE html><p>Log in", HOTDOG[: len(HOTDOG) // 2], b""])
def test_a_download_that_nothing_vouches_for_and_does_not_unpack_is_fetched_anew(
    wrong: bytes, server: Server, cache: Path
) -> None:
    url = server.give("photos.zip", good(wrong))
    with pytest.raises(DataHubError, match=r"photos\.zip: .*(web page|zip)"):
        download_extract(url)
    assert not [path for path in cache.rglob("*") if path.name == "photos.zip"]
    server.give("photos.zip", good(HOTDOG))
    assert content(download_extract(url)) == {name[len("hotdog/") :]: data for name, data in PHOTOS.items()}


def test_download_all(hotdog: str, server: Server, cache: Path) -> None:
    register("houses", server.give("houses.csv", good(b"1,2\n")), sha1(b"1,2\n"))
    assert data_hub.download_all() == [
        str(cache / sha1(HOTDOG) / "hotdog.zip"),
        str(cache / sha1(b"1,2\n") / "houses.csv"),
    ]


def test_two_archives_of_one_name_never_meet(server: Server, cache: Path, tmp_path: Path) -> None:
    other = zip_of({"hotdog/other.txt": b"other"})
    register("mine", server.give("a/hotdog.zip", good(HOTDOG)), sha1(HOTDOG))
    register("yours", server.give("b/hotdog.zip", good(other)), sha1(other))
    assert content(Path(download_extract("mine")).parent) == PHOTOS
    assert content(Path(download_extract("yours")).parent) == {"hotdog/other.txt": b"other"}
    assert Path(download("mine", tmp_path)).read_bytes() == HOTDOG
    assert Path(download("yours", tmp_path)).read_bytes() == other


@pytest.mark.parametrize(
    ("files", "folder"),
    [
        ({"set/a": b"1", "other/b": b"2"}, "unpacked/set"),
        ({"inner/a": b"1", "__MACOSX/b": b"2", ".hidden": b"3"}, "unpacked/inner"),
        ({"train/a": b"1", "test/b": b"2"}, "unpacked"),
        ({"a": b"1"}, "unpacked"),
    ],
)
def test_open_archive_chooses_the_folder(files: dict[str, bytes], folder: str, cache: Path, tmp_path: Path) -> None:
    archive = tmp_path / "set.zip"
    archive.write_bytes(zip_of(files))
    assert open_archive(archive) == str(cache / sha1(archive.read_bytes()) / folder)
    assert files_below(cache / sha1(archive.read_bytes())) == {"unpacked.json", *(f"unpacked/{name}" for name in files)}


def test_open_archive_of_a_name_in_the_hub_spares_the_download(hotdog: str, server: Server, tmp_path: Path) -> None:
    (tmp_path / "copy.zip").write_bytes(HOTDOG)
    assert open_archive(str(tmp_path / "copy.zip")) == download_extract("hotdog")
    assert server.asked == []


def test_open_archive_names_a_missing_file(cache: Path) -> None:
    with pytest.raises(DataHubError, match="missing.zip: .*No such file"):
        open_archive("missing.zip")


def test_the_default_cache_is_the_user_s(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("D2LTL_DATA", raising=False)
    assert data_hub.cache_dir().name == "d2ltl"
    monkeypatch.setenv("D2LTL_DATA", "~/data")
    assert data_hub.cache_dir() == Path.home() / "data"


def test_importing_the_hub_loads_nothing_slow() -> None:
    slow = subprocess.run(
        [sys.executable, "-c", 'import data_hub, sys; print({"pooch", "requests", "tqdm"} & {*sys.modules})'],
        cwd=Path(data_hub.__file__).parent,
        capture_output=True,
        text=True,
        check=True,
    )
    assert slow.stdout.strip() == "set()"


# Wrong entries


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ("abc", "must be a pair"),
        (("http://x.org/a.zip",), "must be a pair"),
        (None, "must be a pair"),
        (("http://x.org/a.zip", None), "40 hexadecimal digits, not 'None'"),
        (("http://x.org/a.zip", "123"), "40 hexadecimal digits, not '123'"),
        ((7, "a" * 40), "not 7"),
        (("ftp://x.org/a.zip", "a" * 40), "must begin with http://"),
        (("http:///a.zip", "a" * 40), "must begin with http://"),
        (("http://[x/a.zip", "a" * 40), "IPv6"),
        (("http://x.org/a b.zip", "a" * 40), "without blanks"),
        (("http://x.org/", "a" * 40), "name of a file"),
        (("http://x.org/..", "a" * 40), "name of a file"),
        (("http://x.org/..%2Fa.zip", "a" * 40), "name of a file"),
        (("http://x.org/b%2Fa.zip", "a" * 40), "name of a file"),
        (("http://x.org/%00a.zip", "a" * 40), "name of a file"),
        (("http://x.org/Unpacked", "a" * 40), "name of a file"),
    ],
)
def test_an_entry_is_checked_when_it_is_used(entry: object, reason: str, cache: Path) -> None:
    data_hub.DATA_HUB["mine"] = entry  # type: ignore[assignment]
    with pytest.raises(DataHubError, match=r"DATA_HUB\['mine'\]") as error:
        download("mine")
    assert reason in str(error.value)
    assert not cache.exists()


@pytest.mark.parametrize(
    ("name", "url", "sha1_"),
    [
        ("", "http://x.org/a.zip", "a" * 40),
        (" ", "http://x.org/a.zip", "a" * 40),
        (7, "http://x.org/a.zip", "a" * 40),
        ("http://x", "http://x.org/a.zip", "a" * 40),
        ("x", "a.zip", "a" * 40),
        ("x", "http://x.org/a.zip", None),
    ],
)
def test_register_checks(name: str, url: str, sha1_: str, cache: Path) -> None:
    with pytest.raises(DataHubError, match="cannot be registered"):
        register(name, url, sha1_)
    assert [*data_hub.DATA_HUB] == ["hotdog"]


@settings(max_examples=50, deadline=None)
@given(
    st.text(),
    st.one_of(st.text(), st.text("./%2F:\\?#ab").map("http://x.org/{}".format)),
    st.one_of(st.text(), st.text("0aAf", min_size=40, max_size=40)),
)
def test_whatever_is_registered_has_a_place_of_its_own(name: str, url: str, sha1_: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(data_hub, "DATA_HUB", {})
        patch.setattr(fetching, "RETRY_PAUSES", ())
        patch.setenv("D2LTL_DATA", "/dev/null/cache")
        try:
            register(name, url, sha1_)
        except DataHubError:
            assert not data_hub.DATA_HUB
            return
        with pytest.raises(DataHubError) as error:  # nothing can be there; the error says where it should be
            download(name)
        home = f"/dev/null/cache/{sha1_.lower()}/"
        assert home in str(error.value)
        assert "/" not in str(error.value).partition(home)[2].partition(": ")[0]


def test_an_unknown_name_lists_the_known(cache: Path) -> None:
    with pytest.raises(DataHubError, match="unknown name 'hotdogs'; known are hotdog; data_hub.register adds one"):
        download("hotdogs")


# Damage and mirrors


def test_a_damaged_cached_file_is_fetched_again(hotdog: str, server: Server) -> None:
    path = Path(download("hotdog"))
    path.write_bytes(b"damaged")
    assert Path(download("hotdog")).read_bytes() == HOTDOG
    assert len(server.asked) == 2


def test_a_damaged_cached_file_that_cannot_be_fetched_again(hotdog: str, server: Server) -> None:
    path = Path(download("hotdog"))
    path.write_bytes(b"damaged")
    server.give("hotdog.zip", status(404))
    with pytest.raises(DataHubError) as error:
        download("hotdog")
    assert f"{path}: wrong SHA1, expected {sha1(HOTDOG)}, found {sha1(b'damaged')}; {hotdog}: 404" in str(error.value)
    assert str(error.value).endswith(f"A copy made by hand belongs at {path}")
    assert files_below(path.parent) == set()
    path.write_bytes(HOTDOG)  # as the error says
    assert download("hotdog") == str(path)


def test_the_wrong_file_of_a_server_is_not_kept(hotdog: str, server: Server, cache: Path) -> None:
    server.give("hotdog.zip", good(b"something else"))
    with pytest.raises(DataHubError) as error:
        download_extract("hotdog")
    assert f"{hotdog}: wrong SHA1, expected {sha1(HOTDOG)}, found {sha1(b'something else')}" in str(error.value)
    assert files_below(cache) == set()
    assert len(server.asked) == 1


def test_mirrors_are_asked_in_order_and_the_sha1_decides(
    hotdog: str, server: Server, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong, right = tmp_path / "wrong", tmp_path / "right folder"
    for folder, data in (wrong, b"wrong"), (right, HOTDOG):
        folder.mkdir()
        (folder / "hotdog.zip").write_bytes(data)
    server.give("mirror/hotdog.zip", status(404))
    mirrors = [tmp_path / "missing", wrong, f"{server.root}/mirror/", "ftp://x.org", right.as_uri(), right]
    monkeypatch.setenv("D2LTL_MIRRORS", ", ".join(map(str, mirrors)))
    assert Path(download("hotdog")).read_bytes() == HOTDOG
    assert server.asked == ["/mirror/hotdog.zip"]

    Path(download("hotdog")).unlink()
    (right / "hotdog.zip").unlink()
    server.give("hotdog.zip", status(403))
    with pytest.raises(DataHubError) as error:
        download("hotdog")
    reasons = [
        f"{tmp_path}/missing/hotdog.zip: [Errno 2]",
        f"{wrong}/hotdog.zip: wrong SHA1, expected {sha1(HOTDOG)}",
        f"{server.root}/mirror/hotdog.zip: 404",
        "ftp://x.org/hotdog.zip: ftp:// is not supported",
        f"{right.as_uri()}/hotdog.zip: [Errno 2]",
        f"{right}/hotdog.zip: [Errno 2]",
        f"{hotdog}: 403",
    ]
    places = [str(error.value).find(reason) for reason in reasons]
    assert -1 not in places
    assert places == sorted(places)
    assert files_below(cache) == set()


def test_an_address_as_mirror(hotdog: str, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.give("class/hot dog?.zip", good(HOTDOG))
    monkeypatch.setenv("D2LTL_MIRRORS", f"{server.root}/class")
    register("hotdog", "http://nowhere.invalid/hot%20dog%3F.zip", sha1(HOTDOG))
    assert Path(download("hotdog")).name == "hot dog?.zip"
    assert server.asked == ["/class/hot%20dog%3F.zip"]


def test_shipped_archives_come_after_the_mirrors(
    hotdog: str, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetching.SHIPPED.mkdir()
    (fetching.SHIPPED / "hotdog.zip").write_bytes(HOTDOG)
    monkeypatch.setenv("D2LTL_MIRRORS", f"{server.root}/class")
    download_extract("hotdog")
    assert server.asked == ["/class/hotdog.zip"]


def test_without_a_sha1_no_mirror_is_asked(hotdog: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "hotdog.zip").write_bytes(b"who knows")
    monkeypatch.setenv("D2LTL_MIRRORS", str(tmp_path))
    assert Path(download(hotdog)).read_bytes() == HOTDOG


def test_a_file_address(cache: Path, tmp_path: Path) -> None:
    (tmp_path / "hot dog.zip").write_bytes(HOTDOG)
    register("hotdog", (tmp_path / "hot dog.zip").as_uri(), sha1(HOTDOG))
    assert Path(download("hotdog")).name == "hot dog.zip"


# The command line


def run(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str, str]:
    code = main([*argv])
    return code, *capsys.readouterr()


def test_list_get_path_clear(hotdog: str, cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = cache / sha1(HOTDOG)
    assert run(capsys, "list") == (0, f"hotdog               -        {hotdog}\n", "")
    assert run(capsys, "path") == (0, f"{cache}\n", "")
    assert run(capsys, "path", "hotdog") == (0, f"{home}\n", "")
    assert run(capsys, "get", "hotdog") == (0, f"{home}/unpacked/hotdog\n", "")
    assert run(capsys, "get") == (0, f"{home}/unpacked/hotdog\n", "")
    assert run(capsys, "list") == (0, f"hotdog               unpacked {hotdog}\n", "")
    assert run(capsys, "clear", "hotdog") == (0, "hotdog: deleted\n", "")
    assert files_below(cache) == set()
    assert run(capsys, "clear", "hotdog") == (
        2,
        "",
        "data_hub: hotdog is not in the cache; python -m data_hub get hotdog fetches it\n",
    )


def test_get_of_a_file_that_is_no_archive(server: Server, cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    register("houses", server.give("houses.csv", good(b"1,2\n")), sha1(b"1,2\n"))
    assert run(capsys, "get", "houses") == (0, f"{cache / sha1(b'1,2' + bytes([10]))}/houses.csv\n", "")
    assert "fetched" in run(capsys, "list")[1]


def test_clear_touches_nothing_else(hotdog: str, cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    download_extract("hotdog")
    (cache / "thesis.txt").write_text("mine")
    (cache / "photos").mkdir()
    assert run(capsys, "clear") == (2, "", "data_hub: clear needs NAMEs or --all\n")
    assert run(capsys, "clear", "hotdog", "--all") == (2, "", "data_hub: clear needs NAMEs or --all\n")
    assert run(capsys, "clear", "--all") == (0, "hotdog: deleted\n", "")
    assert files_below(cache) == {"thesis.txt"}
    assert (cache / "photos").is_dir()


def test_verify_finds_nothing_wrong(
    hotdog: str, cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(capsys, "verify") == (0, "", "")
    assert run(capsys, "verify", "hotdog")[0] == 2
    folder = Path(download_extract("hotdog"))
    for litter in ".DS_Store", "Thumbs.db":
        (folder / litter).write_bytes(b"litter")
    (tmp_path / "local.zip").write_bytes(zip_of({"a": b"1"}))
    open_archive(tmp_path / "local.zip")
    download(hotdog)  # unchecked
    code, out, _ = run(capsys, "verify")
    local = sha1((tmp_path / "local.zip").read_bytes())
    assert code == 0
    assert {"hotdog: right", f"{local}: right"} < {*out.splitlines()}
    assert len(out.splitlines()) == 3
    assert run(capsys, "verify", local) == (0, f"{local}: right\n", "")


@pytest.mark.parametrize(
    ("name", "data", "problem"),
    [
        ("hotdog.zip", HOTDOG[:-1] + b"?", "wrong SHA1, expected"),
        ("unpacked/hotdog/train/hotdog/0.jpg", b"cut", "is missing or was changed"),
        ("unpacked/hotdog/train/hotdog/1.jpg", None, "is missing or was changed"),
        ("unpacked/hotdog/train/hotdog/9.jpg", b"new", "was added"),
        ("unpacked.json", b'{"hotdog/train/hot', "is not there, or not whole"),
        ("unpacked.json", b"[1]", "is not there, or not whole"),
        ("unpacked.json", None, "is not there, or not whole"),
    ],
)
def test_verify_names_what_is_wrong(
    name: str, data: bytes | None, problem: str, hotdog: str, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    download_extract("hotdog")
    file = cache / sha1(HOTDOG) / name
    file.unlink() if data is None else file.write_bytes(data)
    code, out, _ = run(capsys, "verify", "hotdog")
    assert code == 1
    assert f"{cache / sha1(HOTDOG) / name.replace('.json', '')}" in out
    assert problem in out
    assert "python -m data_hub clear hotdog, then python -m data_hub get hotdog" in out
    assert run(capsys, "clear", "hotdog")[0] == run(capsys, "get", "hotdog")[0] == 0
    assert run(capsys, "verify", "hotdog") == (0, "hotdog: right\n", "")


def test_verify_does_not_call_right_what_a_failed_download_left(
    server: Server, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    register("hotdog", server.give("hotdog.zip", status(404)), sha1(HOTDOG))
    with pytest.raises(DataHubError):
        download("hotdog")
    code, out, _ = run(capsys, "verify", "hotdog")
    assert code == 1
    assert "is empty" in out


def test_verify_notices_a_change_that_keeps_the_length(hotdog: str, capsys: pytest.CaptureFixture[str]) -> None:
    file = next(Path(download_extract("hotdog")).rglob("*.jpg"))
    file.write_bytes(bytes(255 - byte for byte in file.read_bytes()))
    code, out, _ = run(capsys, "verify")
    assert code == 1
    assert f"{file} was changed" in out


def test_verify_counts_what_it_does_not_name(hotdog: str, capsys: pytest.CaptureFixture[str]) -> None:
    folder = Path(download_extract("hotdog"))
    for file in folder.rglob("*.jpg"):
        file.unlink()
    code, out, _ = run(capsys, "verify")
    assert code == 1
    assert out.startswith(f"hotdog: {len(PHOTOS)} problems\n")
    assert len(out.splitlines()) == 12


def test_errors_are_one_line_and_status_2(cache: Path, server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "get", f"{server.root}/missing.zip")
    assert (code, out) == (2, "")
    assert "404" in err
    assert [line for line in err.splitlines() if line.startswith("data_hub: ")] == err.splitlines()[-1:]


@pytest.mark.parametrize("argv", [[], ["fetch"], ["list", "--nonsense"]])
def test_bad_arguments_are_status_2(argv: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(argv)


def test_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    for argv in ["--help"], ["verify", "--help"]:
        with pytest.raises(SystemExit, match="0"):
            main(argv)
    out = capsys.readouterr().out
    assert "D2LTL_MIRRORS" in out
    assert "SHA1 of every file" in out


def test_the_command_has_one_hub_and_knows_nothing_of_the_library(cache: Path) -> None:
    code = (
        "import runpy, sys; sys.argv[1:] = ['list']\n"
        "try: runpy.run_module('data_hub', run_name='__main__')\n"
        "finally: assert not {'data_hub', 'd2ltl', 'mxnet'} & {*sys.modules}, 'another copy, or more than the hub'"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["digits", "hotdog", "hotdog-mini"]
