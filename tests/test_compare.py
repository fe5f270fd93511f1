import json
import os
import random
import shlex
import signal
import subprocess
import sys
import time

import psutil
import pytest

from d2ltl import compare
from d2ltl.cli import LOADING


def arguments(stripes, weights, out, *more):
    """Return the arguments of a quick comparison, of the three layers or, in a process of its own, of a MobileNet."""
    net = "tiny" if weights.parent.name.startswith("tiny") else "mobilenet0.25"
    given = f"--size 32 --epochs 3 --batch-size 10 --lr-finetune 0.002 --lr-scratch 0.02 --data {stripes}".split()
    return [*given, "--net", net, "--pretrained", str(weights), "--out", str(out), *more]


def start(*arguments):
    command = [sys.executable, "-m", "d2ltl.compare", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def measured(out):
    runs = json.loads((out / "report.json").read_text())["runs"]
    return [
        (run["strategy"], run["seed"], run["confusion"], epoch["loss"], epoch["train_acc"], epoch["test_acc"])
        for run in runs
        for epoch in run["history"]
    ]


def test_it_prints_the_books_lines_a_table_and_its_reading(stripes, source_file, tmp_path, capsys):
    assert compare.main(arguments(stripes, source_file, tmp_path / "out")) == 0
    printed = capsys.readouterr().out
    assert printed.count("examples/sec on [cpu(0)]") == 2
    assert "finetune against scratch: starts" in printed
    assert "always across" in printed
    assert "What to do next:\n* --epochs 9" in printed
    assert str(tmp_path / "out/report.html") in printed
    pictures = {"curves.png", "confusion.png", "mistakes.png"}
    texts = {"report.json", "report.html", "predictions.csv", "MODEL_CARD.md"}
    assert {file.name for file in (tmp_path / "out").iterdir()} == {
        "runs", "settings.json", *texts, *pictures}  # fmt: skip


def test_with_the_shipped_weights_it_ends_with_the_command_for_stronger_ones(
    stripes, source_file, tmp_path, capsys, monkeypatch
):
    installed = []
    monkeypatch.setattr("d2ltl.models.packages.find", lambda name: tmp_path if name in installed else None)
    more = ["--epochs", "1", "--strategies", "codes-svm", "--seeds", "1", "2"]
    shipped = [*more, "--net", "resnet18_v2", "--pretrained", "tinyimagenet"]

    def last_line(out, options):
        assert compare.main(arguments(stripes, source_file, tmp_path / out, *options)) == 0
        return capsys.readouterr().out.splitlines()[-1]

    assert last_line("not installed", shipped) == str(tmp_path / "not installed/report.html")
    installed.append("efficientnet_lite0")
    assert last_line("other weights", more) == str(tmp_path / "other weights/report.html")
    args = compare.parse(shlex.split(last_line("shipped", shipped))[3:])
    assert (args.data, args.net, args.seeds) == (str(stripes), "efficientnet_lite0", [1, 2])


def test_a_resumed_command_takes_the_threads_that_were_recorded(stripes, small_source_file, tmp_path, monkeypatch):
    """The first command, in this process, is told to have 3 threads. Then nobody sets their number."""
    given = arguments(stripes, small_source_file, tmp_path / "out", "--strategies", "codes-svm", "--seeds", "1")
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert compare.main(given) == 0
    assert json.loads((tmp_path / "out/settings.json").read_text())["threads"] == 3
    monkeypatch.delenv("OMP_NUM_THREADS")
    process = start(*given, "--resume")
    printed, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert json.loads((tmp_path / "out/report.json").read_text())["versions"]["threads"] == "3"
    assert "was begun with" not in printed


def test_a_pipe_says_from_the_start_what_is_done(stripes, small_source_file, tmp_path):
    process = start(*arguments(stripes, small_source_file, tmp_path / "out", "--strategies", "finetune"))
    lines = [process.stdout.readline() for _ in range(2)]
    assert process.poll() is None
    assert lines == [f"The report will be in {tmp_path / 'out'}\n", f"{LOADING}\n"]
    printed, _ = process.communicate(timeout=120)
    epochs = [line for line in printed.splitlines() if line.startswith("epoch ")]
    assert [line.partition(":")[0] for line in epochs] == [f"epoch {number} of 3" for number in (1, 2, 3)]
    assert all("test acc" in line for line in epochs)


def test_help_teaches():
    result = subprocess.run([sys.executable, "-m", "d2ltl.compare", "--help"], capture_output=True, text=True)
    assert result.returncode == 0
    text = " ".join(result.stdout.split())  # however wide the terminal is
    for word in ("--data", "--pretrained", "--resume", "examples:", "default: 224, 64 with"):
        assert word in text


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        (["--data", "nowhere"], "nowhere is not a folder"),
        (["--epochs", "0"], "epochs is 0"),
        (["--strategies", "magic"], "no strategy 'magic'"),
        (["--pretrained", "none.params"], "no file none.params"),
        (["--resume"], "no comparison to resume"),
    ],
)
def test_mistakes_end_with_status_2_and_one_line(stripes, source_file, tmp_path, capsys, more, problem):
    assert compare.main(arguments(stripes, source_file, tmp_path / "out", *more)) == 2
    error = capsys.readouterr().err
    assert problem in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("wrong", [["--size", "big"], ["--resume"], ["--unknown"]])
