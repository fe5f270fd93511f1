import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import d2ltl
from d2ltl import runtime
from d2ltl.errors import SettingsError
from d2ltl.training.workers import WorkerGroup

TESTS = Path(__file__).parents[1]
TRAINING = """
import json, sys
import d2ltl, conftest
from d2ltl import runtime
from d2ltl.models.freezing import use_running_statistics
from d2ltl.training.workers import WorkerGroup

source, data, out, tasks = sys.argv[1:]
rank = WorkerGroup("dist_sync").rank

def cut(history):
    if len(history) == 1:
        raise KeyboardInterrupt

def train(seed=0, fixed=True, augment=False, interrupted=False, checkpoint=None, **options):
    runtime.reseed(seed)
    net = d2ltl.finetune_net(2, d2ltl.source_net("tiny", source))
    if fixed:
        use_running_statistics(net)
    if not augment:
        options["train_augs"] = options["test_augs"] = d2ltl.test_augs(32)
    if checkpoint:
        options["checkpoint"] = f"{out}/{checkpoint}".format(rank=rank)
    options = {"learning_rate": 0.01, "num_epochs": 2, "kvstore": "dist_sync", **options}
    history = d2ltl.train_fine_tuning(net, seed=seed, batch_size=8, data=data, size=32, verbose=False,
                                      callbacks=[cut] if interrupted else [], **options)
    weights = [float(p.data().asnumpy().astype("float64").sum()) for p in net.collect_params().values()]
    figures = [[e.loss, e.train_acc, e.test_loss, e.test_acc] for e in history.epochs]
    images = [round(e.examples_per_s * e.seconds) for e in history.epochs]
    return {"figures": figures, "weights": weights, "images": images}

results = {}
for name, task in json.loads(tasks).items():
    try:
        results[name] = train(**task)
    except (d2ltl.D2LTLError, KeyboardInterrupt) as error:
        results[name] = f"{type(error).__name__}: {error}"
with open(f"{out}/{rank}.json", "w") as file:
    json.dump(results, file)
"""
TWO_SEEDS = {"seed 0": {}, "seed 1": {"seed": 1}}
RANDOM = {"fixed": False, "augment": True, "momentum": 0.9, "num_epochs": 3}
TASKS = {
    **TWO_SEEDS,
    "whole": RANDOM,
    "interrupted": {**RANDOM, "checkpoint": "common", "interrupted": True},
    "own checkpoints": {"checkpoint": "of worker {rank}"},
    "own checkpoints again": {"checkpoint": "of worker {rank}"},
    "too fast": {"learning_rate": 1e30},
}


def run(number, tasks, source_file, stripes, out):
    """Train on the stripes in so many worker processes, one task after another; return each one's results by task."""
    (out / "train.py").write_text(TRAINING)
    subprocess.run(
        [sys.executable, "-m", "d2ltl.data_parallel", str(number), out / "train.py", source_file, stripes, out]
        + [json.dumps(tasks)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])},
        check=True,
        timeout=240,
    )
    return [json.loads((out / f"{rank}.json").read_text()) for rank in range(number)]


@pytest.fixture(scope="module")
def alone(source_file, stripes, tmp_path_factory):
    """The results of one worker process."""
    tasks = {**TWO_SEEDS, "no store": {"kvstore": "device"}}
    return run(1, tasks, source_file, stripes, tmp_path_factory.mktemp("alone"))[0]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The folder of the checkpoints of two worker processes."""
    return tmp_path_factory.mktemp("pair")


@pytest.fixture(scope="module")
def pair(source_file, stripes, folder):
    """The results of two worker processes."""
    return run(2, TASKS, source_file, stripes, folder)


def flat(figures):
    return [number for epoch in figures for number in epoch]


def assert_parts_train_like_the_whole(results, alone):
    for result in results:
        for name in TWO_SEEDS:
            assert flat(result[name]["figures"]) == pytest.approx(flat(alone[name]["figures"]), abs=1e-4)
            assert result[name]["weights"] == pytest.approx(alone[name]["weights"], abs=1e-3)
            assert result[name]["images"] == [40, 40]


@pytest.mark.full
def test_two_workers_with_parts_of_the_batch_train_like_one_with_the_whole(pair, alone):
    assert_parts_train_like_the_whole(pair, alone)


@pytest.mark.full
def test_so_do_four(source_file, stripes, tmp_path, alone):
    assert_parts_train_like_the_whole(run(4, TWO_SEEDS, source_file, stripes, tmp_path), alone)


@pytest.mark.full
def test_one_worker_trains_to_the_last_digit_like_no_store(alone):
    assert alone["no store"]["figures"] == alone["seed 0"]["figures"]


@pytest.mark.full
def test_batch_normalisation_ends_with_the_same_statistics_on_all_workers(pair):
    one, other = pair
    assert one["whole"]["figures"] == other["whole"]["figures"]
    assert one["whole"]["weights"] == other["whole"]["weights"]


@pytest.mark.full
def test_new_processes_resume_from_the_checkpoint_of_the_first(source_file, stripes, pair, folder):
    resumed = run(2, {"resumed": {**RANDOM, "checkpoint": "common"}}, source_file, stripes, folder)
    for before, after in zip(pair, resumed):
        assert before["interrupted"] == "KeyboardInterrupt: "
        assert after["resumed"]["figures"] == before["whole"]["figures"]
        assert after["resumed"]["weights"] == before["whole"]["weights"]


@pytest.mark.full
def test_a_checkpoint_that_only_some_workers_see_is_refused(pair, folder):
    assert not (folder / "of worker 1").exists()  # the first writes
    for result in pair:
        assert re.search(
            r"Some workers see the checkpoint .*of worker [01], and others do not", result["own checkpoints again"]
        )


@pytest.mark.full
def test_a_loss_that_is_not_finite_ends_all_workers_with_the_error(pair):
    for result in pair:
        assert re.match(r"DivergenceError: The loss is .* at epoch .* learning rate 1e", result["too fast"])


def test_no_store_and_the_stores_of_one_machine_train_the_same(stripes, source):
    def train(**options):
        runtime.reseed(0)
        net = d2ltl.finetune_net(2, source)
        history = d2ltl.train_fine_tuning(net, 0.002, 8, 1, data=stripes, size=32, verbose=False, **options)
        return [(e.loss, e.train_acc, e.test_loss, e.test_acc) for e in history.epochs]

    assert train() == train(kvstore=None) == train(kvstore="device") == train(kvstore="local")


@pytest.mark.parametrize("kvstore", ["dist_async", "dist_synch", 3])
def test_a_store_that_does_not_exist_or_does_not_fit_is_refused(kvstore):
    with pytest.raises(SettingsError, match=f"kvstore is {kvstore!r}"):
        WorkerGroup(kvstore)


def test_a_process_that_was_not_started_as_a_worker_is_told_how(monkeypatch):
    monkeypatch.delenv("DMLC_ROLE", raising=False)
    with pytest.raises(SettingsError, match="d2ltl.data_parallel"):
        WorkerGroup("dist_sync")


def test_a_single_worker_changes_no_figures():
    alone = WorkerGroup()
    assert (alone.rank, alone.number, alone.alone) == (0, 1, True)
    assert alone.sum([0.1, 3]) == [0.1, 3]
    assert alone.mean([0.1], 7) == [0.1]
    assert alone.agree(3)
