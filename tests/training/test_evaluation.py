import re
import shutil
import unicodedata

import numpy as np
import pytest
from conftest import values

import d2ltl
from d2ltl.training.evaluation import class_scores, confusion_matrix, most_confused


def test_the_rows_of_a_confusion_matrix_are_the_true_classes():
    probabilities = np.array([[0.9, 0.1, 0], [0.2, 0.8, 0], [0.3, 0.7, 0]])
    assert confusion_matrix(probabilities, np.array([0, 1, 0])).tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 0]]


def test_evaluation_agrees_with_the_predictions(stripes, source):
    net = d2ltl.finetune_net(2, source)
    history = d2ltl.train_fine_tuning(net, 0.002, batch_size=8, num_epochs=1, size=32, data=stripes)
    images = d2ltl.load_images(stripes)[1]
    loss, accuracy, confusion = d2ltl.evaluate(net, images, size=32, batch_size=7)
    probabilities, labels = d2ltl.predict(net, images, size=32)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    assert loss == pytest.approx(-np.log(probabilities[np.arange(20), labels]).mean(), rel=1e-4)
    assert accuracy == history.epochs[-1].test_acc == np.trace(confusion) / 20
    assert confusion.sum(axis=1).tolist() == [10, 10]


def test_a_source_model_predicts_its_own_classes_of_any_images(stripes, source):
    probabilities, labels = d2ltl.predict(source, stripes / "test", size=32)
    assert probabilities.shape == (20, len(source.classes))
    assert labels.tolist() == [0] * 10 + [1] * 10
    with pytest.raises(d2ltl.NetworkError, match="has 5 outputs, but the images have 2 classes"):
        d2ltl.evaluate(source, stripes / "test", size=32)


def test_of_data_with_two_parts_the_test_images_are_evaluated(stripes, source):
    net, pair = d2ltl.finetune_net(2, source), d2ltl.load_images(stripes)
    expected = d2ltl.evaluate(net, pair[1], size=32)
    for data in (stripes, str(stripes), pair):
        loss, accuracy, confusion = d2ltl.evaluate(net, data, size=32)
        assert (loss, accuracy, confusion.tolist()) == (expected[0], expected[1], expected[2].tolist())


@pytest.mark.parametrize(
    "names",
    [
        {"across": "across", "upright": "upright"},
        {"across": "Zebra", "upright": "ascent"},  # they sort the other way round
        {"across": "caf\u00e9", "upright": "Across"},  # composed, decomposed; upper case sorts first
    ],
)
def test_classes_are_matched_by_name(tmp_path, stripes, source, names):
    net = d2ltl.finetune_net(2, source)
    d2ltl.train_on_codes(net, data=stripes, size=32, verbose=False)
    expected = d2ltl.evaluate(net, stripes, size=32)
    for old, new in names.items():
        shutil.copytree(stripes / "test" / old, tmp_path / unicodedata.normalize("NFD", new).swapcase())
    net.classes = list(names.values())
    order = np.argsort([unicodedata.normalize("NFD", new).swapcase() for new in names.values()])
    loss, accuracy, confusion = d2ltl.evaluate(net, tmp_path, size=32)
    assert (loss, accuracy) == pytest.approx(expected[:2])
    assert confusion.tolist() == expected[2][order][:, order].tolist()
    assert d2ltl.profile(net, tmp_path, size=32).accuracy == accuracy


@pytest.mark.parametrize("names", [("cold", "amber"), ("upright", "zigzag"), ("acros s", "upright")])
def test_other_classes_are_refused_by_name(tmp_path, stripes, source, names):
    net = d2ltl.finetune_net(2, source)
    d2ltl.train_fine_tuning(net, 0.002, data=stripes, batch_size=8, num_epochs=1, size=32, verbose=False)
    for old, new in zip(("across", "upright"), names):
        shutil.copytree(stripes / "test" / old, tmp_path / new)
    unknown = sorted(set(names) - {"across", "upright"})
    message = f"does not have: {', '.join(unknown)}. Its own are across, upright. Rename"
    with pytest.raises(d2ltl.NetworkError, match=re.escape(message)):
        d2ltl.evaluate(net, tmp_path, size=32)
    net.classes = [str(i) for i in range(2)]  # a network of a file without names
    assert d2ltl.evaluate(net, tmp_path, size=32)[2].sum() == 20


def test_the_scores_of_each_class():
    confusion = np.array([[8, 2, 0], [1, 1, 0], [0, 0, 0]])  # no test image of the last class
    scores = class_scores(confusion)
    assert scores.precision == pytest.approx([8 / 9, 1 / 3, 0])
    assert scores.recall == pytest.approx([0.8, 0.5, 0])
    assert scores.f1 == pytest.approx([16 / 19, 0.4, 0])
    assert scores.images.tolist() == [10, 2, 0]
    assert scores.balanced_accuracy == pytest.approx(0.65)
    assert most_confused(confusion, 5) == [(0, 1), (1, 0)]
    assert most_confused(confusion, 1) == [(0, 1)]
    assert most_confused(np.eye(3, dtype=int), 5) == []


def test_a_network_has_a_profile(stripes, source):
    net, other = d2ltl.finetune_net(2, source), d2ltl.scratch_net(2, "mobilenet0.25")
    small, large = d2ltl.profile(net, stripes, size=32), d2ltl.weigh(other, stripes, size=32)
    assert small.accuracy == d2ltl.evaluate(net, stripes / "test", size=32)[1]
    assert small.parameters == sum(value.size for value in values(net).values()) < large.parameters
    assert large.megabytes == pytest.approx(4 * large.parameters / 1e6, rel=0.05)  # four bytes each
    assert small.images_per_s > 0
