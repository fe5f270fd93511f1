import json
import shutil
import subprocess
import sys
from pathlib import Path

import mxnet as mx
import pytest

import d2ltl
from d2ltl.models import precision

FLAGS = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
HAS_BFLOAT16 = "avx512_bf16" in FLAGS


def run(code, *arguments):
    return subprocess.run([sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True)


@pytest.mark.full
@pytest.mark.skipif(not HAS_BFLOAT16, reason="this processor has no bfloat16 arithmetic")
def test_it_learns_in_bfloat16_and_keeps_float32_parameters(stripes, resnet_file):
    code = """
import json, sys, d2ltl, mxnet as mx
from d2ltl.models.precision import current_precision
d2ltl.use_bfloat16()
source = d2ltl.source_net("resnet18_v2", sys.argv[1])
net = d2ltl.finetune_net(2, source)
history = d2ltl.train_fine_tuning(net, 0.002, 8, 6, data=sys.argv[2], size=32)
output = net(mx.nd.zeros((1, 3, 32, 32)))
print(json.dumps([history.curve("loss"), history.curve("test_acc"), str(output.dtype),
                  sorted({str(p.data().dtype) for p in net.collect_params().values()}), current_precision()]))
"""
    result = run(code, resnet_file, stripes)
    assert result.returncode == 0, result.stderr
    losses, accuracies, output, parameters, name = json.loads(result.stdout.splitlines()[-1])
    assert losses[-1] < losses[0]
    assert accuracies[-1] >= 0.8
    assert "float32" not in output
    assert parameters == ["<class 'numpy.float32'>"]
    assert name == "bfloat16"


@pytest.mark.full
@pytest.mark.skipif(not HAS_BFLOAT16, reason="this processor has no bfloat16 arithmetic")
def test_the_command_line_records_it(stripes, small_source_file, tmp_path):
    arguments = f"--data {stripes} --net mobilenet0.25 --pretrained {small_source_file} --size 32 --epochs 1".split()
    command = [sys.executable, "-m", "d2ltl.compare", "--precision", "bfloat16", "--out", tmp_path / "out", *arguments]
    subprocess.run(command, check=True, capture_output=True)
    assert json.loads((tmp_path / "out/report.json").read_text())["precision"] == "bfloat16"


@pytest.mark.full
@pytest.mark.skipif(not HAS_BFLOAT16, reason="this processor has no bfloat16 arithmetic")
@pytest.mark.parametrize("order", ["mx.npx.set_np(); d2ltl.use_bfloat16()", "d2ltl.use_bfloat16(); mx.npx.set_np()"])
def test_the_np_interface_is_refused(stripes, order):
    code = f"""
import sys, d2ltl, mxnet as mx
try:
    {order}
    d2ltl.evaluate(d2ltl.scratch_net(2), sys.argv[1] + "/test", size=32)
except d2ltl.SettingsError as error:
    print(error)
"""
    assert "does nothing under MXNet's np interface" in run(code, stripes).stdout


def test_a_processor_without_it_is_refused(monkeypatch):
    monkeypatch.setattr(precision, "_processor_flags", lambda: {"avx512f"})
    with pytest.raises(d2ltl.SettingsError, match="no bfloat16"):
        d2ltl.use_bfloat16()
    assert precision.current_precision() == "float32"


def test_a_machine_with_gpus_is_refused(monkeypatch):
    monkeypatch.setattr(precision, "_processor_flags", lambda: {"avx512_bf16"})
    monkeypatch.setattr(mx.context, "num_gpus", lambda: 1)
    with pytest.raises(d2ltl.SettingsError, match="GPUs"):
        d2ltl.use_bfloat16()


@pytest.mark.full
@pytest.mark.skipif(not HAS_BFLOAT16, reason="this processor has no bfloat16 arithmetic")
def test_other_ways_of_training_work_in_bfloat16(stripes, small_source_file, tmp_path):
    code = """
import json, sys, d2ltl
d2ltl.use_bfloat16()
source = d2ltl.source_net("mobilenet0.25", sys.argv[1])
options = {"learning_rate": 0.001, "batch_size": 8, "num_epochs": 1, "size": 32}
history = d2ltl.train_dann(d2ltl.finetune_net(2, source), source=sys.argv[2], target=sys.argv[3], **options)
tasks = d2ltl.train_multitask(source, tasks={"direction": sys.argv[2]}, **options)
print(json.dumps([*history.curve("test_acc"), *tasks.accuracy["direction"]]))
"""
    result = run(code, small_source_file, stripes, shutil.copytree(stripes, tmp_path / "stripes"))
    assert result.returncode == 0, result.stderr
    assert all(0 <= accuracy <= 1 for accuracy in json.loads(result.stdout.splitlines()[-1]))


@pytest.mark.full
@pytest.mark.skipif(not HAS_BFLOAT16, reason="this processor has no bfloat16 arithmetic")
def test_an_efficientnet_is_trained_and_evaluated_in_bfloat16(stripes):
    """Nothing is fused there: MXNet's fused convolutions crash the process."""
    code = """
import sys, d2ltl
d2ltl.use_bfloat16()
net = d2ltl.finetune_net(2, d2ltl.source_net("efficientnet_lite0", "imagenet"))
history = d2ltl.train_lp_ft(net, 0.001, 8, 1, data=sys.argv[1], size=64, verbose=False)
accuracy = d2ltl.evaluate(net, sys.argv[1], size=64)[1]
assert accuracy == history.epochs[-1].test_acc
heat = d2ltl.heat_map(d2ltl.to_convolutional(net, 64), d2ltl.load_images(sys.argv[1])[1][0][0].tile((3, 3, 1)), 0)
print(accuracy, heat.shape)
"""
    for _ in range(2):
        result = run(code, stripes)
        assert result.returncode == 0, result.stderr


@pytest.mark.full
@pytest.mark.skipif("amx_bf16" not in FLAGS, reason="this processor has no tile registers")
def test_sizes_at_which_mxnet_would_crash_are_refused():
    code = """
import sys, d2ltl
from d2ltl.models.shapes import check_input
net, plain = d2ltl.scratch_net(2, "efficientnet_lite0"), d2ltl.scratch_net(2)
check_input(net, 96)
d2ltl.use_bfloat16()
for size in (32, 64, 96, 112, 128, 176, 224):
    try:
        check_input(net, size)
    except d2ltl.SettingsError as error:
        print(size, error)
check_input(plain, 96)
try:
    check_input(net, 128, width=288)
except d2ltl.SettingsError as error:
    print(error)
"""
    result = run(code)
    assert result.returncode == 0, result.stderr
    refused = result.stdout.splitlines()
    assert [line.split()[0] for line in refused[:-1]] == ["96", "176"]
    assert "Use 97 × 97 pixels, float32, or set DNNL_MAX_CPU_ISA" in refused[0]
    assert "128 × 288" in refused[-1]
