"""Archives that nobody vouches for: what is refused, what is damaged, and that nothing is left of it."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import random
import stat
import tarfile
import tempfile
import threading
import unicodedata
import zipfile
from pathlib import Path

import http_server
import pytest
from http_server import files_below, zip_of
from hypothesis import given, settings
from hypothesis import strategies as st

from data_hub import DataHubError, extract, main, open_archive

cache = http_server.cache

FILES = {"set/a.txt": b"a" * 3000, "set/deep/er/b.txt": b"b" * 700, "set/empty": b"", "set/name with ü.txt": b"c"}


def tar_of(*members: tuple[str, bytes | str, bytes]) -> bytes:
    """Make a tar archive of names with bytes, or with where a link points, and types."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for name, data, kind in members:
            info = tarfile.TarInfo(name)
            info.type = kind
            if isinstance(data, str):
                info.linkname = data
                archive.addfile(info)
            else:
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
    return content.getvalue()


def file(name: str, data: bytes = b"data") -> tuple[str, bytes, bytes]:
    return name, data, tarfile.REGTYPE


def zip_with_mode(name: str, mode: int, data: bytes = b"") -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("set/a.txt", b"a")
        info = zipfile.ZipInfo(name)
        info.create_system = 3  # Unix
        info.external_attr = mode << 16
        archive.writestr(info, data)
    return content.getvalue()


def refused(content: bytes, folder: Path) -> str:
    """Open an archive in the cache and extract it to a folder: both must fail alike and leave nothing."""
    archive = folder / "archive"
    archive.write_bytes(content)
    with pytest.raises(DataHubError) as error:
        extract(archive)
    assert {entry.name for entry in folder.iterdir()} <= {"archive", "cache"}
    with pytest.raises(DataHubError) as error_again:
        open_archive(archive)
    assert files_below(folder) == {"archive"}
    assert str(error.value) == str(error_again.value)
    assert str(archive) in str(error.value)
    return str(error.value)


# What is unpacked


@pytest.mark.parametrize("compress", [lambda tar: tar, gzip.compress, bz2.compress, lzma.compress])
def test_tars(compress: http_server.Callable[[bytes], bytes], cache: Path, tmp_path: Path) -> None:
    (tmp_path / "archive").write_bytes(compress(tar_of(*(file(f"./{name}", data) for name, data in FILES.items()))))
    unpacked = Path(open_archive(tmp_path / "archive")).parent
    assert {name: (unpacked / name).read_bytes() for name in files_below(unpacked)} == FILES


def test_a_tar_that_ends_with_a_zip_is_a_tar(cache: Path, tmp_path: Path) -> None:
    (tmp_path / "archive").write_bytes(tar_of(file("set/a.zip", zip_of(FILES))))
    assert files_below(Path(open_archive(tmp_path / "archive"))) == {"a.zip"}


def test_a_name_that_is_no_unicode(cache: Path, tmp_path: Path) -> None:
    (tmp_path / "archive").write_bytes(tar_of(file("set/caf\udce9")))
    assert os.listdir(os.fsencode(open_archive(tmp_path / "archive"))) == [b"caf\xe9"]
    assert main(["verify"]) == 0


def test_a_link_within_the_folder_becomes_a_copy(cache: Path, tmp_path: Path) -> None:
    (tmp_path / "archive").write_bytes(
        tar_of(
            ("set/train/1", "../all/1", tarfile.SYMTYPE),
            ("set/train/2", "set/all/2", tarfile.LNKTYPE),
            file("set/all/1", b"one"),
            file("set/all/2", b"two"),
        )
    )
    folder = Path(open_archive(tmp_path / "archive"))
    assert (folder / "train/1").read_bytes() + (folder / "train/2").read_bytes() == b"onetwo"
    (folder / "train/1").write_bytes(b"changed")
    assert (folder / "all/1").read_bytes() == b"one"
    (tmp_path / "zip").write_bytes(zip_with_mode("set/b.txt", stat.S_IFLNK | 0o777, b"a.txt"))
    assert (Path(open_archive(tmp_path / "zip")) / "b.txt").read_bytes() == b"a"


