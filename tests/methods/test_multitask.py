import mxnet as mx
import numpy as np
import pytest
from conftest import values
from PIL import Image

import d2ltl
from d2ltl.methods.multitask import train_multitask
from d2ltl.runtime import reseed

TINY = {"learning_rate": 0.05, "batch_size": 8, "num_epochs": 8, "size": 32}
STEADY = {**TINY, "learning_rate": 0.02, "num_epochs": 12}  # for weights that are learned at ten times the rate


def write_stripes(folder, number, seed):
    """Write images of stripes, across or upright, reddish or bluish: DIRECTION/COLOUR-NUMBER.png."""
    rng = np.random.default_rng(seed)
    for i in range(number):
        direction, colour = ("across", "upright")[i % 2], ("blue", "red")[i // 2 % 2]
        stripes = np.arange(40) // 5 % 2 * 90 + 40
        grey = (stripes[:, None] if direction == "across" else stripes[None, :]) + rng.integers(0, 60, (40, 40))
        tint = np.array([60, 0, -40] if colour == "red" else [-40, 0, 60])
        (folder / direction).mkdir(parents=True, exist_ok=True)
        Image.fromarray((grey[..., None] + tint).astype(np.uint8)).save(folder / direction / f"{colour}-{i:03}.png")


def colours(images):
    return [path.rpartition("/")[2].partition("-")[0] for path, _ in images.items]


@pytest.fixture(scope="module")
def directions(tmp_path_factory):
    root = tmp_path_factory.mktemp("tasks")
    write_stripes(root / "train", 48, 0)
    write_stripes(root / "test", 24, 1)
    return d2ltl.load_images(root)


@pytest.fixture(scope="module")
def tasks(directions):
    return {"direction": directions, "colour": tuple(part.relabel(colours(part)) for part in directions)}


def test_one_feature_block_learns_both_tasks(source, tasks):
    before = values(source)
    result = train_multitask(source, tasks=tasks, **TINY)
    assert result.weights == {"direction": [1.0] * 8, "colour": [1.0] * 8}
    for name, (_, test) in tasks.items():
        assert result.accuracy[name][-1] > 0.85
        assert d2ltl.evaluate(result.nets[name], test, size=32)[1] == pytest.approx(result.accuracy[name][-1])
    assert result.nets["direction"].features is result.nets["colour"].features
    assert result.nets["direction"].output is not result.nets["colour"].output
    assert all(np.array_equal(value, before[name]) for name, value in values(source).items())


def test_one_seed_gives_one_result(source, tasks):
    first, second = (train_multitask(source, tasks=tasks, **{**TINY, "num_epochs": 2}) for _ in range(2))
    assert first.accuracy == second.accuracy


def test_an_image_without_a_label_of_a_task_does_not_count_for_it(source, tasks):
    train, test = tasks["colour"]
    few = train.relabel([name if i % 6 < 2 else None for i, name in enumerate(colours(train))])
    result = train_multitask(source, tasks={**tasks, "colour": (few, test)}, weights="uncertainty", **STEADY)
    assert result.accuracy["colour"][-1] > 0.85
    assert len(few) == len(train) / 3
    assert all(np.isfinite(result.weights["colour"]))


def test_a_task_that_cannot_be_learned_is_given_less_weight(source, tasks):
    rng = np.random.default_rng(0)
    noise = tuple(part.relabel([f"{i}" for i in rng.permutation(len(part)) % 8]) for part in tasks["direction"])
    result = train_multitask(source, tasks={**tasks, "noise": noise}, weights="uncertainty", **STEADY)
    last = {name: by_epoch[-1] for name, by_epoch in result.weights.items()}
    assert last["noise"] < min(last["direction"], last["colour"])


def test_weights_may_be_given(source, tasks):
    options = {**TINY, "num_epochs": 1}
    result = train_multitask(source, tasks=tasks, weights={"colour": 0.5, "direction": 2}, **options)
    assert result.weights == {"direction": [2.0], "colour": [0.5]}


def test_a_task_of_weight_0_learns_nothing(source, tasks):
    result = train_multitask(source, tasks=tasks, weights={"colour": 0, "direction": 1}, **TINY)
    assert result.accuracy["direction"][-1] > 0.85
    reseed(0)
    untrained = {name: d2ltl.finetune_net(2, source) for name in tasks}["colour"].output.weight.data().asnumpy()
    trained = result.nets["colour"].output.weight.data().asnumpy()
    shrunk = trained / untrained  # by weight decay alone
    assert shrunk == pytest.approx(np.full_like(shrunk, shrunk[0, 0]), rel=1e-3)


def test_the_np_interface_will_do(source_file, directions):
    mx.npx.set_np()
    source = d2ltl.source_net("tiny", source_file)
    tasks = {"direction": directions, "colour": tuple(part.relabel(colours(part)) for part in directions)}
    result = train_multitask(source, tasks=tasks, weights="uncertainty", **{**TINY, "num_epochs": 1})
    assert len(result.accuracy["colour"]) == 1


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"tasks": {}}, "tasks is empty"),
        ({"weights": "clever"}, "weights is clever; it is 'equal', 'uncertainty', or a number for direction, colour"),
        ({"weights": {"colour": 1}}, "a number for direction, colour"),
        ({"weights": {"colour": 1, "direction": -1}}, "a weight is a finite number from 0"),
        ({"weights": {"colour": 1, "direction": float("nan")}}, "a weight is a finite number from 0"),
        ({"learning_rate": -1}, "learning_rate is -1"),
        ({"num_epochs": 0}, "num_epochs is 0"),
        ({"batch_size": 0}, "batch_size is 0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(source, tasks, options, problem):
    with pytest.raises(d2ltl.SettingsError, match=problem):
        train_multitask(source, **{"tasks": tasks, **TINY, **options})


def test_a_task_must_have_the_same_classes_to_train_and_to_test(source, tasks):
    wrong = {"colour": (tasks["colour"][0], tasks["direction"][1])}
    with pytest.raises(d2ltl.ImageFolderError, match="Task colour has .* the classes across, upright to test"):
        train_multitask(source, tasks=wrong, **TINY)


def test_no_image_trains_one_task_and_tests_another(source, directions):
    train, test = directions
    with pytest.raises(d2ltl.ImageFolderError, match="trains one task and tests another"):
        train_multitask(source, tasks={"a": (train, test), "b": (test, train)}, **TINY)


def test_a_learning_rate_that_is_too_large_is_named(source, tasks):
    with pytest.raises(d2ltl.DivergenceError, match="learning rate 1e\\+30"):
        train_multitask(source, tasks=tasks, **{**TINY, "learning_rate": 1e30})
