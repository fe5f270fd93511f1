import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest

from d2ltl import compare


def arguments(stripes, source_file, out, *more):
    given = f"--size 32 --epochs 3 --batch-size 10 --lr-finetune 0.002 --lr-scratch 0.02 --data {stripes}".split()
    return [*given, "--pretrained", str(source_file), "--out", str(out), *more]


def start(*arguments):
    command = [sys.executable, "-m", "d2ltl.compare", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def measured(out):
    runs = json.loads((out / "report.json").read_text())["runs"]
    return [(r["strategy"], r["seed"], r["confusion"], [(e["loss"], e["train_acc"], e["test_acc"]) for e in r["history"]])
            for r in runs]  # fmt: skip


def test_it_prints_the_books_lines_a_table_and_its_reading(stripes, source_file, tmp_path, capsys):
    assert compare.main(arguments(stripes, source_file, tmp_path / "out")) == 0
    printed = capsys.readouterr().out
    assert printed.count("examples/sec on [cpu(0)]") == 2
    assert "finetune against scratch: starts" in printed
    assert str(tmp_path / "out/report.html") in printed
    assert {file.name for file in (tmp_path / "out").iterdir()} == {
        "runs", "settings.json", "report.json", "report.html", "curves.png", "confusion.png", "mistakes.png"}  # fmt: skip


def test_help_is_quick_and_teaches():
    begin = time.perf_counter()
    result = subprocess.run([sys.executable, "-m", "d2ltl.compare", "--help"], capture_output=True, text=True)
    assert time.perf_counter() - begin < 2  # generous: MXNet alone would take as long to load
    assert result.returncode == 0
    for word in ("--data", "--pretrained", "--resume", "examples:", "default: 224"):
        assert word in result.stdout


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
    assert compare.main([]) == 2
    assert "--data" in capsys.readouterr().err


@pytest.mark.slow
def test_killed_at_any_moment_and_resumed_it_ends_the_same(stripes, source_file, tmp_path):
    given = arguments(stripes, source_file, tmp_path / "whole")
    undisturbed = start(*given)
    begin = time.perf_counter()
    assert undisturbed.wait() == 0
    duration = time.perf_counter() - begin
    given = arguments(stripes, source_file, tmp_path / "killed")
    process = start(*given)
    time.sleep(duration * random.Random().uniform(0.4, 0.9))
    process.send_signal(signal.SIGKILL)
    process.wait()
    resume = ["--resume"] if (tmp_path / "killed/settings.json").exists() else []
    assert start(*given, *resume).wait() == 0
    assert measured(tmp_path / "killed") == measured(tmp_path / "whole")
    left = {path.name for path in (tmp_path / "killed").rglob("*")}
    assert left == {path.name for path in (tmp_path / "whole").rglob("*")}


@pytest.mark.slow
def test_ctrl_c_ends_with_status_130_and_the_way_to_resume(stripes, source_file, tmp_path):
    given = [*arguments(stripes, source_file, tmp_path / "out"), "--epochs", "500"]
    process = start(*given)
    while not (tmp_path / "out/runs/finetune-seed0.checkpoint").exists() and process.poll() is None:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate()
    assert process.returncode == 130, errors
    assert "--resume --size 32" in errors
    assert os.fspath(tmp_path / "out") in errors
    assert "Traceback" not in errors
