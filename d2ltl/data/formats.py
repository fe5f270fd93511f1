"""What a file is, by its first bytes. A browser saves a JPEG as .jfif, and a PNG may be called .jpg."""

from __future__ import annotations

import contextlib
import functools
import importlib
import os
import re
from pathlib import Path
from typing import Union

from PIL import Image, features

PathLike = Union[str, "os.PathLike[str]"]

HEAD = 512  # bytes; enough for all signatures

SIGNATURES = {
    "JPEG": rb"\xff\xd8\xff",
    "PNG": rb"\x89PNG\r\n\x1a\n",
    "GIF": rb"GIF8[79]a",
    "BMP": rb"BM.{12}[\x0c-\x7c]\0",
    "WebP": rb"RIFF.{4}WEBP",
    "TIFF": rb"II[*+]\0|MM\0[*+]",
    "PNM": rb"P[1-6f]\s+(#[^\n]*\n\s*)*\d",
    "JPEG 2000": rb"\0\0\0\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51",
    "AVIF": rb".{4}ftyp(avi[fs]|(mif1|msf1).{4}(.{4})*?avif)",
    "HEIC": rb".{4}ftyp(he[iv][cmsx]|mif1|msf1)",
}
"""Formats of images, and a regular expression for the first bytes of their files."""

SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".gif", ".bmp", ".dib", ".webp", ".tif", ".tiff"}
    | {".pbm", ".pgm", ".ppm", ".pnm", ".jp2", ".j2k", ".avif", ".heic", ".heif"}
)
"""Suffixes of these formats. A file that has one is meant as an image, whatever it holds."""

RARE = frozenset({"DDS", "ICO", "IM", "PCX", "PSD", "QOI", "SGI", "SUN", "TGA", "XBM", "XPM"})
"""Pillow's names of formats without a sure signature: a file needs the suffix, too."""

RAW = frozenset({".arw", ".cr2", ".cr3", ".dng", ".nef", ".nrw", ".orf", ".pef", ".raf", ".raw", ".rw2", ".srw"})
"""Suffixes of the raw data of cameras, which is often laid out as a TIFF. They are not images yet."""

IMPOSTORS = {
    rb"version https://git-lfs": "it is a Git LFS pointer, not the image; `git lfs pull` fetches the images",
    rb"(\xef\xbb\xbf)?\s*<(!doctype html|html|head|body)": "it is a web page, not the image; download it again",
    rb"(\xef\xbb\xbf)?\s*<(\?xml|svg|error)": "it is XML, not an image of pixels; download it again, or convert it",
    rb"\0{32}": "it begins with zeros, as after an interrupted copy; copy it again",
}
"""What is often found in place of an image: a regular expression for the first bytes, and what to do."""


def is_image(path: PathLike) -> bool:
    """Return whether a file is an image, or is meant as one by its suffix. `fault_of` says whether it can be read."""
    if not os.path.isfile(path) or _suffix(path) in RAW:
        return False
    if _suffix(path) in SUFFIXES:
        return True
    with contextlib.suppress(OSError):
        return _format_of(_head(path)) is not None or _is_rare_image(path)
    return False


def fault_of(path: PathLike) -> str:
    """Return why a file cannot be read as an image and what to do, as far as its first bytes tell; else an empty text.

    Raises
    ------
    OSError
        If the file cannot be opened.
    """
    head = _head(path)
    if not head:
        return "it is empty; copy or download it again"
    if name := _format_of(head):
        return _what_is_missing(name)
    for start, fault in IMPOSTORS.items():
        if re.match(start, head, re.DOTALL | re.IGNORECASE):
            return fault
    return "" if _is_rare_image(path) else "its first bytes are those of no format of images"


def _suffix(path: PathLike) -> str:
    return Path(path).suffix.lower()


def _head(path: PathLike) -> bytes:
    with open(path, "rb") as file:
        return file.read(HEAD)


def _format_of(head: bytes) -> str | None:
    return next((name for name, start in SIGNATURES.items() if re.match(start, head, re.DOTALL)), None)


@functools.cache
def _what_is_missing(name: str) -> str:
    """Return what is missing to read a format, or an empty text. Makes Pillow read HEIC if pillow-heif is installed."""
    if name == "AVIF" and not features.check("avif"):
        return "it is an AVIF image; pip install 'pillow>=11.3' reads it, or convert it to JPEG"
    if name == "HEIC":
        try:
            importlib.import_module("pillow_heif").register_heif_opener()
        except ImportError:
            return "it is a HEIC image; pip install pillow-heif (the extra heic) reads it, or convert it to JPEG"
    return ""


def _is_rare_image(path: PathLike) -> bool:
    """Return whether a file has the suffix and the header of one of the `RARE` formats."""
    Image.init()
    name = Image.registered_extensions().get(_suffix(path))
    if name not in RARE:
        return False
    try:
        with Image.open(path, formats=[name]):
            return True
    except Exception:  # whatever Pillow raises: it is not this format
        return False
