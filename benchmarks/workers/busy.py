"""Busy processes beside a worker, ``busy`` of the task. They start with the import of this module, and end with the worker."""

from __future__ import annotations

import subprocess
import sys

from benchmarks.workers.protocol import read_task

LOOP = "import os; worker = os.getppid()\nwhile os.getppid() == worker: pass"
PROCESSES = [subprocess.Popen([sys.executable, "-c", LOOP]) for _ in range(read_task().get("busy", 0))]
