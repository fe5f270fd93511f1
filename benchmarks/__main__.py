"""Command line of the benchmarks: ``python -m benchmarks --help``, or ``make bench``."""

from __future__ import annotations

# isort: off
import d2ltl  # first: it prepares the process for MXNet
# isort: on

import argparse
import json
import os
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks import report
from benchmarks.measuring import measure, works_of
from benchmarks.peers import AVX2, ENVIRONMENTS, OURS, packages, set_up
from d2ltl.datasets import default_data, find_data
from d2ltl.files import write_json
from d2ltl.models.precision import has_bfloat16
from d2ltl.runtime import versions


def parse() -> argparse.Namespace:
    """Return the arguments of the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure d2ltl against other code.")
    amount = parser.add_mutually_exclusive_group()
    amount.add_argument("--quick", action="store_true", help="less of every work, once: five minutes")
    amount.add_argument("--full", action="store_true", help="also the whole comparison and growth: two hours")
    parser.add_argument(
        "--avx2",
        action="store_true",
        help="hold d2ltl, the book and PyTorch in float32 to the instructions of older "
        "processors, and leave out the others",
    )
    parser.add_argument("--data", default="auto", metavar="NAME|DIR|ARCHIVE", help="as for python -m d2ltl.compare")
    parser.add_argument("--resume", type=Path, metavar="FILE", help="go on with the results of a run that was stopped")
    parser.add_argument(
        "--publish", type=Path, metavar="FILE", help="put these results of an earlier run into the README"
    )
    return parser.parse_args()


def run(args: argparse.Namespace) -> None:
    """Run the benchmarks, or what is missing of them, and write and print the results."""
    os.environ.update(AVX2 if args.avx2 else {})
    for environment in ENVIRONMENTS:
        set_up(environment)
    data = default_data() if args.data == "auto" else args.data
    settings = {
        "data": Path(data).name,
        "quick": args.quick,
        "full": args.full,
        "machine": machine_of(args.avx2),
        "environments": {environment: packages(environment) for environment in [OURS, *ENVIRONMENTS]},
    }
    file = args.resume or report.HERE / "results" / datetime.now().strftime("%Y-%m-%d-%H%M%S.json")
    results = begun(file, settings) if args.resume else {"date": f"{datetime.now():%Y-%m-%d %H:%M}", **settings}
    measurements: list[dict[str, Any]] = results.setdefault("measurements", [])
    file.parent.mkdir(exist_ok=True)
    print(f"The results will be in {file}; if the run is stopped, --resume goes on with them.", flush=True)
    works = works_of(args.quick, args.full, settings["machine"]["bfloat16"], args.avx2)
    for record in measure(works, d2ltl.load_images(find_data(data)), measurements):
        measurements.append(record)
        write_json(file, results)
    report.plot(measurements).savefig(file.with_suffix(".png"), dpi=report.DPI)
    print(f"\n{report.text_of(results)}\nThese results are in {file}")


def machine_of(avx2: bool) -> dict[str, Any]:
    """Return the versions and the processor of this machine, which may be held to AVX2."""
    machine = versions()
    if avx2:
        return {**machine, "processor": f"{machine['processor']} held to AVX2", "bfloat16": False}
    return {**machine, "bfloat16": has_bfloat16()}


def begun(file: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """Return the results of a run that was stopped, in a file; refuse those of other settings or another machine."""
    results = json.loads(file.read_text("utf-8"))
    for name, value in settings.items():
        if results.get(name) != value:
            raise SystemExit(f"{file} has measurements with another {name}: {results.get(name)}, now {value}.")
    return results


def main() -> None:
    """Run the command line."""
    args = parse()
    if args.publish:
        report.publish(args.publish)
    else:
        run(args)


if __name__ == "__main__":
    main()