def test_bad_arguments_end_with_status_2(wrong):
    with pytest.raises(SystemExit) as stop:
        compare.main(wrong)
    assert stop.value.code == 2


def test_the_books_data_that_cannot_be_had_says_how_to_give_other(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("D2LTL_DATA", str(tmp_path / "cache"))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")  # nobody listens there
    monkeypatch.chdir(tmp_path)
    assert compare.main(["--data", "hotdog"]) == 2
    assert "--data" in capsys.readouterr().err


def test_out_that_cannot_be_written_ends_with_status_2(stripes, source_file, tmp_path, capsys):
    (tmp_path / "file").touch()
    assert compare.main(arguments(stripes, source_file, tmp_path / "file/out")) == 2
    assert "file/" in capsys.readouterr().err


@pytest.mark.full
def test_a_full_disk_ends_with_status_2_and_can_be_resumed(stripes, small_source_file, tmp_path):
    given = [*arguments(stripes, small_source_file, tmp_path / "out"), "--epochs", "1"]
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))\n"
        "from d2ltl import compare; sys.exit(compare.main(sys.argv[1:]))"
    )
    full = subprocess.run([sys.executable, "-c", code, *given], capture_output=True, text=True)
    assert full.returncode == 2
    assert "cannot be written" in full.stderr
    assert "Traceback" not in full.stderr
    assert names(tmp_path / "out") == ["runs", "settings.json"]
    assert compare.main([*given, "--resume"]) == 0


