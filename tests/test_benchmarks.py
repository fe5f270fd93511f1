import json
from types import SimpleNamespace

import pytest

from benchmarks import growth, report
from benchmarks.__main__ import begun, machine_of
from benchmarks.images import link_images
from benchmarks.measuring import measure, run, task_of, works_of
from benchmarks.peers import ENVIRONMENTS, OURS, PEERS
from benchmarks.primitives import Ceilings, Layer, at_roof, layers_of, parse
from benchmarks.roofline import Case, limits_table, shares_table
from benchmarks.works import ROWS, WORKS, Goal, Row, Work
from d2ltl.data.pairs import load_images

TRAINING = next(row for row in ROWS if row.work == "train224")


def measured(work, field, **rounds_of):
    """Return made-up measurements: for each peer, its figure in every round."""
    return [
        {"round": number, "work": work, "peer": peer.replace("_", "-"), field: value}
        for peer, values in rounds_of.items()
        for number, value in enumerate(values, 1)
    ]


RATES = measured("train224", "images_per_s", book=[4, 6, 5], pytorch=[10, 10, 10], d2ltl=[12, 20, 13])


@pytest.mark.parametrize(
    ("goal", "ratio", "met"),
    [
        (Goal("d2ltl", "≥", 2.4, ("book",)), 13 / 5, True),
        (Goal("d2ltl", "≥", 2.7, ("book",)), 13 / 5, False),
        (Goal("d2ltl", "≥", 1.4, ("book", "pytorch")), 13 / 10, False),
        (Goal("d2ltl", "≤", 2.4, ("book",)), 13 / 5, False),
        (Goal("d2ltl", "≤", 2.4, ("book",), allowance=1), 13 / 5, True),
        (Goal("d2ltl", "≥", 13), 13, True),
    ],
)
def test_a_goal_is_met_by_medians_over_the_rounds(goal, ratio, met):
    assert report.reached(TRAINING, goal, RATES) == (pytest.approx(ratio), met)


def test_what_was_not_measured_or_failed_meets_no_goal():
    failed = [*RATES, {"round": 4, "work": "train224", "peer": "d2ltl", "error": "killed"}]
    for measurements in ([], failed):
        assert not report.reached(TRAINING, Goal("d2ltl", "≥", 1, ("book",)), measurements)[1]
        assert not report.reached(TRAINING, Goal("d2ltl", "≤", 1000), measurements)[1]


def test_a_goal_may_compare_two_works():
    row = Row("H", "few images", "images/s", "growth32-500", "images_per_s")
    rates = [
        *measured("growth32-500", "images_per_s", d2ltl=[100]),
        *measured("growth32-1000", "images_per_s", d2ltl=[90]),
    ]
    goal = Goal("d2ltl", "≥", 0.95, ("d2ltl",), work="growth32-1000")
    assert report.reached(row, goal, rates) == (pytest.approx(0.9), False)


def test_the_table_has_the_rows_that_were_measured():
    lines = report.table(RATES).splitlines()
    assert {line.count("|") for line in lines} == {11}
    assert {line[:5] for line in lines[2:]} == {"| A |", "| G |"}
    cells = [cell.strip() for cell in lines[2].split("|")]
    assert cells[4:11] == ["5", "10", "", "", "", "13", ""]  # the others took no part
    failed = {"round": 1, "work": "train96", "peer": "pytorch-tuned", "error": "killed"}
    assert "| 5 | 10 | – |" in report.table([*RATES, failed])


def test_every_goal_with_measured_peers_has_a_line():
    lines = [[cell.strip() for cell in line.split("|")[3:-1]] for line in report.goals_table(RATES).splitlines()[2:]]
    assert lines == [  # nobody measured pytorch-tuned or bfloat16
        ["d2ltl ≥ 2.2 × book", "2.6", "✓"],
        ["d2ltl ≤ 0.8 × book + 1024", "–", "✗"],  # no figure of memory
    ]
    tuned = {"round": 1, "work": "train224", "peer": "pytorch-tuned", "error": "killed"}
    assert "| d2ltl ≥ 1.2 × the best of pytorch, pytorch-tuned | – | ✗ |" in report.goals_table([*RATES, tuned])


def test_rates_are_compared_with_the_limit_of_their_precision():
    limits = measured("limit", "images_per_s", pytorch_tuned=[20], pytorch_tuned_bf16=[80])
    rates = [*RATES, *measured("train224", "images_per_s", d2ltl_bf16=[40]), *limits]
    row = next(row for row in ROWS if row.limit)
    figures = report.row_figures(row, rates)
    assert (figures["d2ltl"], figures["d2ltl-bf16"]) == (13 / 20, 40 / 80)


