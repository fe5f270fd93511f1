import numpy as np
import pytest
from conftest import values

import d2ltl
from d2ltl.training.evaluation import confusion_matrix


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


def test_a_network_has_a_profile(stripes, source):
    net, other = d2ltl.finetune_net(2, source), d2ltl.scratch_net(2, "mobilenet0.25")
    small, large = d2ltl.profile(net, stripes, size=32), d2ltl.weigh(other, stripes, size=32)
    assert small.accuracy == d2ltl.evaluate(net, stripes / "test", size=32)[1]
    assert small.parameters == sum(value.size for value in values(net).values()) < large.parameters
    assert large.megabytes == pytest.approx(4 * large.parameters / 1e6, rel=0.05)  # four bytes each
    assert small.images_per_s > 0
