"""Runs on Dask workers. They are real processes on the loopback, and some of them are killed."""

import contextlib
import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import threading
import time
import types

import psutil
import pytest
from conftest import write_images

import d2ltl
from d2ltl import runtime
from d2ltl.data.subsets import take
from d2ltl.parallel import worker_pool

COMMAND = [sys.executable, "-m", "d2ltl", "compare", "--net", "mobilenet0.25", "--size", "32", "--batch-size", "8",
           "--strategies", "finetune", "codes-softmax", "--seeds", "0", "1"]  # fmt: skip
EPOCHS = 6  # of the comparisons that are killed
IMPATIENT = """\
import sys
from d2ltl import compare, parallel
parallel.PATIENCE = 8  # seconds
sys.exit(compare.main(sys.argv[1:]))
"""


def options(small_source_file):
    return {"pretrained": small_source_file, "net": "mobilenet0.25", "size": 32, "batch_size": 8, "epochs": 2,
            "strategies": ["finetune", "codes-softmax"], "seeds": [0, 1]}  # fmt: skip


def figures(run):
    """Return what is the same in every repetition of a run: all but the times."""
    epochs = [(e.loss, e.train_acc, e.test_acc, e.test_loss) for e in run.history.epochs]
    return run.strategy, run.seed, epochs, run.confusion.tolist(), run.predictions, run.folds, run.calibrations


def figures_in(report):
    values = json.loads(report.read_text(encoding="utf-8"))
    times = ("seconds", "examples_per_s")
    for run in values["runs"]:
        run["history"] = [{name: v for name, v in epoch.items() if name not in times} for epoch in run["history"]]
    return values["runs"]


