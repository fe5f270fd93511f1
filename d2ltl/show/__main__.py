"""``python -m d2ltl.show``: list the demonstrations, or run one of them."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from _data_hub.language import N_, _
from d2ltl.cli import new_parser, run_command
from d2ltl.errors import SettingsError, check_seeds
from d2ltl.files import atomic_write
from d2ltl.show.catalogue import DEMONSTRATIONS

FORMATS = ("png", "svg", "pdf", "jpg")


def listing() -> str:
    """Return the names and titles of all demonstrations, grouped by topic."""
    width = max(map(len, DEMONSTRATIONS))
    lines: list[str] = []
    for topic in dict.fromkeys(demonstration.topic for demonstration in DEMONSTRATIONS.values()):
        lines += ["", f"{_(topic)}:"]
        lines += [f"  {name:{width}}  {_(d.title)}" for name, d in DEMONSTRATIONS.items() if d.topic == topic]
    return "\n".join(lines[1:])


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    parser = new_parser(
        "d2ltl.show",
        N_(
            "Run one small experiment in about a minute. Prints the result and saves a figure.\nThe results are rough, "
            "because they come from one seed and few images. The chapters use more of both."
        ),
        listing(),
    )
    parser.add_argument("name", nargs="?", choices=[*DEMONSTRATIONS], metavar="NAME", help=_("default: list the names"))
    parser.add_argument("--seed", type=int, default=0, help=_("random seed; default: %(default)s"))
    parser.add_argument("--out", type=Path, help=_("file for the figure; default: NAME.png"))
    args = parser.parse_args(arguments)
    if args.name is None:
        print(listing())
        return 0
    return run_command(lambda: _show(args.name, args.seed, args.out or Path(f"{args.name}.png")))


def _show(name: str, seed: int, file: Path) -> None:
    check_seeds([seed])
    if file.suffix[1:].lower() not in FORMATS or not file.parent.is_dir():
        raise SettingsError(f"--out {file} must be a file in a folder that is there, ending in .{', .'.join(FORMATS)}.")
    print(_(DEMONSTRATIONS[name].title), _("The figure will be in {file}").format(file=file))
    start = time.perf_counter()
    shown = DEMONSTRATIONS[name].run(seed)
    with atomic_write(file) as temporary:
        shown.figure.savefig(temporary, dpi=120)
    print(f"\n{shown.verdict}\n({file}, seed {seed}, {time.perf_counter() - start:.0f} s)")


if __name__ == "__main__":
    sys.exit(main())