def test_extract_unpacks_beside_the_archive_once(tmp_path: Path) -> None:
    archive = tmp_path / "set.zip"
    archive.write_bytes(zip_of(FILES))
    assert extract(archive) == extract(str(archive)) == str(tmp_path)
    assert files_below(tmp_path) == {"set.zip", *FILES}
    before = (tmp_path / "set/a.txt").stat()
    (tmp_path / "set/notes.txt").write_text("mine")
    extract(archive)
    assert (tmp_path / "set/a.txt").stat() == before
    assert files_below(tmp_path) == {"set.zip", "set/notes.txt", *FILES}


def test_extract_into_a_folder(tmp_path: Path) -> None:
    archive = tmp_path / "set.zip"
    archive.write_bytes(zip_of(FILES))
    assert extract(archive, tmp_path / "new" / "one") == str(tmp_path / "new" / "one")
    assert files_below(tmp_path / "new") == {f"one/{name}" for name in FILES}


@pytest.mark.parametrize("there", ["set", "set/a.txt"])
def test_extract_overwrites_nothing(there: str, tmp_path: Path) -> None:
    archive = tmp_path / "set.zip"
    archive.write_bytes(zip_of({"first/b.txt": b"b", **FILES}))
    (tmp_path / there).parent.mkdir(exist_ok=True)
    (tmp_path / there).write_bytes(b"A" * 3000)
    with pytest.raises(DataHubError, match=f"{tmp_path}/set is there with other content; move it"):
        extract(archive)
    assert files_below(tmp_path) == {"set.zip", there}


def test_others_see_all_or_nothing(cache: Path, tmp_path: Path) -> None:
    files = {f"set/{i}": b"data" for i in range(500)}
    (tmp_path / "set.zip").write_bytes(zip_of(files))
    seen = set()

    def watch() -> None:
        while len(files) not in seen:
            for folder in cache.glob("*/unpacked/set"):
                seen.add(len([*folder.iterdir()]))

    watcher = threading.Thread(target=watch)
    watcher.start()
    open_archive(tmp_path / "set.zip")
    watcher.join()
    assert seen == {len(files)}


class Unmarked(zipfile.ZipInfo):
    """A member whose name is written in an encoding that the archive does not tell, as Finder and Windows do."""

    encoding = "utf-8"

    def _encodeFilenameFlags(self) -> tuple[bytes, int]:  # noqa: N802  zipfile's method
        return self.filename.encode(self.encoding), self.flag_bits & ~0x800


