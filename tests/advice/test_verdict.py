import pytest

from d2ltl.advice.measurements import Fit, Trial
from d2ltl.advice.transferability import Spread
from d2ltl.advice.verdict import Advice
from d2ltl.comparison.strategies import find_strategy


def fit(*by_stage, untrained=(0.5, 0.6), source="a", log_me=0.0, leep=-0.5, by_number=None, dense=True, measured=100):
    return Fit(source, 32, list(by_stage), list(untrained), log_me, leep, 100, by_number or {}, dense, measured, -0.9)


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
    advised = Advice([images // 2] * 2, [fit(*by_stage)], scratch, tested)
    assert (advised.way, advised.stage, advised.longer) == (way, stage, longer)
    assert find_strategy(advised.strategy)
    assert reason in str(advised)
    assert f"Advice: {advised.strategy}. " in str(advised)
    assert f"{images} images of 2 classes" in str(advised)


def test_gentle_fine_tuning_needs_a_dense_output():
    assert Advice([1000, 1000], [fit(0.7, 0.9)], 0.6, 250).way == "lp-ft"
    squeezenet = Advice([1000, 1000], [fit(0.7, 0.9, dense=False)], 0.6, 250)
    assert squeezenet.way == "finetune"
    assert "no dense layer" in str(squeezenet)


@pytest.mark.parametrize(
    ("lp_ft", "probe", "way"), [(0.9, 0.8, "lp-ft"), (0.8, 0.8, "codes-softmax"), (0.5, 0.8, "codes-softmax")]
)
def test_few_images_are_fine_tuned_only_where_it_was_better(lp_ft, probe, way):
    advised = Advice([50, 50], [fit(0.7, 0.9)], 0.6, 25, Trial(lp_ft, probe, 25))
    assert advised.way == way
    assert f"(lp-ft) classifies {lp_ft:.3f} of 25 held-out images" in str(advised)


def test_what_was_learned_is_the_share_of_errors_avoided():
    assert fit(0.9, 0.8, untrained=(0.4, 0.6)).learned == pytest.approx(0.5)
    assert fit(0.9, 0.5, untrained=(0.4, 0.6)).learned == pytest.approx(-0.25)
    assert fit(1.0, 1.0, untrained=(0.4, 1.0)).learned == 0


def test_it_says_why():
    first = fit(
        0.5, 0.8, 0.62, source="b", leep=-0.9, by_number={5: Spread(0.6, 0.1), 10: Spread(0.8, 0.02)}, measured=1000
    )
    second = fit(0.5, 0.6, 0.7, by_number={5: Spread(0.7, 0.03), 10: Spread(0.7, 0.01)}, measured=1000)
    advised = Advice([20, 30, 50], [first, second], 0.5, 15)
    text = str(advised)
    for words in (
        *("20 of the smallest", "few (", "the most frequent class has the accuracy 0.500", "b suits best. LEEP would"),
        *(
            "random weights has the accuracy 0.600 ± 0.015",
            "avoids 5% ± 5% of its errors",
            "does not suit the images (lim",
        ),
        *(
            "accuracy 0.800 ± 0.013 (by stage: 0.500, 0.800, 0.620)",
            "not certainly better",
            "the codes of stage 2 of b",
        ),
        *("100 images/s at 32 × 32 pixels", "0.333 without information): 5: a (0.700 ± 0.030), 10: b (0.800 ± 0.020)."),
        *(
            "0.000 (with random weights -0.900)",
            "LEEP -0.900 (without information -1.030)",
            "0.500 ± 0.115 on 15 held-out",
        ),
        *("was not measured", "Advice: codes-softmax-2."),
    ):
        assert words in text, words
    assert "similar to" not in text


@pytest.mark.parametrize(
    ("by_stage", "measured", "stage"),
    [
        ([0.80, 0.75], 100, 2),  # within the error
        ([0.80, 0.75], 1000, 1),
        ([1.00, 0.98], 50, 2),  # no error among few images has an error too
        ([0.70, 0.81, 0.80], 1000, 3),
        ([0.90, 0.60, 0.70], 40, 1),
        ([0.70, 0.80], 40, 2),
    ],
)
def test_an_earlier_stage_is_chosen_only_if_it_is_certainly_better(by_stage, measured, stage):
    measurement = fit(*by_stage, measured=measured)
    assert (measurement.stage, measurement.accuracy) == (stage, by_stage[stage - 1])


@pytest.mark.parametrize(
    ("counts", "few"), [([20, 1980], True), ([100, 100], False), ([99, 500], True), ([1000, 100, 5], True)]
)
def test_the_smallest_class_decides_whether_images_are_few(counts, few):
    advised = Advice(counts, [fit(0.7, 0.9)], 0.6, 25)
    assert advised.few == few
    assert f"{min(counts)} of the smallest class: {'few' if few else 'not few'}" in str(advised)
    assert f"the accuracy {max(counts) / sum(counts):.3f}" in str(advised)


@pytest.mark.parametrize(
    ("last", "untrained", "measured", "words"),
    [
        (0.9, 0.6, 1000, "suits the images (limit"),
        (0.5, 0.6, 1000, "does not suit the images (limit"),
        (0.9, 0.8, 60, "suits the images, but that is not certain"),
        (1.0, 1.0, 1000, "it was not measured whether pretraining helps"),
    ],
)
def test_it_says_of_pretraining_what_was_measured(last, untrained, measured, words):
    text = str(Advice([30, 30], [fit(0.4, last, untrained=(0.4, untrained), measured=measured)], 0.5, 15))
    assert words in text
    assert "similar to" not in text


@pytest.mark.parametrize(("measured", "words"), [(1000, "b suits best. "), (60, "not certainly: a is within two")])
def test_the_best_source_may_be_uncertain(measured, words):
    fits = [fit(0.5, 0.9, source="b", measured=measured), fit(0.5, 0.8, measured=measured)]
    assert words in str(Advice([30, 30], fits, 0.5, 15))
