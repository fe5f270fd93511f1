import numpy as np
import pytest

import d2ltl
from d2ltl.evaluation import confusion_matrix


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
