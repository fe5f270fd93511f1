import numpy as np
import pytest

from d2ltl.training.calibration import calibrate, calibration_error, fit_temperature, scale


def drawn(temperature, number=4000, classes=3, seed=0):
    """Return overconfident probabilities, and labels drawn from those divided by a temperature."""
    rng = np.random.default_rng(seed)
    outputs = rng.normal(0, 4, (number, classes))
    overconfident = np.exp(outputs) / np.exp(outputs).sum(axis=1, keepdims=True)
    true = scale(overconfident, temperature)
    labels = (true.cumsum(axis=1) < rng.random((number, 1))).sum(axis=1)
    return overconfident.astype(np.float32), labels


@pytest.mark.parametrize("temperature", [0.5, 1, 3])
def test_the_temperature_that_labels_were_drawn_with_is_found(temperature):
    probabilities, labels = drawn(temperature)
    assert fit_temperature(probabilities, labels) == pytest.approx(temperature, rel=0.1)


def test_a_temperature_lowers_the_calibration_error_and_changes_no_answer():
    probabilities, labels = drawn(3)
    calibration = calibrate(probabilities, labels)
    assert calibration.error > 0.15
    assert calibration.scaled_error < 0.04
    assert calibration.accuracy_sure > 0.85 > calibration.accuracy_unsure
    assert (scale(probabilities, 3).argmax(axis=1) == probabilities.argmax(axis=1)).all()


def test_what_is_measured_comes_from_the_other_half():
    """Labels without any relation to the answers: a temperature fitted on the same images would look better."""
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet([0.5, 0.5], 200).astype(np.float32)
    labels = rng.integers(0, 2, 200)
    assert calibrate(probabilities, labels).scaled_error < calibration_error(probabilities, labels)
    assert calibrate(probabilities, labels).sure < 0.05


def test_the_calibration_error_of_right_and_wrong_certainties():
    certain = np.eye(2)[[0, 1, 0, 1]]
    assert calibration_error(certain, np.array([0, 1, 0, 1])) == 0
    assert calibration_error(certain, np.array([1, 0, 1, 0])) == 1
    assert calibration_error(certain, np.array([0, 1, 1, 0])) == 0.5


def test_a_faultless_network_does_not_become_certain_on_few_images():
    probabilities = np.tile([[0.6, 0.4], [0.4, 0.6]], (30, 1)).astype(np.float32)
    temperature = fit_temperature(probabilities, np.array([0, 1] * 30))
    assert scale(np.array([[0.52, 0.48]]), temperature).max() < 0.8
    assert scale(probabilities, temperature).max() < 0.99


def test_few_images_fit_no_temperature():
    probabilities, labels = drawn(3, number=49)
    calibration = calibrate(probabilities, labels)
    assert calibration.temperature is None
    assert calibration.error == pytest.approx(calibration.scaled_error)


def test_images_without_unsure_answers_have_no_accuracy_of_these():
    probabilities = np.eye(2, dtype=np.float32)[[0, 1] * 30]
    calibration = calibrate(probabilities, np.array([0, 1] * 30))
    assert (calibration.sure, calibration.accuracy_sure, calibration.accuracy_unsure) == (1, 1, None)


def test_a_class_with_one_image_is_no_obstacle():
    probabilities, labels = drawn(1, number=60)
    labels[labels == 2] = 1
    labels[0] = 2
    assert 0 <= calibrate(probabilities, labels).scaled_error <= 1
