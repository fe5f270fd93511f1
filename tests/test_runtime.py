import os
import random
import subprocess
import sys

import mxnet as mx
import numpy as np
import psutil
import pytest

import d2ltl
from d2ltl import runtime


def python(code, *before, **environment):
    """Return what a new Python prints, warnings being errors."""
    env = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    command = [*before, sys.executable, "-W", "error::RuntimeWarning", "-c", code]
    result = subprocess.run(command, env={**env, **environment}, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


def test_import_prepares_numpy_without_a_warning():
    assert python("import warnings; warnings.simplefilter('error'); import d2ltl, numpy; print(numpy.bool)")
    assert python("import d2ltl, mxnet; print(mxnet.__version__)")


def threads_beside(busy, nice=0, niceness=0, **environment):
    """Return the threads that `import d2ltl` sets while other programs keep `busy` of 4 processors busy.

    Programs that make way for others keep `nice` more busy. The import itself, of the given niceness, keeps one busy.
    """
    code = f"""
import os, time
from types import SimpleNamespace
import psutil
def cpu_times(percpu):
    now = time.perf_counter()
    return [SimpleNamespace(user=now * {busy + 1} / 4, nice=now * {nice} / 4, system=0.0, idle=0.0)] * 4
psutil.cpu_times = cpu_times
psutil.cpu_count = lambda logical=True: 4
os.sched_getaffinity = lambda _: set(range(4))
psutil.Process.nice = lambda self: {niceness}
time.process_time = time.perf_counter
import d2ltl
print(os.environ["OMP_NUM_THREADS"])
"""
    return int(python(code, **environment))


@pytest.mark.parametrize(("busy", "threads"), [(0, 4), (0.4, 4), (0.6, 3), (2.1, 2), (4, 1)])
def test_import_takes_as_many_threads_as_processors_are_free(busy, threads):
    assert threads_beside(busy) == threads


def test_programs_that_make_way_are_not_counted_unless_this_one_does_too():
    assert threads_beside(1, nice=2) == 3
    assert threads_beside(1, nice=2, niceness=5) == 1


def test_busy_processors_leave_one_thread():
    code = "print(flush=True)\nwhile True: pass"
    busy = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) for _ in range(os.cpu_count())]
    try:
        for process in busy:
            process.stdout.readline()
        assert python("import d2ltl, os; print(os.environ['OMP_NUM_THREADS'])") == "1"
    finally:
        for process in busy:
            process.kill()
            process.communicate()


def test_import_keeps_the_threads_that_the_user_set():
    assert python("import d2ltl, os; print(os.environ['OMP_NUM_THREADS'])", OMP_NUM_THREADS="7") == "7"
    assert threads_beside(4, OMP_NUM_THREADS="3") == 3


@pytest.mark.parametrize(
    ("given", "taken", "said"),
    [
        (
            False,
            1,
            ["computing on 1 of 2 processors, because other programs use the rest; OMP_NUM_THREADS=2 takes all"],
        ),
        (False, 0, []),
        (True, 1, []),
    ],
)
def test_the_log_says_if_other_programs_use_processors(given, taken, said, monkeypatch, caplog):
    monkeypatch.setattr(runtime, "threads_were_given", given)
    monkeypatch.setattr(runtime, "processors_taken", taken)
    monkeypatch.setattr(runtime, "usable_processors", lambda: 2)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    with caplog.at_level("INFO"):
        runtime.log_threads()
    assert caplog.messages == said


@pytest.mark.parametrize(
    ("given", "kept", "threads"), [(None, 3, "3"), ("2", 3, "2"), (None, None, "1"), (None, "x", "1"), (None, 0, "1")]
)
def test_a_resumed_command_keeps_the_threads_unless_the_user_set_others(given, kept, threads):
    code = (
        "import os; os.sched_getaffinity = lambda _: {0}\n"
        f"from d2ltl import runtime; runtime.keep_threads({kept!r})\n"
        "print(os.environ['OMP_NUM_THREADS'])"
    )
    assert python(code, **({"OMP_NUM_THREADS": given} if given else {})) == threads


@pytest.mark.parametrize(("given", "threads"), [("3", 3), ("4,2", 4), (" 2 ", 2)])
def test_threads_are_those_of_the_variable(given, threads, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", given)
    assert runtime.threads() == threads


@pytest.mark.skipif(sys.platform != "linux", reason="taskset is Linux's")
def test_threads_count_the_affinity():
    assert python("import d2ltl, os; print(os.environ['OMP_NUM_THREADS'])", "taskset", "-c", "0") == "1"


@pytest.mark.parametrize(
    ("files", "processors"),
    [
        ({"cpu.max": "100000 100000\n"}, 1),
        ({"cpu.max": "150000 100000\n"}, 2),
        ({"cpu.max": "max 100000\n"}, 4),
        ({"cpu/cpu.cfs_quota_us": "300000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 3),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, 4),
        ({}, 4),
    ],
)
def test_threads_count_the_quota_of_a_container(files, processors, tmp_path, monkeypatch):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(runtime, "CGROUP", tmp_path)
    monkeypatch.setattr(psutil, "cpu_count", lambda logical=True: 8 if logical else 4)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(8), raising=False)
    assert runtime.usable_processors() == processors


def test_a_late_import_warns_once_with_the_remedy():
    # On a machine whose processors have one hardware thread each, MXNet's default is half of them.
    code = (
        "import numpy; vars(numpy).setdefault('bool', bool); numpy.bool = bool\n"
        "import os, psutil, warnings, mxnet\n"
        "psutil.cpu_count = lambda logical=True: 4\n"
        "os.sched_getaffinity = lambda _: range(4)\n"
        "with warnings.catch_warnings(record=True) as caught:\n"
        "    warnings.simplefilter('always')\n"
        "    import d2ltl\n"
        "print([str(w.message) for w in caught])"
    )
    assert "OMP_NUM_THREADS=4" in python(code)
    assert python(code, OMP_NUM_THREADS="1") == "[]"


def test_devices_are_all_gpus_else_the_cpu(monkeypatch):
    monkeypatch.setattr(mx.context, "num_gpus", lambda: 0)
    assert d2ltl.devices() == [mx.cpu()]
    monkeypatch.setattr(mx.context, "num_gpus", lambda: 2)
    assert d2ltl.devices() == [mx.gpu(0), mx.gpu(1)]


def test_one_seed_gives_the_same_numbers_and_each_epoch_others():
    def draw(seed, epoch):
        runtime.reseed(seed, epoch)
        return random.random(), np.random.rand(), mx.nd.random.uniform().asscalar()

    assert draw(1, 2) == draw(1, 2)
    assert len({draw(seed, epoch) for seed in range(3) for epoch in range(3)}) == 9
