"""What a first experience of transfer claims, on few rendered images."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from sklearn.metrics import balanced_accuracy_score

import d2ltl
from d2ltl.datasets import find_data
from d2ltl.runtime import reseed
from d2ltl.show import first_experience, material


@pytest.fixture(scope="module")
def foods():
    """10 foods, 20 images of each to train and to test."""
    return first_experience.few_foods(seed=0)


@pytest.fixture(scope="module")
def source():
    """The model that comes with the library."""
    return d2ltl.source_net("resnet18_v2", "tinyimagenet")


def test_the_images_are_few_and_of_ten_foods(foods):
    for part in foods:
        assert np.bincount(part.labels).tolist() == [20] * 10
    assert "hotdog" in foods[0].synsets
    assert not {file for file, _ in foods[0].items} & {file for file, _ in foods[1].items}


@pytest.mark.slow
def test_three_layers_learn_ten_foods_from_200_images(foods, source):
    reseed(0)
    net = d2ltl.finetune_net(10, source)
    d2ltl.freeze_layers(net, 3, batch_norm="fixed")
    history = d2ltl.train_fine_tuning(net, 0.01, 16, 4, data=foods, size=32)
    assert history.epochs[-1].test_acc > 0.35  # chance is 0.1
    assert history.epochs[-1].test_loss < history.epochs[0].test_loss


def test_a_rare_class_costs_and_weights_win_some_of_it_back(source):
    train, test = d2ltl.load_images(find_data("hotdog-mini"))
    rare = d2ltl.imbalanced(train, 20, rare="hotdog")
    codes = {name: d2ltl.extract_codes(source, part, size=32) for name, part in [("train", train), ("test", test)]}
    chosen = [train.items.index(item) for item in rare.items]

    def accuracy(images, weight=None):
        head = d2ltl.linear_head("svm")
        head[-1].set_params(class_weight=weight)
        predicted = head.fit(codes["train"][images], train.labels[images]).predict(codes["test"])
        return balanced_accuracy_score(test.labels, predicted)

    balanced, plain, weighted = accuracy(slice(None)), accuracy(chosen), accuracy(chosen, "balanced")
    assert plain < balanced - 0.05
    assert weighted > plain


def test_a_demonstration_shows_a_figure_and_a_verdict(monkeypatch):
    for module in (first_experience, material):
        monkeypatch.setattr(module, "SIZE", 32)
    monkeypatch.setattr(first_experience, "EPOCHS", 1)
    shown = first_experience.confusion(0)
    assert isinstance(shown.figure, Figure)
    assert "is taken for" in shown.verdict
