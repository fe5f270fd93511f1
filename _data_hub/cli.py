"""The command line of the hub: ``python -m data_hub``."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from pathlib import Path

import data_hub
from _data_hub.cache import ARCHIVE, KEY, cache_dir, manifest, problems_of, workplace
from _data_hub.errors import DataHubError, failures


def main(argv: list[str] | None = None) -> int:
    """Run `python -m data_hub`.

    Returns
    -------
    int
        0; 1 if `verify` found damage; 2 after an error, with one line on stderr; 130 after Ctrl-C.
    """
    args = _parser().parse_args(argv)
    try:
        return int(args.run(args))
    except (DataHubError, OSError) as error:
        print(f"data_hub: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("data_hub: interrupted; nothing is left half-done, run it again to go on", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m data_hub",
        description="Data sets by name: fetched once, checked by their SHA1, unpacked.",
        epilog="D2LTL_DATA=FOLDER names the cache. D2LTL_MIRRORS=FOLDER,URL,... are asked before the "
        "registered address. Exit status: 0 done, 1 verify found damage, 2 an error, 130 interrupted.",
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for run, text in {
        _list: "show all names, what the cache has of them, and their addresses",
        _get: "fetch and unpack NAMEs (or all); print where they are",
        _verify: "check NAMEs (or the whole cache): the SHA1 of every file, and that no unpacked file is "
        "missing, shorter, longer or new",
        _path: "print where the cache is, or where NAMEs are or will be in it",
        _clear: "delete NAMEs (or --all) from the cache",
    }.items():
        command = commands.add_parser(run.__name__[1:], help=text, description=text)
        command.set_defaults(run=run)
        if run is not _list:
            command.add_argument("names", metavar="NAME", nargs="*", help="a name that list shows")
        if run is _clear:
            command.add_argument("--all", action="store_true", help="delete everything in the cache")
    return parser


def _list(args: argparse.Namespace) -> int:
    for name in sorted(data_hub.DATA_HUB):
        item = data_hub.lookup(name)
        state = "unpacked" if manifest(item.home) else "fetched" if item.path.is_file() else "-"
        print(f"{name:20} {state:8} {item.url}")
    return 0


def _get(args: argparse.Namespace) -> int:
    for name in args.names or sorted(data_hub.DATA_HUB):
        is_archive = ARCHIVE.search(data_hub.lookup(name).file)
        print(data_hub.download_extract(name) if is_archive else data_hub.download(name), flush=True)
    return 0


def _path(args: argparse.Namespace) -> int:
    for place in [_home(name) for name in args.names] or [cache_dir()]:
        print(place)
    return 0


def _verify(args: argparse.Namespace) -> int:
    status = 0
    for name, home in _homes(args.names).items():
        with failures(os.fspath(home)):
            problems = list(problems_of(home))
        print(f"{name}: {f'{len(problems)} problems' if problems else 'right'}")
        for problem in problems[:10]:
            print(f"  {problem}")
        if problems:
            status = 1
            again = f"python -m data_hub get {name}" if name in data_hub.DATA_HUB else "open it again"
            print(f"  To repair it: python -m data_hub clear {name}, then {again}")
    return status


def _clear(args: argparse.Namespace) -> int:
    if bool(args.names) == args.all:
        raise DataHubError("clear needs NAMEs or --all")
    for name, home in _homes(args.names).items():
        with workplace(home, f"{name} is to be deleted"):
            shutil.rmtree(home)
        print(f"{name}: deleted")
    return 0


def _home(name: str) -> Path:
    return cache_dir() / name if KEY.fullmatch(name) else data_hub.lookup(name).home


def _homes(names: list[str]) -> dict[str, Path]:
    """Find the folders of names in the cache, or all of its folders; whatever else lies there is not ours."""
    for name in names:
        if not _home(name).is_dir():
            raise DataHubError(f"{name} is not in the cache; python -m data_hub get {name} fetches it")
    known = {_home(name): name for name in data_hub.DATA_HUB}
    there = sorted(cache_dir().iterdir()) if cache_dir().is_dir() else []
    return {name: _home(name) for name in names} or {
        known.get(home, home.name): home for home in there if KEY.fullmatch(home.name) and home.is_dir()
    }