def unmarked_zip(names: list[str], encoding: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name in names:
            info = Unmarked(name)
            info.encoding = encoding
            archive.writestr(info, b"data")
    return content.getvalue()


@pytest.mark.parametrize(
    ("names", "encoding", "language"),
    [
        (["Käse", "Brötchen"], "utf-8", "C"),  # Finder
        (["热狗", "披萨"], "utf-8", "ru_RU.UTF-8"),
        (["热狗", "披萨"], "gbk", "zh_CN.UTF-8"),
        (["熱狗", "披薩"], "big5", "zh_TW.UTF-8"),
        (["кошка", "собака"], "cp866", "ru_RU.UTF-8"),
        (["ホットドッグ", "ピザ"], "cp932", "ja_JP.UTF-8"),
        (["Käse", "Brötchen"], "cp437", "de_DE.UTF-8"),
        (["Käse", "Brötchen"], "cp437", "C"),
    ],
)
def test_names_of_a_zip_in_an_encoding_that_it_does_not_tell(
    names: list[str], encoding: str, language: str, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    monkeypatch.setenv("LC_ALL", language)
    (tmp_path / "archive").write_bytes(unmarked_zip([f"set/{name}/a" for name in (*names, "plain")], encoding))
    with caplog.at_level("INFO"):
        folder = Path(open_archive(tmp_path / "archive"))
    assert files_below(folder) == {f"{name}/a" for name in (*names, "plain")}
    assert f"names such as 'set/{names[0]}/a'" in caplog.text
    assert ("D2LTL_ZIP_ENCODING" in caplog.text) == (encoding == "cp437")


def test_the_encoding_of_names_can_be_given(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    monkeypatch.setenv("D2LTL_ZIP_ENCODING", "gbk")
    (tmp_path / "archive").write_bytes(unmarked_zip(["set/热狗/a"], "gbk"))
    assert files_below(Path(open_archive(tmp_path / "archive"))) == {"热狗/a"}
    (tmp_path / "other").write_bytes(unmarked_zip(["set/ü", "set/a"], "cp437"))
    for encoding in "gbk", "klingon":
        monkeypatch.setenv("D2LTL_ZIP_ENCODING", encoding)
        with pytest.raises(DataHubError, match=f"D2LTL_ZIP_ENCODING is {encoding}"):
            open_archive(tmp_path / "other")


@pytest.mark.parametrize("name", ["set\\deep\\a", "set\\deep/a", "set/deep\\a"])
def test_backslashes_separate_folders(name: str, cache: Path, tmp_path: Path) -> None:
    for content in tar_of(file(name)), zip_of({"set\\": b"", name: b"data"}):
        (tmp_path / "archive").write_bytes(content)
        assert files_below(Path(open_archive(tmp_path / "archive")).parent) <= {"set/deep/a", "deep/a"}
        main(["clear", "--all"])


# What is refused


@pytest.mark.parametrize(
    "name",
    [
        "/etc/passwd",
        "//etc/passwd",
        "../up",
        "set/../../up",
        "set/..",
        "..",
        "C:/x",
        "c:x",
        "..\\x",
        "set\\..\\..\\x",
        "\\\\server\\share\\x",
    ],
)
def test_names_that_lead_elsewhere(name: str, cache: Path, tmp_path: Path) -> None:
    for content in tar_of(file("set/a"), file(name)), zip_of({"set/a": b"a", name: b"data"}):
        assert f"{name!r}: the name leads out of the folder" in refused(content, tmp_path)


def test_a_name_too_long_for_the_disk(cache: Path, tmp_path: Path) -> None:
    (tmp_path / "archive").write_bytes(zip_of({"set/a": b"a", "n" * 300: b"data"}))
    with pytest.raises(DataHubError, match=f"/archive: '{'n' * 300}'"):
        open_archive(tmp_path / "archive")
    assert files_below(tmp_path) == {"archive"}


@pytest.mark.parametrize(
    ("link", "kind"),
    [
        ("../../etc/passwd", tarfile.SYMTYPE),
        ("/etc/passwd", tarfile.SYMTYPE),
        ("..", tarfile.SYMTYPE),
        ("deep", tarfile.SYMTYPE),
        ("missing", tarfile.SYMTYPE),
        ("link", tarfile.SYMTYPE),
        ("../etc/passwd", tarfile.LNKTYPE),
        ("/etc/passwd", tarfile.LNKTYPE),
        ("set/link", tarfile.LNKTYPE),
    ],
)
def test_links_that_lead_elsewhere(link: str, kind: bytes, cache: Path, tmp_path: Path) -> None:
    error = refused(tar_of(("set/link", link, kind), file("set/deep/a")), tmp_path)
    assert "'set/link': is a link to " in error
    assert "which is no file of the archive" in error


@pytest.mark.parametrize("target", ["/etc/passwd", "../../etc/passwd", "\udc80"])
def test_links_of_a_zip(target: str, cache: Path, tmp_path: Path) -> None:
    data = target.encode(errors="surrogateescape")
    refused(zip_with_mode("set/link", stat.S_IFLNK | 0o777, data), tmp_path)


def test_a_file_through_a_link(cache: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    content = tar_of(("set", str(tmp_path / "elsewhere"), tarfile.SYMTYPE), file("set/a"))
    (tmp_path / "here").mkdir()
    assert "'set'" in refused(content, tmp_path / "here")
    assert not [*(tmp_path / "elsewhere").iterdir()]


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_devices(kind: bytes, cache: Path, tmp_path: Path) -> None:
    assert "'set/device' is a device or a pipe" in refused(tar_of(file("set/a"), ("set/device", "", kind)), tmp_path)


@pytest.mark.parametrize("kind", [stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFSOCK])
def test_devices_of_a_zip(kind: int, cache: Path, tmp_path: Path) -> None:
    assert "'set/device' is a device or a pipe" in refused(zip_with_mode("set/device", kind | 0o666), tmp_path)


@pytest.mark.parametrize(
    ("one", "other", "reason"),
    [
        ("set/a", "set/a/b", "collides with another member"),
        ("set/a/b", "set/a", "collides with another member"),
        ("set/a", "set/./a", "is in the archive twice"),
        ("set/a", "set\\a", "is in the archive twice"),
        ("set/a", ".", "collides with another member"),
    ],
)
def test_names_that_are_the_same(one: str, other: str, reason: str, cache: Path, tmp_path: Path) -> None:
    for content in tar_of(file(one), file(other)), zip_of({one: b"1", other: b"2"}):
        error = refused(content, tmp_path)
        assert reason in error
        assert repr(other) in error


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("set/A.jpg", "set/a.jpg"),
        ("set/straße", "set/STRASSE"),
        ("set/Cat/a", "set/cat/b"),
        (unicodedata.normalize("NFC", "set/é"), unicodedata.normalize("NFD", "set/é")),
    ],
)
def test_names_that_some_file_systems_confuse(one: str, other: str, cache: Path, tmp_path: Path) -> None:
    (tmp_path / "probe").touch()
    if (tmp_path / "PROBE").exists():
        pytest.skip("this file system ignores case")
    (tmp_path / "archive").write_bytes(zip_of({one: b"1", other: b"2"}))
    folder = Path(open_archive(tmp_path / "archive"))
    assert {(folder.parent / name).read_bytes() for name in (one, other)} == {b"1", b"2"}


def test_two_members_of_one_name(cache: Path, tmp_path: Path) -> None:
    assert "'set/a': is in the archive twice" in refused(tar_of(file("set/a"), file("set/a")), tmp_path)


def test_an_archive_that_grows_past_the_limit(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("_data_hub.archives.MAX_BYTES", 2**20)
    half = bytes(2**19)
    fits = {"set/a": half, "set/b": half}
    for pack in (lambda files: zip_of(files), lambda files: gzip.compress(tar_of(*map(file, files, files.values())))):
        (tmp_path / "archive").write_bytes(pack(fits))
        open_archive(tmp_path / "archive")
        main(["clear", "--all"])
        assert "'set/c': grows past the limit of 1,048,576 bytes" in refused(pack({**fits, "set/c": b"1"}), tmp_path)


@pytest.mark.parametrize("size", [2**20, 2**22])
def test_an_archive_that_grows_to_many_times_its_size(
    size: int, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("_data_hub.archives.SURE_BYTES", 2**19)
    bomb = zip_of({"set/noise": random.Random(0).randbytes(2**10), "set/zeros": bytes(size)})
    error = refused(bomb, tmp_path)
    assert "'set/zeros': grows past the limit of 524,288 bytes" in error
    monkeypatch.setenv("D2LTL_UNPACK_GIB", "much")
    assert "D2LTL_UNPACK_GIB is 'much'; it is a number of GiB" in refused(bomb, tmp_path)
    assert "set the environment variable D2LTL_UNPACK_GIB" in error
    monkeypatch.setenv("D2LTL_UNPACK_GIB", "0.01")
    assert (Path(open_archive(tmp_path / "archive")) / "zeros").stat().st_size == size


def test_what_grows_less_than_twenty_times_is_unpacked(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("_data_hub.archives.SURE_BYTES", 2**10)
    (tmp_path / "archive").write_bytes(zip_of({"set/noise": random.Random(0).randbytes(2**16), "set/0": bytes(2**20)}))
    assert files_below(Path(open_archive(tmp_path / "archive"))) == {"noise", "0"}


def test_copies_of_links_count_too(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("_data_hub.archives.MAX_BYTES", 10)
    links = [(f"set/{i}", "a", tarfile.SYMTYPE) for i in range(3)]
    assert "grows past the limit" in refused(tar_of(file("set/a", b"12345"), *links), tmp_path)


@pytest.mark.parametrize("size", [0, 10, 2**32 - 2])
def test_headers_that_lie_about_the_size(
    size: int, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("_data_hub.archives.MAX_BYTES", 2**20)
    content = bytearray(zip_of({"set/a": bytes(2**21)}))
    for signature, offset in (b"PK\3\4", 22), (b"PK\1\2", 24):
        start = content.index(signature) + offset
        content[start : start + 4] = size.to_bytes(4, "little")
    assert "'set/a'" in refused(bytes(content), tmp_path)


def test_a_sparse_file_counts_what_is_written(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A member of no size that its headers blow up to a gigabyte of zeros."""
    monkeypatch.setattr("_data_hub.archives.MAX_BYTES", 2**20)
    info = tarfile.TarInfo("set/sparse")
    info.pax_headers = {
        "GNU.sparse.major": "0",
        "GNU.sparse.minor": "1",
        "GNU.sparse.name": "set/sparse",
        "GNU.sparse.size": str(2**30),
        "GNU.sparse.map": f"{2**30},0",
    }
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(info)
    assert "grows past the limit" in refused(content.getvalue(), tmp_path)


def test_too_many_members(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("_data_hub.archives.MAX_MEMBERS", 3)
    assert "more than the limit of 3 members" in refused(zip_of({f"{i}/": b"" for i in range(4)}), tmp_path)


# What is damaged


def test_a_password(cache: Path, tmp_path: Path) -> None:
    content = bytearray(zip_of(FILES))
    for signature, offset in (b"PK\3\4", 6), (b"PK\1\2", 8):
        content[content.index(signature) + offset] |= 1
    assert "'set/a.txt' is protected by a password" in refused(bytes(content), tmp_path)


MEMBERS = {**FILES, "set/noise": random.Random(0).randbytes(3000)}
TAR = tar_of(*map(file, MEMBERS, MEMBERS.values()))
ARCHIVES = {"zip": zip_of(MEMBERS), "tar": TAR, "tar.gz": gzip.compress(TAR), "tar.xz": lzma.compress(TAR)}


def test_a_member_without_a_name(cache: Path, tmp_path: Path) -> None:
    assert "''" in refused(zip_of({"set/a": b"a", "X": b"data"}).replace(b"X", b"\0"), tmp_path)


@pytest.mark.parametrize("kind", ARCHIVES)
@pytest.mark.parametrize("part", [0.0, 0.001, 0.2, 0.5, 0.8, 0.99])
def test_archives_cut_short(kind: str, part: float, cache: Path, tmp_path: Path) -> None:
    content = ARCHIVES[kind]
    if kind == "tar":  # more than half of it are the zeros that fill it up
        content = content.rstrip(b"\0")
    refused(content[: int(len(content) * part)], tmp_path)


def test_a_tar_cut_between_two_members(cache: Path, tmp_path: Path) -> None:
    content = tar_of(file("set/a"), file("set/b"))
    assert "damaged or cut short" in refused(content[:1024], tmp_path)


def test_a_tar_with_a_damaged_header(cache: Path, tmp_path: Path) -> None:
    content = bytearray(tar_of(file("set/a"), file("set/b")))
    content[1024 + 3] ^= 1
    assert "damaged or cut short" in refused(bytes(content), tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>",
        bytes(10240),
        b"PK\3\4" + bytes(99),
        b"PK\5\6",
        zip_of({}),
        tar_of(),
        zip_of({"set/": b""}),
        b"\x1f\x8b\x08",
        b"\xfd7zXZ\x00",
    ],
)
def test_what_is_no_archive_or_an_empty_one(content: bytes, cache: Path, tmp_path: Path) -> None:
    refused(content, tmp_path)


def extract_or_nothing(archive: Path, folder: Path) -> dict[str, bytes] | None:
    """Extract an archive and read what came out of it, if anything did."""
    try:
        extract(archive, folder)
    except DataHubError:
        assert not folder.exists()
        return None
    return {name: (folder / name).read_bytes() for name in files_below(folder)}


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([*ARCHIVES]), st.data())
def test_flipped_bits(kind: str, data: st.DataObject) -> None:
    content = bytearray(ARCHIVES[kind])
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder, "archive")
        archive.write_bytes(content)
        unpacked = extract_or_nothing(archive, Path(folder, "out"))
        # Nobody can notice a flipped bit in the middle of a plain tar, nor in a date.
        assert unpacked is None or kind == "tar" or len(unpacked) == len(MEMBERS)


# Whatever the names


NAMES = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8),
    st.lists(st.sampled_from(["a", "A", "b", ".", "..", "", "é", "e\u0301", "C:", "\\", "~", " "]), max_size=5).map(
        "/".join
    ),
)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(NAMES, st.binary(max_size=4)), max_size=4), st.booleans())
def test_whatever_the_names(members: list[tuple[str, bytes]], is_zip: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        archive, out = Path(folder, "archive"), Path(folder, "in", "out")
        try:
            if is_zip:
                with zipfile.ZipFile(archive, "w") as writer:
                    for name, data in members:
                        writer.writestr(name, data)
            else:
                archive.write_bytes(tar_of(*(file(name, data) for name, data in members)))
        except IndexError:
            return  # zipfile cannot write an empty name
        unpacked = extract_or_nothing(archive, out)
        folder_ends = ("/", "\\") if is_zip else ()
        files = {
            os.path.normpath(name.replace("\\", "/")): data for name, data in members if not name.endswith(folder_ends)
        }
        assert unpacked in (None, files)
        assert files_below(Path(folder)) == {"archive", *(f"in/out/{name}" for name in unpacked or ())}
