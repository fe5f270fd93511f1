"""Busy processes beside a worker, ``busy`` of the task: from the import of this module to the end of the worker."""

from __future__ import annotations

import subprocess
import sys

from benchmarks.workers.protocol import read_task

LOOP = "import os; worker = os.getppid()\nwhile os.getppid() == worker: pass"
PROCESSES = [subprocess.Popen([sys.executable, "-c", LOOP]) for _ in range(read_task().get("busy", 0))]