def test_publish_fills_the_readme_between_its_markers(tmp_path, monkeypatch):
    monkeypatch.setattr(report, "HERE", tmp_path)
    environments = {name: {"d2l": "1", "mxnet": "2", "torch": "3"} for name in [OURS, *ENVIRONMENTS]}
    machine = {"processor": "2 x an Abacus(R)", "python": "3", "d2ltl": "4", "bfloat16": True}
    results = {"date": "today", "data": "pictures", "quick": True, "machine": machine, "environments": environments}
    (tmp_path / "README.md").write_text(f"before\n{report.START}\nold\n{report.END}\nafter\n", encoding="utf-8")
    error = {"round": 1, "work": "train224", "peer": "d2ltl-bf16", "error": "no bfloat16"}
    (tmp_path / "run.json").write_text(json.dumps({**results, "measurements": [*RATES, error]}))
    other = {**results, "machine": {**machine, "bfloat16": False}, "measurements": RATES}
    (tmp_path / "other.json").write_text(json.dumps(other))
    report.publish(tmp_path / "other.json")
    for _ in range(2):  # the second time replaces the first
        report.publish(tmp_path / "run.json")
        text = (tmp_path / "README.md").read_text(encoding="utf-8")
        assert text.startswith("before\n<!--")
        assert text.endswith("-->\nafter\n")
        assert "old" not in text
        assert text.count("### 2 x an Abacus(R), with bfloat16") == text.count("### 2 x an Abacus(R), without") == 1
        for measurements in ([*RATES, error], RATES):  # one table for each kind of processor
            assert text.count(report.table(measurements)) == 1
        assert "train224 by d2ltl-bf16, no bfloat16" in text
    published = tmp_path / "published"
    assert (published / "2-x-an-abacus-r-with-bfloat16.png").stat().st_size > 1000
    assert json.loads((published / "2-x-an-abacus-r-without-bfloat16.json").read_text())["data"] == "pictures"


def test_a_run_that_was_stopped_goes_on_with_what_is_missing(tmp_path):
    settings = {"data": "pictures", "quick": True}
    (tmp_path / "run.json").write_text(json.dumps({**settings, "measurements": RATES}))
    assert begun(tmp_path / "run.json", settings)["measurements"] == RATES
    with pytest.raises(SystemExit, match=r"run.json has measurements with another data: pictures, now paintings"):
        begun(tmp_path / "run.json", {**settings, "data": "paintings"})


@pytest.mark.full
def test_what_is_done_is_not_measured_again(stripes):
    works = {"unpack": Work("unpack", ("d2ltl",), {"files": 2}, rounds=2)}
    pair = load_images(stripes)
    whole = [*measure(works, pair)]
    assert [record["round"] for record in whole] == [1, 2]
    assert [record["round"] for record in measure(works, pair, whole[:1])] == [2]


def test_a_processor_without_bfloat16_is_spared_the_peers_that_need_it():
    works = works_of(False, False, bfloat16=False)
    assert works["train224"].peers == ("book", "pytorch", "pytorch-tuned", "d2ltl")
    assert not any(PEERS[peer].bfloat16 for work in works.values() for peer in work.peers)


def test_a_processor_held_to_avx2_has_a_name_of_its_own_and_only_the_peers_that_can_be_held():
    older = machine_of(avx2=True)
    assert older["processor"] == f"{machine_of(avx2=False)['processor']} held to AVX2"
    assert not older["bfloat16"]
    held = {peer for work in works_of(False, False, older["bfloat16"], avx2=True).values() for peer in work.peers}
    assert held == {"book", "pytorch", "pytorch-tuned", "d2ltl"}


def test_rows_read_what_is_measured():
    for row in ROWS:
        peers = WORKS[row.work].peers
        assert set(peers) <= set(PEERS)
        for goal in row.goals:
            assert {goal.peer, *goal.than} <= {*peers, *(WORKS[goal.work].peers if goal.work else ())}


def test_a_quick_run_does_less():
    quick, usual, full = works_of(True, False), works_of(False, False), works_of(False, True)
    assert set(quick) == set(usual) < set(full)
    assert quick["evaluate224"].settings["images"] < usual["evaluate224"].settings["images"]
    assert {work.rounds for work in quick.values()} == {1}


def test_linked_images_take_turns_by_class_and_repeat(stripes, tmp_path):
    link_images(load_images(stripes), (50, 0), tmp_path)
    train, test = load_images(tmp_path)
    assert (len(train), len(test)) == (50, 20)
    assert train.labels.tolist() == [0] * 25 + [1] * 25
    originals = {(tmp_path / path).resolve() for path, _ in train.items}
    assert len(originals) == 40


