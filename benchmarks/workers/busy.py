"""Busy processes beside a worker, ``busy`` of the task: from the import of this module to the end of the worker."""

from __future__ import annotations

import os
import subprocess
import sys

from benchmarks.workers.protocol import read_task

LOOP = "import os, sys\nwhile os.getppid() == int(sys.argv[1]): pass"
COMMAND = [sys.executable, "-c", LOOP, str(os.getpid())]
PROCESSES = [subprocess.Popen(COMMAND) for _ in range(read_task().get("busy", 0))]
