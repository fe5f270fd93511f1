"""Run the chapters from nothing: ``python chapters/run.py --help``."""

from __future__ import annotations

import argparse
import base64
import io
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from PIL import Image

from d2ltl.files import atomic_write

HERE = Path(__file__).parent
WIDGET = "application/vnd.jupyter.widget-view+json"  # a progress bar: nothing is left of it when the run has ended
PNG = "image/png"
LONGEST = 1800  # seconds that a cell may take


def run(notebook: nbformat.NotebookNode) -> None:
    """Execute all cells of a notebook in order, in a fresh kernel; the notebook then has their outputs, up to an error.

    Raises
    ------
    CellExecutionError
        If a cell fails.
    CellTimeoutError
        If it takes longer than `LONGEST`.
    """
    client = NotebookClient(
        notebook,
        timeout=LONGEST,
        kernel_name="python3",
        record_timing=False,
        store_widget_state=False,
        resources={"metadata": {"path": str(HERE)}},
    )
    try:
        client.execute()
    finally:
        tidy(notebook)


def tidy(notebook: nbformat.NotebookNode) -> None:
    """Leave what a reader wants to see, and what stays the same from run to run; make pictures smaller."""
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for cell in notebook.cells:
        cell.metadata = {key: cell.metadata[key] for key in ("tags",) if key in cell.metadata}
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if WIDGET not in output.get("data", {})]
            for output in cell.outputs:
                if PNG in output.get("data", {}):
                    output.data[PNG] = smaller(output.data[PNG])


def smaller(picture: str) -> str:
    """Return a PNG in base64 with a palette of 256 colours, a third of the size, or as it was if that is smaller."""
    file = io.BytesIO()
    Image.open(io.BytesIO(base64.b64decode(picture))).convert("RGB").quantize().save(file, "png", optimize=True)
    return min(base64.b64encode(file.getvalue()).decode(), picture, key=len)


def main() -> int:
    """Run the notebooks that are named, or all; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="*", type=Path, help="default: all chapters")
    parser.add_argument("--out", type=Path, help="folder for the executed notebooks, "
                        "NAME-failed.ipynb for one that failed; default: none is written")  # fmt: skip
    parser.add_argument("--jobs", type=int, default=1, help="notebooks at a time; share the processors out among them "
                        "by OMP_NUM_THREADS (default: %(default)s)")  # fmt: skip
    args = parser.parse_args()
    with ThreadPoolExecutor(args.jobs) as pool:
        files = args.notebooks or sorted(HERE.glob("*.ipynb"))
        worked = list(pool.map(lambda file: _try_run(file, args.out), files))
    return 0 if all(worked) else 1


def _try_run(file: Path, out: Path | None) -> bool:
    """Run a notebook, write it to `out`, and return whether it worked; one that failed gets another name."""
    start = time.perf_counter()
    notebook = nbformat.read(file, as_version=4)
    try:
        run(notebook)
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        print(f"{file.name} failed:\n{error}", file=sys.stderr, flush=True)
        name, worked = f"{file.stem}-failed.ipynb", False
    else:
        print(f"{file.name}: {time.perf_counter() - start:.0f} s", flush=True)
        name, worked = file.name, True
    if out:
        out.mkdir(parents=True, exist_ok=True)
        with atomic_write(out / name) as temporary:
            nbformat.write(notebook, temporary)
    return worked


if __name__ == "__main__":
    sys.exit(main())