@pytest.mark.full
@pytest.mark.parametrize(
    ("do", "settings", "fields"),
    [
        ("train", {}, {"first_images_per_s", "images_per_s", "loading_share", "threads"}),
        ("train", {"busy": 1}, {"first_images_per_s", "images_per_s", "loading_share", "threads"}),
        ("evaluate", {}, {"images_per_s"}),
        ("frozen", {}, {"seconds", "accuracy"}),
        ("runs", {"epochs": 1, "seeds": 1, "workers": 0}, {"seconds", "images_per_s"}),
        ("calls", {"workers": 1, "calls": 20}, {"start_s", "seconds_per_call"}),
        ("data_parallel", {"epochs": 2, "workers": 1}, {"step_s", "images_per_s", "mb_per_step"}),
        ("steps", {"trains": True}, {"steps", "step_s", "multi_sgd_update_s", "multi_sgd_update_elements"}),
        ("steps", {"trains": False}, {"steps", "step_s"}),
    ],
)
def test_the_worker_of_this_library_measures(stripes, do, settings, fields):
    work = Work(do, ("d2ltl",), {"size": 32, "batch_size": 8, **settings})
    results = run("d2ltl", task_of(work, "d2ltl", stripes, classes=2))
    assert set(results) == {*fields, "peak_mb"}, results
    assert all(value > 0 for value in results.values())


def test_a_worker_that_fails_says_why():
    assert "KeyError: 'juggle'" in run("d2ltl", {"do": "juggle", "bfloat16": False})["error"]


@pytest.mark.parametrize(
    ("measure", "arguments", "fields"),
    [
        (growth.train, {"images": 20}, {"scan_s", "first_epoch_s", "later_epoch_s", "peak_mb"}),
        (growth.photographs, {"megapixels": 0.1, "number": 4}, {"scan_s", "load_s", "plain_s"}),
    ],
)
def test_a_point_of_growth_is_measured(measure, arguments, fields):
    results = measure(**arguments)
    assert set(results) == fields
    assert all(value > 0 for value in results.values())


def test_growth_goes_on_where_it_stopped(tmp_path, monkeypatch):
    axis = growth.AXES["classes"]
    monkeypatch.setitem(growth.AXES, "classes", axis._replace(points=(2, 4), settings={"images": 40}))
    points = []
    done = {"scan_s": 1.0, "first_epoch_s": 2.0, "later_epoch_s": 3.0, "peak_mb": 4.0}

    def run(command, **_):
        points.append(command[-1])
        return SimpleNamespace(stdout=json.dumps(done))

    monkeypatch.setattr(growth, "subprocess", SimpleNamespace(run=run, PIPE=None))
    for _ in range(2):
        results = growth.run(tmp_path / "growth.json", ["classes"])
    assert points == ["2", "4"]
    assert len(growth.plot(results["axes"]).axes) == len(growth.AXES)
    (tmp_path / "growth.json").write_text(json.dumps({**results, "machine": {"processor": "an abacus"}}))
    with pytest.raises(SystemExit, match="another machine or version"):
        growth.run(tmp_path / "growth.json", ["classes"])


def log_line(primitive, tensors, problem, propagation="forward_training", attributes="", ms=2.5):
    """Return a line of oneDNN's verbose log, in which tensors such as src_f32 have a layout each."""
    described = " ".join(
        "bia_undef::undef::f0" if "undef" in of else f"{of}::blocked:abcd:f0" for of in tensors.split()
    )
    return (
        f"dnnl_verbose,exec,cpu,{primitive},jit:avx512,{propagation},{described},{attributes},alg:a b:0,{problem},{ms}"
    )


CONVOLUTION, LARGE = "src_f32 wei_f32 bia_undef dst_f32", "convolution 3 × 3 and larger"
STRIDE_2 = "mb2_ic4oc8_ih6oh3kh3sh2dh0ph1_iw6ow3kw3sw2dw0pw1"  # 288 inputs, 288 weights, 144 outputs


