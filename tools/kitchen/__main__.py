"""``python -m tools.kitchen OUT.zip`` renders the image set; ``--sheet FOOD sheet.png`` a contact sheet of one food.

Needs Mitsuba 3: ``pip install mitsuba numpy pillow tqdm``.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from tools.kitchen.dataset import IMAGES, make_dataset
from tools.kitchen.foods import MENU
from tools.kitchen.sheet import contact_sheet


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m tools.kitchen", description="Render the image set hotdog-mini.")
    parser.add_argument("out", type=Path, help="the archive, or the picture of a contact sheet")
    parser.add_argument("--sheet", metavar="FOOD", choices=MENU, help=f"a contact sheet of: {', '.join(MENU)}")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--size", type=int, default=112, help="width and height in pixels (default: 112)")
    parser.add_argument("--count", type=int, help=f"number of images (default: {IMAGES}; 12 on a sheet)")
    parser.add_argument("--processes", type=int, default=2)
    args = parser.parse_args()
    if args.sheet:
        contact_sheet(args.sheet, args.seed, args.count or 12, args.size).save(args.out)
    else:
        make_dataset(args.out, args.seed, args.size, args.count or IMAGES, args.processes)


if __name__ == "__main__":
    main()
