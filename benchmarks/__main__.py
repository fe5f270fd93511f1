"""Command line of the benchmarks: ``python -m benchmarks --help``, or ``make bench``."""

from __future__ import annotations

# isort: off
import d2ltl  # first: it prepares the process for MXNet
# isort: on

import argparse
import json
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks import report
from benchmarks.measuring import measure, works_of
from benchmarks.peers import ENVIRONMENTS, OURS, packages, set_up
from d2ltl.datasets import default_data, find_data
from d2ltl.runtime import versions


def parse() -> argparse.Namespace:
    """Return the arguments of the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure d2ltl against other code.")
    amount = parser.add_mutually_exclusive_group()
    amount.add_argument("--quick", action="store_true", help="less of every work, once: five minutes")
    amount.add_argument("--full", action="store_true", help="also the whole comparison and growth: some hours")
    parser.add_argument("--data", default="auto", metavar="NAME|DIR|ARCHIVE", help="as for python -m d2ltl.compare")
    parser.add_argument(
        "--publish", type=Path, metavar="FILE", help="put these results of an earlier run into the README"
    )
    return parser.parse_args()


def run(args: argparse.Namespace) -> None:
    """Run the benchmarks, and write and print the results."""
    for environment in ENVIRONMENTS:
        set_up(environment)
    data = default_data() if args.data == "auto" else args.data
    pair = d2ltl.load_images(find_data(data))
    results: dict[str, Any] = {
        "date": datetime.now().strftime("%Y-%m-%d %H:%M"),
        "data": Path(data).name,
        "quick": args.quick,
        "machine": versions(),
        "environments": {environment: packages(environment) for environment in [OURS, *ENVIRONMENTS]},
        "measurements": [],
    }
    file = report.HERE / "results" / datetime.now().strftime("%Y-%m-%d-%H%M%S.json")
    file.parent.mkdir(exist_ok=True)
    for record in measure(works_of(args.quick, args.full), pair):
        results["measurements"].append(record)
        file.write_text(json.dumps(results, indent=1), encoding="utf-8")  # an interrupted run keeps these
    report.plot(results["measurements"]).savefig(file.with_suffix(".png"), dpi=report.DPI)
    print(f"\n{report.text_of(results)}\nThese results are in {file}")


def main() -> None:
    """Run the command line."""
    args = parse()
    if args.publish:
        report.publish(args.publish)
    else:
        run(args)


if __name__ == "__main__":
    main()