@pytest.mark.parametrize(
    ("line", "kind", "operations", "moved"),
    [
        (log_line("convolution", CONVOLUTION, STRIDE_2), LARGE, 2 * 144 * 36, 4 * (288 + 288 + 144)),
        (
            *(log_line("convolution", CONVOLUTION, "g4mb2_ic4oc4_ih6oh6kh3_iw6ow6kw3"), "depthwise convolution"),
            *(2 * 288 * 9, 4 * (288 + 36 + 288)),
        ),
        (
            *(log_line("convolution", CONVOLUTION, "mb2_ic4oc8_ih6oh6kh1_iw6ow6kw1"), "convolution 1 × 1"),
            *(2 * 576 * 4, 4 * (288 + 32 + 576)),
        ),
        (
            log_line("convolution", CONVOLUTION.replace("f32", "bf16"), STRIDE_2, attributes="attr-post-ops:sum "),
            *(LARGE, 2 * 144 * 36, 2 * (288 + 288 + 144 + 144)),
        ),
        (
            log_line("inner_product", CONVOLUTION.replace("undef", "f32"), "mb2ic8oc3"),
            *("dense layer and softmax", 2 * 6 * 8, 4 * (16 + 24 + 3 + 6)),
        ),
        (
            log_line("pooling_v2", "src_f32 dst_f32 ws_u8", "mb2ic4_ih6oh3kh2sh2dh0ph0_iw6ow3kw2sw2dw0pw0"),
            *("pooling", 72 * 4, 4 * (288 + 72) + 72),
        ),
        (log_line("batch_normalization", "data_f32 undef", "mb2ic4ih6iw6"), "normalisation", 6 * 288, 4 * 2 * 288),
        (log_line("sum", "src_f32 src_f32 dst_f32", "2x9", "undef"), "addition", 18, 4 * 3 * 18),
        (log_line("reorder", "src_f32 dst_bf16", "2x9", "undef"), "change of layout", 0, (4 + 2) * 18),
    ],
)
def test_a_line_of_the_log_has_operations_bytes_and_seconds(line, kind, operations, moved):
    assert parse(line) == Layer(kind, "forward", operations, moved, 0.0025)


def test_a_backward_pass_reads_the_input_and_the_gradient():
    line = log_line("eltwise", "data_f32 diff_f32", "2x9", "backward_data")
    assert parse(line) == Layer("activation", "backward", 18, 4 * 3 * 18, 0.0025)


def test_an_unknown_primitive_is_refused():
    with pytest.raises(ValueError, match="lrn.*is of a primitive that the roofline does not know"):
        parse(log_line("lrn", "data_f32", "2x9"))


def test_a_layer_takes_at_its_roof_what_its_scarcer_ceiling_allows():
    roof = Ceilings(operations=100, moved=10)
    assert at_roof(Layer("dense", "forward", 200, 10, 5), roof) == 2
    assert at_roof(Layer("dense", "forward", 200, 30, 5), roof) == 3
    assert at_roof(Layer("dense", "forward", 200, 80, 5), roof) == 5  # not slower than it is: its data are in a cache
    assert at_roof(Layer("change of layout", "forward", 0, 80, 5), roof) == 0


def test_a_step_has_the_means_of_its_layers_and_the_operators_outside_of_onednn():
    lines = [log_line("sum", "src_f32 dst_f32", "2x9", "undef", ms=ms) for ms in (2.5, 3.5, 2.5, 3.5)]
    log = "\n".join([*lines, "another line"])
    results = {"steps": 2, "step_s": 1, "clip_s": 0.5, "clip_elements": 7}
    alike, clip = layers_of(log, results)
    assert alike == ("addition", "forward", 2 * 18, 2 * 144, pytest.approx(0.006))  # two of them in each step
    assert clip == Layer("activation", "forward", 14, 56, 0.5)
    alike, clip = layers_of(log, {**results, "step_s": 0.206})
    assert clip.seconds == pytest.approx(0.2)  # what is left of the step


def test_the_limit_is_that_of_a_network_whose_layers_reach_their_roof():
    layers = [Layer("dense layer and softmax", "forward", 100, 1, 3), Layer("change of layout", "forward", 0, 10, 2)]
    case = Case("train224", "d2ltl", layers, seconds=8)
    rates = measured("train224", "images_per_s", book=[5], pytorch=[5], pytorch_tuned=[6], d2ltl=[12.8])
    cells = limits_table([case], {False: Ceilings(100, 10)}, rates).splitlines()[2].split(" | ")
    assert [float(cell.strip(" |")) for cell in cells[1:]] == [16, 128, 12.8, 42.7, 11]  # 128 / (10 - 8 + 1)
    cells = shares_table([case]).splitlines()[2].split(" | ")
    assert (cells[1], cells[5], cells[-2:]) == ("8000", "38 %", ["25 %", "38 % |"])
    assert limits_table([case], {False: Ceilings(100, 10)}, []).splitlines()[2].endswith("| 16 | 128 | – | – | – |")
