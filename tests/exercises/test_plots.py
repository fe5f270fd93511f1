import io

import numpy as np
import pytest

import d2ltl
from d2ltl.exercises import Trial, plots
from d2ltl.exercises.class_rows import ClassRow
from d2ltl.history import Epoch, History


def trial(way, rate, accuracy, seed=0, before=None, images=None):
    history = accuracy and History(["cpu(0)"], [Epoch(1, 0.5, 0.5, accuracy, 2.0, 10.0)])
    return Trial(way, rate, seed, history, before, images)


def labels_of(figure):
    figure.savefig(io.BytesIO())
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_a_run_that_diverged_is_a_cross_and_its_rate_has_no_mean():
    trials = [trial("finetune", 0.01, 0.7), trial("finetune", 0.01, 0.9, seed=1), trial("finetune", 1.0, None)]
    figure = plots.plot_rates(trials, title="$_$ is no formula")
    mean, runs, lost = figure.axes[0].lines
    assert mean.get_ydata()[0] == pytest.approx(0.8)
    assert np.isnan(mean.get_ydata()[1])
    assert [*runs.get_ydata()] == [0.7, 0.9]
    assert (lost.get_marker(), [*lost.get_xdata()]) == ("x", [1.0])
    assert labels_of(figure) == ["finetune, mean", "finetune, diverged"]


def test_a_learning_curve_has_the_mean_of_each_number_in_order():
    runs = [(40, 0.9), (10, 0.5), (10, 0.7)]
    figure = plots.plot_learning_curve([trial("scratch", 0.1, accuracy, images=number) for number, accuracy in runs])
    mean = figure.axes[0].lines[0]
    assert [*mean.get_xdata()] == [10, 40]
    assert [*mean.get_ydata()] == pytest.approx([0.6, 0.9])
    assert labels_of(figure) == ["scratch"]


def test_tuned_networks_stand_beside_the_grid():
    grid = [trial("finetune", rate, accuracy) for rate, accuracy in ((0.01, 0.8), (0.1, 0.6))]
    figure = plots.plot_tuning(grid, [trial("finetune", 0.01, 0.75), trial("scratch", 0.1, 0.5)])
    assert [label.get_text() for label in figure.axes[1].get_xticklabels()] == [
        "finetune\nrate 0.01",
        "scratch\nrate 0.1",
    ]


def test_accuracy_stands_against_time():
    figure = plots.plot_time([trial("finetune", 0.01, 0.8), trial("codes-svm", None, 0.7)])
    assert labels_of(figure) == ["finetune", "codes-svm"]
    assert [line.get_xdata() for line in figure.axes[0].lines] == [[2.0], [2.0]] * 2


def test_features_that_do_not_depend_on_the_mode_lie_on_the_diagonal():
    codes = np.random.default_rng(0).uniform(size=(5, 3))
    figure = plots.plot_modes({"frozen": (codes, 2 * codes), "fixed": (codes, codes)})
    _, points = figure.axes[1].lines
    assert np.array_equal(points.get_xdata(), points.get_ydata())
    assert [ax.get_title() for ax in figure.axes] == ["frozen", "fixed"]


def test_each_row_shows_the_images_that_it_ranks_highest(stripes):
    images = d2ltl.load_images(stripes)[1]
    row = ClassRow(934, "hotdog", np.zeros((1, 3)), np.linspace(0, 1, len(images)), 0.9)
    figure = plots.plot_rows([row], images, number=3)
    assert figure.subfigs[0].texts[0].get_text() == "row 934, hotdog: AUC 0.90"
    assert [ax.get_title() for ax in figure.axes] == ["upright\n100.0%", "upright\n94.7%", "upright\n89.5%"]


def test_the_first_epoch_leads_from_before_to_after():
    trials = [trial("xavier", 0.01, 0.8, seed, before=0.5) for seed in (0, 1)] + [trial("row 934", 0.01, 0.7, 0, 0.75)]
    figure = plots.plot_first_epoch(trials)
    assert labels_of(figure) == ["xavier", "row 934"]
    assert figure.axes[0].lines[2].get_ydata().tolist() == [0.5, 0.8]


def test_every_figure_of_accuracies_has_its_yardstick():
    trials = [trial("finetune", 0.01, 0.8, before=0.4), trial("scratch", 0.1, 0.7, before=0.5)]
    for figure in (
        plots.plot_rates(trials, chance=0.6),
        plots.plot_tuning(trials, trials, chance=0.6),
        plots.plot_time(trials, chance=0.6),
        plots.plot_first_epoch(trials, chance=0.6),
        plots.plot_learning_curve([trial("scratch", 0.1, 0.9, images=10)], chance=0.6),
    ):
        lines = {line.get_label(): line for line in figure.axes[-1].lines}
        assert set(lines["most frequent class"].get_ydata()) == {0.6}