@pytest.fixture(scope="module")
def cluster():
    """A context manager of processes of Dask: the address of a scheduler with workers."""

    @contextlib.contextmanager
    def start(workers):
        port = _free_port()
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        dask = [sys.executable, "-m", "dask"]
        address = f"tcp://127.0.0.1:{port}"
        quiet = {"env": environment, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        scheduler = subprocess.Popen(
            [*dask, "scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"], **quiet
        )
        processes = [scheduler]

        def join():
            worker = [*dask, "worker", address, "--host", "127.0.0.1", "--nthreads", "1", "--no-dashboard"]
            processes.append(subprocess.Popen(worker, **quiet))

        for _ in range(workers):
            join()
        try:
            yield address, scheduler, join
        finally:
            for process in processes:
                for child in psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []:
                    child.kill()
                process.kill()
                process.wait()

    return start


def _free_port():
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Enough images that a process is killed in the middle of a run."""
    root = tmp_path_factory.mktemp("images")
    write_images(root / "train", 60)
    write_images(root / "test", 10, seed=1)
    return root


@pytest.fixture(scope="module")
def alone(images, small_source_file, tmp_path_factory):
    """The runs of the comparison without workers."""
    out = tmp_path_factory.mktemp("alone") / "out"
    subprocess.run(command_for(images, small_source_file, out), check=True, capture_output=True)
    return figures_in(out / "report.json")


def command_for(images, weights, out, *more):
    where = ["--data", images, "--pretrained", weights, "--out", out, "--epochs", EPOCHS]
    return [*COMMAND, *map(str, [*where, *more])]


def wait_for(out, pattern, number):
    deadline = time.monotonic() + 120
    while len([*out.glob(f"runs/{pattern}")]) < number:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_without_workers_dask_is_not_imported(stripes, small_source_file):
    code = f"""
import sys, d2ltl
d2ltl.run_comparison({str(stripes)!r}, pretrained={str(small_source_file)!r}, net="mobilenet0.25", size=32, epochs=1,
                     strategies=["codes-softmax"])
print("dask" in sys.modules or "distributed" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"


def test_images_travel_as_names(stripes, tmp_path):
    train, _ = d2ltl.load_images(shutil.copytree(stripes, tmp_path / "images"))
    some = train.subset([3, 30]).relabel(["b", "a"])
    packed = pickle.dumps(some)
    assert len(packed) < 2000
    arrived = pickle.loads(packed)
    assert (arrived.items, arrived.synsets) == (some.items, ["a", "b"])
    assert (arrived.read(0) == some.read(0)).all()
    hub = d2ltl.load_images("hotdog-mini")[1]
    assert b"/" not in pickle.dumps(hub.origin[0])  # a name of the data hub, not a path of this machine
    assert pickle.loads(pickle.dumps(hub)).items == hub.items


def test_workers_need_names_and_the_classic_interface(stripes):
    import mxnet as mx

    with pytest.raises(d2ltl.SettingsError, match="give the name, folder or archive"):
        d2ltl.run_comparison(d2ltl.load_images(stripes), workers=2)
    mx.npx.set_np()
    with pytest.raises(d2ltl.SettingsError, match="reset_np"):
        d2ltl.run_comparison(stripes, workers=2)


def test_a_missing_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(d2ltl.SettingsError, match=r"pip install 'd2ltl\[cluster\]'"), worker_pool(2):
        pass


def test_augmentation_does_not_share_pythons_generator(stripes):
    """Other threads of a process, as those of Dask and Jupyter, draw from Python's global generator."""
    import random

    images = d2ltl.load_images(stripes)[0]
    drawn = []
    for disturb in (False, True):
        runtime.reseed(0)
        if disturb:
            random.random()
        drawn.append(d2ltl.train_augs(32, ["zoom", "shift"])(images[0][0]).asnumpy())
    assert (drawn[0] == drawn[1]).all()


@pytest.mark.full
class TestRuns:
    @pytest.mark.parametrize("folds", [None, 2])
    def test_the_results_are_the_same_in_the_same_order(self, stripes, small_source_file, folds):
        given = {**options(small_source_file), "epochs": 1, "cross_validate": folds, "seeds": [0, 1][: folds or 2]}
        given["strategies"] = ["codes-softmax", "finetune"][: 1 if folds else 2]
        alone, shared = (d2ltl.run_comparison(stripes, workers=workers, **given) for workers in (None, 2))
        assert [*map(figures, shared.runs)] == [*map(figures, alone.runs)]
        assert shared.settings == alone.settings

    def test_so_are_those_of_a_sweep_and_of_advice(self, stripes, small_source_file, cluster):
        source = d2ltl.source_net("mobilenet0.25", small_source_file)
        given = {"source": source, "data": stripes, "epochs": 1, "size": 32, "batch_size": 8, "seeds": (0, 1)}
        few = {**given, "ways": ["codes-softmax"], "numbers": [2, 8]}
        with cluster(2) as (address, _, _):
            alone, shared = (d2ltl.exercises.lr_sweep([0.01, 1e30], workers=w, **given) for w in (None, address))
            curves = [d2ltl.exercises.learning_curve(workers=w, **few) for w in (None, address)]
            advised = [d2ltl.advise(stripes, {"small": source}, size=32, workers=w) for w in (None, address)]
        assert [(t.way, t.learning_rate, t.seed, t.diverged) for t in shared] == [
            (t.way, t.learning_rate, t.seed, t.diverged) for t in alone
        ]
        assert [t.accuracy for t in shared[:2]] == [t.accuracy for t in alone[:2]]
        assert [t.accuracy for t in curves[0]] == [t.accuracy for t in curves[1]]
        assert advised[0].fits == advised[1].fits

    def test_they_may_be_given_before_there_is_a_worker(self, cluster):
        with cluster(0) as (address, _, join), worker_pool(address) as run_all:
            threading.Timer(1, join).start()
            assert run_all(abs, [(-1,), (-2,)], str) == [1, 2]

    def test_the_processors_are_shared_out(self, monkeypatch):
        monkeypatch.setattr(runtime, "threads_were_given", False)
        monkeypatch.setattr(runtime, "usable_processors", lambda: 6)
        with worker_pool(2) as run_all:
            assert run_all(runtime.threads, [()]) == [3]
        monkeypatch.setattr(runtime, "threads_were_given", True)
        monkeypatch.setenv("OMP_NUM_THREADS", "5")
        with worker_pool(2) as run_all:
            assert run_all(runtime.threads, [()]) == [5]


@pytest.mark.full
class TestFailures:
    def test_a_folder_that_a_worker_does_not_see_is_named_with_the_worker(self, stripes, tmp_path):
        train, _ = d2ltl.load_images(shutil.copytree(stripes, tmp_path / "images"))
        with worker_pool(1) as run_all:
            assert len(run_all(take, [(train, 2)])[0]) == 4
            (tmp_path / "images").rename(tmp_path / "moved")
            with pytest.raises(d2ltl.ImageFolderError, match=rf"worker tcp://127\.0\.0\.1:\d+: {tmp_path}/images is"):
                run_all(take, [(train, 2)])

    def test_a_run_that_diverges_is_named_and_finished_ones_are_kept(self, stripes, small_source_file, tmp_path):
        given = {**options(small_source_file), "strategies": ["codes-softmax", "finetune"], "lr_finetune": 1e30}
        with pytest.raises(d2ltl.DivergenceError, match="worker tcp://.* Try a tenth"):
            d2ltl.run_comparison(stripes, workers=1, out=tmp_path / "out", **given)
        assert (tmp_path / "out/runs/codes-softmax-seed0.run.json").exists()

    def test_a_run_that_kills_its_workers_is_given_up(self):
        with worker_pool(1) as run_all, pytest.raises(d2ltl.ClusterError, match="its worker died"):
            run_all(os._exit, [(1,)])

    @pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "nonsense"])
    def test_a_scheduler_that_is_not_there_is_named(self, address, monkeypatch):
        monkeypatch.setattr("d2ltl.parallel.PATIENCE", 1)
        with pytest.raises(d2ltl.ClusterError, match=f"no Dask scheduler at {address}"), worker_pool(address):
            pass

    def test_workers_do_not_train_one_network_together(self, stripes, monkeypatch):
        group = types.SimpleNamespace(alone=False)
        monkeypatch.setattr("d2ltl.comparison.running.WorkerGroup", lambda _: group)
        with pytest.raises(d2ltl.SettingsError, match="or workers share the runs out"):
            d2ltl.run_comparison(stripes, workers=2, kvstore="dist_sync")

    @pytest.mark.parametrize("workers", [0, -1])
    def test_no_worker_is_no_pool(self, workers):
        with pytest.raises(d2ltl.SettingsError, match=f"workers is {workers}"), worker_pool(workers):
            pass


