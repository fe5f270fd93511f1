import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.stats import multivariate_normal

import d2ltl
from d2ltl.advice.transferability import label_entropy, leep, log_me, probe_accuracy


def codes_and_labels(n=40, channels=5, classes=3, noise=1.0, seed=0):
    """Return random labels, and codes whose means depend on them."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % classes
    return rng.normal(size=(classes, channels))[labels] + noise * rng.normal(size=(n, channels)), labels


def direct_log_me(codes, labels):
    """The definition: the largest density of the labels under N(0, codes codes' / alpha + 1 / beta)."""
    evidences = []
    for label in np.unique(labels):
        y = (labels == label).astype(float)

        def negative(logs, y=y):
            covariance = codes @ codes.T * np.exp(-logs[0]) + np.eye(len(y)) * np.exp(-logs[1])
            return -multivariate_normal(np.zeros(len(y)), covariance).logpdf(y) / len(y)

        evidences.append(-minimize(negative, [0.0, 0.0], method="Nelder-Mead", options={"xatol": 1e-4}).fun)
    return np.mean(evidences)


@pytest.mark.parametrize(("n", "channels"), [(40, 5), (30, 60)])
def test_log_me_is_the_largest_evidence(n, channels):
    codes, labels = codes_and_labels(n, channels)
    assert log_me(codes, labels) == pytest.approx(direct_log_me(codes, labels), abs=1e-3)


def test_log_me_prefers_codes_that_tell_more():
    scores = [log_me(*codes_and_labels(noise=noise)) for noise in (0.1, 0.5, 2.0)]
    assert scores == sorted(scores, reverse=True)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000), scale=st.floats(0.01, 100), channels=st.sampled_from([3, 50]))
def test_log_me_does_not_mind_scale_rotation_or_names(seed, scale, channels):
    codes, labels = codes_and_labels(channels=channels, seed=seed)
    rotation = np.linalg.qr(np.random.default_rng(seed).normal(size=(channels, channels)))[0]
    assert log_me(scale * codes @ rotation, 7 - labels) == pytest.approx(log_me(codes, labels), abs=1e-2)


def test_log_me_of_codes_that_fit_without_error_is_finite():
    assert np.isfinite(log_me(np.eye(6), np.array([0, 1, 0, 1, 0, 1])))
    assert np.isfinite(log_me(np.eye(2)[[0, 1, 0, 1]], np.array([0, 1, 0, 1])))


def direct_leep(probabilities, labels):
    """The definition, with one loop for each of its sums."""
    n, sources = probabilities.shape
    joint = {(y, z): sum(probabilities[labels == y, z]) / n for y in set(labels) for z in range(sources)}
    total = {z: sum(joint[y, z] for y in set(labels)) for z in range(sources)}
    likelihoods = [
        sum(joint[y, z] / total[z] * p[z] for z in range(sources) if total[z]) for p, y in zip(probabilities, labels)
    ]
    return np.mean(np.log(likelihoods))


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10_000), sources=st.integers(2, 6), sharpness=st.floats(0.1, 20))
def test_leep_is_its_definition_and_lies_between_its_bounds(seed, sources, sharpness):
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(30) % 3)
    outputs = sharpness * rng.normal(size=(30, sources))
    probabilities = np.exp(outputs) / np.exp(outputs).sum(axis=1, keepdims=True)
    value = leep(probabilities, labels)
    assert value == pytest.approx(direct_leep(probabilities, labels), abs=1e-9)
    assert -label_entropy(labels) - 1e-9 <= value <= 1e-9


def test_leep_of_sources_that_tell_all_and_nothing():
    labels = np.array([0, 1, 2, 1, 0, 2, 2])
    assert leep(np.eye(5)[labels + 1], labels) == pytest.approx(0)
    assert leep(np.full((7, 4), 0.25), labels) == pytest.approx(-label_entropy(labels))
    assert label_entropy(np.arange(8)) == pytest.approx(np.log(8))


def test_the_probe_sees_what_can_be_seen():
    codes, labels = codes_and_labels(60, noise=0.1)
    assert probe_accuracy(codes, labels) > 0.95
    assert probe_accuracy(codes, labels, head="svm") > 0.95
    chance = [probe_accuracy(codes, np.random.default_rng(seed).permutation(labels)) for seed in range(10)]
    assert np.mean(chance) < 0.5
    assert probe_accuracy(codes, labels, seed=1) == probe_accuracy(codes, labels, seed=1)


def test_a_rare_class_makes_fewer_folds():
    codes, labels = codes_and_labels(30)
    assert 0 <= probe_accuracy(codes, np.where(np.arange(30) < 2, 5, labels)) <= 1


def test_what_cannot_be_estimated_is_refused():
    codes, labels = codes_and_labels(12)
    for estimate in (log_me, leep, probe_accuracy):
        with pytest.raises(d2ltl.SettingsError, match="12 rows of numbers, but 11 labels"):
            estimate(codes, labels[1:])
        with pytest.raises(d2ltl.SettingsError, match="at least 2 classes"):
            estimate(codes, np.zeros(12))
    with pytest.raises(d2ltl.SettingsError, match="a single image"):
        probe_accuracy(codes, np.where(np.arange(12) == 0, 9, labels))


def test_the_distance_is_0_of_one_domain_and_2_of_two():
    rng = np.random.default_rng(0)
    codes, others = rng.normal(size=(200, 4)), rng.normal(size=(300, 4))
    assert abs(d2ltl.proxy_a_distance(codes, others)) < 0.3
    assert d2ltl.proxy_a_distance(codes, others + [9, 0, 0, 0]) == pytest.approx(2)


def test_the_distance_of_few_images_is_cut_into_fewer_parts():
    rng = np.random.default_rng(0)
    assert d2ltl.proxy_a_distance(rng.normal(size=(3, 4)), 9 + rng.normal(size=(40, 4))) == pytest.approx(2)
    with pytest.raises(d2ltl.SettingsError, match="at least 2"):
        d2ltl.proxy_a_distance(rng.normal(size=(1, 4)), rng.normal(size=(40, 4)))


@pytest.mark.parametrize(
    ("score", "rows", "problem"),
    [
        (log_me, np.zeros((4, 3)), "All codes are 0"),
        (log_me, np.full((4, 3), np.nan), "not finite"),
        (leep, np.array([[1.0, -1.0]] * 4), "needs probabilities"),
        (leep, np.full((4, 3), 0.5), "needs probabilities"),
        (leep, np.full((4, 3), np.inf), "not finite"),
    ],
)
def test_what_is_no_score_is_refused(score, rows, problem):
    with pytest.raises(d2ltl.SettingsError, match=problem):
        score(rows, np.array([0, 1, 0, 1]))
