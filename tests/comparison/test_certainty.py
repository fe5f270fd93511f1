import numpy as np
import pytest

from d2ltl.comparison.certainty import above_constant, difference, still_learning


def drawn(shares, labels, rng, runs=1):
    """Return whether each run is right about each image if it is with the probability of its class."""
    return rng.random((runs, len(labels))) < np.array(shares)[labels]


BALANCED = np.repeat([0, 1], 200)


def test_a_large_difference_on_many_images_is_certain():
    rng = np.random.default_rng(0)
    found = difference(drawn([0.88, 0.88], BALANCED, rng), drawn([0.62, 0.62], BALANCED, rng), BALANCED)
    assert found.mean == pytest.approx(0.26, abs=0.05)
    assert 0.04 < found.margin < 0.09
    assert found.certain


@pytest.mark.parametrize(
    ("only_ours", "only_theirs", "certain"),  # of 10 images; McNemar's exact test has p = 0.06, 0.03, 0.07, 0.04, 0.02
    [(5, 0, False), (6, 0, True), (7, 1, False), (8, 1, True), (9, 1, True), (0, 6, True), (0, 0, False)],
)
def test_of_one_run_it_is_mcnemars_test(only_ours, only_theirs, certain):
    ours, theirs = np.zeros((1, 10), bool), np.zeros((1, 10), bool)
    ours[0, :only_ours] = theirs[0, 10 - only_theirs :] = True
    found = difference(ours, theirs, np.arange(10) % 2)
    assert found.certain == certain
    assert found.mean == pytest.approx((only_ours - only_theirs) / 10)


def test_it_is_of_the_balanced_accuracy():
    labels = np.array([0] * 90 + [1] * 10)
    frequent, rare = (labels == 0)[None], (labels == 1)[None]
    assert difference(frequent, rare, labels).mean == pytest.approx(0)  # 0.9 and 0.1 are the shares of the classes
    assert not difference(frequent, rare, labels).certain
    assert above_constant(frequent, labels).mean == 0
    found = difference(np.ones((1, 100), bool), frequent, labels)
    assert found.mean == pytest.approx(0.5)
    assert found.certain


def test_one_image_of_a_class_settles_nothing():
    labels = np.array([0] * 99 + [1])
    assert not difference(np.ones((1, 100), bool), (labels == 0)[None], labels).certain


def test_seeds_that_disagree_are_not_certain():
    rng = np.random.default_rng(0)
    theirs = drawn([0.6, 0.6], BALANCED, rng, runs=3)
    agree = np.concatenate([drawn([0.7, 0.7], BALANCED, rng) for _ in range(3)])
    disagree = np.concatenate([drawn([share, share], BALANCED, rng) for share in (0.55, 0.6, 0.95)])
    assert difference(agree, theirs, BALANCED).certain
    assert difference(disagree, theirs, BALANCED).mean == pytest.approx(0.1, abs=0.04)
    assert not difference(disagree, theirs, BALANCED).certain


@pytest.mark.parametrize("images", [10, 50, 400])
@pytest.mark.parametrize("share", [0.5, 0.9])
@pytest.mark.parametrize("runs", [1, 3])
def test_of_a_hundred_draws_of_noise_hardly_one_pays_off(images, share, runs):
    rng = np.random.default_rng(images)
    labels = (np.arange(images) >= share * images).astype(int)
    paid_off = 0
    for _ in range(100):
        rates = rng.random(2)  # how often each network answers the first class, whatever the image is
        ours, theirs = (drawn([rate, 1 - rate], labels, rng, runs) for rate in rates)
        above, apart = above_constant(ours, labels), difference(ours, theirs, labels)
        paid_off += all(found.certain and found.mean > 0 for found in (above, apart))
    assert paid_off <= 1


@pytest.mark.parametrize(
    ("train", "test", "expected"),
    [
        ([0.7], [0.7], True),  # one epoch shows no end
        ([0.7, 0.6], [0.7, 0.65], True),
        ([0.9, 0.8, 0.7, 0.6, 0.5, 0.4], [0.9, 0.8, 0.7, 0.65, 0.6, 0.55], True),
        ([0.9, 0.8, 0.7, 0.6, 0.5, 0.4], [np.nan] * 6, True),
        ([0.9, 0.8, 0.7, 0.6, 0.5, 0.4], [0.6, 0.5, 0.5, 0.6, 0.7, 0.8], False),  # it learns its images by heart
        ([0.9, 0.5, 0.31, 0.3, 0.3, 0.3], [0.9, 0.5, 0.4, 0.4, 0.4, 0.4], False),
        ([0.7, 0.69, 0.7, 0.69, 0.7, 0.69], [0.7] * 6, False),
    ],
)
def test_whether_a_network_was_still_learning(train, test, expected):
    assert still_learning(train, test) == expected
