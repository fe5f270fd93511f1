import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from d2ltl.data_parallel import launch, main
from d2ltl.errors import ClusterError, SettingsError, WorkerError

MARK = f"data-parallel {os.getpid()}"
SOON = 30  # seconds, on a machine that is busy
WAIT = """
import os, pathlib, sys, time
pathlib.Path(sys.argv[1], f"{os.getpid()}.pid").touch()
time.sleep(600)
"""
TRAIN = """
import os, pathlib, sys
import mxnet as mx
from d2ltl.training.workers import WorkerGroup
group = WorkerGroup("dist_sync")
while True:
    group.sum([1])
    pathlib.Path(sys.argv[1], f"{os.getpid()}.pid").touch()
"""


@pytest.fixture
def program(tmp_path):
    """A function that writes a program, and returns the list of its file and its argument, the folder for its notes."""

    def write(text):
        (tmp_path / "program.py").write_text(text)
        return [str(tmp_path / "program.py"), str(tmp_path)]

    return write


@pytest.fixture(autouse=True)
def _no_process_is_left(monkeypatch):
    """Every test ends without a process of a data-parallel training."""
    monkeypatch.setenv("D2LTL_TEST", MARK)  # the processes inherit it
    yield
    wait_until(lambda: not nodes())


def wait_until(condition):
    deadline = time.monotonic() + SOON
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def nodes(*roles):
    """Return the processes that the present test has started and that still run: all, or those with MXNet's roles."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            variables = process.environ()
            if variables.get("D2LTL_TEST") == MARK and (not roles or variables.get("DMLC_ROLE") in roles):
                found.append(process)
    return found


def wait_for_notes(folder, number=2):
    deadline = time.monotonic() + 60 + SOON
    while len(notes := [*Path(folder).glob("*.pid")]) < number:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return [int(note.stem) for note in notes]


def start(program, number=2):
    """Start the command in a process of its own."""
    command = [sys.executable, "-m", "d2ltl.data_parallel", str(number), *program]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_every_worker_gets_the_arguments_and_its_lines_are_shown(program, capsys):
    launch(program("import sys\nprint('seen', sys.argv[2:])\nprint('noted', file=sys.stderr)") + ["--epochs", "3"], 3)
    printed = capsys.readouterr()
    assert printed.out.splitlines() == ["seen ['--epochs', '3']"] * 3
    assert printed.err == "noted\n"


def test_everything_is_on_loopback_and_the_processors_are_shared_out(program, capsys, monkeypatch):
    monkeypatch.setattr("d2ltl.runtime.threads_were_given", False)
    monkeypatch.setattr("d2ltl.runtime.usable_processors", lambda: 8)
    text = "import os\nprint({n: v for n, v in os.environ.items() if n[:4] in ('DMLC', 'OMP_')})"
    launch(program(text), 3)
    for line in capsys.readouterr().out.splitlines():
        assert "'DMLC_NODE_HOST': '127.0.0.1'" in line
        assert "'DMLC_PS_ROOT_URI': '127.0.0.1'" in line
        assert "'OMP_NUM_THREADS': '2'" in line


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        ("raise ValueError('too many cats')", "ended with exit status 1.*ValueError: too many cats"),
        ("sys.exit(3)", "ended with exit status 3"),
        ("sys.exit('no cats')", "ended with exit status 1.*no cats"),
        ("os.kill(os.getpid(), 9)", "was killed by SIGKILL"),
    ],
)
def test_a_worker_that_fails_ends_the_run_with_an_error_that_names_it(program, failure, said):
    text = f"""
import os, sys, time
try:
    os.mkdir(os.path.join(sys.argv[1], "first"))  # one of the workers can
