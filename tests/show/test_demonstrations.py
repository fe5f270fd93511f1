"""Every demonstration, in this process, with smaller images, fewer of them, and one epoch."""

import importlib
import io
import re
from functools import partial

import numpy as np
import pytest

import d2ltl
from d2ltl.show import first_experience, material
from d2ltl.show.catalogue import DEMONSTRATIONS

QUICK = ("confusion", "heat-map")  # the others are of the full tier
SMALLER = {
    "SIZE": 32,
    "IMAGENET_SIZE": 32,
    "EPOCHS": 1,
    "DOMAIN_EPOCHS": 1,
    "TEACHER_EPOCHS": 1,
    "STUDENT_EPOCHS": 1,
    "SCENES": 2,
    "TARGET": 0.1,
}


@pytest.fixture
def smaller(monkeypatch):
    """Let the demonstrations train one epoch on at most 40 images of 32 pixels."""
    names = dict.fromkeys(demonstration.function.partition(".")[0] for demonstration in DEMONSTRATIONS.values())
    modules = [importlib.import_module(f"d2ltl.show.{name}") for name in names]
    for module in (material, *modules):
        for name, value in SMALLER.items():
            if hasattr(module, name):
                monkeypatch.setattr(module, name, value)
    of_the_demonstrations = material.train

    def train(strategy, data, seed, epochs, **options):
        few = tuple(d2ltl.sample(part, 40) for part in data)
        return of_the_demonstrations(strategy, few, seed, 1, **{**options, "evaluate_every": 1})

    for module in modules:
        if hasattr(module, "train"):
            monkeypatch.setattr(module, "train", train)
    monkeypatch.setattr("d2ltl.advice.advising.SCRATCH_STEPS", 5)


def cases():
    return [pytest.param(name, marks=[] if name in QUICK else [pytest.mark.full]) for name in DEMONSTRATIONS]


@pytest.mark.parametrize("name", cases())
def test_a_demonstration_shows_what_it_measured(name, smaller, capsys):
    shown = DEMONSTRATIONS[name].run(0)
    assert re.search(r"\d", shown.verdict)
    assert capsys.readouterr().out == ""
    assert shown.figure.axes
    shown.figure.savefig(io.BytesIO())  # lays it out
    for legend in (*shown.figure.legends, *(ax.get_legend() for ax in shown.figure.axes)):
        if legend:  # covers no curve
            panels = [ax.get_window_extent() for ax in shown.figure.axes if ax.axison]
            assert not any(legend.get_window_extent().overlaps(panel) for panel in panels)


def test_the_foods_are_few():
    for part in first_experience.foods(seed=0):
        assert np.bincount(part.labels).tolist() == [20] * 10
    train, test = first_experience.foods(seed=0)
    assert "hotdog" in train.synsets
    assert not {file for file, _ in train.items} & {file for file, _ in test.items}


@pytest.mark.full
def test_three_layers_learn_ten_foods_from_200_images():
    freeze = partial(d2ltl.freeze_layers, trained=3, batch_norm="fixed")
    _, history = material.train("finetune", first_experience.foods(0), 0, 4, change=freeze, size=32)
    assert history.epochs[-1].test_acc > 0.35  # chance is 0.1
    assert history.epochs[-1].test_loss < history.epochs[0].test_loss