@pytest.mark.parametrize(
    ("interrupted", "way_on"),
    [
        ("d2ltl.comparison.running.as_pair", "Nothing was written yet"),
        ("d2ltl.comparison.strategies.train_fine_tuning", "--resume"),
        ("d2ltl.comparison.running.predict", "--resume"),
        ("d2ltl.comparison.report.plot_confusion", "--resume"),
    ],
)
def test_ctrl_c_at_any_stage_can_be_resumed(stripes, source_file, tmp_path, monkeypatch, capsys, interrupted, way_on):
    given = [*arguments(stripes, source_file, tmp_path / "out"), "--epochs", "1"]

    def ctrl_c(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(interrupted, ctrl_c)
        assert compare.main(given) == 130
    assert way_on in capsys.readouterr().err
    assert compare.main([*given, *(["--resume"] if way_on == "--resume" else [])]) == 0
    assert not [path for path in tmp_path.rglob("*") if ".part" in path.name]


@pytest.mark.full
def test_killed_again_and_again_and_resumed_it_ends_the_same(stripes, small_source_file, tmp_path):
    whole, killed = tmp_path / "whole/out", tmp_path / "killed/out"
    begin = time.perf_counter()
    assert start(*arguments(stripes, small_source_file, whole)).wait() == 0
    duration = time.perf_counter() - begin
    for _ in range(4):
        process = start(*arguments(stripes, small_source_file, killed), *resume_if_begun(killed))
        time.sleep(random.uniform(0.3, 0.9) * duration)
        process.kill()
        process.wait()
    process = start(*arguments(stripes, small_source_file, killed), *resume_if_begun(killed))
    assert process.wait() == 0, process.stderr.read()
    assert measured(killed) == measured(whole)
    assert names(tmp_path / "killed") == names(tmp_path / "whole")


@pytest.mark.full
def test_data_parallel_processes_end_with_a_worker_and_resume_to_the_same_figures(stripes, small_source_file, tmp_path):
    def given(out):
        return [*arguments(stripes, small_source_file, tmp_path / out), "--epochs", "4", "--data-parallel", "2"]

    assert compare.main(given("whole")) == 0
    process = start(*given("killed"))
    while not (tmp_path / "killed/runs/finetune-seed0.checkpoint").exists():
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.05)
    worker = next(
        node
        for node in psutil.Process(process.pid).children(recursive=True)
        if node.environ().get("DMLC_ROLE") == "worker"
    )
    worker.kill()
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert f"process {worker.pid} " in errors
    assert "was killed by SIGKILL" in errors
    assert "Go on with: " in errors
    assert "--resume" in errors
    assert compare.main([*given("killed"), "--resume"]) == 0
    for resumed, whole in zip(measured(tmp_path / "killed"), measured(tmp_path / "whole")):
        assert resumed[:3] == whole[:3]
        assert resumed[3:] == pytest.approx(whole[3:], abs=1e-4)  # equal to rounding
    assert names(tmp_path / "killed") == names(tmp_path / "whole")
    assert json.loads((tmp_path / "whole/settings.json").read_text())["data_parallel"] == 2


@pytest.mark.full
def test_data_parallel_processes_run_on_dask_workers(stripes, small_source_file, tmp_path):
    pytest.importorskip("distributed")
    more = ["--epochs", "1", "--strategies", "finetune", "--data-parallel", "2"]
    assert compare.main(arguments(stripes, small_source_file, tmp_path / "here", *more)) == 0
    assert compare.main(arguments(stripes, small_source_file, tmp_path / "dask", *more, "--workers", "2")) == 0
    for there, here in zip(measured(tmp_path / "dask"), measured(tmp_path / "here")):
        assert there[3:] == pytest.approx(here[3:], abs=1e-4)


@pytest.mark.full
def test_data_parallel_processes_say_once_what_is_wrong(stripes, tmp_path, capsys):
    assert compare.main(["--data", str(stripes), "--pretrained", "missing.params", "--data-parallel", "2",
                         "--out", str(tmp_path / "out")]) == 2  # fmt: skip
    errors = capsys.readouterr().err
    assert errors.count("missing.params") == 1 + errors.count("Go on with")
    assert "Nothing was written" in errors


def resume_if_begun(out):
    return ["--resume"] if out.exists() else []


def names(folder):
    return sorted(path.name for path in folder.rglob("*"))


@pytest.mark.full
def test_ctrl_c_ends_with_status_130_and_the_way_to_resume(stripes, small_source_file, tmp_path):
    given = [*arguments(stripes, small_source_file, tmp_path / "out"), "--epochs", "500"]
    process = start(*given)
    while not (tmp_path / "out/runs/finetune-seed0.checkpoint").exists() and process.poll() is None:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate()
    assert process.returncode == 130, errors
    assert "--resume --size 32" in errors
    assert os.fspath(tmp_path / "out") in errors
    assert "Traceback" not in errors
