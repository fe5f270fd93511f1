import json
import os
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

source, data, out, options = sys.argv[1:]
options = json.loads(options)
fixed, interrupted = options.pop("fixed", True), options.pop("interrupted", False)
workers = WorkerGroup(options["kvstore"])
options = {"learning_rate": 0.01, "batch_size": 8, "data": data, "size": 32, **options}
if "checkpoint" in options:
    options["checkpoint"] = options["checkpoint"].format(rank=workers.rank)

def cut(history):
    if interrupted and len(history) == 1:
        raise SystemExit(5)

def train(seed):
    runtime.reseed(seed)
    net = d2ltl.finetune_net(2, d2ltl.source_net("tiny", source))
    if fixed:
        use_running_statistics(net)
    augs = {} if options.pop("augment", False) else dict.fromkeys(("train_augs", "test_augs"), d2ltl.test_augs(32))
    history = d2ltl.train_fine_tuning(net, seed=seed, callbacks=[cut], **augs, **options)
    weights = [float(p.data().asnumpy().astype("float64").sum()) for p in net.collect_params().values()]
    epochs = history.epochs
    examples = [round(e.examples_per_s * e.seconds) for e in epochs]
    return [[e.loss, e.train_acc, e.test_loss, e.test_acc, n] for e, n in zip(epochs, examples)], weights

results = [train(seed) for seed in (0, 1)[: options.pop("trainings", 1)]]
with open(f"{out}/{workers.rank}.json", "w") as file:
    json.dump(results, file)
"""


def run(number, source_file, stripes, out, **options):
    """Train on the stripes in so many worker processes; return the result of each: figures of epochs and weights."""
    out.mkdir(exist_ok=True)
    (out / "train.py").write_text(TRAINING)
    options = {"kvstore": "dist_sync", "num_epochs": 2, "verbose": False, **options}
    finished = subprocess.run(
        [sys.executable, "-m", "d2ltl.data_parallel", str(number), out / "train.py", source_file, stripes, out]
        + [json.dumps(options)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])},
        capture_output=True,
        text=True,
        timeout=240,
    )
    if finished.returncode:
        raise RuntimeError(finished.stderr)
    return [json.loads((out / f"{rank}.json").read_text()) for rank in range(number)]


@pytest.fixture(scope="module")
def alone(source_file, stripes, tmp_path_factory):
    """The results of two trainings in one worker process."""
    return run(1, source_file, stripes, tmp_path_factory.mktemp("alone"), trainings=2)[0]


def flat(figures):
    return [number for epoch in figures for number in epoch]


@pytest.mark.full
@pytest.mark.parametrize("number", [2, 4])
def test_workers_with_parts_of_the_batch_train_like_one_with_the_whole(number, source_file, stripes, tmp_path, alone):
    results = run(number, source_file, stripes, tmp_path, trainings=2)
    for result in results:
        for (figures, weights), (expected, expected_weights) in zip(result, alone):
            assert flat(figures) == pytest.approx(flat(expected), abs=1e-4)
            assert weights == pytest.approx(expected_weights, abs=1e-3)
            assert [epoch[-1] for epoch in figures] == [40, 40]


@pytest.mark.full
def test_one_worker_trains_to_the_last_digit_like_no_store(source_file, stripes, tmp_path, alone):
    assert run(1, source_file, stripes, tmp_path, kvstore="device", trainings=2)[0][0][0][:4] == alone[0][0][:4]


@pytest.mark.full
def test_batch_normalisation_ends_with_the_same_statistics_on_all_workers(source_file, stripes, tmp_path):
    one, other = run(2, source_file, stripes, tmp_path, fixed=False, augment=True)
    assert one[0][0][0][:4] == other[0][0][0][:4]
    assert one[0][1] == other[0][1]


@pytest.mark.full
def test_all_workers_resume_from_the_checkpoint_of_the_first(source_file, stripes, tmp_path):
    options = {"fixed": False, "augment": True, "momentum": 0.9, "num_epochs": 3}
    whole = run(2, source_file, stripes, tmp_path / "whole", **options)
    options["checkpoint"] = str(tmp_path / "checkpoint")
    with pytest.raises(RuntimeError, match="exit status 5"):
        run(2, source_file, stripes, tmp_path / "cut", interrupted=True, **options)
    resumed = run(2, source_file, stripes, tmp_path / "resumed", **options)
    for before, after in zip(whole, resumed):
        assert [epoch[:4] for epoch in after[0][0]] == [epoch[:4] for epoch in before[0][0]]
        assert after[0][1] == before[0][1]


@pytest.mark.full
def test_a_checkpoint_that_only_some_workers_see_is_refused(source_file, stripes, tmp_path):
    checkpoint = str(tmp_path / "of worker {rank}")
    run(2, source_file, stripes, tmp_path / "first", checkpoint=checkpoint)
    assert not (tmp_path / "of worker 1").exists()  # the first writes
    with pytest.raises(RuntimeError, match="Some workers see the checkpoint .*of worker [01], and others do not"):
        run(2, source_file, stripes, tmp_path / "second", checkpoint=checkpoint)


@pytest.mark.full
def test_a_loss_that_is_not_finite_ends_all_workers_with_the_error(source_file, stripes, tmp_path):
    with pytest.raises(RuntimeError, match="DivergenceError: The loss is .* at epoch .* learning rate 1e"):
        run(2, source_file, stripes, tmp_path, learning_rate=1e30)


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