except FileExistsError:
    time.sleep(600)
{failure}
"""
    began = time.monotonic()
    with pytest.raises(WorkerError, match=rf"(?s)The worker [01] .*\(process \d+ on .*\) {said}"):
        launch(program(text), 2)
    assert time.monotonic() - began < SOON


def test_a_worker_that_is_killed_ends_the_run(program, tmp_path):
    command = start(program(WAIT))
    victim, other = wait_for_notes(tmp_path)
    os.kill(victim, signal.SIGKILL)
    _, errors = command.communicate(timeout=SOON)
    assert command.returncode == 2
    assert re.match(rf"error: The worker [01] .*\(process {victim} on .*\) was killed by SIGKILL", errors)
    assert not psutil.pid_exists(other)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_no_process_outlives_the_command(program, tmp_path, how):
    command = start(program(WAIT))
    wait_for_notes(tmp_path)
    command.send_signal(how)
    _, errors = command.communicate(timeout=SOON)
    assert command.returncode == {signal.SIGINT: 130}.get(how, -how)
    assert "Traceback" not in errors


@pytest.mark.full
@pytest.mark.parametrize("role", ["worker", "server", "scheduler"])
def test_a_process_that_is_killed_in_a_real_training_ends_it(program, tmp_path, role):
    command = start(program(TRAIN))
    wait_for_notes(tmp_path)
    victim = nodes(role)[-1]
    listening = [at.laddr.ip for node in nodes() for at in node.net_connections() if at.status == psutil.CONN_LISTEN]
    assert set(listening) == {"127.0.0.1"}
    victim.kill()
    _, errors = command.communicate(timeout=SOON)
    assert re.search(rf"The {role}.*process {victim.pid} on .*was killed by SIGKILL", errors)


@pytest.mark.full
def test_servers_that_are_to_update_the_parameters_say_that_they_only_add(program):
    text = "import d2ltl, mxnet as mx\nmx.kv.create('dist_sync').set_optimizer(mx.optimizer.SGD())"
    with pytest.raises(WorkerError, match=r"The server 0 .*exit status 1(?s:.*)update_on_kvstore=False"):
        launch(program(text), 1)


@pytest.mark.full
def test_a_worker_that_finds_no_other_processes_gives_up(monkeypatch):
    text = "import d2ltl.training.workers as w; w.CONNECT_SECONDS = 2; w.WorkerGroup('dist_sync')"
    for name, value in {"ROLE": "worker", "PS_ROOT_URI": "127.0.0.1", "PS_ROOT_PORT": "9", "NODE_HOST": "127.0.0.1",
                        "NUM_WORKER": "1", "NUM_SERVER": "1"}.items():  # fmt: skip
        monkeypatch.setenv(f"DMLC_{name}", value)
    ended = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, timeout=60)
    assert "did not start within 2 s" in ended.stderr
    assert "127.0.0.1:9" in ended.stderr


def test_numbers_that_make_no_sense_are_refused(program, capsys):
    with pytest.raises(SettingsError, match="0 data-parallel workers"):
        launch(["program"], 0)
    assert main(["0", "program"]) == 2
    assert capsys.readouterr().err.startswith("error: There are to be 0")


@pytest.fixture
def cluster():
    """The address of the scheduler of a Dask cluster: processes of their own on loopback, two workers."""
    pytest.importorskip("distributed")
    scheduler = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "distributed.cli.dask_scheduler",
            "--host",
            "127.0.0.1",
            "--port",
            "0",
            "--no-dashboard",
        ],
        stderr=subprocess.PIPE,
        text=True,
    )
    address = next(found[0] for line in scheduler.stderr if (found := re.search(r"tcp://127.0.0.1:\d+", line)))
    started = [scheduler]
    for _ in range(2):
        options = ["--no-nanny", "--no-dashboard", "--host", "127.0.0.1", "--nthreads", "1"]
        command = [sys.executable, "-m", "distributed.cli.dask_worker", address, *options]
        started.append(subprocess.Popen(command, stderr=subprocess.DEVNULL))
    from distributed import Client

    with Client(address, timeout=60) as client:
        client.wait_for_workers(2, timeout=60)
    yield address
    for process in started:
        process.kill()
        process.wait()


def start_on(cluster, program):
    text = f"from d2ltl.data_parallel import launch\nlaunch({program}, 2, {cluster!r})"
    return subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.full
def test_a_cluster_runs_the_program_on_its_workers_from_the_same_folder(
    cluster, program, capsys, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    launch(program("import os\nprint(os.getcwd(), os.environ['DMLC_NODE_HOST'], os.getppid())"), 2, cluster)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [line[:2] for line in lines] == [[str(tmp_path), "127.0.0.1"]] * 2
    assert lines[0][2] != lines[1][2]  # one on each Dask worker
    with pytest.raises(ClusterError, match="2 workers, fewer than the 3"):
        launch(program(""), 3, cluster)


@pytest.mark.full
@pytest.mark.parametrize("victim", ["process", "dask worker", "command"])
def test_on_a_cluster_no_process_is_left_and_the_error_names_the_one_that_died(cluster, program, tmp_path, victim):
    command = start_on(cluster, program(TRAIN))
    worker = psutil.Process(wait_for_notes(tmp_path)[0])
    killed = {"process": worker, "dask worker": worker.parent(), "command": psutil.Process(command.pid)}[victim]
    killed.kill()
    _, errors = command.communicate(timeout=2 * SOON)
    wait_until(lambda: not nodes("scheduler", "server", "worker"))  # though the cluster goes on
    if victim == "process":
        assert re.search(rf"The worker \d .*process {worker.pid} on .*, Dask worker tcp://127.*SIGKILL", errors)
    if victim == "dask worker":
        assert re.search(r"The Dask worker tcp://127.0.0.1:\d+ cannot run its part .* or went away", errors)
