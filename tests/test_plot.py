import io
import sys
import types

import matplotlib as mpl
import mxnet as mx
import numpy as np
import pytest

import d2ltl
from d2ltl import plot
from d2ltl.history import Epoch, History

mpl.use("Agg")


def history(accuracies):
    return History(["cpu(0)"], [Epoch(i, 1 / i, a, a, 1.0, 10.0) for i, a in enumerate(accuracies, 1)])


@pytest.mark.parametrize("convert", [np.asarray, lambda a: mx.nd.array(a, dtype="uint8")])
def test_images_are_shown_in_a_grid(convert):
    images = [convert(np.full((8, 6, 3), 40 * i, dtype=np.uint8)) for i in range(3)]
    axes = d2ltl.show_images(images, 2, 2, titles=["a", "b", "c"], scale=1)
    assert axes.shape == (4,)
    assert axes[0].figure.get_size_inches().tolist() == [2, 2]
    assert [ax.get_title() for ax in axes] == ["a", "b", "c", ""]
    assert [ax.images[0].get_array()[0, 0, 0] for ax in axes[:3]] == [0, 40, 80]
    assert not axes[3].images


def test_curves_show_the_mean_of_the_seeds():
    figure = d2ltl.plot_curves(
        {"finetune": [history([0.7, 0.8]), history([0.9, 1.0])], "scratch": [history([0.5, 0.6])]}
    )
    loss, accuracy = figure.axes
    lines = {line.get_label(): line.get_ydata().tolist() for line in accuracy.lines}
    assert lines["finetune, test"] == pytest.approx([0.8, 0.9])
    assert lines["scratch, test"] == pytest.approx([0.5, 0.6])
    assert loss.get_legend_handles_labels()[1] == ["finetune, train", "scratch, train"]


@pytest.mark.parametrize("accuracies", [[0.7], [0.7, 0.8]])
def test_training_and_test_differ_in_a_single_epoch_too(accuracies):
    _, accuracy = d2ltl.plot_curves({"codes-softmax": [history(accuracies)]}).axes
    markers = {line.get_label(): line.get_fillstyle() for line in accuracy.lines}
    assert markers == {"codes-softmax, test": "full", "codes-softmax, train": "none"}


def test_the_loss_on_test_images_is_drawn_as_their_accuracy_is():
    runs = [History(["cpu(0)"], [Epoch(i, 1 / i, 0.5, 0.5, 1.0, 10.0, test_loss=2 / i) for i in (1, 2)])]
    for ax, test in zip(d2ltl.plot_curves({"net": runs}).axes, ([2, 1], [0.5, 0.5])):
        lines = {line.get_label(): line for line in ax.lines}
        assert lines["net, test"].get_ydata().tolist() == test
        assert (lines["net, test"].get_linestyle(), lines["net, train"].get_linestyle()) == ("-", "--")


def test_a_heat_map_lies_over_its_image_where_its_windows_are():
    values = np.linspace(0, 1, 15).reshape(3, 5)  # windows of 64 pixels, one every 32
    figure = d2ltl.plot_heat_maps([np.zeros((128, 192, 3), np.uint8)] * 2, [values, values[:1, :1]], 64, ["a", "b"])
    plain, other, under_map, under_one = figure.axes[:4]
    assert (plain.get_title(), other.get_title()) == ("a", "b")
    assert under_map.images[1].get_extent() == [16, 176, 112, 16]
    assert np.array_equal(under_map.images[1].get_array(), values)
    assert under_one.images[1].get_extent()[0] == 0
    assert under_map.get_xlim() == (0, 192)


def test_a_confusion_matrix_shows_its_counts():
    figure = d2ltl.plot_confusion({"finetune": np.array([[8, 2], [0, 10]])}, ["a", "50%$_$"])  # no formula
    figure.savefig(io.BytesIO())
    assert sorted(text.get_text() for text in figure.axes[0].texts) == ["0", "10", "2", "8"]
    assert figure.axes[0].images[0].get_array().tolist() == [[0.8, 0.2], [0.0, 1.0]]


@pytest.mark.parametrize("classes", [15, 20])
def test_counts_of_many_classes_fit_their_cells(classes):
    names = [f"food number {i}" for i in range(classes)]
    figure = d2ltl.plot_confusion({"finetune": 100 * np.eye(classes, dtype=int)}, names)
    figure.savefig(io.BytesIO())
    (ax,) = figure.axes
    assert len(ax.texts) == classes  # no zeros
    cell = ax.get_window_extent().width / classes
    assert max(text.get_window_extent().width for text in ax.texts) < cell
    for labels, side in ((ax.get_xticklabels(), "width"), (ax.get_yticklabels(), "height")):
        assert max(getattr(label.get_window_extent(), side) for label in labels) < cell


def test_too_many_classes_show_no_counts_and_an_empty_class_no_share():
    figure = d2ltl.plot_confusion({"finetune": np.zeros((30, 30), dtype=int)}, [str(i) for i in range(30)])
    assert not figure.axes[0].texts
    assert np.all(figure.axes[0].images[0].get_array() == 0)


def test_images_in_groups():
    image = np.zeros((4, 4, 3), dtype=np.uint8)
    figure = plot.plot_images({"finetune": [(image, "one")] * 5, "scratch": []}, num_cols=4)
    assert sum(bool(ax.images) for ax in figure.axes) == 5
    assert [part.texts[0].get_text() for part in figure.subfigs] == ["finetune", "scratch: none"]


def test_curves_are_live_in_a_notebook_only(monkeypatch):
    assert plot.live_curves(3) == []
    updates = []
    handle = types.SimpleNamespace(update=updates.append)
    notebook = types.SimpleNamespace(
        get_ipython=lambda: types.SimpleNamespace(kernel=1),
        display=types.SimpleNamespace(display=lambda figure, display_id: handle),
    )
    monkeypatch.setitem(sys.modules, "IPython", notebook)
    (draw,) = plot.live_curves(3)
    draw(history([0.5]))
    draw(history([0.5, 0.6]))
    assert len(updates) == 2
    assert [len(line.get_ydata()) for line in updates[-1].axes[0].lines] == [2]


def test_the_accuracy_of_one_answer_is_a_line_among_the_accuracies():
    loss, accuracy = d2ltl.plot_curves({"net": [history([0.5, 0.9])]}, chance=0.6).axes
    lines = {line.get_label(): line for line in accuracy.lines}
    assert set(lines["most frequent class"].get_ydata()) == {0.6}
    assert "most frequent class" not in [line.get_label() for line in loss.lines]
    (ax,) = d2ltl.plot_lines({"net": {1: 0.5, 2: 0.9}}, "images", chance=0.6).axes
    assert "most frequent class" in [line.get_label() for line in ax.lines]
    (ax,) = d2ltl.plot_bars({"net": {"a": 0.5, "b": 0.9}}, chance={"a": 0.5, "b": 0.6}).axes
    assert "most frequent class" in ax.get_legend_handles_labels()[1]
