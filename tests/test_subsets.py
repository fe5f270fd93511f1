import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import d2ltl


@pytest.fixture(scope="module")
def images(stripes):
    """20 + 20 images."""
    return d2ltl.load_images(stripes)[0]


def test_a_few_of_each_class(images):
    few = d2ltl.take(images, 3, seed=1)
    assert few.labels.tolist() == [0] * 3 + [1] * 3
    assert (few.synsets, few.root) == (images.synsets, images.root)
    assert few.items == d2ltl.take(images, 3, seed=1).items
    assert few.items != d2ltl.take(images, 3, seed=2).items


@settings(max_examples=20)
@given(fewer=st.integers(1, 20), more=st.integers(1, 20), seed=st.integers(0, 2**32))
def test_fewer_are_among_more(images, fewer, more, seed):
    fewer, more = sorted([fewer, more])
    assert set(d2ltl.take(images, fewer, seed).items) <= set(d2ltl.take(images, more, seed).items)


@pytest.mark.parametrize(("ratio", "left"), [(1, 20), (2, 10), (3, 7), (20, 1)])
def test_one_class_is_made_rare(images, ratio, left):
    part = d2ltl.imbalanced(images, ratio, rare="across")
    assert np.bincount(part.labels).tolist() == [left, 20]
    assert part.synsets == images.synsets
    assert set(part.items) <= set(d2ltl.imbalanced(images, 1, rare="across").items)


def test_the_most_frequent_other_class_counts(images):
    three = images.relabel(["a"] * 4 + ["b"] * 6 + ["c"] * 30)
    assert np.bincount(d2ltl.imbalanced(three, 10, rare="b").labels).tolist() == [4, 3, 30]


@pytest.mark.parametrize(
    ("function", "problem"),
    [
        (lambda images: d2ltl.take(images, 0), "per_class is 0"),
        (lambda images: d2ltl.take(images, 21), "has 20 images of across; 21 are needed"),
        (lambda images: d2ltl.imbalanced(images, 0.5, "across"), "ratio is 0.5"),
        (lambda images: d2ltl.imbalanced(images, float("nan"), "across"), "ratio is nan"),
        (lambda images: d2ltl.imbalanced(images, 100, "across"), "of 20 images to one, none of across"),
        (lambda images: d2ltl.imbalanced(images, 2, "defect"), "no class 'defect'; choose from across, upright"),
        (lambda images: d2ltl.imbalanced(images.subset(range(15, 40)), 2, "across"), "has 5 images of across; 10"),
    ],
)
def test_what_cannot_be_drawn_is_refused(images, function, problem):
    with pytest.raises(d2ltl.D2LTLError, match=problem):
        function(images)
