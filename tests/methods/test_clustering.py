import numpy as np
import pytest

import d2ltl
from d2ltl.methods.clustering import agreement, cluster_with_help, co_cluster

GROUPS, WORDS = 6, 400  # groups of words that go together; the words of all groups


def count_words(topics, words_per_image, seed):
    """Return how often each word occurs in images of each topic, a mixture of two neighbouring groups of words."""
    rng = np.random.default_rng(seed)
    groups = np.arange(WORDS) % GROUPS
    table = np.zeros((len(topics), WORDS))
    for row, topic in zip(table, topics):
        likely = np.where(np.isin(groups, [topic, (topic + 1) % GROUPS]), 6.0, 1.0)
        np.add.at(row, rng.choice(WORDS, words_per_image, p=likely / likely.sum()), 1)
    return table


def few_and_many(seed=0):
    """Return few images of three topics with few words, their topics, and many images of the others, with more."""
    few, many = np.repeat([0, 2, 4], 10), np.repeat([1, 3, 5], 100)
    return count_words(few, 20, seed), few, count_words(many, 100, seed + 100)


def test_many_other_images_help_to_sort_few():
    alone, helped = [], []
    for seed in range(4):
        few, topics, many = few_and_many(seed)
        alone.append(agreement(co_cluster([few], [3], GROUPS, [1])[0], topics))
        helped.append(agreement(co_cluster([few, many], [3, 3], GROUPS, [1, 4])[0], topics))
    assert (np.mean(helped, axis=0) > np.mean(alone, axis=0) + 0.1).all()


def test_clear_clusters_are_found_whatever_they_are_called():
    table = np.kron(np.eye(3), np.ones((4, 5)))
    (clusters,) = co_cluster([table], [3], 3, [1])
    assert (clusters.shape, clusters.dtype) == ((12,), np.int64)
    assert agreement(clusters, np.repeat([2, 0, 1], 4)) == (pytest.approx(1), 1)


def test_the_same_seed_gives_the_same_clusters():
    few, _, many = few_and_many()
    first, second = (co_cluster([few, many], [3, 3], GROUPS, [1, 1], seed=1) for _ in range(2))
    assert all(map(np.array_equal, first, second))


def test_folders_of_images_are_sorted_by_their_codes(stripes, source):
    def describe(images):
        return d2ltl.extract_codes(source, images, size=32)

    options = {"describe": describe, "feature_clusters": 8}
    clusters = cluster_with_help(stripes / "test", stripes / "train", 2, auxiliary_clusters=4, **options)
    assert sorted(set(clusters.tolist())) == [0, 1]
    assert len(cluster_with_help(stripes / "test", None, 2, **options)) == 20
    flat = cluster_with_help(stripes / "test/across", stripes, 2, **options)
    assert len(flat) == 10
    for weight in (0, -1, np.nan):
        with pytest.raises(d2ltl.SettingsError, match=f"weight is {weight}"):
            cluster_with_help(stripes / "test", stripes / "train", 2, describe=describe, weight=weight)


@pytest.mark.parametrize(
    ("table", "numbers", "problem"),
    [
        (np.eye(4) - 1, [2], "A feature is -1.*not below 0"),
        (np.eye(4), [5], "4 images cannot form 5 clusters; ask for 2 to 4"),
        (np.eye(4), [1], "4 images cannot form 1 clusters"),
        (np.ones((4, 1)), [2], "1 features cannot form 2 clusters"),
    ],
)
def test_what_cannot_be_clustered_is_refused(table, numbers, problem):
    with pytest.raises(d2ltl.SettingsError, match=problem):
        co_cluster([table], numbers, 2, [1])
