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
        (lambda images: d2ltl.imbalanced(images, 100, "across"), "has 20 images, so none of across"),
        (lambda images: d2ltl.imbalanced(images, 2, "defect"), "no class 'defect'; choose from across, upright"),
        (lambda images: d2ltl.imbalanced(images.subset(range(15, 40)), 2, "across"), "has 5 images of across; 10"),
    ],
)
def test_what_cannot_be_drawn_is_refused(images, function, problem):
    with pytest.raises(d2ltl.D2LTLError, match=problem):
        function(images)


@pytest.mark.parametrize(
    ("sizes", "number", "left"),
    [
        ([20, 20], 10, [5, 5]),
        ([20, 20], 7, [4, 3]),  # the odd one goes to the first class
        ([30, 10], 8, [6, 2]),
        ([37, 3], 13, [12, 1]),
        ([39, 1], 8, [8, 1]),  # one of each class at least, even if it makes one more
        ([20, 20], 40, [20, 20]),
        ([20, 20], 99, [20, 20]),
    ],
)
def test_a_sample_has_each_class_in_proportion(images, sizes, number, left):
    names = ["a"] * sizes[0] + ["b"] * sizes[1]
    assert np.bincount(d2ltl.sample(images.relabel(names), number).labels).tolist() == left


def test_a_sample_may_have_some_of_each_class_at_least(images):
    few = images.relabel(["a"] * 37 + ["b"] * 3)
    assert np.bincount(d2ltl.sample(few, 10, at_least=2).labels).tolist() == [9, 2]
    assert np.bincount(d2ltl.sample(few, 10, at_least=5).labels).tolist() == [9, 3]  # all there are


@settings(max_examples=50)
@given(numbers=st.tuples(st.integers(1, 40), st.integers(1, 40)), seed=st.integers(0, 2**32), sizes=st.data())
def test_a_smaller_sample_is_among_a_larger_one(images, numbers, seed, sizes):
    first, second = sizes.draw(st.integers(1, 38)), sizes.draw(st.integers(0, 1))
    names = ["a"] * first + ["b"] * (1 + second) + ["c"] * (39 - first - second)
    three = images.relabel(names)
    fewer, more = (set(d2ltl.sample(three, number, seed).items) for number in sorted(numbers))
    assert fewer <= more
    assert max(numbers) <= len(more) <= max(numbers) + 2


@settings(max_examples=30)
@given(share=st.floats(0.01, 0.99), seed=st.integers(0, 2**32))
def test_a_split_takes_every_image_once(images, share, seed):
    rest, part = d2ltl.split(images, share, seed)
    assert sorted(rest.items + part.items) == images.items
    assert np.bincount(part.labels).tolist() == [min(19, max(1, round(20 * share)))] * 2
    assert rest.items == sorted(rest.items)
    assert d2ltl.split(images, share, seed)[1].items == part.items


@pytest.mark.parametrize(
    ("function", "problem"),
    [
        (lambda images: d2ltl.sample(images, 0), "number is 0"),
        (lambda images: d2ltl.split(images, 0), "share is 0"),
        (lambda images: d2ltl.split(images, 1.0), "share is 1.0"),
        (lambda images: d2ltl.split(images.subset([0, 1, 39]), 0.5), "has 1 image of upright; at least 2"),
        (lambda images: d2ltl.split(images.subset([0, 1]), 0.5), "has 0 images of upright; at least 2"),
    ],
)
def test_parts_that_make_no_sense_are_refused(images, function, problem):
    with pytest.raises(d2ltl.D2LTLError, match=problem):
        function(images)


@pytest.mark.parametrize("draw", [d2ltl.take, d2ltl.sample, d2ltl.split])
def test_images_without_classes_cannot_be_drawn_by_class(images, draw):
    with pytest.raises(d2ltl.ImageFolderError, match="has no classes"):
        draw(d2ltl.UnlabelledImages(images.root), 0.5 if draw is d2ltl.split else 3)
