import pytest

from d2ltl.advice.verdict import Advice, Fit, Trial
from d2ltl.comparison.strategies import find_strategy


def fit(*by_stage, untrained=(0.5, 0.6), source="a", log_me=0.0, leep=-0.5, by_number=None, dense=True):
    return Fit(source, 32, list(by_stage), list(untrained), log_me, leep, 100, by_number or {}, dense)


@pytest.mark.parametrize(
    ("images", "by_stage", "scratch", "tested", "way", "stage", "longer", "reason"),
    [
        (100, [0.7, 0.9], 0.6, 25, "codes-softmax", None, False, "a linear classifier on the codes of a."),
        (2000, [0.7, 0.9], 0.6, 250, "lp-ft", None, False, "its last stages gently"),
        (2000, [0.7, 0.7], 0.6, 250, "finetune", None, False, "all layers of a at a small learning rate"),
        (100, [0.9, 0.65], 0.6, 25, "codes-softmax", 1, False, "the codes of stage 1 of a"),
        (2000, [0.9, 0.5], 0.6, 250, "finetune", None, True, "longer than usual"),
        (2000, [0.9, 0.7], 0.95, 250, "scratch", None, False, "Train from scratch"),
        (100, [0.6, 0.9], 0.93, 25, "codes-softmax", None, False, "the codes of a."),  # by luck, of 25 images
        (100, [0.4, 0.65], 0.6, 25, "codes-softmax", None, False, "the codes of a."),  # no earlier stage is better
    ],
)
def test_the_ways_are_strategies(images, by_stage, scratch, tested, way, stage, longer, reason):
    advised = Advice(images, 2, [fit(*by_stage)], scratch, tested)
    assert (advised.way, advised.stage, advised.longer) == (way, stage, longer)
    assert find_strategy(way)
    assert reason in str(advised)
    assert f"Advice: {way}. " in str(advised)
    assert f"{images} images of 2 classes" in str(advised)


def test_gentle_fine_tuning_needs_a_dense_output():
    assert Advice(2000, 2, [fit(0.7, 0.9)], 0.6, 250).way == "lp-ft"
    squeezenet = Advice(2000, 2, [fit(0.7, 0.9, dense=False)], 0.6, 250)
    assert squeezenet.way == "finetune"
    assert "no dense layer" in str(squeezenet)


@pytest.mark.parametrize(
    ("lp_ft", "probe", "way"), [(0.9, 0.8, "lp-ft"), (0.8, 0.8, "codes-softmax"), (0.5, 0.8, "codes-softmax")]
)
def test_few_images_are_fine_tuned_only_where_it_was_better(lp_ft, probe, way):
    advised = Advice(100, 2, [fit(0.7, 0.9)], 0.6, 25, Trial(lp_ft, probe, 25))
    assert advised.way == way
    assert f"(lp-ft) classifies {lp_ft:.3f} of 25 held-out images" in str(advised)


def test_what_was_learned_is_the_share_of_errors_avoided():
    assert fit(0.9, 0.8, untrained=(0.4, 0.6)).learned == pytest.approx(0.5)
    assert fit(0.9, 0.5, untrained=(0.4, 0.6)).learned == pytest.approx(-0.25)
    assert fit(1.0, 1.0, untrained=(0.4, 1.0)).learned == 0


def test_it_says_why():
    first = fit(0.5, 0.8, 0.62, source="b", leep=-0.9, by_number={5: 0.6, 10: 0.8})
    second = fit(0.5, 0.6, 0.7, by_number={5: 0.7, 10: 0.7})
    text = str(Advice(60, 3, [first, second], 0.5, 15))
    for words in (
        *("20 of each", "few (", "b suits best. LEEP would choose another", "random weights", "0.600", "avoids 5%"),
        *("different from", "0.500, 0.800, 0.620", "not certainly better", "the codes of stage 2 of b"),
        *("100 images/s at 32 × 32 pixels", "each class: 5: a (0.700), 10: b (0.800)."),
    ):
        assert words in text, words