@pytest.mark.full
class TestKills:
    """The comparison runs as a command; a worker, the scheduler or the command itself is killed in the middle."""

    def test_a_killed_worker_is_replaced(self, images, small_source_file, tmp_path, alone):
        command = command_for(images, small_source_file, tmp_path / "out", "--workers", 2)
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            wait_for(tmp_path / "out", "*.checkpoint", 2)
            computing = max(psutil.Process(process.pid).children(recursive=True), key=lambda p: sum(p.cpu_times()[:2]))
            computing.kill()
            _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors
        assert figures_in(tmp_path / "out/report.json") == alone

    def test_a_stopped_command_stops_its_workers_and_is_resumed(self, images, small_source_file, tmp_path, alone):
        command = command_for(images, small_source_file, tmp_path / "out", "--workers", 2)
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            wait_for(tmp_path / "out", "*.checkpoint", 2)
            workers = psutil.Process(process.pid).children(recursive=True)
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=60)
        assert process.returncode == 130
        assert "--resume" in errors
        assert not psutil.wait_procs(workers, timeout=10)[1]
        subprocess.run([*command, "--resume"], check=True, capture_output=True)  # with new workers
        assert figures_in(tmp_path / "out/report.json") == alone

    def test_a_lost_scheduler_loses_no_finished_run(self, images, small_source_file, tmp_path, alone, cluster):
        with cluster(1) as (address, scheduler, _):
            command = command_for(images, small_source_file, tmp_path / "out", "--workers", address)
            command[1:4] = ["-c", IMPATIENT]
            with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
                wait_for(tmp_path / "out", "*.run.json", 1)
                scheduler.kill()
                _, errors = process.communicate(timeout=120)
        assert process.returncode == 2
        assert "went away" in errors
        finished = {run: run.stat().st_mtime_ns for run in (tmp_path / "out/runs").glob("*.run.json")}
        subprocess.run([*command[:-2], "--resume"], check=True, capture_output=True)  # without workers
        assert figures_in(tmp_path / "out/report.json") == alone
        assert all(run.stat().st_mtime_ns == written for run, written in finished.items())
